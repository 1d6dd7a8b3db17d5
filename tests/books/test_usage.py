"""What the service counts, added up by a declared rule."""

import pytest
from books.feeding import (
    COMPLETE,
    EMPTY,
    GENERATED,
    NOTHING,
    START,
    calls,
    content,
    counted,
    events_of,
    heard,
    said,
    sounds,
)
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio import codec, wire
from gemini_live_trio.capabilities import capability_of
from gemini_live_trio.errors import ConfigError
from gemini_live_trio.usage import Budget, CountingRule, Tokens, Usage, UsageLedger


def count(*messages: wire.LiveServerMessage, rule: CountingRule = "turn") -> Usage:
    ledger = UsageLedger(rule)
    ledger.connected()
    for event in events_of(messages):
        ledger.feed(event)
    assert ledger.total == ledger.usage.total.total
    return ledger.usage


def details(**counts: int | None) -> list[wire.ModalityTokenCount]:
    return [
        wire.ModalityTokenCount(modality=name, token_count=number)
        for name, number in counts.items()
    ]


def test_turns_are_added_up() -> None:
    usage = count(
        said("One"),
        counted(COMPLETE, prompt_token_count=90, response_token_count=12, total_token_count=102),
        said("Two"),
        counted(COMPLETE, prompt_token_count=110, response_token_count=10, total_token_count=120),
    )
    assert usage.total == Tokens(prompt=200, response=22, total=222)
    assert usage.turn == Tokens(prompt=110, response=10, total=120)
    assert [turn.tokens.total for turn in usage.turns] == [102, 120]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([said("x"), COMPLETE, counted(NOTHING, total_token_count=7)], id="alone"),
        pytest.param([said("x"), counted(COMPLETE, total_token_count=7)] * 1, id="with the end"),
        pytest.param(
            [
                said("x"),
                counted(NOTHING, total_token_count=7),
                counted(COMPLETE, total_token_count=7),
                counted(NOTHING, total_token_count=7),
            ],
            id="repeated",
        ),
        pytest.param(
            [
                said("x"),
                counted(NOTHING, total_token_count=3),
                counted(NOTHING, total_token_count=5),
                counted(COMPLETE, total_token_count=7),
            ],
            id="growing",
        ),
        pytest.param(
            [
                said("x"),
                counted(NOTHING, total_token_count=9),
                counted(COMPLETE, total_token_count=7),
            ],
            id="shrinking",
        ),
        pytest.param(
            [
                counted(calls("1"), response_token_count=2, total_token_count=2),
                said("x"),
                counted(COMPLETE, total_token_count=7),
            ],
            id="with a tool call",
        ),
    ],
)
def test_however_a_turn_is_counted_its_newest_total_counts_once(
    script: list[wire.LiveServerMessage],
) -> None:
    assert count(*script, *script).total.total == 14


@pytest.mark.parametrize(
    ("between", "turns"),
    [
        pytest.param([counted(NOTHING, total_token_count=30)], [100, 60], id="less"),
        pytest.param([counted(EMPTY, total_token_count=30)], [100, 60], id="less, alone"),
        pytest.param([counted(NOTHING, total_token_count=100)], [100, 60], id="repeated"),
        pytest.param([counted(EMPTY, thoughts_token_count=9)], [100, 60], id="completed"),
        pytest.param([START, counted(NOTHING, total_token_count=130)], [100, 60], id="speech"),
        pytest.param([heard("q"), counted(NOTHING, total_token_count=130)], [100, 60], id="heard"),
        pytest.param(
            [counted(EMPTY, total_token_count=100), counted(EMPTY, total_token_count=3)],
            [100, 60],
            id="both",
        ),
    ],
)
def test_what_is_counted_before_the_next_output(
    between: list[wire.LiveServerMessage], turns: list[int]
) -> None:
    usage = count(
        said("a"),
        counted(COMPLETE, total_token_count=100),
        *between,
        said("b"),
        counted(COMPLETE, total_token_count=60),
    )
    assert [turn.tokens.total for turn in usage.turns] == turns
    assert usage.total.total == sum(turns)


def test_what_was_asked_begins_another_turn() -> None:
    ledger = UsageLedger()
    for event in events_of([said("a"), counted(COMPLETE, total_token_count=100)]):
        ledger.feed(event)
    ledger.asked()
    for event in events_of([counted(EMPTY, total_token_count=130), said("b")]):
        ledger.feed(event)
    ledger.asked()  # into the answer, whose count goes on
    for event in events_of([counted(COMPLETE, total_token_count=150)]):
        ledger.feed(event)
    assert [turn.tokens.total for turn in ledger.usage.turns] == [100, 150]


def test_a_turn_that_was_not_counted_takes_the_first_count() -> None:
    ledger = UsageLedger()
    for event in events_of([said("a"), COMPLETE]):
        ledger.feed(event)
    ledger.asked()
    for number in (100, 7):
        for event in events_of([counted(EMPTY, total_token_count=number)]):
            ledger.feed(event)
    for event in events_of([said("b"), counted(COMPLETE, total_token_count=60)]):
        ledger.feed(event)
    assert [turn.tokens.total for turn in ledger.usage.turns] == [100, 60]


