"""What the official SDKs tell their users when the simulator refuses or ends something."""

from __future__ import annotations

from typing import Any

import pytest
from foreign.driving import SPOKEN, Sdk, SdkFailed, violations

from gemini_live_trio.testing import SimulatorThread

pytestmark = pytest.mark.foreign


@pytest.mark.parametrize(
    ("order", "code", "words"),
    [
        ({"key": "another-key"}, 1007, "API key not valid"),
        ({"model": "gemini-9"}, 1008, "models/gemini-9 is not found"),
        ({"config": {"responseModalities": ["SMELL"]}}, 1007, "Invalid value at"),
        ({"config": {"responseModalities": ["TEXT"]}}, 1007, "Cannot extract voices"),
        ({"config": {"sessionResumption": {"handle": "stale"}}}, 1008, "session not found"),
    ],
)
def test_a_session_is_refused(sdk: Sdk, order: dict[str, Any], code: int, words: str) -> None:
    with pytest.raises(SdkFailed) as refusal:
        sdk.connect(**order)
    assert refusal.value.code == code
    assert words in refusal.value.text


def test_an_unknown_name_is_refused(sdk: Sdk) -> None:
    sdk.connect()
    response = {"id": "1", "name": "get_weather", "response": {}, "mood": "sunny"}
    with pytest.raises(SdkFailed) as refusal:
        sdk.tell("answer", responses=[response])
        sdk.hear()
    if sdk.name == "python":  # never gets further than its own check
        assert "Extra inputs are not permitted" in refusal.value.text
    else:
        assert refusal.value.code == 1007
        assert (
            "Unknown name \"mood\" at 'tool_response.function_responses[0]'" in refusal.value.text
        )


def test_marks_under_automatic_detection_end_the_session(sdk: Sdk, place: SimulatorThread) -> None:
    before = len(violations(place))
    sdk.connect()
    sdk.tell("realtime", activityStart={})
    with pytest.raises(SdkFailed) as refusal:
        sdk.hear()
    assert refusal.value.code == 1007
    assert "Explicit activity control is not supported" in refusal.value.text
    assert len(violations(place)) == before + 1


def test_an_ignored_go_away_ends_the_session(sdk: Sdk, place: SimulatorThread) -> None:
    sdk.connect()
    place.run(place.simulator.go_away, 0)
    sdk.hear("goAway")
    with pytest.raises(SdkFailed) as end:
        sdk.hear()
    assert end.value.code == 1008
    assert "failed to close the connection after receiving a GoAway" in end.value.text


def test_an_upgrade_is_refused(sdk: Sdk, place: SimulatorThread) -> None:
    place.run_sync(place.simulator.reject_next_upgrade, 503)
    with pytest.raises(SdkFailed, match="503"):
        sdk.connect()


def test_no_token_without_the_key(sdk: Sdk) -> None:
    with pytest.raises(SdkFailed, match="API key not valid") as refusal:
        sdk.mint(key="another-key")
    assert refusal.value.code == 400


def test_a_token_is_used_up(sdk: Sdk) -> None:
    token = sdk.mint(config={"uses": 1})
    sdk.connect(key=token, version="v1alpha")
    sdk.close()
    with pytest.raises(SdkFailed) as refusal:
        sdk.connect(key=token, version="v1alpha")
    assert refusal.value.code == 1011
    assert "Token has been used too many times" in refusal.value.text


def test_a_wrong_access_token(sdk: Sdk) -> None:
    with pytest.raises(SdkFailed) as refusal:
        sdk.connect(backend="vertex", key="another-key", config=SPOKEN)
    assert refusal.value.code in (1007, 1008)
