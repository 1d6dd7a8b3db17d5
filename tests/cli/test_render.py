"""From events to words, rows and JSON."""

import json
import typing
from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio import codec, events, wire
from gemini_live_trio.errors import DecodeError
from gemini_live_trio.events import (
    GoAway,
    InputTranscription,
    Interrupted,
    ModelAudio,
    ModelText,
    ModelThought,
    OutputTranscription,
    Reconnected,
    Reconnecting,
    ReconnectState,
    ResumptionUpdate,
    TurnComplete,
    Undecodable,
    Unknown,
    Usage,
)
from gemini_live_trio.repl._json import as_json
from gemini_live_trio.repl._render import Kind, Narrator, harmless, turn_is_over
from gemini_live_trio.repl._rows import Row, Rows, cut


class Paper:
    """A screen that keeps everything."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._open = ""

    def add(self, kind: Kind, text: str) -> None:
        self._open = (self._open or kind.mark) + text

    def end(self) -> None:
        self.lines.append(self._open)
        self._open = ""

    def line(self, kind: Kind, text: str) -> None:
        self.lines.append(kind.mark + text)


def told(*story: events.Event, verbose: bool = False) -> list[str]:
    paper = Paper()
    narrator = Narrator(paper, verbose=verbose)
    for event in story:
        narrator.tell(event)
    narrator.finish()
    return paper.lines


def test_pieces_become_lines_of_their_speakers() -> None:
    assert told(
        InputTranscription(text=" What"),
        InputTranscription(text=" now?"),
        ModelThought(text="Hm."),
        OutputTranscription(text=" Wait"),
        OutputTranscription(text=" and see."),
        TurnComplete(),
        ModelText(text="Good."),
    ) == ["heard> What now?", "thought> Hm.", "model> Wait and see.", "model> Good."]


def test_what_was_heard_does_not_break_the_answer_in_two() -> None:
    assert told(
        OutputTranscription(text="It is"),
        InputTranscription(text="How la"),
        OutputTranscription(text=" noon."),
        InputTranscription(text="te is it?"),
        TurnComplete(),
    ) == ["model> It is noon.", "heard> How late is it?"]


def test_what_a_broken_connection_cut_off_is_not_joined_with_what_follows() -> None:
    broken = Reconnecting(attempt=1, delay=0, cause="it broke")
    remark = "note> The connection ended: it broke. Dialling again at once (1)."
    assert told(
        *(InputTranscription(text="How la"), OutputTranscription(text="It is")),
        *(InputTranscription(text="te"), broken, broken, OutputTranscription(text=" Noon.")),
    ) == [
        "heard> How la",
        "model> It is [cut off]",
        "heard> te [cut off]",
        remark,
        remark,
        "model> Noon.",
    ]


def test_an_interruption_is_told_once_something_was_said() -> None:
    assert told(ModelText(text="Well, "), Interrupted(), TurnComplete()) == [
        "model> Well, ",
        "note> The model was interrupted.",
    ]
    assert told(Interrupted(), TurnComplete()) == []


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            Reconnecting(attempt=2, delay=1.25, cause="nothing answers."),
            "That failed: nothing answers. Dialling again in 1.2 s (2).",
        ),
        (
            Reconnected(state=ReconnectState.RESUMED, gap_seconds=2),
            "Connected again after 2.0 s, the conversation goes on.",
        ),
        (
            Reconnected(state=ReconnectState.RESEEDED, gap_seconds=2),
            "Connected again after 2.0 s, in a fresh session, which was told what had been said.",
        ),
        (
            Reconnected(state=ReconnectState.FRESH, dropped_audio_seconds=1.5),
            "the model has forgotten what was said: the session is a fresh one. "
            "1.5 s of sound were lost.",
        ),
        (GoAway(time_left=50), "in 50 s"),
        (GoAway(), "soon"),
        (
            Undecodable(
                error=DecodeError(path="goAway", expected="an object", found="1"), frame="1"
            ),
            "what can't be read",
        ),
    ],
)
def test_what_everybody_should_know_is_noted(event: events.Event, said: str) -> None:
    (line,) = told(event)
    assert line.startswith("note> ")
    assert said in line


def test_the_curious_are_told_of_usage() -> None:
    usage = Usage(metadata=wire.UsageMetadata(prompt_token_count=1200, response_token_count=34))
    assert told(usage) == []
    assert told(usage, verbose=True) == ["note> Usage: 1,234 tokens, 1,200 in and 34 out."]


@pytest.mark.parametrize("verbose", [False, True])
def test_every_event_can_be_told_and_written(verbose: bool) -> None:
    for kind in typing.get_args(events.Event):
        needed = [field for field in attrs.fields(kind) if field.default is attrs.NOTHING]
        event = kind(**{field.name: _something(str(field.type)) for field in needed})
        told(event, verbose=verbose)
        assert json.loads(as_json(event))["event"] == kind.__name__


def _something(annotation: str) -> object:
    samples = {
        "str": "x",
        "bytes": b"ab",
        "int": 1,
        "float": 1.0,
        "ReconnectState": ReconnectState.FRESH,
        "DecodeError": DecodeError(path="", expected="a", found="b"),
        "Sequence[str]": ["x"],
        "wire.UsageMetadata": wire.UsageMetadata(),
        "wire.GroundingMetadata": wire.GroundingMetadata(),
        "wire.UrlContextMetadata": wire.UrlContextMetadata(),
        "wire.Part": wire.Part(),
        "wire.Blob": wire.Blob(),
    }
    for name, sample in samples.items():
        if annotation == name or annotation.startswith((f"{name} |", f"{name}|")):
            return sample
    return samples["str"]


# --- Harmless -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünï, 漢字, שלום, 👩‍🚀", "plain, ünï, 漢字, שלום, 👩‍🚀"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[2J\x1b]0;title\x07", "␛[2J␛]0;title␇"),
        ("\x9b31m and \x85", "\ufffd31m and \ufffd"),
        ("over\rwritten\r\nand\b\x7f", "over\nwritten\nand␈␡"),
        ("\ud800 half", "\ufffd half"),
        ("\x00", "␀"),
        ("a\u202eb\u2066c", "a\ufffdb\ufffdc"),
    ],
)
def test_no_control_character_reaches_the_terminal(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_escape_sequences_split_over_pieces_are_harmless_too() -> None:
    (line,) = told(ModelText(text="a\x1b"), ModelText(text="[31mb"))
    assert line == "model> a␛[31mb"


# --- JSON -----------------------------------------------------------------------------------


def test_json_tells_media_by_size_and_withholds_handles() -> None:
    assert json.loads(as_json(ModelAudio(pcm=bytes(4800)))) == {
        "event": "ModelAudio",
        "pcm": {"bytes": 4800},
        "rate_hz": 24_000,
        "generation": 0,
        "stale": False,
        "seconds": 0.1,
    }
    update = as_json(ResumptionUpdate(handle="secret", resumable=True))
    assert json.loads(update) == {
        "event": "ResumptionUpdate",
        "handle": "(withheld)",
        "resumable": True,
    }


def test_json_is_one_line_that_no_terminal_obeys_and_nothing_is_lost() -> None:
    text = "\x1b[2J\x9b\x7f\u2028\n漢字"
    line = as_json(ModelText(text=text))
    assert "漢字" in line
    assert line.isprintable()
    assert json.loads(line)["text"] == text


def test_json_of_what_the_wire_brings() -> None:
    frame = (
        b'{"serverContent":{"turnComplete":true,"brandNew":{"a":[1]}},'
        b'"usageMetadata":{"totalTokenCount":3,"promptTokensDetails":'
        b'[{"modality":"TEXT","tokenCount":3}]}}'
    )
    lines = [json.loads(as_json(event)) for event in codec.to_events(codec.decode(frame))]
    by_name = {line.pop("event"): line for line in lines}
    assert by_name["TurnComplete"] == {}
    assert by_name["Unknown"] == {"path": "serverContent.brandNew", "value": {"a": [1]}}
    assert by_name["Usage"]["metadata"] == {
        "total_token_count": 3,
        "prompt_tokens_details": [{"modality": "TEXT", "token_count": 3}],
    }
    assert json.loads(as_json(Unknown(path="x", value=None)))["path"] == "x"


def test_a_turn_that_goes_on_is_not_over() -> None:
    assert turn_is_over(TurnComplete())
    assert turn_is_over(TurnComplete(interaction_status="COMPLETED"))
    assert not turn_is_over(TurnComplete(interaction_status=wire.InteractionStatus.IN_PROGRESS))
    assert not turn_is_over(ModelText(text="x"))


# --- Rows -----------------------------------------------------------------------------------


def wide(text: str) -> int:
    return sum(2 if "\u2e80" < character < "\ua000" else 1 for character in text)


def rows_of(pieces: Sequence[str], columns: int) -> list[str]:
    rows = Rows(lambda: columns, wide)
    finished = [row for piece in pieces for row in rows.add(Kind.MODEL, piece)]
    return [row.mark + row.text for row in [*finished, *rows.end()]]


def test_rows_are_cut_between_words_however_they_arrive() -> None:
    text = "The quick brown fox jumps over the lazy dog"
    expected = ["model> The quick", "       brown fox", "       jumps over", "       the lazy dog"]
    assert rows_of([text], 20) == expected
    assert rows_of(list(text), 20) == expected


def test_long_words_and_wide_characters_fit_the_terminal() -> None:
    for text in ("x" * 1000, "漢字" * 100, "a " * 300, "漢" + "x" * 99 + " 漢字漢字 y"):
        rows = rows_of([text], 40)
        assert all(wide(row) < 40 for row in rows)
        assert "".join(row[7:] for row in rows).replace(" ", "") == text.replace(" ", "")


def test_a_terminal_of_hardly_any_width_still_gets_text() -> None:
    text = "".join(rows_of(["abcdefghijklmnop"], 0))
    assert text == "model> abcdefghijklmnop"
    # Beside the mark there is no room, so what comes after begins at the left edge.
    assert rows_of(["one two three four"], 14) == ["model> one", "two three", "four"]


FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAGS = "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7"
WAVE = "\U0001f44b\U0001f3fd"
ACCENTED = "e\u0301"


@pytest.mark.parametrize("drawn", [FAMILY, FLAGS[:2], WAVE, ACCENTED, "\u0915\u093f"])
def test_what_is_drawn_as_one_character_is_not_torn_apart(drawn: str) -> None:
    rows = rows_of([drawn * 40], 20)
    assert len(rows) > 1
    for row in rows:
        assert set(row[7:].split(drawn)) == {""}
    streamed = rows_of(list(drawn * 40), 20)
    assert "".join(row[7:] for row in streamed) == drawn * 40


def test_marks_piled_up_on_a_letter_do_not_make_a_row_endless() -> None:
    rows = rows_of(["a" + "\u0301" * 10_000], 20)
    assert max(map(len, rows)) < 200
    assert sum(row.count("\u0301") for row in rows) == 10_000


def test_a_row_is_fitted_to_a_terminal_of_another_width() -> None:
    row = Row(Kind.MODEL, "model> ", "once upon a time there was")
    shown = [each.mark + each.text for each in row.fitted(20, len)]
    assert shown == ["model> once upon a", "       time there", "       was"]
    assert [*row.fitted(80, len)] == [row]


@given(st.text(), st.integers(0, 50))
def test_a_text_is_cut_to_what_fits(text: str, columns: int) -> None:
    got = cut(text, columns, wide)
    assert wide(got) <= columns
    assert got == text or columns < 2 or (got.endswith("…") and text.startswith(got[:-1]))


def test_newlines_of_the_text_are_kept() -> None:
    assert rows_of(["one\n\ntw", "o\n"], 40) == ["model> one", "       ", "       two"]


def test_the_growing_row_follows_and_goes_on_after_a_remark() -> None:
    rows = Rows(lambda: 40, len)
    at_first = rows.growing
    assert at_first is None
    rows.add(Kind.MODEL, "Once upon a time there was ")
    rows.add(Kind.MODEL, "a small server")
    assert rows.growing is not None
    assert rows.growing.mark + rows.growing.text == "       small server"
    assert [row.mark + row.text for row in rows.line(Kind.NOTE, "By the way")] == [
        "note> By the way"
    ]
    assert rows.growing.mark == "model> "
    (last,) = rows.end()
    assert last.mark + last.text == "model> small server"
    assert rows.growing is None


def test_why_a_connection_ended_is_told_in_one_line() -> None:
    (line,) = told(Reconnecting(attempt=1, delay=0.0, cause='HTTP 503: {\n  "error": {}\n}.'))
    assert (
        line == 'note> The connection ended: HTTP 503: { "error": {} }. Dialling again at once (1).'
    )
