"""The conversation in files: ``/save`` what was, ``/record`` what comes."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

from .. import SessionObserver
from ..codec import decode_client
from ..errors import ConfigError, MediaError, MissingDependency
from ..events import Event, Interrupted, ModelAudio
from ..media import WavWriter, open_wav_writer
from ..transcript import as_json, as_markdown
from ._console import Action, Console, Part
from ._whole import put

if TYPE_CHECKING:
    from ._taping import Tape

__all__ = ["Saving"]

KEPT_SECONDS: Final = 600.0
"""How much of the model's voice is kept for ``/save``."""
WRITE_SECONDS: Final = 0.5
STOPPED_SECONDS: Final = 5.0
"""When nothing at all has run for longer, the program was stopped: by Ctrl-Z, for one."""
LAST_SECONDS: Final = 1.0
"""For what is still to be done with a file when the program ends."""
INPUT_RATE_HZ: Final = 16_000
"""What the service takes sound for that doesn't say its rate."""


@attrs.define
class _Recording:
    path: Path
    tape: Tape
    began: float
    scope: trio.CancelScope
    over: trio.Event = attrs.field(factory=trio.Event)
    looked: float = attrs.field(factory=trio.current_time)

    def now(self) -> float:
        """Seconds since it began, without those in which the whole program was stopped."""
        now = trio.current_time()
        # It is looked at all the time. A night of silence would be gigabytes, all at once.
        self.began += max(0.0, now - self.looked - STOPPED_SECONDS)
        self.looked = now
        return now - self.began


