"""A conversation with the simulator: text, speech, interruption, and what differs by model."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from simulator.raw_client import RawClient, dial, order, silence, sound, spoken, tone
from trio.testing import MockClock

from gemini_live_trio.simulator import PROFILES, Reply, Situation, open_simulator

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAAEElEQVR4nGP4z8DwH4yhJABW4gf5q0VPwgAAAABJRU5E"
    "rkJggg=="
)
TEXT = {
    "model": "models/gemini-live-2.5-flash-preview",
    "generationConfig": {"responseModalities": ["TEXT"]},
}
SPEECH: dict[str, Any] = {"inputAudioTranscription": {}, "outputAudioTranscription": {}}
MANUAL = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}


async def test_text_is_answered_in_pieces(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**TEXT)
        answer = await client.say("Is anybody there?")
        pieces = [message for message in answer if "modelTurn" in message.get("serverContent", {})]
        assert len(pieces) > 3
        assert spoken(answer).startswith('I got: "Is anybody there?". I know no answer')
        assert order(answer) == ["modelTurn", "generationComplete", "turnComplete", "usageMetadata"]
        assert client.kinds == {bytes}


async def test_text_frames_can_be_had(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, frames="text") as simulator, dial(simulator) as client:
        await client.set_up(**TEXT)
        await client.say("Hello")
        assert client.kinds == {str}


async def test_speech_comes_in_step_with_its_transcript(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        asked = trio.current_time()
        await client.send(realtimeInput={"text": "Repeat after me: the quick brown fox."})
        made = await client.until("generationComplete")
        made_in = trio.current_time() - asked
        done = await client.until("turnComplete")
        seconds = len(sound(made)) / 48_000
        assert spoken(made) == "the quick brown fox."
        assert seconds > 0.9
        assert made_in < seconds, "3.8 sends faster than it plays"
        assert trio.current_time() - asked == pytest.approx(0.4 + seconds, abs=0.01)
        tokens = done[-1]["usageMetadata"]
        assert tokens["responseTokensDetails"] == [
            {"modality": "AUDIO", "tokenCount": pytest.approx(seconds * 25, abs=1)}
        ]
        assert tokens["totalTokenCount"] == (
            tokens["promptTokenCount"] + tokens["responseTokenCount"]
        )
        assert {} in made


@pytest.mark.parametrize("speech", [SPEECH, {}])
async def test_transcripts_come_only_when_asked_for(
    speech: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**speech)
        assert bool(spoken(await client.say("Hello"))) is bool(speech)


async def test_no_waiting_at_pace_0() -> None:
    async with open_simulator(port=None, pace=0) as simulator, dial(simulator) as client:
        with trio.fail_after(20):
            await client.set_up(**SPEECH)
            assert "99, 100." in spoken(await client.say("Count to 100."))


async def test_speech_is_heard_and_answered(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        for chunk in (silence(1), tone(0.7), silence(0.2), tone(1.2), silence(1)):
            for start in range(0, len(chunk), 1280):
                await client.send_audio(chunk[start : start + 1280])
        start = (await client.until("voiceActivity"))[-1]["voiceActivity"]
        assert start == {"type": "ACTIVITY_START", "audioOffset": "1.14s"}
        end = (await client.until("voiceActivity"))[-1]["voiceActivity"]
        assert end == {"type": "ACTIVITY_END", "audioOffset": "3.6s"}
        heard = (await client.until("inputTranscription"))[-1]
        assert heard["serverContent"]["inputTranscription"] == {"text": "[2.1 s of speech]"}
        answer = await client.until("turnComplete")
        assert "2.1 seconds" in spoken(answer)
        assert sound(answer)
        audio = answer[-1]["usageMetadata"]["promptTokensDetails"]
        assert audio == [{"modality": "AUDIO", "tokenCount": 53}]


async def test_the_end_of_the_stream_ends_the_utterance(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        await client.send_audio(tone(1))
        await client.send(realtimeInput={"audioStreamEnd": True})
        await client.until("turnComplete")
        await client.send_audio(tone(1))
        await client.send(realtimeInput={"audioStreamEnd": True})
        assert "turn 2" in spoken(await client.until("turnComplete"))


async def test_marks_decide_where_detection_is_off(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH, **MANUAL)
        await client.send_audio(tone(1))
        await client.send(realtimeInput={"activityStart": {}})
        await client.send_audio(tone(1))
        await client.send_audio(silence(3))
        await client.send_audio(tone(1))
        await client.send(realtimeInput={"text": "typed meanwhile"})
        await client.send(realtimeInput={"activityEnd": {}})
        heard = await client.until("inputTranscription")
        assert heard[-1]["serverContent"]["inputTranscription"]["text"] == "[5.0 s of speech]"
        assert len(await client.until("turnComplete")) > 3
        connection = await simulator.accept()
        assert connection.history[0].text == "typed meanwhile [5.0 s of speech]"


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
async def test_echo_gives_back_what_it_heard(rate_hz: int, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, voice="echo") as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        await client.send_audio(tone(0.5, rate_hz), rate_hz)
        await client.send(realtimeInput={"audioStreamEnd": True})
        heard = sound(await client.until("turnComplete"))
        assert len(heard) / 48_000 == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("how", ["content", "text", "speech"])
async def test_what_the_user_says_cuts_the_answer_off(how: str, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        connection = await simulator.accept()
        await client.send(realtimeInput={"text": "Tell me a story."})
        begun = await client.until("modelTurn")
        if how == "content":
            turn = {"role": "user", "parts": [{"text": "say stop"}]}
            await client.send(clientContent={"turns": [turn], "turnComplete": True})
        elif how == "text":
            await client.send(realtimeInput={"text": "say stop"})
        else:
            await client.send_audio(tone(1))
            await client.send(realtimeInput={"audioStreamEnd": True})
        cut = await client.until("interrupted")
        assert not any("generationComplete" in m.get("serverContent", {}) for m in cut)
        ended = await client.until("turnComplete")
        assert order(ended)[-2:] == ["turnComplete", "usageMetadata"]
        assert sound(await client.until("turnComplete"))
        story = connection.history[1]
        assert story.role == "model"
        assert story.text == spoken(begun + cut), "the history keeps what was sent, no more"


async def test_an_answer_is_interrupted_while_it_plays(autojump_clock: MockClock) -> None:
    """All of it was sent, but the user hasn't heard it yet."""
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        await client.send(realtimeInput={"text": "Tell me a story."})
        await client.until("generationComplete")
        await client.send(realtimeInput={"text": "Hello"})
        assert order(await client.until("turnComplete")) == [
            "interrupted",
            "turnComplete",
            "usageMetadata",
        ]


