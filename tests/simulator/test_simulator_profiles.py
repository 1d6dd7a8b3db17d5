"""What differs by model and back end: translation, unknown models, Vertex AI, holding on."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from simulator.raw_client import Closed, RawClient, dial, order, silence, sound, spoken, tone
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio.simulator import PROFILES, open_simulator

TRANSLATE = "models/gemini-3.5-live-translate-preview"
VERTEX = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
PLACE = "projects/p/locations/l/publishers/google/models/"
SPEECH: dict[str, Any] = {"inputAudioTranscription": {}, "outputAudioTranscription": {}}


def to(language: str, **fields: Any) -> dict[str, Any]:
    return {
        "model": TRANSLATE,
        "generationConfig": {
            "translationConfig": {"targetLanguageCode": language, **fields},
        },
        **SPEECH,
    }


async def listen(client: RawClient, seconds: float = 2.0) -> list[dict[str, Any]]:
    """Everything that comes within some seconds."""
    messages = []
    with trio.move_on_after(seconds):
        while True:
            message = await client.receive()
            assert isinstance(message, dict), message
            messages.append(message)
    return messages


def contents(messages: list[dict[str, Any]], key: str) -> list[Any]:
    return [
        message["serverContent"][key]
        for message in messages
        if key in message.get("serverContent", {})
    ]


# --- Translation ---


async def test_translation_is_as_long_as_what_was_said(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**to("de"), sessionResumption={})
        for chunk in (silence(1), tone(1.5), silence(3.5)):
            await client.send_audio(chunk)
        told = await listen(client)
    assert contents(told, "inputTranscription") == [{"text": "[1.5 s of speech]"}]
    assert contents(told, "outputTranscription") == [
        {"text": "[translated to de] [1.5 s of speech]", "languageCode": "de"}
    ]
    pieces = [sound([turn]) for turn in told if sound([turn])]
    assert [len(piece) for piece in pieces] == [12_000] * 24, "a quarter of a second for each"
    spoken_pieces = [index for index, piece in enumerate(pieces) if any(piece)]
    assert len(spoken_pieces) == pytest.approx(6, abs=1)
    assert spoken_pieces == list(range(spoken_pieces[0], spoken_pieces[-1] + 1))
    usages = [message["usageMetadata"] for message in told if "usageMetadata" in message]
    assert [usage["totalTokenCount"] for usage in usages] == [50] * 6
    handles = [message for message in told if "sessionResumptionUpdate" in message]
    assert len(handles) == 1 + 6
    assert not contents(told, "turnComplete")


@pytest.mark.parametrize("parrot", [True, False])
async def test_what_is_in_the_target_language_already(
    parrot: bool, autojump_clock: MockClock
) -> None:
    async with (
        open_simulator(port=None, hears=lambda _pcm, _rate: "[de-AT] Grüß Gott") as simulator,
        dial(simulator) as client,
    ):
        await client.set_up(**to("de", echoTargetLanguage=parrot))
        await client.send_audio(tone(1))
        await client.send_audio(silence(2))
        told = await listen(client)
    heard = {"text": "Grüß Gott", "languageCode": "de-AT"}
    assert contents(told, "inputTranscription") == [heard]
    assert any(sound(told)) is parrot
    said = [{"text": "Grüß Gott", "languageCode": "de"}]
    assert contents(told, "outputTranscription") == (said if parrot else [])


async def test_the_end_of_the_stream_brings_the_rest(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**to("de"))
        await client.send_audio(tone(2))
        await client.send(realtimeInput={"audioStreamEnd": True})
        told = await listen(client)
        assert any(sound(told))
        assert len(sound(told)) / 48_000 == pytest.approx(2 + 2, abs=0.3)


async def test_translation_needs_a_language(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.send(setup={"model": TRANSLATE})
        assert (await client.closed()).code == 1007


async def test_others_do_not_translate(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.send(setup={**to("de"), "model": "models/gemini-3.8-live"})
        assert (await client.closed()).code == 1007


# --- Unknown models ---


async def test_unknown_models_are_refused_unless_they_are_let_in(
    autojump_clock: MockClock,
) -> None:
    setup = {"model": "models/gemini-9-live", **SPEECH}
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.send(setup=setup)
        closed = await client.closed()
        assert closed.code == 1008
        assert "is not found" in closed.reason
    async with (
        open_simulator(port=None, unknown_models="like-3.8") as simulator,
        dial(simulator) as client,
    ):
        await client.set_up(**setup)
        assert {} in await client.say("Hello"), "as 3.8 does"
    async with (
        open_simulator(port=None, unknown_models="like-3.8") as simulator,
        dial(simulator) as client,
    ):
        await client.send(setup={"model": ""})
        assert (await client.closed()).code == 1007


def test_the_table_has_a_name_for_each() -> None:
    names = [profile.name for profile in PROFILES]
    assert len(set(names)) == len(names)
    assert names[-1] == "unknown"


# --- Vertex AI ---


async def test_vertex_tells_of_voice_activity_only_when_asked(autojump_clock: MockClock) -> None:
    for asks in (True, False):
        async with open_simulator(port=None) as simulator, dial(simulator, VERTEX) as client:
            asked = {"explicitVadSignal": True} if asks else {}
            await client.send(setup={"model": f"{PLACE}gemini-3.8-live", **SPEECH, **asked})
            await client.until("setupComplete")
            await client.send_audio(tone(0.5))
            await client.send_audio(silence(1))
            turn = await client.until("turnComplete")
            assert ("voiceActivity" in order(turn)) is asks
            assert contents(turn, "outputTranscription")[-1] == {"finished": True}


async def test_a_system_turn_replaces_the_instruction(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator, VERTEX) as client:
        await client.send(
            setup={
                "model": f"{PLACE}gemini-3.8-live",
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                **SPEECH,
            }
        )
        await client.until("setupComplete")
        turn = {"role": "system", "parts": [{"text": "Be long."}]}
        await client.send(clientContent={"turns": [turn]})
        assert '"Be long."' in spoken(await client.say("What are your instructions?"))


# --- Holding on ---


async def test_asked_to_wait_it_says_that_it_waits(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        turn = await client.say("Wait...")
        assert turn[-1]["serverContent"] == {
            "turnComplete": True,
            "turnCompleteReason": "NEED_MORE_INPUT",
            "waitingForInput": True,
        }
        assert not sound(turn)
        assert "Hello!" in spoken(await client.say("Hello"))


# --- Histories ---


async def test_a_seeded_history_keeps_roles_and_pictures(autojump_clock: MockClock) -> None:
    png = (
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAAEElEQVR4nGP4z8DwH4yhJABW4gf5q0VPwgAA"
        "AABJRU5ErkJggg=="
    )
    turns = [
        {"role": "user", "parts": [{"text": "Look"}, {"inlineData": {"data": png}}]},
        {"role": "model", "parts": [{"text": "I see."}]},
    ]
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH, historyConfig={"initialHistoryInClientContent": True})
        await client.send(clientContent={"turns": turns, "turnComplete": True})
        await wait_all_tasks_blocked()
        user, model = (await simulator.accept()).history
        assert (user.role, user.images) == ("user", ("a PNG image, 2 by 3 pixels",))
        assert (model.role, model.text) == ("model", "I see.")
        assert '"Look"' in spoken(await client.say("What did I say?"))


async def test_odd_rates_are_resampled_at_a_bounded_cost(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, voice="echo") as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        await client.send_audio(tone(0.5, 191_999), 191_999)
        await client.send(realtimeInput={"audioStreamEnd": True})
        heard = sound(await client.until("turnComplete"))
        assert len(heard) / 48_000 == pytest.approx(0.5, abs=0.05)


async def test_an_early_refusal_is_no_message(autojump_clock: MockClock) -> None:
    """A close frame is all that a refused setup gets, on either back end."""
    async with open_simulator(port=None) as simulator, dial(simulator, VERTEX) as client:
        await client.send(setup={"model": f"{PLACE}gemini-9-live"})
        assert isinstance(await client.receive(), Closed)
