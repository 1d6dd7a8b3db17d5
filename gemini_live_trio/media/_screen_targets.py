"""What can be shown of a screen, and how it is named."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol, TypeAlias, overload

import attrs

from ..errors import MediaError

__all__ = [
    "Display",
    "Gone",
    "LossReason",
    "Pixels",
    "ScreenNote",
    "ScreenTarget",
    "ScreenTargets",
    "TargetLost",
    "View",
    "find",
]

LossReason: TypeAlias = Literal["closed", "unplugged", "display"]


@attrs.frozen(kw_only=True)
class ScreenTarget:
    """A monitor or a window, as it was when it was listed.

    Attributes:
      id: Names it, as in ``"monitor:DP-1"``, ``"window:0x1e00003"``, or ``"desktop"`` for all
        monitors as one picture. A monitor keeps its id; a window has one for its life.
      kind: What it is; the desktop is a ``"monitor"``.
      title: A window's title, or a monitor's name. Other programs choose titles: they can say
        anything, but no control characters.
      left: Pixels from the left edge of the desktop.
      top: Pixels from its upper edge.
      width: In pixels.
      height: In pixels.
      application: A window's class, as in ``"XTerm"``; empty where unknown.
      pid: The process that a window says it belongs to.
      primary: Whether it is the main monitor.
      visible: False for a window that is minimised or on another workspace: pictures of it begin
        when it is shown.
      obstacle: Why it can't be shown, in a sentence; empty if it can.
    """

    id: str
    kind: Literal["monitor", "window"]
    title: str
    left: int
    top: int
    width: int
    height: int
    application: str = ""
    pid: int | None = None
    primary: bool = False
    visible: bool = True
    obstacle: str = ""

    @property
    def capturable(self) -> bool:
        """Whether pictures can be taken of it."""
        return not self.obstacle


@attrs.frozen(kw_only=True)
class ScreenNote:
    """Something about a list of targets that its reader should know.

    Attributes:
      about: ``"windows"``: they can't be listed here; ``"wayland"``: most can't; ``"permission"``:
        the system doesn't allow it yet.
      text: A sentence or two for a person.
    """

    about: Literal["windows", "wayland", "permission"]
    text: str


@attrs.frozen
class ScreenTargets(Sequence[ScreenTarget]):
    """What can be shown: monitors, the main one first, then windows, the topmost first.

    Attributes:
      notes: What is missing from it, and why.
    """

    _targets: tuple[ScreenTarget, ...]
    notes: tuple[ScreenNote, ...] = ()

    @overload
    def __getitem__(self, index: int) -> ScreenTarget: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ScreenTarget]: ...

    def __getitem__(self, index: int | slice) -> ScreenTarget | Sequence[ScreenTarget]:
        return self._targets[index]

    def __len__(self) -> int:
        return len(self._targets)


@attrs.frozen(kw_only=True)
class TargetLost:
    """Why there will be no more pictures.

    Attributes:
      target: What was shown.
      reason: ``"closed"``: the window was; ``"unplugged"``: the monitor was, or was switched off;
        ``"display"``: the whole display has gone.
      text: A sentence for a person.
    """

    target: ScreenTarget
    reason: LossReason
    text: str


class Gone(Exception):
    """Raised in the grabbing thread when there is nothing left to grab."""

    def __init__(self, reason: LossReason, text: str) -> None:
        super().__init__(text)
        self.reason: LossReason = reason


@attrs.frozen
class Pixels:
    """A picture as the display had it.

    Attributes:
      raw: Rows from the top, each pixel in four bytes: blue, green, red, and one of no meaning.
      width: Pixels in a row.
      height: Rows.
      taken: When, on ``time.monotonic``.
    """

    raw: bytes = attrs.field(repr=False)
    width: int
    height: int
    taken: float


View: TypeAlias = Callable[[], Pixels | None]
"""Takes a picture; gives ``None`` while the target is hidden.

Raises ``Gone`` when there will never be another, ``MediaError`` when it didn't work this time.
"""


class Display(AbstractContextManager["Display"], Protocol):
    """A system of monitors and windows. All of it but ``interrupt`` belongs to one thread."""

    def targets(self) -> ScreenTargets:
        """List what there is."""
        ...

    def look_at(self, target: ScreenTarget) -> AbstractContextManager[View]:
        """Prepare for taking pictures, and tidy up afterwards."""
        ...

    def interrupt(self) -> None:
        """End what its thread is waiting for in here; nothing works afterwards."""
        ...


def find(targets: Sequence[ScreenTarget], wanted: ScreenTarget | str | None) -> ScreenTarget:
    """Return the target that is meant.

    Args:
      targets: What there is.
      wanted: One that was listed before; an id; a title or an application, or a part of a title if
        no other has it, in any case; ``None`` for the main monitor.

    Raises:
      MediaError: There is none or more than one, or it can't be shown.
    """
    target = _find(targets, wanted)
    if target.obstacle:
        raise MediaError(target.obstacle)
    return target


def _find(targets: Sequence[ScreenTarget], wanted: ScreenTarget | str | None) -> ScreenTarget:
    if isinstance(wanted, ScreenTarget):
        for target in targets:
            # The number of a closed window is soon given to another one.
            if (target.id, target.application, target.pid) == (
                *(wanted.id, wanted.application, wanted.pid),
            ):
                return target
        raise MediaError(f'The {wanted.kind} "{wanted.title}" ({wanted.id}) isn\'t there any more.')
    if wanted is None:
        if not targets:
            raise MediaError("There is no monitor to show.")
        return targets[0]
    name = wanted.strip().casefold()
    for found in (
        [target for target in targets if target.id.casefold() == name],
        [target for target in targets if name in _names(target)],
        [target for target in targets if name and name in target.title.casefold()],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            listed = _listed(found)
            raise MediaError(f'"{wanted}" may mean {listed}; use the id, in front of the title.')
    raise MediaError(f'There is nothing called "{wanted}" to show.{_suggested(targets, name)}')


def _names(target: ScreenTarget) -> tuple[str, ...]:
    names = (target.title, target.application, target.id.partition(":")[2])
    return tuple(name.casefold() for name in names if name)


def _listed(targets: Iterable[ScreenTarget]) -> str:
    return ", ".join(f'{target.id} "{target.title}"' for target in targets)


def _suggested(targets: Sequence[ScreenTarget], name: str) -> str:
    known = {word: target for target in targets for word in (target.id.casefold(), *_names(target))}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f" Did you mean {_listed([known[near[0]]])}?"
    if targets:
        return f" There is, for example, {_listed(targets[:3])}."
    return ""
