"""When a test of timing may be tried again."""

import itertools
from pathlib import Path

import pytest
from devices.sounds import again_if_the_machine_stalls


@pytest.fixture
def pressure(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """By how many seconds the time without a processor grows each time that it is asked for."""
    steps = [0.0]
    totals = itertools.accumulate(iter(lambda: steps[0] * 1e6, None))

    def read(self: Path, encoding: str) -> str:
        assert (str(self), encoding) == ("/proc/pressure/cpu", "ascii")
        return f"some avg10=0.00 avg60=0.00 avg300=0.00 total={next(totals):.0f}\nfull ...\n"

    monkeypatch.setattr(Path, "read_text", read)
    return steps


async def tries(*errors: Exception) -> int:
    """How often a test is tried that fails like this, and then succeeds."""
    left = list(errors)
    count = 0

    @again_if_the_machine_stalls
    async def test() -> None:
        nonlocal count
        count += 1
        if left:
            raise left.pop(0)

    await test()
    return count


async def test_on_a_starved_machine_it_is_tried_three_times(pressure: list[float]) -> None:
    pressure[0] = 10.0
    assert await tries() == 1
    assert await tries(AssertionError(), ExceptionGroup("", [AssertionError()])) == 3
    with pytest.raises(AssertionError):
        await tries(*[AssertionError()] * 3)


async def test_on_a_machine_that_was_not_a_failure_is_a_failure(pressure: list[float]) -> None:
    with pytest.raises(AssertionError):
        await tries(AssertionError())


async def test_what_is_no_assertion_is_never_tried_again(pressure: list[float]) -> None:
    pressure[0] = 10.0
    with pytest.raises(ZeroDivisionError):
        await tries(ZeroDivisionError())
    with pytest.raises(ExceptionGroup):
        await tries(ExceptionGroup("", [AssertionError(), ZeroDivisionError()]))
