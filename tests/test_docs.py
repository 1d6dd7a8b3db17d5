"""What the documents claim."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rendered import DOCS, RENDERED

TESTS = Path(__file__).parent


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
