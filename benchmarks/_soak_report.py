"""What ``soak.py`` finds, and how it is printed."""

from __future__ import annotations

import statistics
from collections import Counter

import attrs

__all__ = ["Report"]


@attrs.define
class Report:
    """What a run found."""

    mode: str
    seed: int
    cuts: Counter[str] = attrs.field(factory=Counter)
    sent: Counter[str] = attrs.field(factory=Counter)
    fates: Counter[str] = attrs.field(factory=Counter)
    unknown: Counter[str] = attrs.field(factory=Counter)
    dropped: Counter[str] = attrs.field(factory=Counter)
    lost: list[str] = attrs.field(factory=list)
    doubled: list[str] = attrs.field(factory=list)
    unknowingly: Counter[str] = attrs.field(factory=Counter)
    out_of_order: list[str] = attrs.field(factory=list)
    audio_sent: float = 0.0
    audio_told_dropped: float = 0.0
    audio_missing: float = 0.0
    audio_doubled: int = 0
    states: Counter[str] = attrs.field(factory=Counter)
    gaps: list[float] = attrs.field(factory=list)
    virtual_seconds: float = 0.0
    real_seconds: float = 0.0
    descriptors: tuple[int, int] = (0, 0)
    mebibytes: tuple[float, float] = (0.0, 0.0)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or out of order."""
        return not (self.lost or self.doubled or self.out_of_order)

    def __str__(self) -> str:
        gaps = self.gaps or [0.0]
        lines = [
            f"{self.mode}, seed {self.seed}: {sum(self.cuts.values())} disconnects over "
            f"{self.virtual_seconds:,.0f} s of conversation, in {self.real_seconds:.1f} s",
            f"  cuts        {_listed(self.cuts)}",
            f"  came back   {_listed(self.states)}",
            f"  sent        {sum(self.sent.values())} messages: {_listed(self.sent)}; "
            f"audio {self.audio_sent:,.1f} s",
            f"  receipts    {_listed(self.fates)}",
            f"  lost        {len(self.lost)}  {', '.join(self.lost[:8])}",
            f"  doubled     {len(self.doubled)}  {', '.join(self.doubled[:8])}",
            f"  sent twice unknowingly {sum(self.unknowingly.values())}: "
            f"{_listed(self.unknowingly)}",
            f"  out of order {len(self.out_of_order)}  {', '.join(self.out_of_order[:8])}",
            f"  unknown     {sum(self.unknown.values())}, by the cut that was the last",
            *(f"    {count:4} {why}" for why, count in self.unknown.most_common()),
            f"  dropped     {sum(self.dropped.values())}",
            *(f"    {count:4} {why}" for why, count in self.dropped.most_common()),
            f"  audio       {self.audio_missing:.1f} s never arrived (told: "
            f"{self.audio_told_dropped:.1f} s dropped while disconnected), "
            f"{self.audio_doubled} pieces doubled",
            f"  gap         median {statistics.median(gaps):.2f} s, worst {max(gaps):.2f} s",
            f"  descriptors {self.descriptors[0]} before, {self.descriptors[1]} after",
            f"  memory      {self.mebibytes[0]:.1f} MiB before, {self.mebibytes[1]:.1f} MiB after",
        ]
        return "\n".join(lines)


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))