@pytest.mark.parametrize(
    ("model", "rule"),
    [
        ("models/gemini-3.5-transcribe-live", "message"),
        ("gemini-3.5-live-translate-preview", "message"),
        ("gemini-3.8-live-extended-thinking", "turn"),
        ("gemini-2.0-flash-live-001", "turn"),
    ],
)
def test_each_family_says_how_it_counts(model: str, rule: str) -> None:
    family = capability_of(model)
    assert family.usage == rule
    assert family.source_of("usage").text


def test_a_model_that_ends_no_turn_is_counted_by_message() -> None:
    rule = capability_of("gemini-3.5-transcribe-live").usage
    usage = count(*[heard("x"), counted(GENERATED, total_token_count=100)] * 5, rule=rule)
    assert usage.total.total == 500


def test_turns_without_output_are_turns() -> None:
    usage = count(*[counted(COMPLETE, total_token_count=5)] * 3)
    assert usage.total.total == 15


def test_a_field_that_is_missing_keeps_what_was_said_before() -> None:
    usage = count(
        counted(calls("1"), prompt_token_count=100, response_token_count=4),
        counted(COMPLETE, response_token_count=9),
    )
    assert usage.turn == Tokens(prompt=100, response=9, total=109)


def test_empty_usage_counts_nothing() -> None:
    usage = count(counted(COMPLETE), said("x"), COMPLETE)
    assert usage == Usage()


def test_both_backends_names_are_understood() -> None:
    gemini, vertex = (
        f'{{"usageMetadata":{{"{name}TokenCount":5,"{name}TokensDetails":'
        '[{"modality":"AUDIO","tokenCount":5}]}}'
        for name in ("response", "candidates")
    )
    left, right = (count(codec.decode(frame)).total for frame in (gemini, vertex))
    assert left == right == Tokens(response=5, total=5, response_by_modality={"AUDIO": 5})


def test_details_that_do_not_add_up_stay_as_they_are() -> None:
    usage = count(
        counted(
            COMPLETE,
            prompt_token_count=496,
            prompt_tokens_details=details(TEXT=370, AUDIO=None),
            thoughts_token_count=64,
            total_token_count=834,
        )
    )
    assert usage.total.prompt == 496
    assert usage.total.prompt_by_modality == {"TEXT": 370, "AUDIO": 0}
    assert usage.total.total == 834
    assert usage.total.thoughts == 64


def test_negative_counts_are_not_used_but_told() -> None:
    usage = count(
        counted(
            COMPLETE,
            prompt_token_count=-5,
            response_token_count=3,
            response_tokens_details=details(AUDIO=-3, TEXT=3),
        )
    )
    assert usage.unusable == 2
    assert usage.total == Tokens(response=3, total=3, response_by_modality={"TEXT": 3})


def test_totals_survive_a_reconnect() -> None:
    ledger = UsageLedger()
    ledger.connected()
    for event in events_of([said("x"), counted(COMPLETE, total_token_count=100)]):
        ledger.feed(event)
    ledger.connected()
    assert ledger.usage.connection.total == 0
    # The same count again is another turn now, and a smaller one takes nothing away.
    for event in events_of([said("x"), counted(COMPLETE, total_token_count=40)]):
        ledger.feed(event)
    assert ledger.usage.total.total == 140
    assert ledger.usage.connection.total == 40
    assert [turn.connection for turn in ledger.usage.turns] == [1, 2]


def test_rules_that_count_messages_or_connections() -> None:
    script = [counted(NOTHING, total_token_count=number) for number in (10, 12, 15)]
    assert count(*script, rule="message").total.total == 37
    assert len(count(*script, rule="message").turns) == 3
    assert count(*script, sounds(), COMPLETE, script[-1], rule="session").total.total == 15


@given(
    st.lists(
        st.builds(
            Tokens,
            prompt=st.integers(0, 99),
            total=st.integers(0, 99),
            prompt_by_modality=st.dictionaries(st.sampled_from("AB"), st.integers(0, 9)),
        )
    )
)
def test_tokens_add_up_in_any_order(many: list[Tokens]) -> None:
    forward = sum(many, start=Tokens())
    assert forward == sum(reversed(many), start=Tokens())
    assert forward.total == sum(tokens.total for tokens in many)


@pytest.mark.parametrize("bad", [{"tokens": 0}, {"tokens": 5, "warn_at": 1.5}])
def test_a_budget_is_checked_at_once(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Budget(**bad)  # type: ignore[arg-type]


def test_a_copy_does_not_change() -> None:
    ledger = UsageLedger()
    before = ledger.usage
    for event in events_of([counted(content(turn_complete=True), total_token_count=1)]):
        assert ledger.feed(event) == (type(event).__name__ == "Usage")
    assert before == Usage()
