"""Parts of a conversation: text, media, code, calls and transcripts."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ._base import ABSENT, Duration, Message, Struct, sealed
from .enums import (
    DocumentMetadataContentLayer,
    FunctionResponseScheduling,
    Language,
    MediaProcessing,
    Outcome,
    PartMediaResolutionLevel,
    SpreadsheetMetadataContentLayer,
    ToolType,
    VideoMetadataContentLayer,
)

__all__ = [
    "AudioMetadata",
    "Blob",
    "CodeExecutionResult",
    "Content",
    "DocumentMetadata",
    "ExecutableCode",
    "FileData",
    "FunctionCall",
    "FunctionResponse",
    "FunctionResponseBlob",
    "FunctionResponseFileData",
    "FunctionResponsePart",
    "Part",
    "PartMediaResolution",
    "PartialArg",
    "SpeechMetadata",
    "SpreadsheetMetadata",
    "ToolCall",
    "ToolResponse",
    "Transcription",
    "VideoMetadata",
    "WordInfo",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Content(Message):
    """One turn, or a piece of one: parts in order."""

    parts: Sequence[Part] = ABSENT
    role: str | None = None
    """``"user"`` or ``"model"``; ``"system"`` only in a Vertex turn that replaces the instruction.
    """


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Part(Message):
    """A piece of content. As a rule one field holds the data and others say more about it."""

    text: str | None = None
    inline_data: Blob | None = None
    """Media. The model's speech comes here, as ``audio/pcm;rate=24000``: signed 16-bit
    little-endian mono.
    """
    file_data: FileData | None = None
    thought: bool | None = None
    """The part is reasoning; don't speak it or show it as the answer."""
    thought_signature: bytes | None = None
    """Opaque; goes back unchanged with the part."""
    executable_code: ExecutableCode | None = None
    """Code that the service itself runs."""
    code_execution_result: CodeExecutionResult | None = None
    function_call: FunctionCall | None = None
    """In a history only: live calls come as ``LiveServerToolCall``."""
    function_response: FunctionResponse | None = None
    """In a history only: answer live calls with ``LiveClientToolResponse``."""
    tool_call: ToolCall | None = None
    """Gemini only: the service uses a tool of its own. Needs no answer."""
    tool_response: ToolResponse | None = None
    """Gemini only: what that tool gave."""
    media_resolution: PartMediaResolution | None = None
    media_processing: MediaProcessing | str | None = None
    """For video."""
    video_metadata: VideoMetadata | None = None
    audio_metadata: AudioMetadata | None = None
    document_metadata: DocumentMetadata | None = None
    spreadsheet_metadata: SpreadsheetMetadata | None = None
    speech_metadata: SpeechMetadata | None = None
    """How to speak ``text``; for speech synthesis."""
    audio_transcription: Transcription | None = None
    """What is said in the part's audio."""
    part_metadata: Struct | None = None
    """Gemini only. The user's own notes; keys are left alone."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Blob(Message):
    """Media in the message itself, base64 on the wire."""

    mime_type: str | None = None
    """For raw audio it names the rate: ``audio/pcm;rate=16000``."""
    data: bytes | None = None
    display_name: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FileData(Message):
    """Media by address."""

    file_uri: str | None = None
    """``gs://...``, or what the Files API returned."""
    mime_type: str | None = None
    display_name: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionCall(Message):
    """A function that the model wants run."""

    id: str | None = None
    """Opaque; the answer repeats it."""
    name: str | None = None
    args: Struct | None = None
    """Keys as declared. May be absent when there are none."""
    will_continue: bool | None = None
    """Vertex only: more of ``partial_args`` will follow."""
    partial_args: Sequence[PartialArg] = ABSENT
    """Vertex only: arguments as they are being made."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class PartialArg(Message):
    """A piece of one argument, while arguments are streamed. Vertex only."""

    json_path: str | None = None
    """Which one, as an RFC 9535 path: ``$.place.city``."""
    string_value: str | None = None
    number_value: float | None = None
    bool_value: bool | None = None
    null_value: str | None = None
    """``"NULL_VALUE"`` when the argument is null."""
    will_continue: bool | None = None
    """More pieces for this path will follow."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionResponse(Message):
    """What a function gave."""

    id: str | None = None
    """The call's. The official SDKs insist on it for Gemini."""
    name: str | None = None
    response: Struct | None = None
    """Keys are left alone. ``output`` holds a result and ``error`` a failure; without either the
    whole object is the result. Should not be empty.
    """
    scheduling: FunctionResponseScheduling | str | None = None
    """When the model speaks of it. ``NON_BLOCKING`` calls only, and not with extended thinking.
    Belongs here; an older guide puts it into ``response``.
    """
    will_continue: bool | None = None
    """``True`` keeps the call open for more responses. ``NON_BLOCKING`` calls only, and Gemini only
    by the documents.
    """
    parts: Sequence[FunctionResponsePart] = ABSENT
    """Media among the result."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionResponsePart(Message):
    """Media in a function's result: set ``inline_data`` or ``file_data``."""

    inline_data: FunctionResponseBlob | None = None
    file_data: FunctionResponseFileData | None = None
    media_processing: MediaProcessing | str | None = None
    """Gemini only; for video."""
    media_resolution: PartMediaResolution | None = None
    video_metadata: VideoMetadata | None = None
    document_metadata: DocumentMetadata | None = None
    spreadsheet_metadata: SpreadsheetMetadata | None = None
    audio_metadata: AudioMetadata | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionResponseBlob(Message):
    """Media in the message itself, as part of a result."""

    mime_type: str | None = None
    data: bytes | None = None
    display_name: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionResponseFileData(Message):
    """Media by address, as part of a result."""

    file_uri: str | None = None
    mime_type: str | None = None
    display_name: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ExecutableCode(Message):
    """Code that the model wrote and the service runs."""

    id: str | None = None
    language: Language | str | None = None
    code: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class CodeExecutionResult(Message):
    """What came of ``ExecutableCode``."""

    id: str | None = None
    outcome: Outcome | str | None = None
    output: str | None = None
    """Standard output when it worked, otherwise what went wrong."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ToolCall(Message):
    """The service uses a tool of its own, told for information. Gemini only; named by an SDK, never
    seen.
    """

    id: str | None = None
    """``ToolResponse`` repeats it."""
    tool_type: ToolType | str | None = None
    args: Struct | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ToolResponse(Message):
    """What the service's own tool gave. Gemini only; named by an SDK, never seen."""

    id: str | None = None
    tool_type: ToolType | str | None = None
    response: Struct | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Transcription(Message):
    """A piece of a transcript, or all of it so far for interim ones."""

    text: str | None = None
    """Keep its spaces: pieces are to be joined as they are. May be absent."""
    finished: bool | None = None
    """The last piece; documented for Vertex, and may come without ``text``."""
    language_code: str | None = None
    """The detected language, BCP-47."""
    speaker_label: str | None = None
    """Not available over Live."""
    words: Sequence[WordInfo] = ABSENT
    """Not available over Live."""
    start_offset: Duration | None = None
    """Seconds into the audio."""
    end_offset: Duration | None = None
    """Seconds into the audio."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class WordInfo(Message):
    """One word and when it was said."""

    word: str | None = None
    start_offset: Duration | None = None
    """Seconds into the audio."""
    end_offset: Duration | None = None
    """Seconds into the audio."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class PartMediaResolution(Message):
    """In how much detail one part is seen."""

    level: PartMediaResolutionLevel | str | None = None
    num_tokens: int | None = None
    """An exact number of tokens to spend instead of a level."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VideoMetadata(Message):
    """Which stretch of a video counts, and how densely."""

    start_offset: Duration | None = None
    """Seconds."""
    end_offset: Duration | None = None
    """Seconds."""
    fps: float | None = None
    """Frames per second, above 0 and up to 24; by default 1."""
    content_layers: Sequence[VideoMetadataContentLayer | str] = ABSENT
    """Empty means frames and audio."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AudioMetadata(Message):
    """Which stretch of an audio part counts."""

    start_offset: Duration | None = None
    """Seconds."""
    end_offset: Duration | None = None
    """Seconds."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class DocumentMetadata(Message):
    """Which pages of a document count."""

    start_page: int | None = None
    """Counted from 1."""
    end_page: int | None = None
    """Counted from 1, inclusive."""
    content_layers: Sequence[DocumentMetadataContentLayer | str] = ABSENT
    """Empty means images of the pages."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SpreadsheetMetadata(Message):
    """Which cells of a spreadsheet count."""

    sheet_index: int | None = None
    """Counted from 1; by default the first."""
    visible_cells: str | None = None
    """As in ``"A1:D10"``; by default all that are used."""
    content_layers: Sequence[SpreadsheetMetadataContentLayer | str] = ABSENT
    """Empty means data and formulas."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SpeechMetadata(Message):
    """How a text part should be spoken. Not for Live."""

    speaker: str | None = None
    """A name from ``MultiSpeakerVoiceConfig``."""
    style: str | None = None
    """In plain words, as in ``"excited, fast"``."""
