"""A program for a terminal: a front alone, that answers what is typed. Some words do more."""

import os
import sys

import trio

from gemini_live_trio.repl._front import Front, open_front
from gemini_live_trio.repl._render import Kind

BURST = 10
BURSTS = 50
FRAGMENTS = BURST * BURSTS
ASKED = "bursts"
"""A named pipe: each byte in it asks for a burst, so that a slow test still finds the stream under
way."""


async def listen(front: Front) -> None:
    while True:
        await front.interrupted()
        front.line(Kind.NOTE, "Hushed.")
        await front.flush()


async def answer(front: Front, nursery: trio.Nursery) -> None:
    while True:
        line = await front.typed()
        front.line(Kind.YOU, line)
        match line:
            case "speak":
                front.speaking = True
            case "ask":
                nursery.start_soon(ask, front)
            case "ask and think better of it":
                with trio.move_on_after(0.3):
                    await ask(front)
            case "stream":
                nursery.start_soon(stream, front)
            case "kinds":
                for kind in Kind:
                    front.line(kind, kind.name.lower())
            case "crash":
                raise ZeroDivisionError("as you wish")
            case _:
                front.line(Kind.MODEL, f"{len(line)}: {line[:200]!r}")
        await front.flush()


async def ask(front: Front) -> None:
    yes = await front.ask("May I?")
    front.line(Kind.TOOL, "I may." if yes else "I may not.")
    await front.flush()


async def stream(front: Front) -> None:
    # For writing as well, or there would be an end of it before anybody asked.
    async with trio.lowlevel.FdStream(os.open(ASKED, os.O_RDWR)) as asked:
        for number in range(FRAGMENTS):
            if number % BURST == 0:
                await asked.receive_some(1)
            front.add(Kind.MODEL, f"{number} ")
            front.status(f" {number} of {FRAGMENTS}")
            await front.flush()  # the pace of the terminal
    front.end()
    front.line(Kind.NOTE, "That was all.")


async def main() -> None:
    async with open_front() as front, trio.open_nursery() as nursery:
        front.offer(lambda blank: {"TOOL": [("clock", "tells the time")]}.get(blank, []))
        front.status(" " + "ready " * 5 + "\x1b[31m")
        front.line(Kind.NOTE, "Hello.")
        await front.flush()
        nursery.start_soon(listen, front)
        nursery.start_soon(answer, front, nursery)
        await front.left()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    sys.exit(trio.run(main, restrict_keyboard_interrupt_to_checkpoints=True))
