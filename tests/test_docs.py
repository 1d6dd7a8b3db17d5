"""What the documents claim."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rendered import DOCS, RENDERED
from tools.mcp_driving import need

TESTS = Path(__file__).parent
NEEDED = {"docs/tools-mcp.md": ("mcp", "mcp_server_time")}


@pytest.mark.parametrize(("name", "render"), RENDERED.items())
def test_rendered_documents_are_up_to_date(name: str, render: Callable[[], str]) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == render(), "run python tests/rendered.py"


def test_every_claim_of_delivery_names_a_test_that_exists() -> None:
    text = (DOCS / "delivery.md").read_text(encoding="utf-8")
    claimed = set(re.findall(r"`(test_\w+)`", text))
    assert len(claimed) > 15
    source = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    missing = {name for name in claimed if f"def {name}(" not in source}
    assert not missing


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "docs/connecting.md",
        "docs/testing.md",
        "docs/howto/files.md",
        "docs/tools-mcp.md",
        "docs/tools-ready.md",
    ],
)
def test_the_whole_programs_in_a_document_run(name: str, tmp_path: Path) -> None:
    need(*NEEDED.get(name, ()))
    if name == "docs/howto/files.md":
        lay_out_files(tmp_path)
    text = (DOCS.parent / name).read_text(encoding="utf-8")
    programs = [
        block
        for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
        if "trio.run" in block
    ]
    assert programs
    for program in programs:
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout.strip()


def lay_out_files(folder: Path) -> None:
    """Make the files that a document's programs read."""
    pytest.importorskip("soundfile", reason="needs the extra audio")
    image = pytest.importorskip("PIL.Image", reason="needs the extra screen")
    image.new("RGB", (3_000, 4_000), "navy").save(folder / "photo.jpg")
    shutil.copy(TESTS / "data" / "speech.wav", folder / "question.wav")
