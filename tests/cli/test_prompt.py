"""The prompt beside Trio, with keys from a pipe and a terminal that only exists in memory."""

import itertools
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

pytest.importorskip("prompt_toolkit", reason="needs the extra repl")

from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from gemini_live_trio.repl._commands import PRESS_AGAIN
from gemini_live_trio.repl._prompt import MANY_ROWS, Prompt, open_prompt
from gemini_live_trio.repl._render import Kind

NUMBERS = itertools.count()
STORY = ["once", "upon", "a", "time", "there", "was", "a", "small", "server", "that"]


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_LIVE_HISTORY", str(tmp_path / "history"))


class Paper(DummyOutput):
    """Keeps what is written."""

    def __init__(self) -> None:
        self.text = ""
        self.columns = 40

    def write(self, data: str) -> None:
        self.text += data

    def write_raw(self, data: str) -> None:
        self.text += data

    def get_size(self) -> Size:
        return Size(rows=24, columns=self.columns)


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


@pytest.mark.parametrize("newline", ["\x1b\r", "\n"])
async def test_a_line_may_have_several_lines(newline: str) -> None:
    async with prompt() as (opened, keys, _):
        keys.send_text(f"one{newline}two\r")
        assert await opened.typed() == "one\ntwo"


async def test_a_huge_paste_arrives_whole() -> None:
    text = "\n".join(["word " * 199 + "漢字\t"] * 100)
    assert len(text) > 99_000
    async with prompt() as (opened, keys, _):
        keys.send_text(f"\x1b[200~{text}\x1b[201~")
        keys.send_text("!\r")
        assert await opened.typed() == text + "!"


async def test_what_is_no_utf_8_becomes_a_mark() -> None:
    async with prompt() as (opened, keys, _):
        keys.send_bytes(b"a\xffb\r")
        assert await opened.typed() == "a\ufffdb"


@pytest.mark.parametrize("leave", ["\x04", "\x03\x03", "draft\x03\x03\x03", "draft\x03\x04"])
async def test_ways_to_leave(leave: str) -> None:
    async with prompt() as (opened, keys, _):
        keys.send_text(leave)
        await opened.left()


async def test_a_terminal_that_is_gone_is_left() -> None:
    async with prompt() as (opened, keys, _):
        keys.close()
        await opened.left()


@pytest.mark.parametrize("stay", ["\x03one\r", "\x03x\x03\x03\x7fone\r", "\x03\x1b[A\x03one\r"])
async def test_anything_typed_takes_a_ctrl_c_back(stay: str) -> None:
    async with prompt() as (opened, keys, paper):
        keys.send_text(stay)
        assert await opened.typed() == "one"
        with trio.move_on_after(0) as scope:
            await opened.left()
        assert scope.cancelled_caught
    assert PRESS_AGAIN in paper.text


async def test_ctrl_c_clears_a_line_without_more() -> None:
    async with prompt() as (opened, keys, paper):
        keys.send_text("draft\x03one\r")
        assert await opened.typed() == "one"
    assert PRESS_AGAIN not in paper.text


async def test_ctrl_c_is_meant_for_the_speech_first() -> None:
    async with prompt() as (opened, keys, _):
        for _ in range(2):
            opened.speaking = True
            keys.send_text("draft\x03")
            await opened.interrupted()
            # It counts as answered, so the next one is for the line.
            keys.send_text("\x03one\r")
            assert await opened.typed() == "one"
        opened.speaking = True
        keys.send_text("\x03\x03\x03")
        await opened.interrupted()
        await opened.left()


async def test_what_was_interrupted_is_not_speaking_until_that_is_known() -> None:
    async with prompt() as (opened, keys, _):
        opened.speaking = True
        keys.send_text("\x03")
        while opened.speaking:
            await trio.lowlevel.checkpoint()
        opened.speaking = True  # by somebody who hasn't heard of it yet
        assert not opened.speaking
        await opened.interrupted()
        opened.speaking = True
        assert opened.speaking


async def test_history_and_search() -> None:
    async with prompt() as (opened, keys, paper):
        for line in ("first", "second\x1b\rline", " a secret"):
            keys.send_text(f"{line}\r")
            await opened.typed()
        await repainted(opened, paper)
        keys.send_text("\x12fir\r\r")
        assert await opened.typed() == "first"
        await repainted(opened, paper)
        keys.send_text("\x1b[A\x1b[A\r")
        assert await opened.typed() == "second\nline"
    async with prompt() as (opened, keys, paper):
        await repainted(opened, paper)
        keys.send_text("\x12fir\r!\r")
        assert await opened.typed() in ("!first", "first!")
        await repainted(opened, paper)
        keys.send_text("\x12secret\x03x\r")
        assert await opened.typed() == "x"


async def test_a_history_that_cannot_be_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_LIVE_HISTORY", str(tmp_path))
    async with prompt() as (opened, keys, paper):
        keys.send_text("one\r")
        assert await opened.typed() == "one"
    assert paper.text.count("remembered for") == 1


