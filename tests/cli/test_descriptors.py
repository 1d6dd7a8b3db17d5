"""Reading and writing standard streams without holding up Trio."""

import os
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gemini_live_trio.errors import ConfigError
from gemini_live_trio.repl._descriptors import LINE_LIMIT, LineReader, TextWriter
from gemini_live_trio.repl._errors import OutputFailed
from gemini_live_trio.repl._plain import PlainScreen
from gemini_live_trio.repl._render import Kind

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes are watched on POSIX")


async def lines(source: bytes, pipe: tuple[int, int]) -> list[str]:
    read, write = pipe
    os.write(write, source)
    os.close(write)
    return [line async for line in LineReader(read)]


async def test_lines_are_cut_at_their_ends(pipe: tuple[int, int]) -> None:
    assert await lines("one\r\n\nzwölf\nlast".encode(), pipe) == ["one", "", "zwölf", "last"]


async def test_nothing_is_no_line(pipe: tuple[int, int]) -> None:
    assert await lines(b"", pipe) == []


async def test_what_is_no_text_is_replaced(pipe: tuple[int, int]) -> None:
    assert await lines(b"a\xffb\n\xe2\x82", pipe) == ["a\ufffdb", "\ufffd"]


async def test_files_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a\n" * 100_000)
    with (tmp_path / "in").open() as file:
        assert [line async for line in LineReader(file.fileno())] == ["a"] * 100_000
    nothing = os.open(os.devnull, os.O_RDONLY)
    assert [line async for line in LineReader(nothing)] == []
    os.close(nothing)


async def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"a" * (LINE_LIMIT + 200_000))
    with (
        (tmp_path / "in").open() as file,
        pytest.raises(ConfigError, match="A line of the input has more than 1,048,576"),
    ):
        await anext(LineReader(file.fileno()))


async def test_reading_can_be_cancelled_and_loses_nothing(pipe: tuple[int, int]) -> None:
    read, write = pipe
    reader = LineReader(read)
    os.write(write, b"half a ")
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(anext, reader)
            await wait_all_tasks_blocked()
            scope.cancel()
    assert scope.cancelled_caught
    os.write(write, b"line\n")
    assert await anext(reader) == "half a line"


async def test_a_reader_that_stands_still_holds_up_nobody(pipe: tuple[int, int]) -> None:
    read, write = pipe
    text = "x" * 1_000_000
    got = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(TextWriter(write).write, text)
        await wait_all_tasks_blocked()  # the pipe is full, and this task runs
        while len(got) < len(text):
            await trio.lowlevel.wait_readable(read)
            got += os.read(read, 65_536)
    assert got.decode() == text


async def test_writing_where_nobody_reads_is_told(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.close(read)
    with pytest.raises(BrokenPipeError):
        await TextWriter(write).write("x")


async def test_a_terminal_that_stands_still_holds_up_nobody() -> None:
    master, slave = os.openpty()
    text = "x" * 100_000
    got = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(TextWriter(slave).write, text)
        await wait_all_tasks_blocked()  # the terminal is full, and this task runs
        assert os.get_blocking(slave)
        while len(got) < len(text):
            await trio.lowlevel.wait_readable(master)
            got += os.read(master, 65_536)
    assert got.decode() == text
    os.close(master)
    os.close(slave)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_output_that_is_refused_is_told_by_its_name() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OutputFailed, match="Can't write to the output: No space left on device"):
        await TextWriter(full).write("x")
    os.close(full)


async def test_a_cancelled_flush_is_continued_by_the_next(pipe: tuple[int, int]) -> None:
    read, write = pipe
    with open(write, "w", closefd=False) as out:  # noqa: ASYNC230
        screen = PlainScreen(out, None, colours=False)
        lines = [f"{number} {'x' * 50_000}" for number in range(6)]
        for line in lines[:4]:
            screen.raw(line)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(screen.flush)
                await wait_all_tasks_blocked()
                scope.cancel()
        for line in lines[4:]:
            screen.raw(line)
        wanted = "".join(f"{line}\n" for line in lines)
        got = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(screen.flush)
            while len(got) < len(wanted):
                await trio.lowlevel.wait_readable(read)
                got += os.read(read, 65_536)
    assert got.decode() == wanted


async def test_a_closed_stream_takes_everything() -> None:
    await TextWriter(None).write("x")


async def test_half_a_character_is_written_as_a_mark(pipe: tuple[int, int]) -> None:
    await TextWriter(pipe[1]).write("\ud800")
    assert os.read(pipe[0], 10) == b"?"


async def shown(*, terminal: bool, colours: bool = False, tmp_path: Path) -> str:
    """Tell a short story to a screen; both streams go to the same file."""
    with (tmp_path / "out").open("w") as out:
        out.isatty = lambda: terminal  # type: ignore[method-assign]
        screen = PlainScreen(out, out, colours=colours)
        screen.line(Kind.YOU, "Hi")
        screen.line(Kind.HEARD, "mumble")
        screen.add(Kind.MODEL, "Hello ")
        await screen.flush()
        screen.line(Kind.NOTE, "a remark")
        screen.line(Kind.NOTE, "another")
        screen.add(Kind.MODEL, "there")
        screen.add(Kind.MODEL, ".")
        screen.end()
        screen.end()
        await screen.flush()
    return (tmp_path / "out").read_text()


async def test_a_person_sees_marks_and_whole_lines(tmp_path: Path) -> None:
    assert await shown(terminal=True, tmp_path=tmp_path) == (
        "you> Hi\nheard> mumble\nmodel> Hello \nnote> a remark\nnote> another\nmodel> there.\n"
    )


async def test_a_pipe_gets_the_answer_as_it_is(tmp_path: Path) -> None:
    assert await shown(terminal=False, tmp_path=tmp_path) == (
        "heard> mumble\nHello note> a remark\nnote> another\nthere.\n"
    )


async def test_colours_are_for_terminals_that_want_them(tmp_path: Path) -> None:
    assert "\x1b[1;32mmodel> \x1b[0mHello" in await shown(
        terminal=True, colours=True, tmp_path=tmp_path
    )
    assert "\x1b" not in await shown(terminal=False, colours=True, tmp_path=tmp_path)
