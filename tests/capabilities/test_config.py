"""What a configuration comes to: options, the overlay, checks before a dial, the explanation."""

from __future__ import annotations

import copy
import json
import threading
import warnings
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from gemini_live_trio import (
    ApiKey,
    BearerToken,
    CapabilityWarning,
    CustomEndpoint,
    DialReason,
    EphemeralToken,
    SessionConfig,
    Target,
    VertexAi,
    codec,
    explain,
    open_session,
    wire,
)
from gemini_live_trio.capabilities import TABLE
from gemini_live_trio.errors import ConfigError, SetupRejected
from gemini_live_trio.simulator import open_simulator

MODEL = "gemini-3.8-live"
EXTENDED = "gemini-3.8-live-extended-thinking"


ENDLESS: dict[str, Any] = {}
ENDLESS["again"] = ENDLESS


def sent(config: SessionConfig) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(codec.encode(wire.LiveClientMessage(setup=config.setup())))
    return tree["setup"]  # type: ignore[no-any-return]


class Nobody:
    """A connector that must not be used."""

    async def connect(self, target: Target, /) -> trio.abc.Stream:
        pytest.fail("it dialled")


# --- Options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("sytem_instruction", "system_instruction"),
        ("temprature", "temperature"),
        ("voices", "voice"),
        ("output_transcription", "output_audio_transcription"),
        ("zzz", "extra_setup"),
    ],
)
def test_a_slip_in_an_option_is_answered_with_what_was_meant(slip: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=rf"SessionConfig has no option '{slip}'.*{meant}"):
        SessionConfig(model=MODEL, **{slip: "x"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tools": None}, "tools takes a list of wire.Tool"),
        ({"tools": ["search"]}, "with no str in it"),
        ({"tools": "search"}, "tools takes a list"),
        ({"safety_settings": [1]}, "with no int in it"),
        ({"check": "lenient"}, '"strict", "warn" or "off"'),
        ({"capabilities": {}}, "capabilities takes a CapabilityTable"),
        ({"labels": "a"}, "labels takes a mapping"),
        ({"labels": {0: "a"}}, "labels takes text as a key"),
        ({"extra_setup": []}, "extra_setup takes a mapping"),
        ({"extra_setup": {"a": [{1: 2}]}}, "extra_setup takes text as a key"),
        ({"extra_setup": ENDLESS}, "extra_setup is nested too deeply"),
        ({"response_modalities": []}, "exactly one modality, not 0"),
        ({"response_modalities": [5]}, "takes one modality"),
        ({"response_modalities": 5}, "takes one modality"),
        ({"input_audio_transcription": {}}, "True, False or a wire.AudioTranscriptionConfig"),
        ({"output_audio_transcription": None}, "True, False or a wire.AudioTranscriptionConfig"),
        ({"context_window_compression": {}}, "a wire.ContextWindowCompressionConfig, not a dict"),
        ({"session_resumption": "a-handle"}, "a wire.SessionResumptionConfig, not a str[.]$"),
    ],
)
def test_a_value_that_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        SessionConfig(model=MODEL, **options)


def test_every_option_reaches_the_setup() -> None:
    config = SessionConfig(
        model=MODEL,
        voice="Puck",
        language_code="de-DE",
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        seed=7,
        max_output_tokens=100,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        media_resolution="MEDIA_RESOLUTION_LOW",
        thinking=wire.ThinkingConfig(include_thoughts=True),
        translation=wire.TranslationConfig(target_language_code="es"),
        enable_affective_dialog=True,
        proactivity=wire.ProactivityConfig(proactive_audio=True),
        explicit_vad_signal=True,
        avatar=wire.AvatarConfig(avatar_name="Kai"),
        safety_settings=[wire.SafetySetting(category="HARM_CATEGORY_HARASSMENT")],
        labels={"team": "blue"},
        realtime_input=wire.RealtimeInputConfig(turn_coverage="TURN_INCLUDES_ALL_INPUT"),
        tools=[wire.Tool(google_search=wire.GoogleSearch())],
        system_instruction="Be kind.",
    )
    setup = sent(config)
    assert len(setup) == 14
    assert len(setup["generationConfig"]) == 13
    assert setup["labels"] == {"team": "blue"}
    assert setup["outputAudioTranscription"] == {}
    assert setup["contextWindowCompression"] == {"slidingWindow": {}}


