"""What the end of a connection means."""

import pytest

from gemini_live_trio._closes import CLOSES, Close, Phase, classify

FATAL_AT_FIRST = [
    (1007, "API key not valid. Please pass a valid API key.", "bad_key"),
    (1011, "Token has been used too many times", "token"),
    (1011, "auth token has expired", "token"),
    (1008, "Method doesn't allow unregistered callers (callers without est", "no_credentials"),
    (1008, "models/nope is not found for API version v1beta, or is not supp", "unknown_model"),
    (1007, "Invalid JSON payload received. Unknown name \"x\" at 'setup'", "unknown_field"),
    (1007, "Request contains an invalid argument.", "invalid_argument"),
    (1008, "Operation is not implemented, or supported, or enabled.", "policy"),
    (1011, "You exceeded your current quota, please check your plan.", "quota"),
    (1007, "User location is not supported for the API use.", "region"),
    (1008, "Publisher Model `projects/p/locations/global/publishers/google/m", "unknown_model"),
    (1007, "gemini-2.0-flash-exp is not supported in the live api.", "unknown_model"),
    (1007, "Cannot extract voices from a non-audio request.", "modality"),
    (1007, "Sample rate changed from previously 24000 to 16000, which is not s", "audio_format"),
    (1007, "realtime_input.media_chunks is deprecated. Use audio, video, or te", "media_chunks"),
    (1007, "setup must be the first message and only the first", "order"),
    (1007, "Explicit activity control is not supported when automatic activity", "activity_marks"),
    (1008, "", "policy"),
]


@pytest.mark.parametrize(("code", "reason", "cause"), FATAL_AT_FIRST)
def test_a_refusal_that_no_retry_mends(code: int, reason: str, cause: str) -> None:
    rule = classify(Close("server", code, reason), Phase.FIRST)
    assert (rule.cause, rule.retry) == (cause, False)
    assert rule.advice


@pytest.mark.parametrize(
    ("close", "cause"),
    [
        (Close("network", 1006), "network"),
        (Close("server", 1000), "closed"),
        (Close("server", 1001, "going away"), "closed"),
        (Close("server", 1011, "Internal error encountered."), "internal"),
        (Close("server", 1011, "Deadline expired before operation could complete."), "deadline"),
        (Close("server", 1011, "None"), "internal"),
        (
            Close("server", 1008, "Connection aborted because the client failed to close the"),
            "go_away_ignored",
        ),
    ],
)
def test_an_end_that_another_connection_may_mend(close: Close, cause: str) -> None:
    for phase in (Phase.SESSION, Phase.RESUME, Phase.FRESH):
        if (close.code, phase) == (1008, Phase.RESUME):
            continue
        rule = classify(close, phase)
        assert (rule.cause, rule.retry) == (cause, True)


@pytest.mark.parametrize(
    "close",
    [
        Close("server", 1008, "BidiGenerateContent session not found"),
        Close("server", 1008, "BidiGenerateContent session expired"),
        Close("server", 1007, "Request contains an invalid argument."),
        Close("server", 1008, "Requested entity was not found."),
    ],
)
def test_a_refused_handle_is_given_up_and_a_fresh_session_tried(close: Close) -> None:
    rule = classify(close, Phase.RESUME)
    assert (rule.cause, rule.retry, rule.drops_handle) == ("stale_handle", True, True)


def test_a_bad_key_is_a_bad_key_even_when_resuming() -> None:
    close = Close("server", 1007, "API key expired. Please renew the API key.")
    rule = classify(close, Phase.RESUME)
    assert (rule.cause, rule.retry, rule.drops_handle) == ("bad_key", False, False)


def test_quota_is_final_at_first_and_may_be_our_own_old_session_later() -> None:
    close = Close("server", 1011, "Resource has been exhausted (e.g. check quota).")
    assert [classify(close, phase).retry for phase in Phase] == [False, True, True, False]


def test_reasons_match_in_any_case_of_letters() -> None:
    close = Close("server", 1007, "api KEY not valid")
    assert classify(close, Phase.FIRST).cause == "bad_key"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1007, "Request contains an invalid argument."),
        (1007, "Precondition check failed."),
        (1008, "Operation is not implemented, or supported, or enabled."),
        (1008, "Requested entity was not found."),
    ],
)
def test_blame_in_mid_session_is_tried_once_without_what_was_sent(code: int, reason: str) -> None:
    rule = classify(Close("server", code, reason), Phase.SESSION)
    assert rule.retry
    assert rule.blames_input
    assert not classify(Close("server", code, reason), Phase.FIRST).retry


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("code", [1000, 1001, 1002, 1006, 1007, 1008, 1009, 1011, 1012, 4999])
def test_every_close_has_a_row(code: int, phase: Phase) -> None:
    assert classify(Close("server", code, "never heard of"), phase) in CLOSES


def test_no_row_is_hidden_by_an_earlier_one() -> None:
    for number, rule in enumerate(CLOSES):
        example = Close("server", rule.code or 1011, rule.prefix)
        reached = {
            CLOSES.index(classify(attempt, phase))
            for phase in rule.phases
            for attempt in (example, Close("server", rule.code or 4000, rule.prefix))
        }
        assert number in reached, rule
