"""The examples of the simulator's page run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "simulator.md"
EXAMPLES = [
    example
    for page in (PAGE, DOCS / "simulator-dialects.md")
    for example in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs(code: str) -> None:
    program = [sys.executable, "-W", "error", "-c", code]
    run = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")


def test_every_option_of_the_program_is_told() -> None:
    program = [sys.executable, "-m", "gemini_live_trio.simulator", "--help"]
    text = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--[a-z-]+", text)) - {"--help"}
    assert options <= set(re.findall(r"--[a-z-]+", PAGE.read_text(encoding="utf-8")))
