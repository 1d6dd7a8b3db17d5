"""The table of what models allow: one test for each entry, from the entry's own words."""

from __future__ import annotations

import json
import re
from typing import Any

import attrs
import pytest
from capabilities.setups import breaking, keeping, model_name, names_a_field, place_of, whole
from trio.testing import MockClock

from gemini_live_trio import (
    CustomEndpoint,
    Endpoint,
    GeminiApi,
    SessionConfig,
    VertexAi,
    codec,
    open_session,
    wire,
)
from gemini_live_trio.capabilities import (
    TABLE,
    Backend,
    Capability,
    CapabilityTable,
    Finding,
    Rule,
    Source,
    capability_of,
)
from gemini_live_trio.errors import ConfigError, SetupRejected
from gemini_live_trio.simulator import open_simulator

FACTS = [field.name for field in attrs.fields(Capability) if field.name not in ("name", "sources")]
DATE = re.compile(r"20\d\d(-\d\d){0,2}")
SERVED = [entry for entry in TABLE.models if entry.status not in ("shut down", "unknown")]
BACKEND_OF = [(entry, backend) for entry in SERVED for backend in sorted(entry.backends)]


def findings(setup: wire.LiveClientSetup, backend: Backend | None, version: str) -> list[str]:
    return [one.rule for one in TABLE.check(setup, backend=backend, version=version)]


@pytest.mark.parametrize("entry", TABLE.models, ids=lambda entry: entry.name)
def test_every_fact_about_a_family_has_a_source_with_a_date(entry: Capability) -> None:
    for fact in FACTS:
        source = entry.source_of(fact)
        assert source.text
        assert DATE.fullmatch(source.date), fact
    assert set(entry.sources) <= {*FACTS, ""}
    assert entry.backends
    assert entry.modalities
    assert ("blocking" if entry.blocking_tools else "non_blocking") in entry.tool_behaviors


@pytest.mark.parametrize(
    ("entry", "backend"), BACKEND_OF, ids=lambda it: it if isinstance(it, str) else it.name
)
def test_a_family_is_found_by_every_form_of_its_names(entry: Capability, backend: Backend) -> None:
    name = model_name(entry)
    for form in (name, f"models/{name}", f"projects/p/locations/l/publishers/google/models/{name}"):
        assert TABLE.capability_of(form, backend) == entry
    assert findings(whole(entry), backend, "v1beta") == []


@pytest.mark.parametrize("rule", TABLE.rules, ids=lambda rule: rule.name)
def test_a_rule_finds_the_setup_that_breaks_it_and_no_other(rule: Rule) -> None:
    _, backend, version = place_of(rule)
    broken, kept = breaking(rule), keeping(rule)
    codec.encode(wire.LiveClientMessage(setup=kept))
    found = {one.rule: one for one in TABLE.check(broken, backend=backend, version=version)}
    assert rule.name in found
    assert rule.name not in findings(kept, backend, version)
    finding = found[rule.name]
    assert (finding.field, finding.effect) == (rule.field, rule.effect)
    assert "{" not in str(finding).replace("{...}", "")
    assert DATE.fullmatch(rule.source.date)
    for name in rule.families:
        assert name in {entry.name for entry in TABLE.models}


@pytest.mark.parametrize("rule", TABLE.rules, ids=lambda rule: rule.name)
def test_a_rule_is_about_a_field_that_exists(rule: Rule) -> None:
    misplaced = rule.name.startswith("misplaced-") or rule.name == "forced-tool-choice"
    assert names_a_field(rule.field) != misplaced


@pytest.mark.parametrize(
    "rule", [rule for rule in TABLE.rules if len(rule.backends) == 1], ids=lambda rule: rule.name
)
def test_a_rule_for_one_backend_says_nothing_elsewhere(rule: Rule) -> None:
    _, backend, version = place_of(rule)
    other: Backend = "vertex" if backend == "gemini" else "gemini"
    for elsewhere in (other, None):
        assert rule.name not in findings(breaking(rule), elsewhere, version)


UNSEEN = {
    "3.1-modality": "",
    "3.8-affective-dialog": "the simulator takes it, as the service's exact answer isn't known",
    "3.1-affective-dialog": "as above",
    "2.5-affective-dialog": "as above",
    "3.1-proactivity": "as above",
    "2.5-proactivity": "as above",
    "3-code-execution": "the simulator takes every built-in tool and uses none",
    "3-url-context": "as above",
    "3-google-maps": "as above",
    "several-voices": "the SDKs refuse it; what the service does isn't known",
    "translate-modality": "",
}
"""Rules that the simulator doesn't enforce, with the reason."""


