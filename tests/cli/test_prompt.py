"""The prompt beside Trio, with keys from a pipe and a terminal that only exists in memory."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

pytest.importorskip("prompt_toolkit", reason="needs the extra repl")

from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from gemini_live_trio.repl._commands import PRESS_AGAIN
from gemini_live_trio.repl._prompt import MANY_ROWS, Prompt, _Completions, open_prompt
from gemini_live_trio.repl._render import Kind

STORY = ["once", "upon", "a", "time", "there", "was", "a", "small", "server", "that"]


class Paper(DummyOutput):
    """Keeps what is written."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, data: str) -> None:
        self.text += data

    def write_raw(self, data: str) -> None:
        self.text += data

    def get_size(self) -> Size:
        return Size(rows=24, columns=40)


@asynccontextmanager
async def prompt() -> AsyncIterator[tuple[Prompt, PipeInput, Paper]]:
    paper = Paper()
    before = threading.active_count()
    with trio.fail_after(20), create_pipe_input() as keys:
        async with open_prompt(source=keys, sink=paper) as opened:
            yield opened, keys, paper
    # One of Trio's own may wait for more work; ours, and prompt-toolkit's, are gone.
    ours = [thread for thread in threading.enumerate() if "Trio" not in thread.name]
    assert len(ours) <= before


async def test_lines_arrive_in_their_order() -> None:
    async with prompt() as (opened, keys, _):
        keys.send_text("one\rtwo\r\r")
        assert [await opened.typed() for _ in range(3)] == ["one", "two", ""]


async def test_a_paste_of_many_lines_is_one_line() -> None:
    async with prompt() as (opened, keys, _):
        keys.send_text("\x1b[200~a\nb\nc\x1b[201~\r")
        assert await opened.typed() == "a\nb\nc"


@pytest.mark.parametrize("leave", ["\x04", "\x03\x03", "draft\x03\x03"])
async def test_ways_to_leave(leave: str) -> None:
    async with prompt() as (opened, keys, _):
        keys.send_text(leave)
        assert await opened.typed() is None


@pytest.mark.parametrize("stay", ["\x03one\r", "\x03x\x03\x7fone\r", "draft\x03one\r"])
async def test_one_ctrl_c_clears_the_line_and_anything_typed_takes_it_back(stay: str) -> None:
    async with prompt() as (opened, keys, paper):
        keys.send_text(stay)
        assert await opened.typed() == "one"
    assert PRESS_AGAIN in paper.text


async def test_everything_shown_is_there_at_the_end() -> None:
    async with prompt() as (opened, _, paper):
        opened.status(" a bar")
        opened.line(Kind.NOTE, "first")
        for word in STORY:
            opened.add(Kind.MODEL, word + " ")
        opened.line(Kind.YOU, "between")
        opened.end()
    shown = [
        paper.text.index(row)
        for row in (
            "note> first",
            "model> once upon a time there was a",
            "you> between",
            "model> small server that",
        )
    ]
    assert shown == sorted(shown)


class Stuck(Paper):
    """Takes nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.stuck = False

    def write(self, data: str) -> None:
        if self.stuck:
            self.may.wait(20)
        super().write(data)


class Broken(Paper):
    """Fails once it is asked for something."""

    def write(self, data: str) -> None:
        if "fail" in data:
            raise OSError(5, "Input/output error")
        super().write(data)


async def test_a_terminal_that_fails_ends_it() -> None:
    with trio.fail_after(20), create_pipe_input() as keys, pytest.raises(BaseExceptionGroup) as why:
        async with open_prompt(source=keys, sink=Broken()) as opened:
            opened.line(Kind.NOTE, "fail")
            await trio.sleep_forever()
    assert why.group_contains(OSError, match="Input/output error")


async def test_a_slow_terminal_is_waited_for_and_a_stuck_one_is_left() -> None:
    paper = Stuck()
    with trio.fail_after(20), create_pipe_input() as keys:
        async with open_prompt(source=keys, sink=paper) as opened:
            await opened.flush()
            paper.stuck = True
            for number in range(MANY_ROWS + 10):
                opened.line(Kind.NOTE, str(number))
            with trio.move_on_after(0.1) as scope:
                await opened.flush()
            assert scope.cancelled_caught
            paper.may.set()
            await opened.flush()
            assert f"note> {0}" in paper.text
            paper.may.clear()
            opened.line(Kind.NOTE, "never seen in time")
        paper.may.set()


async def test_cancellation_gives_the_terminal_back() -> None:
    with trio.CancelScope() as scope:
        async with prompt() as (opened, keys, _):
            keys.send_text("draft")
            scope.cancel()
            await opened.typed()
    assert scope.cancelled_caught


async def test_leaving_at_once_is_possible() -> None:
    async with prompt():
        pass


def completions(text: str) -> list[str]:
    document = Document(text, len(text))
    return [found.text for found in _Completions().get_completions(document, CompleteEvent())]


def test_completion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech.wav").touch()
    assert completions("/he") == ["/help"]
    assert completions("/help ") == []
    assert completions("hear @spe") == ["ech.wav"]
    assert completions("hello") == []
