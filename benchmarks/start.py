"""How long the terminal program takes from its start to the prompt, and what of that is whose.

    nox -s bench            or    python benchmarks/start.py [--runs N]

``--simulate`` runs in a pseudo-terminal that answers as a terminal does, until the prompt is drawn
and the session connected. Beside it stands what else a start can be: Python alone, Trio alone, this
library, Google's SDK where it is installed, and the program where it says a word and ends.

All take turns, so that other programs of the machine disturb each alike; the CPU time, of both
cores together, is what they disturb least. Everything runs on compiled modules in a folder of its
own, as after an installation; the very first start, which compiles them, has a row for itself.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib.util
import math
import os
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from _media_report import Table

PROGRAM = ("-m", "gemini_live_trio")
PROMPT = b"you>"
CONNECTED = b"Connected to"
WHERE, HERE = b"\x1b[6n", b"\x1b[1;1R"
"""The question where the cursor is, and the answer."""
CTRL_D = b"\x04"
COLUMNS, ROWS = 80, 24
TOO_LONG = 60.0
"""Seconds for one start, on however busy a machine."""
TICKS = os.sysconf("SC_CLK_TCK")


class Start(NamedTuple):
    """What one start took, in seconds."""

    wall: float
    cpu: float


def environment(folder: Path) -> dict[str, str]:
    """Make one in which nothing of this machine's user counts, and modules are kept compiled."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GEMINI_", "GOOGLE_", "LIVE_", "VERTEX_", "XDG_", "PYTHON"))
    }
    cache = {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    return {**kept, **cache, "HOME": str(folder), "TERM": "xterm-256color"}


def run(arguments: tuple[str, ...], names: Mapping[str, str]) -> Start:
    """Run Python until it ends by itself."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], env=names, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"python {' '.join(arguments)} ended with {process.returncode}.")
    return Start(took, usage.ru_utime + usage.ru_stime)


def cpu_until_now(pid: int) -> float:
    """CPU seconds of a running process, to a hundredth; NaN where there is no Linux to say it."""
    path = Path(f"/proc/{pid}/stat")
    if not path.exists():
        return math.nan
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextlib.contextmanager
def in_terminal(arguments: tuple[str, ...], names: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Run Python in a pseudo-terminal; yields its process id, and the terminal's other end."""
    keyboard, terminal = os.openpty()
    try:
        try:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", ROWS, COLUMNS, 0, 0))
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env=names,
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )
        finally:
            os.close(terminal)
        try:
            yield process.pid, keyboard
        finally:
            process.kill()
            process.wait()
    finally:
        os.close(keyboard)


def drawn(keyboard: int, deadline: float) -> bytes:
    """Wait for what is drawn next; nothing when the program has ended, or the time is up."""
    left = deadline - time.perf_counter()
    if left <= 0 or not select.select([keyboard], [], [], left)[0]:
        return b""
    try:
        return os.read(keyboard, 65_536)
    except OSError:  # Linux's way to say that it has ended
        return b""


def start_prompt(names: Mapping[str, str]) -> tuple[Start, Start]:
    """Start the program; the start until the prompt is there, and that until it is connected."""
    begin = time.perf_counter()
    deadline = begin + TOO_LONG
    seen = b""
    asked = 0
    found: list[Start] = []
    with in_terminal((*PROGRAM, "--simulate"), names) as (pid, keyboard):
        for words in (PROMPT, CONNECTED):
            while words not in seen:
                more = drawn(keyboard, deadline)
                if not more:
                    raise SystemExit(f"It never showed {words.decode()!r}, but {seen!r}.")
                seen += more
                if seen.count(WHERE) > asked:
                    asked += 1
                    os.write(keyboard, HERE)
            found.append(Start(time.perf_counter() - begin, cpu_until_now(pid)))
        os.write(keyboard, CTRL_D)
        while drawn(keyboard, deadline):
            pass
    return found[0], found[1]


def row(label: str, starts: list[Start]) -> tuple[str, ...]:
    """Make a row of the table."""
    walls = [start.wall for start in starts]
    figures = (statistics.median(walls), min(walls), max(walls))
    cpu = statistics.median(start.cpu for start in starts)
    return (label, *(f"{figure:.2f}" for figure in (*figures, cpu)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    others: dict[str, tuple[str, ...]] = {
        "`python -c pass`": ("-c", "pass"),
        "`import trio`": ("-c", "import trio"),
        "`import gemini_live_trio`": ("-c", "import gemini_live_trio"),
        "`--version`": (*PROGRAM, "--version"),
        "`--help`": (*PROGRAM, "--help"),
    }
    with contextlib.suppress(ModuleNotFoundError):
        if importlib.util.find_spec("google.genai") is not None:
            others["`import google.genai`"] = ("-c", "import google.genai")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        names = environment(Path(name))
        first, _ = start_prompt(names)
        for arguments in others.values():
            run(arguments, names)  # compiles the rest
        took: dict[str, list[Start]] = {label: [] for label in others}
        prompts: list[Start] = []
        connections: list[Start] = []
        for _ in range(runs):
            for label, arguments in others.items():
                took[label].append(run(arguments, names))
            prompt, connection = start_prompt(names)
            prompts.append(prompt)
            connections.append(connection)
    rows = [row(label, starts) for label, starts in took.items()]
    rows += [
        row("`--simulate`, to the prompt", prompts),
        row("`--simulate`, until it is connected", connections),
        row("to the prompt, nothing compiled yet", [first]),
    ]
    head = ("", "median", "best", "worst", "CPU")
    print(Table(f"From the start of Python, in seconds, of {runs} runs", head, rows))
    after = os.getloadavg()[0]
    print(f"\nLoad before {load:.1f} and after {after:.1f}, on {os.cpu_count()} cores.")


if __name__ == "__main__":
    main()
