"""Counting tokens, as plausibly as can be without a model, in each backend's names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import attrs

from ... import wire
from .._sessions import Turn

__all__ = ["Tokens", "usage_of"]

_Counts: TypeAlias = "tuple[tuple[wire.MediaModality, int], ...]"

NONE: Final = ()


@attrs.frozen
class Tokens:
    """What a turn took.

    Attributes:
      prompt: By modality; the whole history, billed again every time.
      answer: By modality.
      thoughts: Not part of the total, as on the service.
    """

    prompt: _Counts = NONE
    answer: _Counts = NONE
    thoughts: int = 0

    def since(self, before: Tokens) -> Tokens:
        """What is new since an earlier count of the same turn."""
        return Tokens(
            _less(self.prompt, before.prompt),
            _less(self.answer, before.answer),
            self.thoughts - before.thoughts,
        )

    def told(self, *, vertex: bool) -> wire.UsageMetadata:
        """Write it as the backend does; Vertex AI has names of its own."""
        prompt, answer = (sum(count for _, count in side) for side in (self.prompt, self.answer))
        thoughts = self.thoughts or None
        if not vertex:
            return wire.UsageMetadata(
                prompt_token_count=prompt,
                response_token_count=answer,
                thoughts_token_count=thoughts,
                total_token_count=prompt + answer,
                prompt_tokens_details=_details(self.prompt),
                response_tokens_details=_details(self.answer),
            )
        return wire.UsageMetadata(
            prompt_token_count=prompt,
            thoughts_token_count=thoughts,
            total_token_count=prompt + answer,
            prompt_tokens_details=_details(self.prompt),
            traffic_type=wire.TrafficType.ON_DEMAND,
            extra={
                "candidatesTokenCount": answer,
                "candidatesTokensDetails": [
                    {"modality": modality.value, "tokenCount": count}
                    for modality, count in self.answer
                    if count
                ],
            },
        )


def usage_of(prompt: Iterable[Turn], answer: Turn, *, thoughts: int = 0) -> Tokens:
    """Count a turn's tokens; the prompt is the whole history, billed again every time."""
    text = audio = image = 0
    for turn in prompt:
        text += turn.text_tokens
        audio += turn.audio_tokens
        image += turn.image_tokens
    return Tokens(
        (
            (wire.MediaModality.TEXT, text),
            (wire.MediaModality.AUDIO, audio),
            (wire.MediaModality.IMAGE, image),
        ),
        (
            (wire.MediaModality.TEXT, answer.text_tokens),
            (wire.MediaModality.AUDIO, answer.audio_tokens),
        ),
        thoughts,
    )


def _less(counts: _Counts, before: _Counts) -> _Counts:
    known = dict(before)
    return tuple((modality, count - known.get(modality, 0)) for modality, count in counts)


def _details(counts: Sequence[tuple[wire.MediaModality, int]]) -> list[wire.ModalityTokenCount]:
    return [
        wire.ModalityTokenCount(modality=modality, token_count=count)
        for modality, count in counts
        if count
    ]
