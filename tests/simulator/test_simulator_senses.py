"""Ears, eyes, voice, mind and streams by themselves: no socket, no clock."""

from __future__ import annotations

import array
import base64
import math
import struct

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from simulator.raw_client import silence, tone

from gemini_live_trio import wire
from gemini_live_trio.simulator import PROFILES, DefaultMind, Situation, Turn
from gemini_live_trio.simulator._door._pair import PIPE_BYTES, bounded_pair
from gemini_live_trio.simulator._door._stream import GatedStream
from gemini_live_trio.simulator._mind._ears import (
    Ears,
    SpeechEnded,
    SpeechGoesOn,
    SpeechStarted,
    rms,
)
from gemini_live_trio.simulator._mind._eyes import describe_image
from gemini_live_trio.simulator._mind._resample import resample, resample_in_steps
from gemini_live_trio.simulator._mind._voice import ToneVoice, sentences
from gemini_live_trio.simulator._sessions import MOST_TURNS, State
from gemini_live_trio.simulator._talk._frames import fragments, phrases

# --- Ears ---


def hear(ears: Ears, *chunks: bytes, size: int = 640) -> list[object]:
    noticed: list[object] = []
    for chunk in chunks:
        for start in range(0, len(chunk), size):
            noticed += ears.hear(chunk[start : start + size])
    return noticed


def noise(seconds: float, level: int, rate_hz: int = 16_000) -> bytes:
    values = ((index * 7919 % 200 - 100) * level // 100 for index in range(int(seconds * rate_hz)))
    return array.array("h", values).tobytes()


@pytest.mark.parametrize("size", [2, 31, 640, 10**6])
def test_an_utterance_is_found_however_it_is_cut(size: int) -> None:
    ears = Ears(16_000)
    started, *going, ended = hear(ears, silence(0.5), tone(1.2), silence(1), size=size)
    assert isinstance(started, SpeechStarted)
    assert started.offset == pytest.approx(0.64)
    assert [type(item) for item in going] == [SpeechGoesOn, SpeechGoesOn]
    assert isinstance(ended, SpeechEnded)
    assert ended.seconds == pytest.approx(1.2)
    assert ended.offset == pytest.approx(2.2)
    assert ended.pcm == b"", "nobody asked for it"


def test_a_click_is_no_speech() -> None:
    assert hear(Ears(16_000), silence(0.5), tone(0.06), silence(0.5), tone(0.08), silence(1)) == []


def test_a_pause_between_words_is_no_end() -> None:
    noticed = hear(Ears(16_000), tone(0.5), silence(0.4), tone(0.5), silence(1))
    (ended,) = [item for item in noticed if isinstance(item, SpeechEnded)]
    assert ended.seconds == pytest.approx(1.4)


def test_steady_noise_is_no_speech_but_a_voice_above_it_is() -> None:
    ears = Ears(16_000)
    assert hear(ears, noise(3, 150)) == []
    assert [type(item) for item in hear(ears, tone(0.4), noise(1, 150))] == [
        SpeechStarted,
        SpeechEnded,
    ]


def test_the_clients_wishes_count() -> None:
    wishes = wire.AutomaticActivityDetection(prefix_padding_ms=20, silence_duration_ms=100)
    noticed = hear(Ears(16_000, wishes), tone(0.04), silence(0.12))
    assert [type(item) for item in noticed] == [SpeechStarted, SpeechEnded]
    low = wire.AutomaticActivityDetection(
        start_of_speech_sensitivity=wire.StartSensitivity.START_SENSITIVITY_LOW
    )
    quiet = noise(1, 400)
    assert hear(Ears(16_000), quiet)
    assert hear(Ears(16_000, low), quiet) == []


def test_what_was_said_is_kept_for_the_echo() -> None:
    ears = Ears(16_000, keep=True)
    ended = hear(ears, silence(1), tone(1), silence(1))[-1]
    assert isinstance(ended, SpeechEnded)
    assert 1 < len(ended.pcm) / 32_000 < 1.7
    for _ in range(70):
        ears.hear(tone(1))
    (ended,) = ears.flush()
    assert isinstance(ended, SpeechEnded)
    assert len(ended.pcm) <= 60 * 32_000 + 640


@given(st.lists(st.binary(max_size=2_000), max_size=20))
def test_any_bytes_can_be_heard(chunks: list[bytes]) -> None:
    ears = Ears(8_000)
    noticed = [*hear(ears, *chunks), *ears.flush()]
    kinds = [type(item) for item in noticed if not isinstance(item, SpeechGoesOn)]
    assert kinds == [SpeechStarted, SpeechEnded] * (len(kinds) // 2)


def test_rms() -> None:
    assert rms(b"") == 0
    assert rms(struct.pack("<4h", 3, -3, 3, -3)) == 3
    assert rms(struct.pack("<h", -32768)) == 32768


# --- Eyes ---

JPEG = (
    b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    b"\xff\xc0\0\x11\x08\x01\xe0\x02\x80\3\1\x11\0\2\x11\1\3\x11\1"
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\2\x80\0\0\1\xe0", "a PNG image, 640 by 480 pixels"),
        (JPEG, "a JPEG image, 640 by 480 pixels"),
        (b"GIF89a\x80\2\xe0\1", "a GIF image, 640 by 480 pixels"),
        (
            b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01",
            "a WebP image, 640 by 480 pixels",
        ),
        (
            b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x7f\2\0\xdf\1\0",
            "a WebP image, 640 by 480 pixels",
        ),
        (
            b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 639 | 479 << 14),
            "a WebP image, 640 by 480 pixels",
        ),
        (b"\x89PNG\r\n\x1a\n\0", "a PNG image whose size I can't read"),
        (b"\xff\xd8\xff", "a JPEG image whose size I can't read"),
        (b"", "0 bytes that are no image I know"),
        (b"hello", "5 bytes that are no image I know"),
    ],
)
def test_an_image_is_named(data: bytes, words: str) -> None:
    assert describe_image(data) == words


