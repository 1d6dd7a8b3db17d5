"""The page on recordings: its examples run as they stand, one after the other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "recordings.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_examples_run(tmp_path: Path) -> None:
    assert len(EXAMPLES) == 4
    told = []
    for code in EXAMPLES:
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (run.returncode, run.stderr) == (0, ""), code
        told.append(run.stdout)
    assert told == ["", "client ended it with 1000\none two three\n", "one two three", ""]
    assert "the key in use" not in (tmp_path / "mine.jsonl").read_text()
    assert "never-written" not in (tmp_path / "mine.jsonl").read_text()
