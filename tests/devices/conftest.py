"""Tests of real devices run in a rig: ``python tests/devices/rig.py -- pytest tests/devices``."""

import os
from pathlib import Path

import pytest
from devices.rig import MARK, REQUIRED

NO_RIG = "needs virtual devices: python tests/devices/rig.py -- pytest tests/devices"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if MARK in os.environ:
        return
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    if ours and REQUIRED in os.environ:
        raise pytest.UsageError(f"{REQUIRED} is set, but these tests run outside of a rig.")
    for item in ours:
        item.add_marker(pytest.mark.skip(reason=NO_RIG))
