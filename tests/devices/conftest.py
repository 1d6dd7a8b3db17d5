"""Tests of real devices run in a rig: ``python tests/devices/rig.py -- pytest tests/devices``."""

import os
from collections.abc import Generator
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


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _must_run(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _must_run(report)
    return report


def _must_run(report: pytest.CollectReport | pytest.TestReport) -> None:
    if report.skipped and REQUIRED in os.environ and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{REQUIRED} is set, so nothing may be skipped: {report.longrepr}"
