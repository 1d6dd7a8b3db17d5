"""Families of models. Who says what stands in each entry's ``sources``."""

from __future__ import annotations

from typing import Final

import attrs

from ..wire import Modality
from ._entries import BACKENDS, Backend, Capability, Source

__all__ = ["MODELS", "UNKNOWN"]

_GEMINI: Final[frozenset[Backend]] = frozenset({"gemini"})
_VERTEX: Final[frozenset[Backend]] = frozenset({"vertex"})

_NOBODY: Final = Source("nobody has said so; it is what does the least harm", "2026-11", "assumed")
_USAGE: Final = Source("recorded: counts come beside turnComplete", "2026-10")
_SESSIONS: Final = Source("session management guide", "2026-09-15")
_CAPABILITIES: Final = Source("capabilities guide", "2026-10-09")
_TOOLS: Final = Source("tools guide and migration notes", "2026-09")
_MODELS: Final = Source("deprecations page and changelog", "2026-11", "sure")
_PAGE_38: Final = Source("model page of gemini-3.8-live", "2026-09-15", "sure")
_PAGE_EXTENDED: Final = Source("model page and thinking guide", "2026-09-15")
_MEASURED_38: Final = Source("measured on gemini-3.8-live by others", "2026-10-03")
_VERTEX_38: Final = Source("Vertex AI's developer guide for 3.8 Live", "2026-10")
_NO_STREAMING: Final = Source("the official SDKs refuse willContinue for Vertex AI", "2026-11")

_GEMINI_38: Final = Capability(
    name="3.8",
    models=("gemini-3.8-live",),
    backends=_GEMINI,
    status="stable",
    modalities=(Modality.AUDIO,),
    context_tokens=131_072,
    resume_restores="latest",
    blocking_tools=False,
    input_while_blocking="cancels",
    seed="history",
    usage="turn",
    sources={
        "": _PAGE_38,
        "context_tokens": _CAPABILITIES,
        "resume_restores": _MEASURED_38,
        "blocking_tools": _TOOLS,
        "tool_behaviors": _TOOLS,
        "tool_scheduling": _TOOLS,
        "tool_streaming": Source("protocol definition and SDKs", "2026-11"),
        "input_while_blocking": _VERTEX_38,
        "seed": Source("API reference", "2026-10-09"),
        "usage": _USAGE,
    },
)

_GEMINI_25: Final = Capability(
    name="2.5",
    models=("gemini-2.5-flash-native-audio",),
    backends=_GEMINI,
    status="preview",
    modalities=(Modality.AUDIO,),
    context_tokens=131_072,
    resume_restores="handle",
    blocking_tools=True,
    input_while_blocking="refused",
    seed="content",
    usage="turn",
    sources={
        "": _CAPABILITIES,
        "models": _MODELS,
        "status": _MODELS,
        "modalities": Source("seen: TEXT closes with 1007", "2026", "sure"),
        "resume_restores": _SESSIONS,
        "blocking_tools": _TOOLS,
        "tool_behaviors": _TOOLS,
        "tool_scheduling": _TOOLS,
        "input_while_blocking": Source("closes with 1008, in several projects' issues", "2026"),
        "usage": _USAGE,
    },
)

UNKNOWN: Final = Capability(
    name="unknown",
    models=("",),
    backends=BACKENDS,
    status="unknown",
    modalities=(Modality.AUDIO, Modality.TEXT, Modality.VIDEO),
    resume_restores="latest",
    blocking_tools=True,
    tool_scheduling=False,
    tool_streaming=False,
    seed="history",
    usage="turn",
    sources={"": _NOBODY},
)
"""What is taken for true of models that nobody here knows."""