@pytest.mark.parametrize(
    ("keys_pressed", "answer"),
    [
        ("y\r", True),
        (" YES \r", True),
        ("n\r", False),
        ("\r", False),
        ("yes\x03", False),
        ("\x04", False),
        ("yes\x04", False),
    ],
)
async def test_a_question(keys_pressed: str, answer: bool) -> None:
    async with prompt() as (opened, keys, paper):
        keys.send_text("a draft\x1b[D")
        await shown(opened, paper, "a draft")
        opened.speaking = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answered, opened, answer)
            await shown(opened, paper, "yes or no> ")
            keys.send_text(keys_pressed)
        assert opened.speaking
        keys.send_text("f\r")
        assert await opened.typed() == "a drafft"
    assert f"note> May I? {'Yes.' if answer else 'No.'}" in paper.text


async def test_what_is_no_answer_is_kept_for_the_model() -> None:
    async with prompt() as (opened, keys, paper):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answered, opened, True)
            await shown(opened, paper, "yes or no> ")
            keys.send_text("hello again\r")
            await shown(opened, paper, "Yes or no? ")
            keys.send_text("y\r")
        keys.send_text("!\r")
        assert await opened.typed() == "hello again!"


async def test_colours_in_a_paste_without_brackets_are_no_mouse() -> None:
    async with prompt() as (opened, keys, _):
        keys.send_text("x\x1b[31my\r")
        assert await opened.typed() == "xy"


async def answered(opened: Prompt, answer: bool) -> None:
    assert await opened.ask("May I?") is answer


async def shown(opened: Prompt, paper: Paper, text: str) -> None:
    """Wait until the terminal has it."""
    while text not in paper.text:
        await opened.flush()
        await trio.sleep(0.001)


async def repainted(opened: Prompt, paper: Paper) -> None:
    """Wait until it is; the history is read again then."""
    character = chr(0x4E00 + next(NUMBERS))
    opened.status(character)
    await shown(opened, paper, character)


async def test_a_question_is_taken_back() -> None:
    async with prompt() as (opened, keys, paper):
        keys.send_text("a draft")
        await shown(opened, paper, "a draft")
        for _ in range(2):
            paper.text = ""
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(opened.ask, "May I?")
                    await shown(opened, paper, "yes or no> ")
                    keys.send_text("yes")
                    await shown(opened, paper, "yes")
                    scope.cancel()
            paper.text = ""
            await shown(opened, paper, "a draft")
        keys.send_text("!\r")
        assert await opened.typed() == "a draft!"
        await repainted(opened, paper)
        # Answers are not remembered.
        keys.send_text("\x1b[A\r")
        assert await opened.typed() == "a draft!"


async def test_questions_wait_for_one_another_and_a_search_gives_way() -> None:
    async with prompt() as (opened, keys, paper):
        keys.send_text("draft\x12")
        await shown(opened, paper, "reverse-i-search")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answered, opened, True)
            nursery.start_soon(answered, opened, True)
            for _ in range(2):
                await shown(opened, paper, "yes or no> ")
                paper.text = ""
                keys.send_text("y\r")
                await shown(opened, paper, "May I? Yes.")
        keys.send_text("!\r")
        assert await opened.typed() == "draft!"


async def test_tab_completes_away_from_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my speech.wav").touch()
    async with prompt() as (opened, keys, paper):
        opened.offer(lambda blank: [("clock", "")] if blank == "TOOL" else [])
        for typed, line in (
            ("hear @my\t", 'hear @"my speech.wav"'),
            ("/tools enable c\t", "/tools enable clock"),
        ):
            keys.send_text(typed)
            await shown(opened, paper, line[-4:])
            keys.send_text("\r")
            assert await opened.typed() == line


async def test_the_status_is_cut_and_harmless() -> None:
    async with prompt() as (opened, _, paper):
        opened.status("漢字" * 8 + "\x1b[31m\n" + "x" * 100)
        await shown(opened, paper, "漢字" * 8 + "␛[31")
        await shown(opened, paper, "…")
    assert "\x1b[31m" not in paper.text
    assert "x" * 10 not in paper.text


async def test_the_growing_row_is_wrapped_again_in_a_narrower_terminal() -> None:
    async with prompt() as (opened, _, paper):
        opened.add(Kind.MODEL, "once upon a time there was")
        await shown(opened, paper, "model> once upon a time there was")
        paper.columns = 20
        paper.text = ""
        opened.status("narrower")
        await shown(opened, paper, "there")
        opened.end()
    assert "model> once upon a" in paper.text
    assert "once upon a time" not in paper.text


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
        self.waits = threading.Event()
        self.may = threading.Event()
        self.stuck = False

    def write(self, data: str) -> None:
        if self.stuck:
            self.waits.set()
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
            opened.line(Kind.NOTE, "in hand")
            await trio.to_thread.run_sync(paper.waits.wait, 20)
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
