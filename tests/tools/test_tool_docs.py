"""The examples of ``docs/tools.md`` run, and print what stands below them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_examples_of_writing_a_tool_print_what_they_say() -> None:
    text = (DOCS / "tools.md").read_text(encoding="utf-8")
    section = text[text.index("\n## Writing a tool\n") : text.index("\n## Results\n")]
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