def test_nothing_of_the_callers_is_kept_or_changed() -> None:
    labels = {"team": "blue"}
    extra: dict[str, Any] = {"generationConfig": {"news": [1]}}
    config = SessionConfig(model=MODEL, labels=labels, extra_setup=extra)
    before = sent(config)
    labels["team"] = "red"
    extra["generationConfig"]["news"].append(2)
    assert sent(config) == before
    assert extra == {"generationConfig": {"news": [1, 2]}}
    assert copy.deepcopy(config) == config
    with pytest.raises(TypeError):
        config.extra_setup["x"] = 1  # type: ignore[index]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.model = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("model", "modality", "transcribed"),
    [
        (MODEL, "AUDIO", True),
        ("gemini-3.5-transcribe-live", "TEXT", False),
        ("gemini-17", "AUDIO", True),
    ],
)
def test_a_model_answers_in_what_it_is_made_for(
    model: str, modality: str, transcribed: bool
) -> None:
    setup = sent(SessionConfig(model=model))
    assert setup["generationConfig"]["responseModalities"] == [modality]
    assert ("outputAudioTranscription" in setup) == transcribed


# --- The overlay ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["generationConfig", "generation_config"])
def test_what_is_younger_than_the_release_is_laid_over_the_setup(key: str) -> None:
    config = SessionConfig(
        model=MODEL,
        voice="Puck",
        temperature=0.5,
        extra_setup={key: {"temperature": 1, "sparkle": {"depth": 3}}, "quantumMode": True},
    )
    setup = sent(config)
    generation = setup["generationConfig"]
    assert generation["temperature"] == 1
    assert generation["sparkle"] == {"depth": 3}
    assert generation["responseModalities"] == ["AUDIO"]
    voice = generation["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]
    assert voice == {"voiceName": "Puck"}
    assert setup["quantumMode"] is True
    assert config.setup().generation_config.extra == {"sparkle": {"depth": 3}}  # type: ignore[union-attr]


def test_a_name_that_comes_in_both_cases_is_laid_over_twice() -> None:
    extra: dict[str, Any] = {
        "generationConfig": {"temperature": 1, "topK": 3},
        "generation_config": {"top_k": 4},
        "historyConfig": {"one": 1},
        "history_config": {"two": 2},
    }
    setup = sent(SessionConfig(model=MODEL, extra_setup=extra))
    assert setup["generationConfig"] == {
        "responseModalities": ["AUDIO"],
        "temperature": 1,
        "topK": 4,
    }
    assert setup["historyConfig"] == {"one": 1, "two": 2}


def test_an_overlay_of_another_configuration_can_be_used_within() -> None:
    one = SessionConfig(model=MODEL, extra_setup={"deep": ({"x": 1},)})
    two = SessionConfig(model=MODEL, extra_setup={"news": one.extra_setup})
    assert sent(two)["news"] == {"deep": [{"x": 1}]}


def test_an_overlay_shows_its_names_only() -> None:
    config = SessionConfig(model=MODEL, extra_setup={"sessionResumption": {"handle": "hush"}})
    assert "extra_setup=<sessionResumption>" in repr(config)
    assert "hush" not in repr(config)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"generationConfig": 5}, "generationConfig"),
        ({"sesionResumption": {}}, "did you mean session_resumption"),
        ({"x": object()}, "extra_setup"),
        ({"x": threading.Lock()}, "extra_setup"),
        ({"x": float("nan")}, "extra_setup"),
    ],
)
def test_an_overlay_that_cannot_be_sent_is_refused(extra: dict[str, Any], said: str) -> None:
    config = SessionConfig(model=MODEL, extra_setup=extra)
    with pytest.raises(ConfigError, match=said):
        config.setup()


# --- Checks before a dial ---------------------------------------------------------------------