@pytest.mark.parametrize(
    "rule", [rule for rule in TABLE.rules if rule.effect == "refused"], ids=lambda rule: rule.name
)
async def test_what_a_strict_check_refuses_the_simulator_refuses_too(
    rule: Rule, autojump_clock: MockClock
) -> None:
    entry, backend, _ = place_of(rule)
    setup = breaking(rule)
    refused = not await accepted(entry, backend, setup)
    assert refused == (not UNSEEN.get(rule.name))
    assert await accepted(entry, backend, keeping(rule))


async def accepted(entry: Capability, backend: Backend, setup: wire.LiveClientSetup) -> bool:
    """Send exactly this setup, unchecked."""
    async with open_simulator(port=None) as simulator:
        tree = codec.encode(wire.LiveClientMessage(setup=setup))
        config = SessionConfig(
            model=model_name(entry),
            endpoint=place(backend),
            check="off",
            session_resumption=False,
            context_window_compression=False,
            input_audio_transcription=False,
            output_audio_transcription=False,
            response_modalities=[entry.modalities[0]],
            extra_setup={
                key: value for key, value in json_of(tree)["setup"].items() if key != "model"
            },
        )
        try:
            async with open_session(config, connector=simulator.connector):
                return True
        except SetupRejected:
            return False


def json_of(frame: str) -> dict[str, dict[str, wire.JsonValue]]:
    tree: dict[str, dict[str, wire.JsonValue]] = json.loads(frame)
    return tree


def place(backend: Backend) -> Endpoint:
    return GeminiApi() if backend == "gemini" else VertexAi("p", "europe-west4")


SIMULATED = [pair for pair in BACKEND_OF if pair[0].name != "robotics"]


@pytest.mark.parametrize(
    ("entry", "backend"), SIMULATED, ids=lambda it: it if isinstance(it, str) else it.name
)
async def test_the_defaults_are_fit_for_every_model(
    entry: Capability, backend: Backend, autojump_clock: MockClock
) -> None:
    needed = {
        "3.8-extended": {"thinking": wire.ThinkingConfig(thinking_level="LOW")},
        "3.5-translate": {"translation": wire.TranslationConfig(target_language_code="es")},
    }
    config = SessionConfig(
        model=model_name(entry), endpoint=place(backend), **needed.get(entry.name, {})
    )
    async with (
        open_simulator(port=None) as simulator,
        open_session(config, connector=simulator.connector),  # a warning would be an error here
    ):
        assert config.modality == entry.modalities[0]


# --- Models -----------------------------------------------------------------------------------


def test_the_longest_name_that_fits_counts() -> None:
    assert capability_of("gemini-3.8-live").name == "3.8"
    assert capability_of("gemini-3.8-live", "vertex").name == "3.8-vertex"
    assert capability_of("gemini-3.8-live-extended-thinking").name == "3.8-extended"
    assert capability_of("gemini-live-2.5-flash-preview").name == "2.5-text"
    assert capability_of("models/gemini-9").name == "unknown"


@pytest.mark.parametrize(
    "version", ["-preview", "-preview-12-2025", "-latest", "-exp", "-001", "-rc1", "@20260915"]
)
def test_a_version_may_follow_a_name(version: str) -> None:
    assert capability_of(f"gemini-3.8-live{version}").name == "3.8"
    assert capability_of(f"models/gemini-2.0-flash-live{version}").name == "2.5-text"


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (
            "gemini-3.8-live-translate-preview",
            {"translation": wire.TranslationConfig(target_language_code="es")},
        ),
        ("gemini-3.8-live-transcribe", {"response_modalities": ["TEXT"]}),
        ("gemini-3.8-lively", {"response_modalities": ["TEXT"]}),
        ("gemini-live-2.5-flash", {"response_modalities": ["TEXT"]}),
        ("gemini-live-2.5-flash-preview-native-audio-09-2025", {}),
    ],
)
def test_a_sibling_of_a_known_model_is_unknown_and_passes(
    model: str, options: dict[str, object]
) -> None:
    (finding,) = about(model, VertexAi("p", "l"), **options)
    assert finding.rule == "model-unknown"
    assert not finding.blocks


def about(model: str, endpoint: Endpoint | None = None, **options: object) -> list[Finding]:
    config = SessionConfig(model=model, endpoint=endpoint or GeminiApi(), **options)  # type: ignore[arg-type]
    return list(config.findings())


def test_an_unknown_model_is_told_with_the_name_that_was_meant() -> None:
    (finding,) = about("gemini-3.8-liv")
    assert finding.rule == "model-unknown"
    assert "did you mean gemini-3.8-live?" in str(finding)
    assert not finding.blocks


