"""Settings that change while the conversation goes on: ``/system``, ``/voice`` and the like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ..capabilities import TABLE, Capability
from ..errors import ConfigError, GeminiLiveError, InternalError
from ..events import ReconnectState
from ._advice import advised
from ._commands import Suggestion
from ._console import Action, Console, Part
from ._keeper import Plan
from ._schema import LEVELS
from ._settings import Settings, shortened

__all__ = ["Changing"]

VOICES: Final = (
    *("Achernar", "Achird", "Algenib", "Algieba", "Alnilam", "Aoede", "Autonoe", "Callirrhoe"),
    *("Charon", "Despina", "Enceladus", "Erinome", "Fenrir", "Gacrux", "Iapetus", "Kore"),
    *("Laomedeia", "Leda", "Orus", "Puck", "Pulcherrima", "Rasalgethi", "Sadachbia"),
    *("Sadaltager", "Schedar", "Sulafat", "Umbriel", "Vindemiatrix", "Zephyr", "Zubenelgenubi"),
)
"""The prebuilt ones. The service has the last word, so others may be tried."""

STAGED: Final = ("system", "tools", "voice", "thinking", "model")
"""The commands of what waits for ``/apply``."""

_KEPT: Final = {
    None: "It counts from the next input on.",
    ReconnectState.RESUMED: "The conversation goes on as it was.",
    ReconnectState.RESEEDED: "The service began a new session and was told what had been said.",
    ReconnectState.FRESH: "The service began a new session, which knows nothing of what was said.",
}


class Changing(Part):
    """Stages settings and applies them.

    Args:
      console: The terminal and the conversation.
      plan: Makes what a session is opened with.
    """

    def __init__(self, console: Console, plan: Callable[[Settings], Plan]) -> None:
        self._console = console
        self._staged = console.staged
        self._plan = plan

    def actions(self) -> Mapping[str, Action]:
        """See ``Part``."""
        return {
            "/system": self._show_system,
            "/system show": self._show_system,
            "/system set": self._set_system,
            "/system clear": self._clear_system,
            "/voice": self._show_voice,
            "/thinking": self._show_thinking,
            "/thinking none": self._clear_thinking,
            "/model": self._show_model,
            **{f"/{what} apply": self._apply for what in STAGED},
            "/apply": self._apply,
        }

    def choices(self) -> Mapping[str, Sequence[Suggestion]]:
        """See ``Part``."""
        return {
            "VOICE": [(name, "") for name in VOICES],
            "LEVEL": [(level, "") for level in LEVELS],
            "MODEL": [(name, f"{entry.status}") for entry in _models() for name in entry.models],
        }

    def status(self) -> Sequence[str]:
        """See ``Part``."""
        return ["/apply to change"] if self._staged.changes else []

    def details(self) -> Sequence[tuple[str, str]]:
        """See ``Part``."""
        active = self._staged.active
        waits = "; ".join(self._staged.changes)
        return [
            ("model", active.model.removeprefix("models/")),
            ("voice", active.voice or "the model's own"),
            *([("thinking", active.thinking)] if active.thinking else []),
            ("system instruction", shortened(active.system)),
            ("waits for /apply", waits or "nothing"),
        ]

    async def _show_system(self, _values: Mapping[str, str]) -> None:
        self._show("system instruction", self._staged.active.system, self._staged.waiting.system)

    async def _set_system(self, values: Mapping[str, str]) -> None:
        self._stage(system=values["TEXT"])

    async def _clear_system(self, _values: Mapping[str, str]) -> None:
        self._stage(system=None)

    async def _show_voice(self, values: Mapping[str, str]) -> None:
        if "VOICE" in values:
            known = {name.lower(): name for name in VOICES}
            self._stage(voice=known.get(values["VOICE"].lower(), values["VOICE"]))
            return
        self._show("voice", self._staged.active.voice, self._staged.waiting.voice)
        self._console.narrator.note(f"There are {', '.join(VOICES)}.")

    async def _show_thinking(self, values: Mapping[str, str]) -> None:
        if "LEVEL" not in values:
            self._show("thinking", self._staged.active.thinking, self._staged.waiting.thinking)
            return
        level = values["LEVEL"].lower()
        if level not in LEVELS:
            raise ConfigError(
                f"There is no level {values['LEVEL']!r}; there are {', '.join(LEVELS)}, and none."
            )
        self._stage(thinking=level)

    async def _clear_thinking(self, _values: Mapping[str, str]) -> None:
        self._stage(thinking=None)

    async def _show_model(self, values: Mapping[str, str]) -> None:
        if "MODEL" in values:
            self._stage(model=values["MODEL"])
            return
        self._show("model", self._staged.active.model, self._staged.waiting.model)
        names = [name for entry in _models() for name in entry.models]
        self._console.narrator.note(f"Known here: {', '.join(sorted(set(names)))}.")

    def _show(self, what: str, active: str | None, waiting: str | None) -> None:
        self._console.narrator.note(f"The {what} in force: {shortened(active, most=2_000)}")
        if waiting != active:
            text = shortened(waiting, most=2_000)
            self._console.narrator.note(f"Waiting for /apply: {text}")

    def _stage(self, **changes: object) -> None:
        self._staged.stage(**changes)
        self._console.narrator.note(self._staged.told())

    async def _apply(self, _values: Mapping[str, str]) -> None:
        note = self._console.narrator.note
        if not self._staged.changes:
            note("Nothing waits to be applied.")
            return
        changes = "; ".join(self._staged.changes)
        wanted = self._staged.waiting
        plan = self._plan(wanted)
        for finding in plan.config.findings():
            if not finding.blocks:
                note(advised(finding, {}))
        if plan.left_out:
            note(f"This model won't have {', '.join(plan.left_out)}, so that is left out.")
        try:
            kept = await self._console.keeper.change(plan)
        except InternalError:
            raise
        except GeminiLiveError as error:
            self._console.narrator.error(str(error))
            commands = ", ".join(f"/{what}" for what in STAGED)
            note("What was in force stays so; the new settings still wait for /apply.")
            note(f"To change them: {commands}.")
            return
        # Something else may have been staged meanwhile.
        self._staged.active = wanted
        note(f"In force: {changes}")
        note(_KEPT[kept])


def _models() -> Sequence[Capability]:
    return [entry for entry in TABLE.models if entry.status in ("stable", "preview", "legacy")]
