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
    """Content."""

    parts: Sequence[Part] = ABSENT
    role: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Part(Message):
    """Part."""

    media_resolution: PartMediaResolution | None = None
    code_execution_result: CodeExecutionResult | None = None
    executable_code: ExecutableCode | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    inline_data: Blob | None = None
    text: str | None = None
    thought: bool | None = None
    thought_signature: bytes | None = None
    video_metadata: VideoMetadata | None = None
    tool_call: ToolCall | None = None
    tool_response: ToolResponse | None = None
    part_metadata: Struct | None = None
    audio_transcription: Transcription | None = None
    media_processing: MediaProcessing | str | None = None
    speech_metadata: SpeechMetadata | None = None
    document_metadata: DocumentMetadata | None = None
    spreadsheet_metadata: SpreadsheetMetadata | None = None
    audio_metadata: AudioMetadata | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Blob(Message):
    """Blob."""

    data: bytes | None = None
    display_name: str | None = None
    mime_type: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionCall(Message):
    """FunctionCall."""

    id: str | None = None
    args: Struct | None = None
    name: str | None = None
    partial_args: Sequence[PartialArg] = ABSENT
    will_continue: bool | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class PartialArg(Message):
    """PartialArg."""

    bool_value: bool | None = None
    json_path: str | None = None
    null_value: str | None = None
    number_value: float | None = None
    string_value: str | None = None
    will_continue: bool | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionResponse(Message):
    """FunctionResponse."""

    will_continue: bool | None = None
    scheduling: FunctionResponseScheduling | str | None = None
    parts: Sequence[FunctionResponsePart] = ABSENT
    id: str | None = None
    name: str | None = None
    response: Struct | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionResponsePart(Message):
    """FunctionResponsePart."""

    inline_data: FunctionResponseBlob | None = None
    file_data: FunctionResponseFileData | None = None
    media_processing: MediaProcessing | str | None = None
    media_resolution: PartMediaResolution | None = None
    video_metadata: VideoMetadata | None = None
    document_metadata: DocumentMetadata | None = None
    spreadsheet_metadata: SpreadsheetMetadata | None = None
    audio_metadata: AudioMetadata | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionResponseBlob(Message):
    """FunctionResponseBlob."""

    mime_type: str | None = None
    data: bytes | None = None
    display_name: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionResponseFileData(Message):
    """FunctionResponseFileData."""

    file_uri: str | None = None
    mime_type: str | None = None
    display_name: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ExecutableCode(Message):
    """ExecutableCode."""

    code: str | None = None
    language: Language | str | None = None
    id: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class CodeExecutionResult(Message):
    """CodeExecutionResult."""

    outcome: Outcome | str | None = None
    output: str | None = None
    id: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FileData(Message):
    """FileData."""

    display_name: str | None = None
    file_uri: str | None = None
    mime_type: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ToolCall(Message):
    """ToolCall."""

    id: str | None = None
    tool_type: ToolType | str | None = None
    args: Struct | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ToolResponse(Message):
    """ToolResponse."""

    id: str | None = None
    tool_type: ToolType | str | None = None
    response: Struct | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class PartMediaResolution(Message):
    """PartMediaResolution."""

    level: PartMediaResolutionLevel | str | None = None
    num_tokens: int | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VideoMetadata(Message):
    """VideoMetadata."""

    end_offset: Duration | None = None
    fps: float | None = None
    start_offset: Duration | None = None
    content_layers: Sequence[VideoMetadataContentLayer | str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AudioMetadata(Message):
    """AudioMetadata."""

    start_offset: Duration | None = None
    end_offset: Duration | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class DocumentMetadata(Message):
    """DocumentMetadata."""

    start_page: int | None = None
    end_page: int | None = None
    content_layers: Sequence[DocumentMetadataContentLayer | str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SpreadsheetMetadata(Message):
    """SpreadsheetMetadata."""

    visible_cells: str | None = None
    sheet_index: int | None = None
    content_layers: Sequence[SpreadsheetMetadataContentLayer | str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SpeechMetadata(Message):
    """SpeechMetadata."""

    speaker: str | None = None
    style: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Transcription(Message):
    """Transcription."""

    text: str | None = None
    finished: bool | None = None
    language_code: str | None = None
    speaker_label: str | None = None
    words: Sequence[WordInfo] = ABSENT
    start_offset: Duration | None = None
    end_offset: Duration | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class WordInfo(Message):
    """WordInfo."""

    word: str | None = None
    start_offset: Duration | None = None
    end_offset: Duration | None = None