def test_a_model_that_is_gone_or_elsewhere_is_told() -> None:
    (gone,) = about("gemini-2.0-flash-live-001")
    assert (gone.rule, gone.blocks) == ("model-shut-down", True)
    (elsewhere,) = about("gemini-3.1-flash-live-preview", VertexAi("p", "l"))
    assert (elsewhere.rule, elsewhere.blocks) == ("model-elsewhere", True)
    assert str(elsewhere).startswith(
        "gemini-3.1-flash-live-preview is served by the Gemini API, not by Vertex AI; use GeminiApi"
    )
    (elsewhere,) = about("gemini-live-2.5-flash-native-audio")
    assert "served by Vertex AI, not by the Gemini API; use VertexAi(...)" in str(elsewhere)


def test_a_gateway_of_unknown_kind_is_judged_by_what_holds_everywhere() -> None:
    gateway = CustomEndpoint("wss://gateway.example/live")
    options = {"explicit_vad_signal": True, "response_modalities": ["TEXT"]}
    assert [one.rule for one in about("gemini-3.8-live", gateway, **options)] == ["voice-modality"]
    path = "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContent"
    known = CustomEndpoint(f"wss://gateway.example{path}")
    assert (known.backend, known.version) == ("gemini", "v1alpha")
    assert "gemini-explicit-vad-signal" in [
        one.rule for one in about("gemini-3.8-live", known, **options)
    ]


def test_what_only_one_backend_refuses_passes_a_gateway_of_unknown_kind() -> None:
    gateway = CustomEndpoint("wss://gateway.example/live")
    for options in (
        {"response_modalities": ["VIDEO"], "avatar": wire.AvatarConfig(avatar_name="Kai")},
        {"enable_affective_dialog": True},
    ):
        assert about("gemini-3.8-live", **options)
        assert not about("gemini-3.8-live", gateway, **options)
    assert not about("gemini-3.1-flash-live-preview", gateway)
    assert [one.rule for one in about("gemini-17", gateway)] == ["model-unknown"]


DOUBTFUL = {
    "3.8-extended on Vertex AI": (
        *("gemini-3.8-live-extended-thinking", VertexAi("p", "l")),
        {"thinking": wire.ThinkingConfig(thinking_level="LOW")},
        "model-elsewhere",
    ),
    "a translator without a target": (
        *("gemini-3.5-live-translate-preview", GeminiApi(), {}),
        "translation-target",
    ),
    "affective dialog off": (
        *("gemini-3.8-live", GeminiApi(), {"enable_affective_dialog": False}),
        "affective-dialog-off",
    ),
    "compression that never begins": (
        *("gemini-3.8-live", GeminiApi()),
        {"context_window_compression": wire.ContextWindowCompressionConfig(trigger_tokens=100_000)},
        "compression-without-mechanism",
    ),
}


@pytest.mark.parametrize(
    ("model", "endpoint", "options", "rule"), DOUBTFUL.values(), ids=DOUBTFUL.keys()
)
def test_what_may_well_work_is_told_and_stops_nobody(
    model: str, endpoint: Endpoint, options: dict[str, object], rule: str
) -> None:
    (finding,) = about(model, endpoint, **options)
    assert finding.rule == rule
    assert not finding.blocks


@pytest.mark.parametrize("key", ["thinkingConfig", "speech_config", "responseModalities"])
def test_what_belongs_into_generation_config_is_found_outside_of_it(key: str) -> None:
    (finding,) = about("gemini-3.8-live", extra_setup={key: {}})
    assert "belongs into generation_config" in str(finding)
    assert finding.blocks


def test_a_choice_that_is_unspecified_is_none() -> None:
    unspecified = wire.ThinkingConfig(thinking_level="THINKING_LEVEL_UNSPECIFIED")
    assert not about(
        "gemini-3.8-live", thinking=unspecified, response_modalities=["MODALITY_UNSPECIFIED"]
    )
    (finding,) = about("gemini-3.8-live-extended-thinking", thinking=unspecified)
    assert finding.rule == "3.8-extended-thinking-level"


def test_the_same_is_found_once() -> None:
    settings = [wire.SafetySetting(method="SEVERITY"), wire.SafetySetting(method="PROBABILITY")]
    (finding,) = about("gemini-3.8-live", safety_settings=settings)
    assert finding.rule == "gemini-method"


def test_a_rule_for_some_api_versions_looks_at_the_version() -> None:
    model = "gemini-2.5-flash-native-audio-latest"
    assert [one.rule for one in about(model, enable_affective_dialog=True)] == [
        "2.5-affective-dialog"
    ]
    assert not about(model, GeminiApi(version="v1alpha"), enable_affective_dialog=True)


# --- Tables of one's own ----------------------------------------------------------------------

MINE = Source("tried it", "2026-11-20", "sure")
ANY_RULE = Rule(
    name="mine",
    field="generation_config.top_k",
    demand="absent",
    effect="refused",
    why="No",
    fix="leave it out",
    source=MINE,
)


