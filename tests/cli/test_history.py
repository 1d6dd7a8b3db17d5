"""What was typed in earlier runs."""

import os
import stat
import threading
from pathlib import Path

import pytest

pytest.importorskip("prompt_toolkit", reason="needs the extra repl")
from support import most_bytes

from gemini_live_trio.repl._history import LONGEST, MOST, FileHistory, history_path


def history(path: Path | None) -> tuple[FileHistory, list[str]]:
    complaints: list[str] = []
    return FileHistory(path, complaints.append), complaints


def remembered(path: Path) -> list[str]:
    """The oldest first."""
    return [*history(path)[0].load_history_strings()][::-1]


def test_lines_are_there_in_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history"
    first, complaints = history(path)
    lines = ["one", "two\nlines", "# +odd\n+", "漢字 \U0001f44b", "with\rreturn", "lone \udcff"]
    for line in [*lines, " a secret", "x" * (LONGEST + 1)]:
        first.append_string(line)
    assert remembered(path) == [*lines[:-1], "lone ?"]
    assert not complaints
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_newest_stay_where_there_are_too_many(tmp_path: Path) -> None:
    path = tmp_path / "history"
    first, _ = history(path)
    for number in range(MOST + 50):
        first.append_string(str(number))
    newest = [str(number) for number in range(50, MOST + 50)]
    assert remembered(path) == newest
    assert path.read_text().count("\n+") == MOST
    assert [each.name for each in tmp_path.iterdir()] == ["history"]
    first.append_string("later")
    assert remembered(path) == [*newest[1:], "later"]


@pytest.mark.skipif(os.name != "posix", reason="needs limits of POSIX")
def test_a_full_disk_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "history"
    first, _ = history(path)
    for number in range(MOST + 1):
        first.append_string(str(number))
    before = path.read_bytes()
    again, complaints = history(path)
    with most_bytes(100):
        assert next(iter(again.load_history_strings())) == str(MOST)
    assert "remembered for this run only: File too large" in complaints[0]
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["history"]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\0\xff\xfe garbage", []),
        (b"\n# then\n+one\n+an en", ["one\nan en"]),
        (b"\n# then\n+b\xe4d\n", ["b\ufffdd"]),
    ],
)
def test_a_damaged_file_gives_what_it_can(tmp_path: Path, data: bytes, lines: list[str]) -> None:
    path = tmp_path / "history"
    path.write_bytes(data)
    assert remembered(path) == lines
    history(path)[0].append_string("more")
    assert remembered(path) == [*lines, "more"]


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "history"):
        one, complaints = history(path)
        assert [*one.load_history_strings()] == []
        one.append_string("kept for this run")
        one.append_string("this too")
        assert one.get_strings() == ["kept for this run", "this too"]
        (complaint,) = complaints
        assert str(path) in complaint
        assert "for this run only" in complaint


@pytest.mark.skipif(os.name == "nt", reason="has no such files")
def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        one, complaints = history(path)
        assert [*one.load_history_strings()] == []
        one.append_string("kept for this run")
        assert one.get_strings() == ["kept for this run"]
        assert complaints == [
            f"What you type is remembered for this run only: Not an ordinary file: {path}. "
            "(GEMINI_LIVE_HISTORY names another file.)"
        ]


def test_none_at_all() -> None:
    one, complaints = history(None)
    one.append_string("kept for this run")
    assert one.get_strings() == ["kept for this run"]
    assert not complaints


@pytest.mark.skipif(os.name == "nt", reason="has no such locks")
def test_two_runs_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history"
    first, _ = history(path)
    for number in range(MOST):
        first.append_string(f"old {number}")

    def run(name: str) -> None:
        one, _ = history(path)
        for number in range(100):
            one.append_string(f"{name} {number}")
            if not number % 10:
                remembered(path)

    # Locks are held by those who have opened the file, be they threads or processes.
    runs = [threading.Thread(target=run, args=(name,)) for name in ("a", "b")]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    lines = remembered(path)
    assert len(lines) == MOST
    for name in ("a", "b"):
        assert [line for line in lines if line.startswith(name)] == [
            f"{name} {number}" for number in range(100)
        ]


def test_where_it_is() -> None:
    assert history_path({"GEMINI_LIVE_HISTORY": "/some/file"}) == Path("/some/file")
    assert history_path({"GEMINI_LIVE_HISTORY": ""}) is None
    assert history_path({"GEMINI_LIVE_HISTORY": os.devnull}) is None
    usual = history_path({})
    assert usual is not None
    assert usual.parts[-2:] == ("gemini-live-trio", "history")
