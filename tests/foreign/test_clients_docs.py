"""The page for users of other clients, typed along as it stands.

Blocks that begin with a file's name are saved under it; all ``sh`` blocks are typed into one
terminal; and what stands in a ``text`` block, with ``...`` for anything, is what the block before
it prints.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from foreign.driving import SDKS, need

pytestmark = pytest.mark.foreign

PAGE = Path(__file__).parents[2] / "docs" / "simulator-clients.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:#|//) ([\w.]+)\n")
CUT = "----- the next block -----"
RESEMBLES = doctest.OutputChecker().check_output


def test_the_page_holds(tmp_path: Path) -> None:
    for sdk in SDKS:
        need(sdk)
    (tmp_path / "node_modules").symlink_to(os.environ["FOREIGN_NODE_MODULES"])
    steps: list[str] = []
    told: dict[int, str] = {}
    for language, code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if name := NAMED.match(code):
            (tmp_path / name[1]).write_text(code, encoding="utf-8")
        elif language == "sh":
            steps.append(code)
        else:
            assert language == "text", "neither a file, nor a command, nor what it prints"
            told[len(steps) - 1] = code
    assert len(steps) >= 8
    assert len(told) >= 6
    bash = shutil.which("bash")
    assert bash is not None
    # "python" has to be this one, as it is where somebody types along in an environment.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    terminal = subprocess.run(
        [bash, "-e"],
        input=f"\necho '{CUT}'\n".join(["trap 'kill $simulator 2>/dev/null || true' EXIT", *steps]),
        env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    printed = terminal.stdout.split(f"{CUT}\n")[1:]
    for number, expected in told.items():
        got = printed[number] if number < len(printed) else "nothing"
        if not RESEMBLES(expected, got, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE):
            pytest.fail(f"{steps[number]}\nprints\n{got}\nrather than\n{expected}{terminal.stderr}")
    assert terminal.returncode == 0, terminal.stderr
