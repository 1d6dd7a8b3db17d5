"""Holds a device and tells what becomes of it, a line each: a program for ``test_vanishing``.

It runs in a rig of its own, whose sound server is killed or stopped while it looks on.
"""

import sys
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).parents[1]))

from cli.client import client, until

from gemini_live_trio.errors import MediaError
from gemini_live_trio.media import (
    MicrophoneBlock,
    list_devices,
    open_microphone,
    open_speaker,
)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def listen() -> None:
    """Tell each kind of event as it begins, and how much silence there was before a pause."""
    silence = 0
    before = ""
    async with open_microphone("vmic") as microphone:
        async for event in microphone:
            kind = type(event).__name__
            if isinstance(event, MicrophoneBlock):
                silence = 0 if any(event.pcm) else silence + len(event.pcm) // 2
            else:
                say(kind, silence)
            if kind != before and isinstance(event, MicrophoneBlock):
                say(kind)
            before = kind


async def speak() -> None:
    """Play a voice of four seconds, and tell how much was heard in the end."""
    second = trio.Event()

    def played(generation: int, seconds: float) -> None:
        if seconds > 1:
            second.set()

    async with open_speaker(
        "vspeaker", on_played=played, on_device=lambda event: say(type(event).__name__)
    ) as speaker:
        await speaker.play(b"\x00\x10" * 24_000 * 4, generation=1)
        await second.wait()
        say("speaking")
        await speaker.turn_played_out(1)
        now = speaker.statistics()
        say("heard", round(speaker.position(1), 1), now.restored)


async def leave() -> None:
    """Close both while the server hangs, and tell how long that took."""
    async with open_microphone("vmic") as microphone, open_speaker("vspeaker"):
        await anext(microphone)
        say("open")
        await trio.to_thread.run_sync(sys.stdin.readline)
        before = trio.current_time()
    say("closed", trio.current_time() - before < 5)


async def terminal() -> None:
    """Run the terminal client with both sides on, and tell what it shows, and its status."""
    async with client(microphone=True, speaker=True, echo="headphones") as (person, _):
        shown, bar = 0, ""
        while True:
            await until(lambda: len(person.lines) > shown or person.bar != bar)  # noqa: B023
            for line in person.lines[shown:]:
                say(line)
            if "lost" in person.bar and person.bar != bar:
                say(person.bar)
            shown, bar = len(person.lines), person.bar


async def look() -> None:
    """List what there is without a server, and try to open the default."""
    say(*(device.name for device in await list_devices()))
    for open_device in (open_microphone, open_speaker):
        try:
            async with open_device():
                say("opened")
        except MediaError as error:
            say(type(error).__name__, error)


trio.run(
    {"listen": listen, "speak": speak, "leave": leave, "look": look, "terminal": terminal}[
        sys.argv[1]
    ]
)