@given(
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"GIF89a", b"RIFF1234WEBPVP8X"]),
    st.binary(),
)
def test_any_bytes_can_be_looked_at(head: bytes, rest: bytes) -> None:
    assert describe_image(head + rest)


# --- Voice ---


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
@given(text=st.text(st.sampled_from("ab .!?\n,"), max_size=40))
def test_cutting_text_loses_nothing(profile: object, text: str) -> None:
    assert profile in PROFILES
    for known in PROFILES:
        cut = sentences(text, known.space)
        assert "".join(cut) == text
        assert "".join("".join(fragments(sentence, known)) for sentence in cut) == text
        assert "".join(phrases(text, known)) == text


async def test_the_tone_has_the_rhythm_of_the_words() -> None:
    voice = ToneVoice()
    short, long = await voice.say("Hi."), await voice.say("Incomprehensibility, really.")
    assert 0.3 < len(short) / 48_000 < 0.6
    assert len(long) > 3 * len(short)
    assert 500 < rms(long) < 10_000
    assert await voice.say(" ") == b""


async def test_resampling_lets_others_work_and_changes_nothing() -> None:
    sound = array.array("h", (n * 37 % 20_000 - 10_000 for n in range(16_000))).tobytes()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        out = await resample_in_steps(sound, 16_000, 24_000)
        nursery.cancel_scope.cancel()
    assert out == resample(sound, 16_000, 24_000)
    assert turns >= 5


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_resampling_keeps_a_tone(rate_hz: int) -> None:
    count = rate_hz // 2
    step = 2 * math.pi * 440 / rate_hz
    wave = array.array("h", (round(10_000 * math.sin(step * n)) for n in range(count)))
    out = array.array("h", resample(wave.tobytes(), rate_hz, 24_000))
    assert len(out) == 12_000
    want = [10_000 * math.sin(2 * math.pi * 440 / 24_000 * n) for n in range(12_000)]
    middle = slice(200, -200)
    error = max(abs(a - b) for a, b in zip(out[middle], want[middle], strict=True))
    assert error < 60, "below -44 dB"


def test_resampling_removes_what_cannot_be_carried() -> None:
    step = 2 * math.pi * 20_000 / 48_000
    wave = array.array("h", (round(10_000 * math.sin(step * n)) for n in range(24_000)))
    assert rms(resample(wave.tobytes(), 48_000, 24_000)) < 100