async def test_a_strict_check_refuses_before_anything_is_dialled() -> None:
    config = SessionConfig(
        model=MODEL, thinking=wire.ThinkingConfig(thinking_level="LOW"), explicit_vad_signal=True
    )
    with pytest.raises(ConfigError) as caught:
        async with open_session(config, connector=Nobody()):
            pytest.fail("there is no session")
    text = str(caught.value)
    assert "gemini-3.8-live takes no thinking_level; leave it out, or take" in text
    assert "Also, explicit_vad_signal is for Vertex AI" in text
    assert 'check="warn"' in text


async def test_a_credential_is_not_asked_for_when_the_setup_is_refused() -> None:
    async def key(reason: DialReason) -> ApiKey:
        pytest.fail("it was asked")

    config = SessionConfig(model=MODEL, auth=key, response_modalities=["TEXT"])
    with pytest.raises(ConfigError, match="answers in AUDIO"):
        async with open_session(config, connector=Nobody()):
            pytest.fail("there is no session")


@pytest.mark.parametrize("asked_for", [False, True])
async def test_what_a_token_may_bring_is_not_missed(
    asked_for: bool, autojump_clock: MockClock
) -> None:
    fixed = SessionConfig(model=EXTENDED, thinking=wire.ThinkingConfig(thinking_level="LOW"))
    async with open_simulator(port=None) as simulator:
        token = EphemeralToken(simulator.mint_token(setup=fixed.setup()))

        async def source(reason: DialReason) -> EphemeralToken:
            return token

        config = SessionConfig(model=EXTENDED, auth=source if asked_for else token)
        with pytest.warns(CapabilityWarning, match="needs a thinking_level, unless the token"):
            async with open_session(config, connector=simulator.connector) as session:
                assert session.connection == 1


async def test_a_check_that_warns_dials_all_the_same(autojump_clock: MockClock) -> None:
    config = SessionConfig(model=EXTENDED, check="warn")
    async with open_simulator(port=None) as simulator:
        with (
            pytest.warns(CapabilityWarning, match="needs a thinking_level") as caught,
            pytest.raises(SetupRejected),
        ):
            async with open_session(config, connector=simulator.connector):
                pytest.fail("there is no session")
    assert [warning.filename for warning in caught] == [__file__]


async def test_what_is_ignored_or_unclear_is_only_warned_of(autojump_clock: MockClock) -> None:
    config = SessionConfig(
        model=MODEL, proactivity=wire.ProactivityConfig(proactive_audio=True), top_k=3
    )
    async with open_simulator(port=None) as simulator:
        with pytest.warns(CapabilityWarning, match="is always proactive; leave proactivity out"):
            async with open_session(config, connector=simulator.connector):
                pass


async def test_without_a_check_nobody_looks(autojump_clock: MockClock) -> None:
    config = SessionConfig(model="gemini-17-live", check="off")
    async with open_simulator(port=None, unknown_models="like-3.8") as simulator:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            async with open_session(config, connector=simulator.connector):
                pass


async def test_a_new_setup_is_checked_before_the_session_moves(autojump_clock: MockClock) -> None:
    config = SessionConfig(model=MODEL)
    async with (
        open_simulator(port=None) as simulator,
        open_session(config, connector=simulator.connector) as session,
    ):
        wrong = attrs.evolve(config, thinking=wire.ThinkingConfig(thinking_level="LOW"))
        with pytest.raises(ConfigError, match="takes no thinking_level"):
            await session.reconnect(setup=wrong)
        assert session.connection == 1
        assert len(simulator.setups) == 1


async def test_a_new_setup_is_judged_by_where_the_session_is(autojump_clock: MockClock) -> None:
    config = SessionConfig(model=MODEL, endpoint=VertexAi("p", "europe-west4"))
    async with (
        open_simulator(port=None) as simulator,
        open_session(config, connector=simulator.connector) as session,
    ):
        # Its endpoint and model count for nothing, so it needn't name the session's.
        legal = SessionConfig(model=EXTENDED, explicit_vad_signal=True)
        await session.reconnect(setup=legal)
        assert simulator.setups[-1].explicit_vad_signal
        connection = session.connection
        illegal = SessionConfig(
            model=MODEL,
            tools=[wire.Tool(file_search=wire.FileSearch(file_search_store_names=["s"]))],
        )
        with pytest.raises(ConfigError, match="file_search is for the Gemini API"):
            await session.reconnect(setup=illegal)
        with pytest.raises(ConfigError, match="not a dict"):
            await session.reconnect(setup={})  # type: ignore[arg-type]
        assert session.connection == connection