async def test_no_interruption_means_that_answers_wait(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        config = {"activityHandling": "NO_INTERRUPTION"}
        await client.set_up(**SPEECH, realtimeInputConfig=config)
        for text in ("say one", "say two", "say three"):
            await client.send(realtimeInput={"text": text})
        for text in ("one", "two", "three"):
            assert spoken(await client.until("turnComplete")) == text


async def test_every_overtaken_line_gets_its_turn(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        for number in range(50):
            await client.send(realtimeInput={"text": f"say {number}"})
        turns = [await client.until("turnComplete") for _ in range(50)]
        assert all("interrupted" in order(turn) for turn in turns[:-1])
        assert spoken(turns[-1]) == "49"


async def test_context_is_gathered_until_the_turn_is_complete(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        turns = [
            {"role": "user", "parts": [{"text": "My name is Ada."}]},
            {"role": "model", "parts": [{"text": "Noted."}]},
        ]
        await client.send(clientContent={"turns": turns})
        assert spoken(await client.say("What is my name?")) == "Your name is Ada."


async def test_initial_history_is_not_answered(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        history = {"initialHistoryInClientContent": True}
        await client.set_up(**SPEECH, historyConfig=history)
        turns = [{"role": "user", "parts": [{"text": "first words"}]}]
        await client.send(client_content={"turns": turns, "turn_complete": True})
        assert "first words" in spoken(await client.say("What did I say?"))


@pytest.mark.parametrize("field", ["video", "content"])
async def test_a_picture_is_named(field: str, autojump_clock: MockClock) -> None:
    blob = {"mimeType": "image/png", "data": PNG}
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        if field == "video":
            await client.send(realtimeInput={"video": blob})
            await client.send(realtimeInput={"text": "look"})
        else:
            turn = {"role": "user", "parts": [{"inlineData": blob}, {"text": "look"}]}
            await client.send(clientContent={"turns": [turn], "turnComplete": True})
        answer = await client.until("turnComplete")
        assert spoken(answer) == 'I see a PNG image, 2 by 3 pixels. And you said: "look".'
        details = answer[-1]["usageMetadata"]["promptTokensDetails"]
        assert {"modality": "IMAGE", "tokenCount": 258} in details


async def test_the_instruction_can_be_changed(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH, systemInstruction={"parts": [{"text": "Be brief."}]})
        assert "Be brief." in spoken(await client.say("What are your instructions?"))
        update = {"systemInstruction": {"parts": [{"text": "Be long."}]}}
        await client.send(contextUpdate=update)
        assert "Be long." in spoken(await client.say("What are your instructions?"))


async def test_an_answer_to_no_call_is_ignored(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        await client.send(toolResponse={"functionResponses": [{"id": "x", "response": {}}]})
        assert spoken(await client.say("say on")) == "on"


async def test_a_mind_of_ones_own(autojump_clock: MockClock) -> None:
    def mind(situation: Situation) -> Reply:
        return Reply(f"{situation.asked.text}, {situation.instruction}!")

    async with open_simulator(port=None, mind=mind) as simulator, dial(simulator) as client:
        await client.set_up(**TEXT, systemInstruction={"parts": [{"text": "please"}]})
        assert spoken(await client.say("Go")) == "Go, please!"


async def test_without_a_mind_a_test_sends_everything_itself(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, mind=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        connection = await simulator.accept()
        await client.send(realtimeInput={"text": "Hello"})
        await client.send_audio(tone(1) + silence(1))
        await client.until("inputTranscription")
        await connection.send_raw('{"anything": 1}')
        assert await client.receive() == {"anything": 1}


async def test_a_fault_in_the_mind_is_not_hidden(autojump_clock: MockClock) -> None:
    def mind(situation: Situation) -> str:
        raise LookupError("nothing to say")

    with pytest.RaisesGroup(LookupError, flatten_subgroups=True):
        async with open_simulator(port=None, mind=mind) as simulator, dial(simulator) as client:
            await client.set_up(**SPEECH)
            await client.send(realtimeInput={"text": "Hello"})
            await trio.sleep_forever()


async def test_a_recording_in_the_content_is_heard(autojump_clock: MockClock) -> None:
    blob = {"mimeType": "audio/pcm;rate=16000", "data": "AAAA" * 16_000}
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        turn = {"role": "user", "parts": [{"inlineData": blob}]}
        await client.send(clientContent={"turns": [turn], "turnComplete": True})
        assert "1.5 seconds" in spoken(await client.until("turnComplete"))


async def test_what_it_saw_last_can_be_asked(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        assert "no picture" in spoken(await client.say("What do you see?"))
        await client.send(realtimeInput={"video": {"mimeType": "image/png", "data": PNG}})
        await client.send(realtimeInput={"text": "look"})
        await client.until("turnComplete")
        assert "a PNG image" in spoken(await client.say("What do you see?"))


# --- What differs by model ---


@pytest.mark.parametrize("mime_type", ["audio/pcm", "image/png"])
async def test_25_still_takes_media_chunks(mime_type: str, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        model = "models/gemini-2.5-flash-native-audio-latest"
        await client.set_up(model=model, **SPEECH)
        blob = {"mimeType": mime_type, "data": PNG}
        await client.send(realtimeInput={"mediaChunks": [blob]})
        await client.send(realtimeInput={"text": "look"})
        answer = spoken(await client.until("turnComplete"))
        assert ("a PNG image" in answer) is (mime_type == "image/png")


async def one_turn(client: RawClient, model: str, **setup: Any) -> list[dict[str, Any]]:
    await client.set_up(model=f"models/{model}", **{**SPEECH, **setup})
    return await client.say("say one two three four")


async def test_25_sends_one_thing_a_frame_and_indented(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        answer = await one_turn(client, "gemini-2.5-flash-native-audio-latest")
        contents = [message["serverContent"] for message in answer]
        assert all(len(content) == 1 for content in contents)
        assert spoken(answer) == " one two three four".strip()
        await client.send(realtimeInput={"text": "Hello"})
        raw = await client.websocket.get_message()
        assert raw.startswith(b'{\n  "')
        assert raw.endswith(b"}\n")


async def test_31_begins_with_a_single_sample(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        answer = await one_turn(client, "gemini-3.1-flash-live-preview")
        assert answer[0] == {"serverContent": {}}
        assert sound(answer[:2]) == b"\0\0"


async def test_extended_thinking_speaks_twice(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        thinking = {"thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True}}
        first = await one_turn(
            client, "gemini-3.8-live-extended-thinking", generationConfig=thinking
        )
        assert first[0]["serverContent"]["modelTurn"]["parts"][0]["thought"] is True
        assert spoken(first) == "Let me think about that."
        assert first[-1]["serverContent"]["interactionStatus"] == "IN_PROGRESS"
        second = await client.until("turnComplete")
        assert spoken(second) == "one two three four"
        assert second[-1]["serverContent"]["interactionStatus"] == "IDLE"


async def test_the_transcriber_writes_and_never_answers(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(model="models/gemini-3.5-transcribe-live", inputAudioTranscription={})
        await client.send(realtimeInput={"text": "Hello?"})
        await client.send_audio(tone(1.2))
        await client.send(realtimeInput={"audioStreamEnd": True})
        first = await client.receive()
        assert isinstance(first, dict)
        assert first["serverContent"] == {}
        assert first["voiceActivity"]["type"] == "ACTIVITY_START"
        rest = await client.until("voiceActivity")
        assert order(rest) == [
            "interimInputTranscription",
            "inputTranscription",
            "generationComplete",
            "voiceActivity",
        ]
        assert rest[-1]["voiceActivity"]["type"] == "ACTIVITY_END"


@pytest.mark.parametrize(
    "profile",
    [
        profile
        for profile in PROFILES
        if profile.models and not (profile.only_transcribes or profile.translates)
    ],
    ids=lambda profile: profile.name,
)
async def test_handles_come_as_often_as_the_model_gives_them(
    profile: Any, autojump_clock: MockClock
) -> None:
    level = {"thinkingConfig": {"thinkingLevel": "LOW"}}
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(
            model=f"models/{profile.models[0]}",
            generationConfig=level if profile.thinking_level == "required" else {},
            sessionResumption={},
        )
        first = (await client.until("sessionResumptionUpdate"))[-1]["sessionResumptionUpdate"]
        assert first["resumable"] is True
        assert len(first["newHandle"]) == 36
        answer = await client.say("Hello")
        updates = [m["sessionResumptionUpdate"] for m in answer if "sessionResumptionUpdate" in m]
        if profile.handles == "once":
            assert updates == []
        else:
            assert updates == [{}], "none can be had while it answers"
            again = (await client.until("sessionResumptionUpdate"))[-1]["sessionResumptionUpdate"]
            assert again["newHandle"] != first["newHandle"]


async def test_without_asking_there_is_no_handle(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up()
        assert not any("sessionResumptionUpdate" in m for m in await client.say("Hello"))


async def test_usage_grows_with_the_history(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        counts = [
            (await client.say("say something"))[-1]["usageMetadata"]["promptTokenCount"]
            for _ in range(3)
        ]
        assert counts == sorted(set(counts))