def test_resampling_odds_and_ends() -> None:
    assert resample(b"", 8_000, 24_000) == b""
    assert resample(b"\1\0\2", 24_000, 24_000) == b"\1\0"


# --- Mind ---


def answer(*said: str, **situation: object) -> str:
    """Say lines in turn, each answered; return the last answer."""
    mind = DefaultMind()
    history: list[Turn] = []
    text = ""
    for line in said:
        history.append(Turn(role="user", text=line))
        text = mind(Situation(history=tuple(history), **situation)).text  # type: ignore[arg-type]
        history.append(Turn(role="model", text=text))
    return text


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["Hello!"], "Hello!"),
        (["I like tea.", "What did I say?"], "I like tea."),
        (["What did I say?"], "You haven't said anything"),
        (["My name is Ada", "x", "what's my name?"], "Ada"),
        (["a", "b", "How many turns?"], "3 turns"),
        (["Count to 5"], "1, 2, 3, 4, 5."),
        (["what is 17 + 25?"], "42"),
        (["6 times 7"], "42"),
        (["spell cat"], "C, A, T."),
        (["Repeat after me: so be it"], "so be it"),
        (["What time is it?"], "no clock"),
        (["one", "two"], 'before it you said: "one"'),
        (["Why is the sky blue?"], "I know no answer"),
        ([" "], "nothing in it"),
        (["9" * 100_000], "9999"),
        (["1" + " " * 100_000], "This is turn 1"),
    ],
)
def test_answers_depend_on_what_was_said(said: list[str], words: str) -> None:
    assert words in answer(*said)


def test_the_seed_changes_the_words() -> None:
    asked = Situation(history=(Turn(role="user", text="tea"),))
    assert len({DefaultMind(seed)(asked).text for seed in range(3)}) == 3


def test_it_knows_its_tools_and_instruction() -> None:
    tool = wire.Tool(function_declarations=[wire.FunctionDeclaration(name="get_weather")])
    assert "get_weather" in answer("What tools do you have?", tools=(tool,))
    assert "Be nice." in answer("What are your instructions?", instruction="Be nice.")


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_there_is_an_answer_to_everything(said: list[str]) -> None:
    assert answer(*said)


def test_a_history_is_bounded() -> None:
    state = State()
    for number in range(MOST_TURNS + 50):
        state.add(Turn(role="user", text=str(number)))
    assert len(state.history) == MOST_TURNS
    assert state.history[-1].text == str(MOST_TURNS + 49)
    assert len(Turn(role="user", text="x" * 10**6).text) <= 20_000
    assert Turn(role="user", text="\ud800").text == "?"


# --- Streams ---


async def test_the_pair_behaves_like_any_stream() -> None:
    async def make() -> tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]:
        return bounded_pair()

    async def clogged() -> tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]:
        left, right = bounded_pair()
        for stream in (left, right):
            await stream.send_all(bytes(PIPE_BYTES))
        return left, right

    await trio.testing.check_half_closeable_stream(make, clogged)


async def test_an_open_gate_is_no_hindrance() -> None:
    async def make() -> tuple[trio.abc.Stream, trio.abc.Stream]:
        left, right = bounded_pair()
        return GatedStream(left), GatedStream(right)

    await trio.testing.check_two_way_stream(make, None)


async def test_a_writer_waits_for_the_reader(autojump_clock: trio.testing.MockClock) -> None:
    left, right = bounded_pair()
    with trio.move_on_after(1) as scope:
        await left.send_all(bytes(PIPE_BYTES + 1))
    assert scope.cancelled_caught
    received = 0
    while received < PIPE_BYTES:
        received += len(await right.receive_some(1_000))
    await left.send_all(b"x")


async def test_a_frozen_stream_passes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    left, inner = bounded_pair()
    right = GatedStream(inner)
    right.freeze()
    await left.send_all(b"late")
    for call in (right.receive_some, lambda: right.send_all(b"x")):
        with trio.move_on_after(1) as scope:
            await call()
        assert scope.cancelled_caught
    right.thaw()
    await right.send_all(b"y")
    assert await left.receive_some() == b"y"


def test_the_png_of_the_other_tests_is_one() -> None:
    from simulator.test_simulator_turns import PNG

    assert describe_image(base64.b64decode(PNG)) == "a PNG image, 2 by 3 pixels"
