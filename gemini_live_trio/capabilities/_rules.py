"""Rules about the fields of ``setup``: the data.

``why`` ends where the fix begins: the two are read as one sentence. What the protocol itself
forbids (two modalities, an unknown name) isn't here, but in ``config`` and ``codec``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ._entries import Backend, Rule, Source

__all__ = ["RULES"]

_GEMINI: Final[frozenset[Backend]] = frozenset({"gemini"})
_VERTEX: Final[frozenset[Backend]] = frozenset({"vertex"})

_FAMILIES_38: Final = ("3.8", "3.8-vertex", "3.8-extended")
_FAMILIES_25: Final = ("2.5", "2.5-vertex", "2.5-text")
_FAMILIES_3: Final = (*_FAMILIES_38, "3.1")

_SDK: Final = Source("refused by the official SDKs", "2026-11", "sure")
_REFERENCE: Final = Source("API references of both back ends", "2026-10-09", "sure")
_DEFINITION: Final = Source("protocol definition", "2026-11", "sure")
_TOOLS: Final = Source("tools guide and model pages", "2026-09")
_PAGE_38: Final = Source("model page and migration notes of 3.8", "2026-09-15")
_THINKING: Final = Source("live thinking guide and model page", "2026-09-15")
_TRANSLATION: Final = Source("nobody shows it otherwise", "2026-11", "assumed")


def _other_backend(
    backend: Backend, fields: Iterable[tuple[str, str]], source: Source = _SDK
) -> Iterable[Rule]:
    """Fields that only the other back end has, each with what to do without it."""
    there = "Vertex AI" if backend == "gemini" else "the Gemini API"
    here = "the Gemini API" if backend == "gemini" else "Vertex AI"
    for field, fix in fields:
        yield Rule(
            name=f"{backend}-{field.rpartition('.')[2].replace('_', '-')}",
            backends=_GEMINI if backend == "gemini" else _VERTEX,
            field=field,
            demand="absent",
            effect="refused",
            why=f"{field} is for {there}, and {here} doesn't know it",
            fix=fix,
            source=source,
        )


def _unused() -> Iterable[Rule]:
    for name in (
        *("response_mime_type", "response_schema", "response_json_schema", "stop_sequences"),
        *("response_logprobs", "logprobs", "routing_config", "audio_timestamp"),
    ):
        yield Rule(
            name=f"unused-{name.replace('_', '-')}",
            field=f"generation_config.{name}",
            demand="absent",
            effect="ignored",
            why=f"Live makes no use of generation_config.{name}",
            fix="leave it out",
            source=_REFERENCE,
        )


def _misplaced() -> Iterable[Rule]:
    source = Source("protocol definition; seen to close with 1007", "2026", "sure")
    for name in (
        *("input_audio_transcription", "output_audio_transcription", "proactivity"),
        *("session_resumption", "realtime_input_config", "context_window_compression"),
        "history_config",
    ):
        yield Rule(
            name=f"misplaced-{name.replace('_', '-')}",
            field=f"generation_config.{name}",
            demand="absent",
            effect="refused",
            why=f"{name} belongs into setup itself, not into its generation_config",
            fix="leave it to open_session(history=...)"
            if name == "history_config"
            else "move it up; SessionConfig has options for it",
            source=source,
        )
    for name in (
        *("response_modalities", "speech_config", "media_resolution", "thinking_config"),
        *("enable_affective_dialog", "translation_config"),
    ):
        yield Rule(
            name=f"misplaced-{name.replace('_', '-')}",
            field=name,
            demand="absent",
            effect="refused",
            why=f"{name} belongs into generation_config, not into setup itself",
            fix="move it down; SessionConfig has options for it",
            source=source,
        )


def _modalities() -> Iterable[Rule]:
    rows: tuple[tuple[str, tuple[str, ...], tuple[str, ...], str, Source], ...] = (
        (
            "voice-modality",
            ("3.8", "3.8-extended", "2.5", "2.5-vertex"),
            ("AUDIO",),
            "leave response_modalities out; its words come as OutputTranscription",
            Source("model pages; seen to close with 1007", "2026-10", "sure"),
        ),
        (
            "3.8-vertex-modality",
            ("3.8-vertex",),
            ("AUDIO", "VIDEO"),
            "leave response_modalities out; its words come as OutputTranscription",
            Source("Vertex AI's developer guide for 3.8 Live", "2026-10"),
        ),
        (
            "3.1-modality",
            ("3.1",),
            ("AUDIO",),
            "leave response_modalities out; its words come as OutputTranscription",
            Source("seen to close with 1011", "2026-07"),
        ),
        (
            "transcribe-modality",
            ("3.5-transcribe",),
            ("TEXT",),
            "leave response_modalities out",
            Source("live-transcribe guide; AUDIO seen to close with 1007", "2026-08-26"),
        ),
        (
            "translate-modality",
            ("3.5-translate",),
            ("AUDIO",),
            "leave response_modalities out",
            Source("nobody shows another", "2026-11", "assumed"),
        ),
    )
    for name, families, values, fix, source in rows:
        yield Rule(
            name=name,
            families=families,
            field="generation_config.response_modalities",
            demand="one of",
            values=frozenset(values),
            effect="refused",
            why="{model} answers in " + " or ".join(values) + ", not in {value}",
            fix=fix,
            source=source,
        )
    yield Rule(
        name="voice-without-speech",
        field="generation_config.speech_config",
        demand="absent",
        when=("generation_config.response_modalities", frozenset({"TEXT"})),
        effect="refused",
        why="A session that answers in text has no voice to configure",
        fix="leave voice and language_code out",
        source=Source("seen to close with 1007 'Cannot extract voices ...'", "2026"),
    )


def _thinking() -> Iterable[Rule]:
    level = "generation_config.thinking_config.thinking_level"
    yield Rule(
        name="3.8-thinking-level",
        families=("3.8", "3.8-vertex"),
        field=level,
        demand="absent",
        effect="refused",
        why="{model} takes no thinking_level",
        fix="leave it out, or take gemini-3.8-live-extended-thinking",
        source=Source("model page and Vertex AI's developer guide", "2026-10", "sure"),
    )
    yield Rule(
        name="3.8-extended-thinking-level",
        families=("3.8-extended",),
        field=level,
        demand="present",
        effect="refused",
        why="{model} needs a thinking_level",
        fix='give thinking=wire.ThinkingConfig(thinking_level="LOW"), or MEDIUM, or HIGH',
        source=_THINKING,
    )
    yield Rule(
        name="3.8-extended-thinking-levels",
        families=("3.8-extended",),
        field=level,
        demand="one of",
        values=frozenset({"LOW", "MEDIUM", "HIGH"}),
        effect="unclear",
        why="The model page has LOW, MEDIUM and HIGH for {model}, not {value}",
        fix="take one of these to be safe",
        source=Source("model page; another page allows MINIMAL", "2026-09-15"),
    )
    yield Rule(
        name="2.5-thinking-level",
        families=_FAMILIES_25,
        field=level,
        demand="absent",
        effect="unclear",
        why="{model} is told how much to think by thinking_budget, not by thinking_level",
        fix="give thinking=wire.ThinkingConfig(thinking_budget=...)",
        source=Source("capabilities guide", "2026-10-09"),
    )
    yield Rule(
        name="3-thinking-budget",
        families=_FAMILIES_3,
        field="generation_config.thinking_config.thinking_budget",
        demand="absent",
        effect="unclear",
        why="thinking_budget is for 2.5 models",
        fix="leave it out",
        source=Source("capabilities and thinking guides", "2026-10-09"),
    )


def _speaking_up() -> Iterable[Rule]:
    """Proactive audio and affective dialog."""
    affective = "generation_config.enable_affective_dialog"
    yield Rule(
        name="3.8-proactive-off",
        families=_FAMILIES_38,
        field="proactivity.proactive_audio",
        demand="none of",
        values=frozenset({"false"}),
        effect="refused",
        why="{model} can't turn proactive audio off",
        fix="leave proactivity out",
        source=_PAGE_38,
    )
    yield Rule(
        name="3.8-proactive-on",
        families=_FAMILIES_38,
        field="proactivity.proactive_audio",
        demand="none of",
        values=frozenset({"true"}),
        effect="ignored",
        why="{model} is always proactive",
        fix="leave proactivity out",
        source=_PAGE_38,
    )
    yield Rule(
        name="3.1-proactivity",
        families=("3.1",),
        field="proactivity",
        demand="absent",
        effect="refused",
        why="{model} has no proactivity",
        fix="leave it out",
        source=Source("capabilities guide; setups that never completed", "2026"),
    )
    yield Rule(
        name="3.8-affective-dialog",
        families=("3.8", "3.8-extended"),
        field=affective,
        demand="none of",
        values=frozenset({"true"}),
        effect="refused",
        why="enable_affective_dialog was taken out with {model}",
        fix="leave enable_affective_dialog out",
        source=_PAGE_38,
    )
    yield Rule(
        name="3.8-vertex-affective-dialog",
        families=("3.8-vertex",),
        field=affective,
        demand="absent",
        effect="ignored",
        why="Affective dialog is always on with {model} on Vertex AI",
        fix="leave enable_affective_dialog out",
        source=Source("Vertex AI's developer guide for 3.8 Live", "2026-10"),
    )
    yield Rule(
        name="3.1-affective-dialog",
        families=("3.1",),
        field=affective,
        demand="none of",
        values=frozenset({"true"}),
        effect="refused",
        why="{model} has no affective dialog",
        fix="leave enable_affective_dialog out",
        source=Source("capabilities guide; setups that never completed", "2026"),
    )
    yield Rule(
        name="affective-dialog-off",
        families=("3.8", "3.8-extended", "3.1"),
        field=affective,
        demand="none of",
        values=frozenset({"false"}),
        effect="unclear",
        why="{model} has no affective dialog that could be off",
        fix="leave enable_affective_dialog out",
        source=Source("guides say to send neither value", "2026-10"),
    )
    for name, field in (("affective-dialog", affective), ("proactivity", "proactivity")):
        yield Rule(
            name=f"2.5-{name}",
            families=("2.5",),
            backends=_GEMINI,
            versions=frozenset({"v1", "v1beta"}),
            field=field,
            demand="absent",
            effect="refused",
            why=f"The Gemini API has {name.replace('-', ' ')} in its version v1alpha only",
            fix='give endpoint=GeminiApi(version="v1alpha"), or leave it out',
            source=Source("capabilities guide", "2026-10-09"),
        )


def _tools() -> Iterable[Rule]:
    behavior = "tools.function_declarations.behavior"
    yield Rule(
        name="3.1-behavior",
        families=("3.1",),
        field=behavior,
        demand="none of",
        values=frozenset({"NON_BLOCKING"}),
        effect="refused",
        why="{model} always waits for its functions",
        fix="declare them BLOCKING",
        source=_TOOLS,
    )
    yield Rule(
        name="3.8-extended-behavior",
        families=("3.8-extended",),
        field=behavior,
        demand="none of",
        values=frozenset({"BLOCKING"}),
        effect="refused",
        why="{model} never waits for its functions",
        fix="declare them NON_BLOCKING",
        source=_TOOLS,
    )
    yield Rule(
        name="2.5-json-schema",
        families=_FAMILIES_25,
        field="tools.function_declarations.parameters_json_schema",
        demand="absent",
        effect="ignored",
        why="{model} passes over parameters_json_schema, and calls the function without arguments",
        fix="declare it with parameters, as @tool does by itself, or leave it out",
        source=Source("issues of several projects", "2026", "likely"),
    )
    for name in ("code_execution", "url_context", "google_maps"):
        yield Rule(
            name=f"3-{name.replace('_', '-')}",
            families=("3.8", "3.8-extended", "3.1"),
            backends=_GEMINI,
            field=f"tools.{name}",
            demand="absent",
            effect="refused",
            why=f"{{model}} has no {name} on the Gemini API",
            fix="leave it out; google_search works",
            source=_TOOLS,
        )
    yield Rule(
        name="forced-tool-choice",
        field="tool_config",
        demand="absent",
        effect="refused",
        why="Live has no tool_config: a model can't be made to call a function, or kept from it",
        fix="say so in the system instruction, or leave the function out",
        source=Source("the service's maintainers, in issues", "2026", "sure"),
    )
    yield Rule(
        name="computer-use",
        field="tools.computer_use",
        demand="absent",
        effect="unclear",
        why="No page about Live mentions computer_use",
        fix="leave it out, or find out whether it works",
        source=_DEFINITION,
    )


def _media() -> Iterable[Rule]:
    yield Rule(
        name="several-voices",
        field="generation_config.speech_config.multi_speaker_voice_config",
        demand="absent",
        effect="refused",
        why="A live session has one voice, so multi_speaker_voice_config is refused",
        fix="give voice=... instead",
        source=_SDK,
    )
    yield Rule(
        name="translation-target",
        families=("3.5-translate",),
        field="generation_config.translation_config.target_language_code",
        demand="present",
        effect="refused",
        why="{model} needs a language to translate into",
        fix='give translation=wire.TranslationConfig(target_language_code="es")',
        source=_TRANSLATION,
    )
    yield Rule(
        name="translation",
        families=(*_FAMILIES_3, *_FAMILIES_25, "3.5-transcribe"),
        field="generation_config.translation_config",
        demand="absent",
        effect="refused",
        why="{model} doesn't translate",
        fix="leave translation out, or take gemini-3.5-live-translate-preview",
        source=_TRANSLATION,
    )
    yield Rule(
        name="avatar",
        families=("3.8", "3.8-extended", "3.1", *_FAMILIES_25, "3.5-transcribe", "3.5-translate"),
        field="avatar_config",
        demand="absent",
        effect="unclear",
        why="An avatar is documented for gemini-3.8-live on Vertex AI alone",
        fix="leave avatar out, or use VertexAi(...)",
        source=Source("Vertex AI's developer guide for 3.8 Live", "2026-10"),
    )
    yield Rule(
        name="vertex-turn-coverage",
        backends=_VERTEX,
        field="realtime_input_config.turn_coverage",
        demand="none of",
        values=frozenset({"TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"}),
        effect="unclear",
        why="Vertex AI was seen to refuse the turn coverage {value}",
        fix="leave turn_coverage out",
        source=Source("one project's notes", "2026"),
    )
    yield Rule(
        name="diarization",
        field="input_audio_transcription.diarization",
        demand="absent",
        effect="ignored",
        why="diarization isn't available over Live",
        fix="leave it out",
        source=Source("live-transcribe guide", "2026-08-26"),
    )
    yield Rule(
        name="word-timestamp",
        field="input_audio_transcription.word_timestamp",
        demand="absent",
        effect="ignored",
        why="Times of words aren't available over Live",
        fix="leave word_timestamp out",
        source=Source("live-transcribe guide", "2026-08-26"),
    )


def _session() -> Iterable[Rule]:
    yield Rule(
        name="compression-without-mechanism",
        field="context_window_compression.sliding_window",
        demand="present",
        when=("context_window_compression", frozenset({"{}", "{...}"})),
        effect="ignored",
        why="context_window_compression without sliding_window compresses nothing",
        fix="give sliding_window=wire.SlidingWindow(), or leave the option at True",
        source=_DEFINITION,
    )


RULES: Final = (
    *_modalities(),
    *_thinking(),
    *_speaking_up(),
    *_tools(),
    *_media(),
    *_session(),
    *_other_backend(
        "gemini",
        (
            ("explicit_vad_signal", "leave it out; 3.8 tells of voice activity unasked"),
            ("session_resumption.transparent", "leave it out; plain resumption works everywhere"),
            ("safety_settings.method", "leave method out"),
            ("tools.retrieval", "use google_search, or VertexAi(...)"),
            ("tools.enterprise_web_search", "use google_search, or VertexAi(...)"),
            ("tools.parallel_ai_search", "use google_search, or VertexAi(...)"),
            ("tools.exa_ai_search", "use google_search, or VertexAi(...)"),
            ("tools.google_search.blocking_confidence", "leave it out"),
            ("tools.google_search.exclude_domains", "leave it out"),
            ("tools.google_maps.grounding_types", "leave it out"),
            ("generation_config.model_selection_config", "leave it out"),
            *(
                (f"tools.google_maps.auth_config.{name}", "give api_key")
                for name in (
                    *("api_key_config", "auth_type", "google_service_account_config"),
                    *("http_basic_auth_config", "oauth_config", "oidc_config"),
                )
            ),
        ),
    ),
    *_other_backend(
        "vertex",
        (
            ("tools.file_search", "use retrieval, or GeminiApi()"),
            ("tools.mcp_servers", "call the server from here, as a tool of your own"),
            ("generation_config.enable_enhanced_civic_answers", "leave it out"),
            (
                "generation_config.speech_config.voice_config.replicated_voice_config"
                ".consent_audio",
                "leave it out",
            ),
            (
                "generation_config.speech_config.voice_config.replicated_voice_config"
                ".voice_consent_signature",
                "leave it out",
            ),
        ),
    ),
    *_misplaced(),
    *_unused(),
)