def test_entries_can_be_added_and_replaced() -> None:
    mine = attrs.evolve(TABLE.capability_of("gemini-3.8-live"), name="mine", models=("my-live",))
    rule = Rule(
        name="mine-seed",
        families=("mine",),
        field="generation_config.seed",
        demand="absent",
        effect="refused",
        why="{model} takes no seed",
        fix="leave it out",
        source=MINE,
    )
    table = TABLE.extended(mine, rule)
    (finding,) = about("my-live-2", capabilities=table, seed=1)
    assert str(finding) == "my-live-2 takes no seed; leave it out"
    softer = table.extended(attrs.evolve(rule, effect="ignored"))
    (finding,) = about("my-live-2", capabilities=softer, seed=1)
    assert not finding.blocks
    assert len(softer.rules) == len(table.rules)
    assert not about("my-live-2", capabilities=table.without("mine-seed"), seed=1)
    with pytest.raises(ConfigError, match=r"no rule 'mine-sed' \(did you mean mine-seed"):
        table.without("mine-sed")


@pytest.mark.parametrize(
    ("field", "values", "passing", "refused"),
    [
        ("top_k", {"40"}, {"top_k": 40}, {"top_k": 41}),
        ("temperature", {"0.5"}, {"temperature": 0.5}, {"temperature": 1.0}),
        (
            "sparkle",
            {"{}"},
            {"extra_setup": {"generationConfig": {"sparkle": {}}}},
            {"extra_setup": {"generationConfig": {"sparkle": {"deep": 1}}}},
        ),
    ],
)
def test_a_rule_may_name_numbers_and_what_is_empty(
    field: str, values: set[str], passing: dict[str, object], refused: dict[str, object]
) -> None:
    rule = attrs.evolve(
        ANY_RULE,
        field=f"generation_config.{field}",
        demand="one of",
        values=frozenset(values),
    )
    table = TABLE.extended(rule)
    assert not about("gemini-3.8-live", capabilities=table, **passing)
    assert [one.rule for one in about("gemini-3.8-live", capabilities=table, **refused)] == ["mine"]


def test_an_entry_of_ones_own_goes_before_the_tables() -> None:
    known = TABLE.capability_of("gemini-3.8-live")
    mine = attrs.evolve(known, name="mine")
    anything = attrs.evolve(known, name="ours", models=("acme-",))
    rest = attrs.evolve(known, name="unknown", models=("",))
    table = TABLE.extended(mine, anything, rest)
    assert table.capability_of("gemini-3.8-live", "gemini") == mine
    assert table.capability_of("acme-fast-talker") == anything
    assert table.capability_of("gemini-17") == rest
    assert TABLE.extended(attrs.evolve(known, seed="content")).capability_of(
        "gemini-3.8-live", "gemini"
    ) == attrs.evolve(known, seed="content")


def test_a_table_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(ConfigError, match=r"two models of the name '3\.8'"):
        CapabilityTable(models=[*TABLE.models, TABLE.models[0]], rules=())
    with pytest.raises(ConfigError, match="takes Capability and Rule, not a str"):
        TABLE.extended("gemini-4")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="needs values just for"):
        attrs.evolve(TABLE.rules[0], demand="absent")


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        ({"demand": "required"}, "demand is one of absent, present"),
        ({"effect": "refuse"}, "effect is one of refused, ignored, unclear, not 'refuse'"),
        ({"families": "3.8"}, "families takes several texts"),
        ({"demand": "one of", "values": "LOW"}, "values takes several texts"),
        ({"why": "{model} takes no {level}"}, "may hold {model} and {value}"),
        ({"why": "a {"}, "may hold {model} and {value}"),
    ],
)
def test_a_slip_in_a_rule_is_told_when_it_is_made(slip: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        attrs.evolve(ANY_RULE, **slip)


def test_a_slip_in_an_entry_is_told_when_it_is_made() -> None:
    with pytest.raises(ConfigError, match="models takes several texts, not just 'my-live'"):
        attrs.evolve(TABLE.capability_of("gemini-3.8-live"), models="my-live")
    with pytest.raises(ConfigError, match="confidence is one of sure, likely, assumed"):
        Source("tried it", "2026-11-20", "certain")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"no such family \(did you mean 3\.8\?\)"):
        TABLE.extended(attrs.evolve(ANY_RULE, families=("3.9",)))


def test_what_is_only_assumed_stops_nobody() -> None:
    rule = next(rule for rule in TABLE.rules if rule.name == "translate-modality")
    setup = breaking(rule)
    found = TABLE.check(setup, backend="gemini", version="v1beta")
    (finding,) = [one for one in found if one.rule == rule.name]
    assert finding.effect == "refused"
    assert not finding.blocks


def test_fields_that_this_release_does_not_know_are_looked_at_too() -> None:
    for name in ("toolConfig", "tool_config"):
        (finding,) = about("gemini-3.8-live", extra_setup={name: {}})
        assert finding.rule == "forced-tool-choice"
