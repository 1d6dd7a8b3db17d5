"""The examples of ``docs/tools.md`` run, and print what stands below them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("title", ["Writing a tool", "Running tools"])
def test_the_examples_of_a_section_print_what_they_say(title: str) -> None:
    text = (DOCS / "tools.md").read_text(encoding="utf-8")
    section = next(part for part in text.split("\n## ") if part.startswith(f"{title}\n"))
    blocks = re.findall(r"^```(python|text)\n(.*?)^```", section, re.M | re.S)
    program = "".join(block for kind, block in blocks if kind == "python")
    printed = "".join(block for kind, block in blocks if kind == "text")
    assert printed.count("\n") > 4
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == printed
