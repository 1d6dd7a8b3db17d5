"""The official SDKs hold conversations with the simulator, and all they send is legal."""

from __future__ import annotations

import array
import base64
import struct
import wave
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from foreign.driving import SPOKEN, Sdk, SdkFailed, violations

from gemini_live_trio.testing import SimulatorThread

pytestmark = pytest.mark.foreign

SPEECH = Path(__file__).parents[1] / "data" / "speech.wav"
WEATHER = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": {
        "type": "OBJECT",
        "properties": {"city": {"type": "STRING"}},
        "required": ["city"],
    },
}
MANUAL = {"automaticActivityDetection": {"disabled": True}}


@pytest.fixture(autouse=True)
def _all_frames_are_legal(place: SimulatorThread) -> Iterator[None]:
    before = len(violations(place))
    yield
    assert violations(place)[before:] == ()


def speech() -> dict[str, Any]:
    """The recording as an order to speak it, with the silence that ends an utterance."""
    with wave.open(str(SPEECH)) as recording:
        rate = recording.getframerate()
        pcm = recording.readframes(recording.getnframes())
    silence = bytes(2 * int(rate * 0.8))
    return {"pcm": base64.b64encode(pcm + silence).decode(), "rate": rate, "seconds": 0.04}


def picture(width: int, height: int) -> dict[str, str]:
    """A black PNG of that size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(height * (width + 1)))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return {"data": base64.b64encode(png).decode(), "mimeType": "image/png"}


def loudness(pcm: bytes) -> int:
    return max(map(abs, array.array("h", pcm)), default=0)


def test_a_text_turn(sdk: Sdk) -> None:
    sdk.connect()
    turn = sdk.say("say one two three")
    assert turn.said == "one two three"
    assert turn.mime_types == {"audio/pcm;rate=24000"}
    assert loudness(turn.pcm) > 1_000
    assert turn.all("generationComplete") == [True]
    assert turn.all("usageMetadata")[-1]["totalTokenCount"] > 0


def test_a_turn_in_text(sdk: Sdk) -> None:
    sdk.connect(model="gemini-2.0-flash-live-001", config={"responseModalities": ["TEXT"]})
    turn = sdk.say("say one two three")
    assert turn.said == "one two three"
    assert turn.pcm == b""


def test_text_in_real_time(sdk: Sdk) -> None:
    sdk.connect()
    sdk.tell("realtime", text="say one two three")
    assert sdk.hear().said == "one two three"


def test_a_conversation_goes_on(sdk: Sdk) -> None:
    sdk.connect(config={**SPOKEN, "systemInstruction": "Be brief."})
    sdk.say("My name is Ada.")
    assert "Ada" in sdk.say("What is my name?").said
    assert "Be brief." in sdk.say("What are your instructions?").said


def test_history_is_seeded(sdk: Sdk) -> None:
    sdk.connect()
    earlier = [
        {"role": "user", "parts": [{"text": "My name is Ada."}]},
        {"role": "model", "parts": [{"text": "Hello, Ada."}]},
    ]
    sdk.tell("content", turns=earlier, turnComplete=False)
    assert "Ada" in sdk.say("What is my name?").said


def test_speech_is_heard_and_answered_in_speech(sdk: Sdk) -> None:
    sdk.connect()
    sdk.tell("speak", **speech())
    turn = sdk.hear()
    assert "speech" in turn.understood
    assert "seconds" in turn.said
    assert loudness(turn.pcm) > 1_000


def test_a_microphone_that_pauses_ends_the_utterance(sdk: Sdk) -> None:
    sdk.connect()
    sound = speech()
    without_silence = base64.b64decode(sound["pcm"])[: -2 * int(sound["rate"] * 0.8)]
    sdk.tell("speak", **{**sound, "pcm": base64.b64encode(without_silence).decode()})
    sdk.tell("realtime", audioStreamEnd=True)
    assert "speech" in sdk.hear().understood


def test_a_user_who_marks_the_activity(sdk: Sdk) -> None:
    sdk.connect(config={**SPOKEN, "realtimeInputConfig": MANUAL})
    sdk.tell("realtime", activityStart={})
    sdk.tell("speak", **speech())
    sdk.tell("realtime", activityEnd={})
    turn = sdk.hear()
    assert "speech" in turn.understood
    assert turn.pcm


def test_a_picture_is_seen(sdk: Sdk) -> None:
    sdk.connect()
    sdk.tell("realtime", video=picture(320, 240))
    sdk.tell("realtime", text="What do you see?")
    said = sdk.hear().said
    assert "PNG" in said
    assert "320" in said


def test_a_tool_is_called_and_answered(sdk: Sdk) -> None:
    sdk.connect(config={**SPOKEN, "tools": [{"functionDeclarations": [WEATHER]}]})
    sdk.tell(
        "content", turns=[{"role": "user", "parts": [{"text": "call get_weather with city=Paris"}]}]
    )
    (call,) = sdk.hear("toolCall").calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    response = {"id": call["id"], "name": call["name"], "response": {"celsius": 21}}
    sdk.tell("answer", responses=[response])
    turn = sdk.hear()
    while not turn.said:
        turn = sdk.hear()
    assert "21" in turn.said


def test_the_instruction_is_updated(sdk: Sdk) -> None:
    sdk.connect(config={**SPOKEN, "systemInstruction": "Be brief."})
    sdk.tell("update", instruction="Be verbose.")
    assert "Be verbose." in sdk.say("What are your instructions?").said


def resume(sdk: Sdk, handle: str) -> None:
    """Do as every user of these SDKs has to: dial with the handle until the service lets us in."""
    config = {**SPOKEN, "sessionResumption": {"handle": handle}}
    while True:
        try:
            return sdk.connect(config=config)
        except SdkFailed as refusal:
            if refusal.code != 1011:  # which is all that the service says to "not yet"
                raise


def test_a_session_resumes_after_go_away(sdk: Sdk, place: SimulatorThread) -> None:
    sdk.connect(config={**SPOKEN, "sessionResumption": {}})
    handle = sdk.hear("sessionResumptionUpdate").all("sessionResumptionUpdate")[-1]["newHandle"]
    sdk.say("My name is Ada.")
    place.run(place.simulator.go_away, 5)
    assert sdk.hear("goAway").all("goAway")[-1]["timeLeft"] == "5s"
    sdk.close()
    resume(sdk, handle)
    assert "Ada" in sdk.say("What is my name?").said


def test_a_session_resumes_after_a_drop(sdk: Sdk, place: SimulatorThread) -> None:
    sdk.connect(config={**SPOKEN, "sessionResumption": {}})
    handle = sdk.hear("sessionResumptionUpdate").all("sessionResumptionUpdate")[-1]["newHandle"]
    sdk.say("My name is Ada.")
    place.run(place.simulator.drop_all)
    with pytest.raises(SdkFailed) as lost:
        sdk.hear()
    assert lost.value.code == 1006
    resume(sdk, handle)
    assert "Ada" in sdk.say("What is my name?").said


def test_a_token_is_minted_and_used(sdk: Sdk) -> None:
    token = sdk.mint(config={"uses": 1})
    assert token.startswith("auth_tokens/")
    sdk.connect(key=token, version="v1alpha")
    assert sdk.say("say one two three").said == "one two three"


def test_a_token_keeps_what_it_locks(sdk: Sdk) -> None:
    locked = {"model": "gemini-3.8-live", "config": {**SPOKEN, "systemInstruction": "Be brief."}}
    token = sdk.mint(config={"uses": 1, "liveConnectConstraints": locked})
    sdk.connect(key=token, version="v1alpha", config={**SPOKEN, "systemInstruction": "Be verbose."})
    assert "Be brief." in sdk.say("What are your instructions?").said


@pytest.mark.parametrize("backend", ["vertex", "express"])
def test_vertex_ai(sdk: Sdk, backend: str) -> None:
    sdk.connect(backend=backend)
    turn = sdk.say("say one two three")
    assert turn.said == "one two three"
    assert loudness(turn.pcm) > 1_000


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_every_version(sdk: Sdk, version: str) -> None:
    sdk.connect(version=version)
    assert sdk.say("say one two three").said == "one two three"