class Saving(Part, SessionObserver):
    """Keeps the model's voice for a while, and records on request.

    As an observer of the sessions it hears the user: whatever is sent, from wherever it came.

    Args:
      console: The terminal and the conversation.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._voice: deque[ModelAudio] = deque()
        self._voice_seconds = 0.0
        self._forgotten_seconds = 0.0
        self._recording: _Recording | None = None

    def actions(self) -> Mapping[str, Action]:
        """See ``Part``."""
        return {
            "/save": self._save,
            "/record": self._record,
            "/record stop": self._stop,
        }

    def status(self) -> Sequence[str]:
        """See ``Part``."""
        recording = self._recording
        if recording is None:
            return []
        seconds = round(recording.now())
        return [f"rec {seconds // 60}:{seconds % 60:02}"]

    def details(self) -> Sequence[tuple[str, str]]:
        """See ``Part``."""
        return [("recording", str(self._recording.path))] if self._recording else []

    async def hear(self, event: Event) -> None:
        """See ``Part``."""
        match event:
            case ModelAudio(stale=False):
                self._keep(event)
                if self._recording is not None:
                    now = self._recording.now()
                    self._recording.tape.model(event.pcm, rate_hz=event.rate_hz, at=now)
            case Interrupted():
                self.silence()

    def silence(self) -> None:
        """See ``Part``."""
        if self._recording is not None:
            self._recording.tape.interrupted(self._recording.now())

    def frame_sent(self, frame: str, *, connection: int, time: float) -> None:
        """See ``SessionObserver``."""
        recording = self._recording
        if recording is None or '"realtimeInput"' not in frame:
            return
        sent = decode_client(frame).realtime_input
        if sent is not None and sent.audio is not None and sent.audio.data:
            rate_hz = _rate_of(sent.audio.mime_type)
            recording.tape.user(sent.audio.data, rate_hz=rate_hz, at=recording.now())

    def _keep(self, sound: ModelAudio) -> None:
        self._voice.append(sound)
        self._voice_seconds += sound.seconds
        while self._voice_seconds > KEPT_SECONDS and len(self._voice) > 1:
            seconds = self._voice.popleft().seconds
            self._voice_seconds -= seconds
            self._forgotten_seconds += seconds

    # --- What was ----------------------------------------------------------------------------

    async def _save(self, values: Mapping[str, str]) -> None:
        path = _path(values)
        kind = path.suffix.lower()
        if kind not in (".md", ".json", ".wav"):
            raise ConfigError(
                f"/save writes .md, .json and .wav; {path} ends in {kind or 'nothing'}."
            )
        entries, forgotten = self._console.keeper.entries, self._console.keeper.forgotten
        if not entries:
            raise ConfigError("Nothing was said yet, so there is nothing to save.")
        if not await self._may_write(path):
            return
        if kind == ".wav":
            await self._save_voice(path)
            return
        text = as_markdown(entries) if kind == ".md" else as_json(entries)
        async with _whole(path) as beside:
            await trio.Path(beside).write_text(text, encoding="utf-8")
        said = sum(bool(entry.text) for entry in entries)
        lost = f" The {forgotten:,} before those are no longer kept." if forgotten else ""
        self._console.narrator.note(f"Saved {said} utterances to {path}.{lost}")

    async def _save_voice(self, path: Path) -> None:
        if not self._voice:
            raise ConfigError("The model has said nothing aloud yet, so there is nothing to save.")
        async with _whole(path) as beside, open_wav_writer(beside) as wav:
            for sound in tuple(self._voice):
                await wav.write(sound.pcm, rate_hz=sound.rate_hz)
        lost = (
            f" The {self._forgotten_seconds:,.0f} s before that are no longer kept."
            if self._forgotten_seconds
            else ""
        )
        self._console.narrator.note(
            f"Saved {wav.seconds:,.1f} s of the model's voice to {path}.{lost}"
        )

    async def _may_write(self, path: Path) -> bool:
        """Look whether a file can be written there, and ask before one is replaced."""
        if not await trio.to_thread.run_sync(_is_there, path):
            return True
        if await self._console.front.ask(f"{path} is there already. Replace it? [y/N]"):
            return True
        self._console.narrator.note(f"{path} stays as it was.")
        return False

    # --- What comes ----------------------------------------------------------------------------

    async def _record(self, values: Mapping[str, str]) -> None:
        note = self._console.narrator.note
        if "FILE" not in values:
            if self._recording is None:
                note("Nothing is recorded; /record FILE begins.")
            else:
                note(f"Recording to {self._recording.path}; /record stop ends it.")
            return
        if self._recording is not None:
            raise ConfigError(f"It records to {self._recording.path} already; /record stop first.")
        path = _path(values)
        if path.suffix.lower() not in (".wav", ".wave"):
            raise ConfigError(f"/record writes WAV; name a file that ends in .wav, not {path}.")
        if not await self._may_write(path):
            return
        try:
            from ._taping import Tape
        except ImportError:
            raise MissingDependency(
                '/record needs numpy: pip install "gemini-live-trio[audio]"'
            ) from None
        recording = _Recording(path, Tape(), trio.current_time(), trio.CancelScope())
        await self._console.nursery.start(self._write, recording)
        note(f"Recording both voices to {path}; /record stop ends it.")

    async def _stop(self, _values: Mapping[str, str]) -> None:
        recording = self._recording
        if recording is None:
            self._console.narrator.note("Nothing is recorded.")
            return
        recording.scope.cancel()
        await recording.over.wait()

    async def _write(self, recording: _Recording, *, task_status: trio.TaskStatus[None]) -> None:
        """Be the file of a recording, until it is stopped or the program ends."""
        tape, narrator = recording.tape, self._console.narrator
        begun = False
        try:
            async with open_wav_writer(recording.path) as wav:
                self._recording, begun = recording, True
                task_status.started()
                try:
                    with recording.scope:
                        while True:
                            await trio.sleep(WRITE_SECONDS)
                            await wav.write(tape.take(recording.now() - tape.lag_seconds))
                finally:
                    self._recording = None
                    await self._write_rest(wav, recording)
            lost = f" {tape.dropped_seconds:.1f} s were lost." if tape.dropped_seconds else ""
            narrator.note(f"Recorded {wav.seconds:,.1f} s to {recording.path}.{lost}")
        except MediaError as error:
            if not begun:
                raise
            narrator.error(str(error))
            await self._console.front.flush()
        finally:
            recording.over.set()

    async def _write_rest(self, wav: WavWriter, recording: _Recording) -> None:
        with trio.move_on_after(LAST_SECONDS) as scope:
            scope.shield = True
            await wav.write(recording.tape.take(recording.now()))


def _rate_of(mime_type: str | None) -> int:
    found = re.search(r"rate=(\d+)", mime_type or "")
    return int(found[1]) if found else INPUT_RATE_HZ


def _path(values: Mapping[str, str]) -> Path:
    return Path(os.path.expanduser(values["FILE"]))  # noqa: PTH111 - never fails


def _is_there(path: Path) -> bool:
    with _telling_why("look at", path):
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; name a file.")
        if not path.parent.is_dir():
            raise ConfigError(f"There is no folder {path.parent}.")
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path} is no ordinary file; name another one.")
        return path.exists()


@asynccontextmanager
async def _whole(path: Path) -> AsyncIterator[Path]:
    """Give a file to write to, which takes the other's place once all of it is on the disk.

    However the block is left otherwise, what was there before stays as it was.

    Raises:
      MediaError: It can't be written.
    """
    with _telling_why("write", path):
        target, beside = await trio.to_thread.run_sync(_places, path)
    try:
        with _telling_why("write", path):
            yield beside
            if beside != target:
                await trio.to_thread.run_sync(_put, beside, target)
    except MediaError as error:
        raise MediaError(str(error).replace(str(beside), str(path))) from None
    finally:
        if beside != target:
            # On behalf of a block that may be cancelled; a disk that hangs isn't waited for.
            with trio.move_on_after(LAST_SECONDS, shield=True):
                await trio.to_thread.run_sync(_remove, beside, abandon_on_cancel=True)


def _places(path: Path) -> tuple[Path, Path]:
    """Where a file is in the end, and where it is written first; the same, where that must be."""
    target = Path(os.path.realpath(path))  # a link stays one
    if target.exists() and not (os.access(target.parent, os.W_OK) and os.access(target, os.W_OK)):
        return target, target  # and one that is read-only isn't replaced
    return target, target.with_name(f".{secrets.token_hex(8)}{path.suffix}")


def _put(beside: Path, target: Path) -> None:
    if target.exists():
        shutil.copymode(target, beside)
    put(beside, target)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


@contextmanager
def _telling_why(what: str, path: Path) -> Iterator[None]:
    """Make a sentence of what the system has against a file."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise MediaError(f"Can't {what} {path}: {reason}.") from None
