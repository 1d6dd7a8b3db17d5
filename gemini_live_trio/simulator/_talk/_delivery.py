"""How the frames of an answer are laid out in time and order, where a test wants it otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from ... import wire

__all__ = [
    "AS_THE_MODEL_DOES",
    "Delivery",
    "HeardOrder",
    "LateAudio",
    "TranscriptOrder",
    "UsageMode",
]

LateAudio: TypeAlias = Literal["after_turn", "with_turn", "after_interrupted", "with_interrupted"]
TranscriptOrder: TypeAlias = Literal["before", "after", "late"]
UsageMode: TypeAlias = Literal["alone", "repeated", "cumulative", "delta", "missing"]


HeardOrder: TypeAlias = Literal["after_answer", "after_turn"]

_Check: TypeAlias = Callable[[object, "attrs.Attribute[Any]", Any], None]


def _positive(_instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and value <= 0:
        raise ValueError(f"{attribute.name} must be more than 0, not {value}")


def _not_negative(_instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name} can't be negative, and {value} is")


def _one_of(names: Any) -> _Check:
    def check(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is not None and value not in get_args(names):
            known = ", ".join(get_args(names))
            raise ValueError(f"{attribute.name} is one of {known}, not {value!r}")

    return check


@attrs.frozen(kw_only=True)
class Delivery:
    """How answers are sent, where it shall differ from the model's own way.

    Set it on one connection (``server.delivery = Delivery(speed=0.8)``) or for all
    (``open_simulator(delivery=...)``). It counts from the next answer on. ``Delivery()`` changes
    nothing.

    Attributes:
      speed: How many times faster than it plays the audio is sent: 0.8 starves a player, 4 is
        ahead of it. ``None``: as the model does.
      burst: Pieces of audio that are sent at once. The speed holds on average, so 8 pieces at
        once are followed by a pause of eight pieces.
      gap_every: After so many pieces of audio there is a gap; 0 for none.
      gap_seconds: How long that gap is; what comes after it is that much later.
      late_audio: Where the last pieces of audio come: ``"after_turn"``: after ``turnComplete``;
        ``"with_turn"``: in the same message; ``"after_interrupted"``: after ``interrupted``, if
        the answer is cut; ``"with_interrupted"``: in the same message.
      late_pieces: How many pieces that are, from 1; in the same message always one.
      transcript: Where the model's transcript comes: ``"before"`` the audio, ``"after"`` it, or
        ``"late"``: its last piece after ``turnComplete``. ``None``: in step, as the model does.
      heard: When the user's transcript comes: ``"after_answer"``: before ``generationComplete``,
        after the model's own transcript; ``"after_turn"``: after ``turnComplete``. ``None``: as
        soon as it is known.
      usage: ``"alone"``: in a message of its own, after ``turnComplete``; ``"repeated"``: the
        same counts at ``generationComplete``, at ``turnComplete`` and once more; ``"cumulative"``:
        the counts so far with every piece of audio; ``"delta"``: with every piece what is new
        since the one before; ``"missing"``: never. ``None``: at ``turnComplete``.
      status_after: An ``interactionStatus`` that follows in a message of its own after
        ``turnComplete``.
    """

    speed: float | None = attrs.field(default=None, validator=_positive)
    burst: int = attrs.field(default=1, validator=_positive)
    gap_every: int = attrs.field(default=0, validator=_not_negative)
    gap_seconds: float = attrs.field(default=0.0, validator=_not_negative)
    late_audio: LateAudio | None = attrs.field(default=None, validator=_one_of(LateAudio))
    late_pieces: int = attrs.field(default=1, validator=_positive)
    transcript: TranscriptOrder | None = attrs.field(
        default=None, validator=_one_of(TranscriptOrder)
    )
    heard: HeardOrder | None = attrs.field(default=None, validator=_one_of(HeardOrder))
    usage: UsageMode | None = attrs.field(default=None, validator=_one_of(UsageMode))
    status_after: wire.InteractionStatus | None = None


AS_THE_MODEL_DOES: Final = Delivery()
