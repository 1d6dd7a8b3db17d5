"""What to do about a setup that its model won't take, in options of the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .. import SessionConfig
from ..capabilities import Finding

__all__ = ["ADVICE", "advised", "refusal"]

_SPEAKS: Final = ("modality", "leave --modality out; its words are shown all the same")
_QUIET: Final = ("thinking", "leave --thinking out")

ADVICE: Final[Mapping[str, tuple[str, str]]] = {
    "voice-modality": _SPEAKS,
    "3.8-vertex-modality": _SPEAKS,
    "3.1-modality": _SPEAKS,
    "translate-modality": _SPEAKS,
    "transcribe-modality": ("modality", "leave --modality out"),
    "voice-without-speech": ("voice", "leave --voice out"),
    "3.8-thinking-level": (
        "thinking",
        "leave --thinking out, or take --model gemini-3.8-live-extended-thinking",
    ),
    "3.8-extended-thinking-level": ("thinking", "add --thinking low, or medium, or high"),
    "3.8-extended-thinking-levels": ("thinking", "take --thinking low to be safe"),
    "2.5-thinking-level": _QUIET,
    "translation-target": ("language", "add --language CODE, such as --language es"),
    "translation": (
        "language",
        "leave --language out, or take --model gemini-3.5-live-translate-preview",
    ),
    "model-unknown": ("model", "look at --model if it isn't taken"),
    "model-shut-down": ("model", "take --model gemini-3.8-live"),
    "model-elsewhere": ("model", "take another --backend, or another --model"),
}
"""By the rule: the setting that it is about, and what to do."""


def advised(finding: Finding, sources: Mapping[str, str]) -> str:
    """Say what was found and what to do, as a sentence.

    Args:
      finding: About the setup.
      sources: Who says what each setting is, by key.
    """
    if finding.rule not in ADVICE:
        return f"{finding}."
    key, advice = ADVICE[finding.rule]
    source = sources.get(key, "default")
    where = "" if source in ("command line", "default") else f" ({key} comes from {source})"
    return f"{finding.why}; {advice}{where}."


def refusal(config: SessionConfig, sources: Mapping[str, str]) -> str:
    """What the model is known to refuse in a setup; empty where there is nothing."""
    refused = [advised(finding, sources) for finding in config.findings() if finding.blocks]
    return " Also, ".join(refused)