def test_the_model_that_is_sent_counts() -> None:
    config = SessionConfig(model=MODEL, extra_setup={"model": f"models/{EXTENDED}"})
    assert f"models/{EXTENDED}, known as 3.8-extended" in str(explain(config))


# --- The explanation --------------------------------------------------------------------------


def test_an_explanation_shows_what_is_sent_and_what_is_wrong_with_it() -> None:
    config = SessionConfig(
        model=MODEL,
        auth=ApiKey("not-to-be-seen"),
        response_modalities=["TEXT"],
        proactivity=wire.ProactivityConfig(proactive_audio=True),
        tools=[wire.Tool(code_execution=wire.ToolCodeExecution())],
        avatar=wire.AvatarConfig(avatar_name="Kai"),
    )
    text = str(explain(config))
    for part in (
        "dials   wss://generativelanguage.googleapis.com:443/ws/google.ai",
        "as      an API key, in a header",
        "model   models/gemini-3.8-live, known as 3.8 (stable)",
        '"responseModalities": [',
        "leaves out\n        output_audio_transcription: there is no voice to transcribe",
        "refused\n        gemini-3.8-live answers in AUDIO, not in TEXT; leave",
        "[voice-modality: model pages; seen to close with 1007, 2026-10; sure]",
        "gemini-3.8-live has no code_execution on the Gemini API",
        "ignored\n        gemini-3.8-live is always proactive",
        "unclear\n        An avatar is documented for",
    ):
        assert part in text
    assert "not-to-be-seen" not in text
    assert [one.rule for one in explain(config).refused] == ["voice-modality", "3-code-execution"]


def test_an_explanation_of_a_fit_setup_says_so() -> None:
    text = str(explain(SessionConfig(model=MODEL)))
    assert text.endswith("Nothing speaks against it.")
    assert "as      nobody: no credential" in text


def test_an_explanation_holds_no_secret() -> None:
    mcp = wire.McpServer(
        name="m",
        streamable_http_transport=wire.StreamableHttpTransport(
            url="https://m.example", headers={"authorization": "Bearer hush-hush"}
        ),
    )
    config = SessionConfig(
        model=MODEL,
        endpoint=CustomEndpoint("wss://gateway.example/live?tenant=hush-hush"),
        auth=BearerToken("hush-hush"),
        session_resumption=wire.SessionResumptionConfig(handle="hush-hush"),
        tools=[wire.Tool(mcp_servers=[mcp])],
        extra_setup={"gateway": {"pass": "hush-hush"}},
    )
    for text in (str(explain(config)), repr(explain(config)), repr(config)):
        assert "hush-hush" not in text


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        (ApiKey("k1234567", in_url=True), "an API key, in the URL"),
        (EphemeralToken("auth_tokens/abc"), "an ephemeral token, in a header"),
    ],
)
def test_an_explanation_says_how_the_credential_travels(auth: Any, said: str) -> None:
    assert explain(SessionConfig(model=MODEL, auth=auth)).auth == said


def test_an_explanation_names_the_function_that_gives_credentials() -> None:
    async def vault(reason: DialReason) -> BearerToken:
        return BearerToken("t")

    config = SessionConfig(model=MODEL, endpoint=VertexAi("p", "l"), auth=vault)
    assert explain(config).auth == "whoever vault says"


def test_what_cannot_be_sent_cannot_be_explained() -> None:
    config = SessionConfig(model=MODEL, temperature="hot")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="temperature"):
        explain(config)


def test_the_table_of_the_configuration_counts() -> None:
    config = SessionConfig(
        model=EXTENDED, capabilities=TABLE.without("3.8-extended-thinking-level")
    )
    assert not explain(config).findings
