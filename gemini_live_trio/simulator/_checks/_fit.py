"""What a model wants of its setup beyond what every setup must be, and how a backend changes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ... import wire
from .._mind._hands import declarations
from ._profiles import Profile, on_vertex
from ._refused import CATCH_ALL, Refused

__all__ = ["as_served", "check_fit", "check_functions"]

NOT_ENABLED: Final = "Operation is not implemented, or supported, or enabled."


def check_fit(setup: wire.LiveClientSetup, profile: Profile) -> None:
    """Check functions and translation against the model.

    Raises:
      Refused: the model doesn't have what is asked for, or needs what isn't there.
    """
    check_functions(setup.tools, profile)
    generation = setup.generation_config or wire.GenerationConfig()
    translation = generation.translation_config
    if profile.translates and not (translation and translation.target_language_code):
        raise Refused(1007, CATCH_ALL, f"{setup.model} needs translationConfig with a target")
    if translation is not None and not profile.translates:
        raise Refused(1007, CATCH_ALL, f"{setup.model} takes no translationConfig")


def check_functions(tools: Sequence[wire.Tool], profile: Profile) -> None:
    """Check whether the model can call functions the way they are declared.

    Raises:
      Refused: it can't.
    """
    if profile.calls_allowed == "both":
        return
    allowed = profile.calls_allowed.upper()
    for name, declaration in declarations(tools).items():
        behavior = str(declaration.behavior or "").upper()
        if behavior in {"BLOCKING", "NON_BLOCKING"} and behavior != allowed:
            # Documented is that it doesn't work; the words for it are assumed.
            raise Refused(1008, NOT_ENABLED, f"{name}: this model only has {allowed}")


def as_served(setup: wire.LiveClientSetup, profile: Profile, *, vertex: bool) -> Profile:
    """The profile as the backend has it."""
    if not vertex:
        return profile
    return on_vertex(profile.name, voice_activity=bool(setup.explicit_vad_signal))
