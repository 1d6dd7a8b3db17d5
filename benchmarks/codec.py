"""Speed of the codec, beside google-genai on the same bytes in the same run.

``python benchmarks/codec.py`` prints a table: microseconds a call, the best of several rounds, for
us and for google-genai, and the ratio. Exits with 1 if a target is missed. google-genai is run as
its live session runs it, from the call to the WebSocket write, or from the WebSocket read to the
message; a stand-in for the WebSocket takes no time of its own. We decode to events as well, which
it doesn't do.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import timeit
import warnings
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from gemini_live_trio import codec, wire

warnings.simplefilter("ignore")

from google import genai  # noqa: E402
from google.genai import _common, types  # noqa: E402
from google.genai import _live_converters as converters  # noqa: E402
from google.genai.live import AsyncSession  # noqa: E402

SIZES_MS = (20, 40, 100, 250, 1_000)
TARGETS = {
    "send 100 ms": 50.0,
    "receive 100 ms": 10.0,
    "receive text delta": 10.0,
}
LONGEST_US = {"send 100 ms": 2.0, "receive 100 ms": 10.0}


class StandIn:
    """A WebSocket of which one side is this frame."""

    def __init__(self, frame: bytes = b"") -> None:
        self.frame = frame

    async def recv(self, decode: bool = True) -> bytes:
        """Give the frame."""
        return self.frame

    async def send(self, text: str) -> None:
        """Take a frame."""


CLIENT = genai.Client(api_key="none")._api_client


def run(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waited")


def samples(milliseconds: int, rate_hz: int) -> bytes:
    """Sound without silence, so that the base64 has all its characters."""
    count = rate_hz * milliseconds // 1_000 * 2
    return bytes((index * 37 + index // 251) & 0xFF for index in range(count))


def frame_of(tree: dict[str, Any]) -> bytes:
    """Write a frame as the service does."""
    return json.dumps(tree, separators=(",", ":")).encode()


def audio_frame(milliseconds: int) -> bytes:
    """Make a piece of the model's voice."""
    data = base64.b64encode(samples(milliseconds, 24_000)).decode()
    blob = {"mimeType": "audio/pcm;rate=24000", "data": data}
    return frame_of({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}})


def details(text: int, audio: int) -> list[dict[str, Any]]:
    """Count tokens by modality."""
    return [
        {"modality": "TEXT", "tokenCount": text},
        {"modality": "AUDIO", "tokenCount": audio},
    ]


TEXT_FRAME = frame_of({"serverContent": {"modelTurn": {"parts": [{"text": " a few more words"}]}}})
TURN_END_FRAME = frame_of(
    {
        "serverContent": {"turnComplete": True},
        "usageMetadata": {
            "promptTokenCount": 731,
            "responseTokenCount": 88,
            "totalTokenCount": 819,
            "promptTokensDetails": details(612, 119),
            "responseTokensDetails": details(6, 82),
        },
    }
)


def receive_pair(frame: bytes) -> tuple[Callable[[], object], Callable[[], object]]:
    """Read one frame, we and they."""
    session = AsyncSession(api_client=CLIENT, websocket=StandIn(frame))
    return (
        lambda: codec.to_events(codec.decode(frame)),
        lambda: run(session._receive()),
    )


def send_pair(milliseconds: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """Write one chunk of microphone audio, we and they."""
    pcm = samples(milliseconds, 16_000)
    session = AsyncSession(api_client=CLIENT, websocket=StandIn())

    def theirs() -> None:
        blob = types.Blob(data=pcm, mime_type="audio/pcm;rate=16000")
        run(session.send_realtime_input(audio=blob))

    return lambda: codec.encode_audio(pcm), theirs


def setup_pair() -> tuple[Callable[[], object], Callable[[], object]]:
    """Write a setup with 20 functions, we and they."""
    schema = {
        "type": "OBJECT",
        "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER"}},
        "required": ["city"],
    }
    tree = {
        "name": "look_up",
        "description": "Look something up in a table.",
        "parameters": schema,
    }
    ours = wire.LiveClientMessage(
        setup=wire.LiveClientSetup(
            model="models/gemini-3.8-live",
            tools=[
                wire.Tool(
                    function_declarations=[
                        wire.FunctionDeclaration(
                            name=f"look_up_{number}",
                            description="Look something up in a table.",
                            parameters=wire.Schema(
                                type=wire.Type.OBJECT,
                                properties={
                                    "city": wire.Schema(type=wire.Type.STRING),
                                    "days": wire.Schema(type=wire.Type.INTEGER),
                                },
                                required=["city"],
                            ),
                        )
                        for number in range(20)
                    ]
                )
            ],
        )
    )
    declarations = [{**tree, "name": f"look_up_{number}"} for number in range(20)]
    config = types.LiveConnectConfig.model_validate(
        {"tools": [{"function_declarations": declarations}]}
    )

    def theirs() -> str:
        parameters = types.LiveConnectParameters(model="models/gemini-3.8-live", config=config)
        request = _common.convert_to_dict(
            converters._LiveConnectParameters_to_mldev(
                api_client=CLIENT, from_object=parameters.model_dump(exclude_none=True)
            )
        )
        del request["config"]
        return json.dumps(_common.encode_unserializable_types(request))

    return lambda: codec.encode(ours), theirs


def microseconds(calls: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Time calls, each the best of several rounds, since everything else only adds.

    They take turns, so that a busy machine is busy for all of them.
    """
    timers = [timeit.Timer(call) for call in calls]
    numbers = [max(1, timer.autorange()[0] // 20) for timer in timers]
    best = [float("inf")] * len(timers)
    for _ in range(rounds):
        for index, (timer, number) in enumerate(zip(timers, numbers, strict=True)):
            best[index] = min(best[index], timer.timeit(number) / number * 1e6)
    return best


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="of about 10 to 20 ms each")
    rounds = parser.parse_args().rounds

    cases = {f"send {size} ms": send_pair(size) for size in SIZES_MS}
    cases |= {f"receive {size} ms": receive_pair(audio_frame(size)) for size in SIZES_MS}
    cases["receive text delta"] = receive_pair(TEXT_FRAME)
    cases["receive turn end with usage"] = receive_pair(TURN_END_FRAME)
    cases["send setup with 20 tools"] = setup_pair()

    print(f"{'':30}{'ours, us':>12}{'theirs, us':>14}{'ratio':>8}   target")
    missed = False
    for name, pair in cases.items():
        ours_us, theirs_us = microseconds(pair, rounds)
        ratio = theirs_us / ours_us
        notes = []
        if name in TARGETS:
            notes.append(f"{TARGETS[name]:.0f}x")
            missed |= ratio < TARGETS[name]
        if name in LONGEST_US:
            notes.append(f"{LONGEST_US[name]:.0f} us")
            missed |= ours_us > LONGEST_US[name]
        print(f"{name:30}{ours_us:12.2f}{theirs_us:14.1f}{ratio:7.0f}x   {', '.join(notes)}")
    if missed:
        print("A target was missed.")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