MODELS: Final = (
    _GEMINI_38,
    attrs.evolve(
        _GEMINI_38,
        name="3.8-vertex",
        backends=_VERTEX,
        modalities=(Modality.AUDIO, Modality.VIDEO),
        tool_streaming=False,
        sources={
            **_GEMINI_38.sources,
            "": _VERTEX_38,
            "resume_restores": Source("as on Gemini", "2026-11", "assumed"),
            "tool_streaming": _NO_STREAMING,
        },
    ),
    attrs.evolve(
        _GEMINI_38,
        name="3.8-extended",
        models=("gemini-3.8-live-extended-thinking",),
        tool_behaviors=frozenset({"non_blocking"}),
        tool_scheduling=False,
        input_while_blocking="free",
        sources={
            **_GEMINI_38.sources,
            "": _PAGE_EXTENDED,
            "backends": Source("Vertex AI's pages don't name it", "2026-11", "assumed"),
            "status": Source("as gemini-3.8-live", "2026-11", "assumed"),
            "resume_restores": Source("as gemini-3.8-live", "2026-11", "assumed"),
            "input_while_blocking": Source("it waits for no call", "2026-09-15"),
        },
    ),
    Capability(
        name="3.1",
        models=("gemini-3.1-flash-live",),
        backends=_GEMINI,
        status="legacy",
        modalities=(Modality.AUDIO,),
        context_tokens=131_072,
        resume_restores="handle",
        blocking_tools=True,
        tool_behaviors=frozenset({"blocking"}),
        tool_scheduling=False,
        tool_streaming=False,
        input_while_blocking="cancels",
        seed="history",
        usage="turn",
        sources={
            "": _CAPABILITIES,
            "models": _MODELS,
            "status": _MODELS,
            "modalities": Source("seen: TEXT closes with 1011", "2026-07"),
            "resume_restores": _SESSIONS,
            "blocking_tools": _TOOLS,
            "tool_behaviors": _TOOLS,
            "tool_scheduling": Source("it is for calls that aren't waited for", "2026-09", "sure"),
            "tool_streaming": Source("it is for calls that aren't waited for", "2026-09", "sure"),
            "input_while_blocking": Source("in several projects' issues", "2026"),
            "usage": _USAGE,
        },
    ),
    _GEMINI_25,
    attrs.evolve(
        _GEMINI_25,
        name="2.5-vertex",
        models=("gemini-live-2.5-flash-native-audio",),
        backends=_VERTEX,
        status="stable",
        tool_streaming=False,
        sources={
            **_GEMINI_25.sources,
            "backends": Source("Vertex AI's session guide", "2026-10-09", "sure"),
            "models": Source("Vertex AI's session guide", "2026-10-09", "sure"),
            "status": Source("Vertex AI's session guide", "2026-10-09", "sure"),
            "tool_streaming": _NO_STREAMING,
        },
    ),
    attrs.evolve(
        _GEMINI_25,
        name="2.5-text",
        models=("gemini-live-2.5-flash-preview", "gemini-2.0-flash-live"),
        status="shut down",
        modalities=(Modality.AUDIO, Modality.TEXT),
        context_tokens=32_768,
        sources={
            **_GEMINI_25.sources,
            "modalities": Source("seen: both work", "2026", "sure"),
        },
    ),
    attrs.evolve(
        UNKNOWN,
        name="3.5-transcribe",
        models=("gemini-3.5-transcribe-live",),
        backends=BACKENDS,
        status="stable",
        modalities=(Modality.TEXT,),
        usage="message",
        sources={
            "": _NOBODY,
            "models": Source("live-transcribe guide", "2026-08-26"),
            "backends": Source("live-transcribe guide", "2026-08-26"),
            "status": Source("live-transcribe guide", "2026-08-26"),
            "modalities": Source("live-transcribe guide; AUDIO closes with 1007", "2026-08-26"),
            "usage": Source(
                "counts may come with each utterance; turnComplete hardly ever does",
                "2026-11",
                "assumed",
            ),
        },
    ),
    attrs.evolve(
        UNKNOWN,
        name="3.5-translate",
        models=("gemini-3.5-live-translate",),
        backends=BACKENDS,
        status="preview",
        modalities=(Modality.AUDIO,),
        usage="message",
        sources={
            "": _NOBODY,
            "models": _MODELS,
            "backends": _MODELS,
            "status": _MODELS,
            "modalities": Source("examples of the service's own", "2026-07"),
            "usage": Source(
                "counts come once a second, and no turn ever ends", "2026-11", "assumed"
            ),
        },
    ),
    attrs.evolve(
        UNKNOWN,
        name="robotics",
        models=("gemini-robotics-er-2-streaming",),
        backends=_GEMINI,
        status="preview",
        sources={
            "": _NOBODY,
            "models": Source("deprecations page", "2026-11"),
            "backends": _NOBODY,
        },
    ),
    UNKNOWN,
)
