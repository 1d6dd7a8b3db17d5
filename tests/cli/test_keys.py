"""Every key, in a real terminal, with a program that only echoes (``echo.py``)."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("prompt_toolkit", reason="needs the extra repl")
from cli.echo import ASKED, BURST, BURSTS
from cli.tmux import NEEDED, Terminal

from gemini_live_trio.repl._commands import PRESS_AGAIN
from gemini_live_trio.repl._render import Kind

pytestmark = [pytest.mark.terminal, NEEDED]

ECHO = str(Path(__file__).with_name("echo.py"))
EMPTY = r"^you>$"


def start(terminal: Terminal, *, prompt: str = EMPTY) -> None:
    terminal.start(program=[ECHO])
    terminal.see(r"^note> Hello\.$")
    terminal.see(prompt)


def leave(terminal: Terminal) -> None:
    terminal.keys("C-d")
    terminal.ended(0)


@pytest.fixture
def burst(tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """Have so many more bursts of a stream come."""
    os.mkfifo(tmp_path / ASKED)
    pipe = os.open(tmp_path / ASKED, os.O_RDWR)

    def ask(count: int) -> None:
        os.write(pipe, b"." * count)

    yield ask
    os.close(pipe)


def test_several_lines(terminal: Terminal) -> None:
    start(terminal)
    terminal.text("one")
    terminal.keys("M-Enter")
    terminal.text("two")
    terminal.keys("C-j")
    terminal.text("three")
    terminal.see(r"^you> one\n     two\n     three$")
    terminal.keys("Enter")
    terminal.see(r"^model> 13: 'one\\ntwo\\nthree'$")
    terminal.paste("four\nfive\nsix")
    terminal.see(r"^you> four\n     five\n     six$")
    terminal.keys("Enter")
    terminal.see(r"^model> 13: 'four\\nfive\\nsix'$")
    terminal.paste("0123456789" * 10_000)
    terminal.keys("Enter")
    terminal.see(r"^model> 100000:$")
    leave(terminal)


def test_the_history_of_all_runs(terminal: Terminal, tmp_path: Path) -> None:
    start(terminal)
    for line in ("first", "second", " a secret"):
        terminal.type(line)
        terminal.see(rf"^model> \d+: '{line}'$")
    leave(terminal)
    start(terminal)
    terminal.keys("Up")
    terminal.see(r"^you> second$")
    terminal.keys("Up")
    terminal.see(r"^you> first$")
    terminal.keys("Down")
    terminal.see(r"^you> second$")
    terminal.keys("C-r")
    terminal.text("fir")
    terminal.see(r"^\(reverse-i-search\)`fir': first$")
    terminal.keys("Enter")
    terminal.see(r"^you> first$")
    terminal.keys("C-c", "C-r")
    terminal.see(r"reverse-i-search")
    terminal.keys("C-c")  # gives the search up, and no more
    terminal.see(EMPTY)
    leave(terminal)
    assert "secret" not in (tmp_path / "history").read_text()


def test_tab(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "my holiday.jpg").touch()
    (tmp_path / "my music").mkdir()
    (tmp_path / "my music" / "a.wav").touch()
    start(terminal)
    for typed, line in (
        ("/too", "/tools"),
        (" en", "/tools enable"),
        (" c", "/tools enable clock"),
        (None, ""),
        ("look at @my\\ h"[:11] + "", "look at @my"),
        (None, ""),
        ('look at @"my h', 'look at @"my holiday.jpg"'),
        (" and @my", ""),
        (None, ""),
        ("/save ./my\x20m", '/save "./my music/'),
        (None, ""),
    ):
        if typed is None:
            terminal.keys("C-c")
            terminal.see(EMPTY)
            continue
        terminal.text(typed)
        terminal.keys("Tab")
        terminal.see(rf"^you> {re.escape(line)}")
    terminal.text("@my")
    terminal.keys("Tab")
    terminal.see(r"^ +my holiday\.jpg\n +my music/$")  # the menu
    terminal.keys("Tab")
    terminal.see(r'^you> @"my holiday.jpg"$')
    terminal.keys("Tab")
    terminal.see(r'^you> @"my music/$')
    terminal.text("a")
    terminal.keys("Tab")
    terminal.see(r'^you> @"my music/a.wav"$')
    terminal.keys("Enter")
    terminal.see(r"^model> 17: '@\"my music/a.wav\"'$")
    leave(terminal)


def test_ctrl_c_in_each_state(terminal: Terminal) -> None:
    start(terminal)
    terminal.type("speak")
    terminal.see(r"^you> speak\n(.*\n)*you>$")
    terminal.text("a draft")
    terminal.see(r"^you> a draft$")
    terminal.keys("C-c")  # the speech
    terminal.see(r"^note> Hushed\.\n(.*\n)*you> a draft$")
    terminal.keys("C-c")  # the line
    screen = terminal.see(EMPTY)
    assert PRESS_AGAIN not in screen
    terminal.keys("C-c")
    terminal.see(PRESS_AGAIN)
    terminal.text("x")  # takes it back
    terminal.see(r"^you> x$")
    terminal.keys("BSpace", "C-c")
    terminal.see(rf"({PRESS_AGAIN}(.|\n)*){{2}}")
    terminal.keys("C-c")
    terminal.ended(0)


def test_a_question_puts_the_line_aside(terminal: Terminal) -> None:
    start(terminal)
    terminal.type("ask")
    terminal.see(r"^note> May I\?\nyes or no>$")
    terminal.type("yes")
    terminal.see(r"^note> May I\? Yes\.\n(.*\n)*tool> I may\.$")
    for key in ("Enter", "C-c", "C-d"):
        terminal.keys("C-l")
        terminal.type("ask")
        terminal.see(r"^yes or no>$")
        terminal.keys(key)
        terminal.see(r"^note> May I\? No\.\n(.*\n)*tool> I may not\.$")
        terminal.see(EMPTY)
    terminal.type("ask and think better of it")
    terminal.see(r"^yes or no>$")
    terminal.see(r"^you>$")
    terminal.keys("Up", "Up")
    terminal.see(r"^you> ask$")  # no answer was remembered
    terminal.keys("C-c")
    leave(terminal)


def test_going_away_and_coming_back(terminal: Terminal) -> None:
    start(terminal)
    terminal.text("a draft")
    terminal.see(r"^you> a draft$")
    terminal.keys("C-z")
    terminal.see(r"^READY>")
    terminal.type("clear; stty -g > after; cmp before after && echo as it was")
    terminal.see(r"^(READY> )?as it was")
    terminal.type("fg")
    terminal.see(r"^you> a draft$")
    terminal.keys("Enter")
    terminal.see(r"^model> 7: 'a draft'$")
    terminal.keys("C-d")
    terminal.see(lambda screen: screen.rstrip().endswith("\nREADY>"))
    terminal.type("clear; stty -g > after; cmp before after && echo as it still was")
    terminal.see(r"^(READY> )?as it still was")


def test_typing_while_five_hundred_fragments_come(
    terminal: Terminal, burst: Callable[[int], None]
) -> None:
    start(terminal)
    terminal.type("stream")
    burst(1)
    terminal.see(r"^model> 0 1 2 3")
    typed = "a line that nobody disturbs"
    for letter in typed:
        burst(1)
        terminal.text(letter)
    terminal.keys("M-Enter")
    burst(BURSTS)
    screen = terminal.see(r"^note> That was all\.$")
    terminal.text("!")
    screen = terminal.see(rf"^you> {typed}\n     !$")
    assert screen.count(typed) == 1
    whole = terminal.screen("-S", "-")
    shown = whole.partition("model>")[2].partition("note>")[0]
    assert shown.split() == [str(number) for number in range(500)]
    terminal.keys("Enter")
    terminal.see(rf"^model> {len(typed) + 2}: ")
    leave(terminal)


def test_all_kinds_of_writing(terminal: Terminal) -> None:
    start(terminal)
    for written in (
        "漢字かな交じり文",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 ok",
        "שלום עולם",
        "cafe\u0301 \u0928\u092e",
    ):
        terminal.paste(written)
        terminal.keys("Enter")
        terminal.see(rf"^model> {len(written)}: ")
    assert "漢字かな交じり文" in terminal.screen()
    assert "שלום עולם" in terminal.screen()
    leave(terminal)


@pytest.mark.parametrize("columns", [40, 24, 12])
def test_narrow_terminals(terminal: Terminal, columns: int) -> None:
    terminal.resize(columns, 20)
    terminal.start(program=[ECHO])
    screen = terminal.see(r"^ ready .*(…|31m)$")
    assert "note> Hello." in screen.replace("\n.", ".")
    assert ("…" in screen) is (columns < 40)
    terminal.type("repeat these words of mine")
    terminal.see(r"^model> 26:")
    shown = terminal.screen().partition("model>")[2].partition("you>")[0]
    assert "".join(shown.split()) == "26:'repeatthesewordsofmine'"
    leave(terminal)


def test_a_resized_terminal(terminal: Terminal, burst: Callable[[int], None]) -> None:
    start(terminal)
    terminal.type("stream")
    burst(10)
    terminal.see(rf"^ {10 * BURST - 1} of 500$")
    for total, columns in ((20, 50), (30, 30), (40, 100)):
        terminal.resize(columns, 24)
        burst(10)
        terminal.see(rf"^ {total * BURST - 1} of 500$")
    terminal.text("typed")
    burst(BURSTS)
    terminal.see(r"^note> That was all\.$")
    screen = terminal.see(r"^you> typed$")
    assert screen.count("you> typed") == 1
    numbers = re.findall(r"\d+", screen.partition("note> That")[0].rpartition("> ")[2])
    assert numbers == [str(number) for number in range(500 - len(numbers), 500)]
    terminal.keys("C-c")
    leave(terminal)


def test_colours_and_marks(terminal: Terminal) -> None:
    for unwanted in (False, True):
        if unwanted:
            terminal.type("export NO_COLOR=1")
        start(terminal)
        terminal.type("kinds")
        screen = terminal.see(r"^error> error$")
        for kind in Kind:
            assert f"\n{kind.mark}{kind.name.lower()}\n" in screen
        coloured = re.findall("\x1b\\[[0-9;]*[39][0-7]m", terminal.screen("-e"))
        assert bool(coloured) is not unwanted
        assert unwanted or len(set(coloured)) >= 6
        leave(terminal)


def test_a_crash_restores_the_terminal(terminal: Terminal) -> None:
    start(terminal)
    terminal.type("crash")
    screen = terminal.ended(1)
    assert "ZeroDivisionError: as you wish" in screen


def test_a_dumb_terminal(terminal: Terminal) -> None:
    terminal.type("export TERM=dumb")
    terminal.start(program=[ECHO])
    terminal.see(r"^note> Hello\.$")
    terminal.type("plain")
    terminal.see(r"^model> 5: 'plain'$")
    terminal.type("ask")
    terminal.see(r"^note> May I\? \(yes or no\)$")
    terminal.type("yes")
    terminal.see(r"^tool> I may\.$")
    terminal.type("ask")
    terminal.see(r"(May I\?(.|\n)*){2}")
    terminal.keys("C-c")
    terminal.see(r"^tool> I may not\.$")
    terminal.type("speak")
    terminal.type("now")
    terminal.see(r"^model> 3: 'now'$")
    terminal.keys("C-c")
    terminal.see(r"^note> Hushed\.$")
    terminal.keys("C-c")
    terminal.see(PRESS_AGAIN)
    terminal.keys("C-c")
    terminal.ended(0)
