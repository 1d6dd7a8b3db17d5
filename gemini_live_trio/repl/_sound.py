"""Microphone and speaker: ``/mic``, ``/mute``, ``/speak``, ``/devices``.

Each is a switch of its own and has a voice loop of its own, so that one is switched without a hole
in the other. What stands between them, while both are on, is the echo canceller: it is part of the
microphone's way, and looks at what the speaker plays. Devices stay open while sessions come and go.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import trio

from .. import LiveSession
from ..errors import GeminiLiveError, InternalError, SessionBroken
from ..events import Event
from ..media import (
    DeviceLost,
    DeviceRestored,
    EchoStage,
    Microphone,
    Speaker,
    SpeakerTap,
    list_devices,
    open_echo_canceller,
    open_microphone,
    open_speaker,
)
from ..voice import run_voice
from ._activity import Activity, begin
from ._console import Action, Console, Part
from ._ears import Ears, meter

__all__ = ["Sound"]

SOON_SECONDS: Final = 10.0
"""A session that breaks sooner isn't followed by another only because the microphone is on."""
SHOWN_SECONDS: Final = 0.2
"""How much of what is played counts for its level."""
SILENCE_DBFS: Final = -120.0


class Sound(Part):
    """Lets the model hear and be heard.

    Args:
      console: The terminal and the conversation.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._one_change = trio.Lock()
        self._microphone: Activity[Microphone] | None = None
        self._speaker: Activity[Speaker] | None = None
        self._echo: Activity[EchoStage] | None = None
        self._ears = Ears()
        self._shown: SpeakerTap | None = None
        """Of what is played, for its level."""
        self._played_dbfs = SILENCE_DBFS
        self._lost: set[str] = set()
        """Which side has no device just now: ``"mic"``, ``"spk"``."""
        self._said: set[str] = set()
        self._news = trio.Event()
        console.nursery.start_soon(self._begin)

    # --- See Part ----------------------------------------------------------------------------

    def actions(self) -> Mapping[str, Action]:
        """See ``Part``."""
        return {
            **_switch("/mic", self.switch_microphone, lambda: self.microphone is not None),
            **_switch("/speak", self.switch_speaker, lambda: self.speaker is not None),
            **_switch("/mute", self.mute, lambda: self.muted),
            "/devices": self._list,
        }

    def status(self) -> Sequence[str]:
        """See ``Part``."""
        shown = []
        encoding = getattr(sys.stdout, "encoding", None)
        if self.microphone is not None:
            if "mic" in self._lost:
                shown.append("mic lost")
            elif self.microphone.muted:
                shown.append("mic muted")
            else:
                level = meter(self.microphone.level_dbfs, encoding=encoding)
                shown.append(f"mic {level}{_short(self._microphone_losses())}")
        if self.speaker is not None:
            level = meter(self._level_of_speaker(), encoding=encoding)
            state = "lost" if "spk" in self._lost else f"{level}{_short(self._speaker_losses())}"
            shown.append(f"spk {state}")
        return shown

    def lively(self) -> bool:
        """See ``Part``."""
        return self.microphone is not None or self.speaker is not None

    def details(self) -> Sequence[tuple[str, str]]:
        """See ``Part``."""
        rows = [("microphone", "off"), ("speaker", "off")]
        if self.microphone is not None:
            state = "lost" if "mic" in self._lost else "muted" if self.muted else "on"
            rows[0] = (
                "microphone",
                f"{state}, {_long(self.microphone, self._microphone_losses())}",
            )
        if self.speaker is not None:
            state = "lost" if "spk" in self._lost else "on"
            rows[1] = ("speaker", f"{state}, {_long(self.speaker, self._speaker_losses())}")
        if self._echo is not None:
            choice = self._echo.device.choice
            rows.append(("echo", f"{choice.backend}: {choice.why}"))
        return rows

    def holds_awake(self) -> bool:
        """See ``Part``."""
        speaking = self.speaker is not None and self.speaker.statistics().waiting_seconds > 0
        return self.microphone is not None or speaking

    def is_busy(self) -> bool:
        """See ``Part``."""
        return self.speaker is not None and self.speaker.statistics().waiting_seconds > 0

    def silence(self) -> None:
        """See ``Part``."""
        if self.speaker is not None:
            self.speaker.flush(self.speaker.newest_generation)

    async def hear(self, event: Event) -> None:
        """See ``Part``."""
        self._news.set()
        self._news = trio.Event()

    # --- For other parts ---------------------------------------------------------------------

    @property
    def microphone(self) -> Microphone | None:
        """The one that is on."""
        return None if self._microphone is None else self._microphone.device

    @property
    def speaker(self) -> Speaker | None:
        """The one that is on."""
        return None if self._speaker is None else self._speaker.device

    @property
    def muted(self) -> bool:
        """Whether there is a microphone, and nothing of it is sent."""
        return self.microphone is not None and self.microphone.muted

    async def switch_microphone(self, on: bool) -> None:
        """Switch it on or off, and tell the person; nothing happens if it is so already.

        Raises:
          GeminiLiveError: It can't be opened, or there is no session to be had; it stays off.
        """
        async with self._one_change:
            if on and self._microphone is None:
                self._lost.discard("mic")
                try:
                    self._microphone = await begin(
                        self._console.nursery,
                        self._open_microphone(),
                        self._listen,
                        self._microphone_ended,
                    )
                except BaseException:
                    self._part()
                    raise
                self._note(f"The microphone is on: {self._microphone.device.device}.")
                if self._speaker is None:
                    self._note_once(
                        "The model's answers are to be read; /speak lets you hear them."
                    )
            elif not on and self._microphone is not None:
                ending, self._microphone = self._microphone, None
                self._part()
                await ending.stop()
                await self._end_speech(ending.device)
                self._note("The microphone is off.")
            else:
                self._note(f"The microphone is {'on' if on else 'off'} already.")

    async def switch_speaker(self, on: bool) -> None:
        """Switch it on or off, and tell the person; nothing happens if it is so already.

        Raises:
          GeminiLiveError: It can't be opened, and stays off.
        """
        async with self._one_change:
            if on and self._speaker is None:
                self._lost.discard("spk")
                self._speaker = await begin(
                    self._console.nursery, self._open_speaker(), self._speak, self._speaker_ended
                )
                self._note(f"The model is heard on {self._speaker.device.device}.")
            elif not on and self._speaker is not None:
                ending, self._speaker = self._speaker, None
                self._part()
                await ending.stop()
                self._note("The model isn't heard any more.")
            else:
                self._note(f"The speaker is {'on' if on else 'off'} already.")

    async def mute(self, on: bool) -> None:
        """Let the microphone send nothing, or send again, and tell the person."""
        if self.microphone is None:
            self._note("The microphone is off, so there is nothing to mute; /mic switches it on.")
        elif on:
            self.microphone.mute()
            self._note("The microphone is muted.")
        else:
            self.microphone.unmute()
            self._note("The microphone is heard again.")

    # --- Within --------------------------------------------------------------------------------

    async def _list(self, _values: Mapping[str, str]) -> None:
        # While something is open, the system's list can't be made anew.
        devices = await list_devices(refresh=not self.lively())
        if not devices:
            self._note("This machine has neither a microphone nor a speaker.")
            return
        ears = [(device, device.default_input) for device in devices if device.inputs]
        mouths = [(device, device.default_output) for device in devices if device.outputs]
        for kind, able, used in (
            ("microphone", ears, self.microphone),
            ("speaker", mouths, self.speaker),
        ):
            self._note(f"{kind.capitalize()}s:" if able else f"There is no {kind}.")
            for device, default in able:
                in_use = used is not None and used.device == device.name
                marks = ["default"] * default + ["in use"] * in_use
                mark = f" [{', '.join(marks)}]" if marks else ""
                self._note(f"{device.index:>4}  {device.name} ({device.host_api}){mark}")

    async def _begin(self) -> None:
        """Switch on what was asked for at the start, once there is a session."""
        await self._session_after(None)
        options = self._console.options
        for wanted, switch in (
            (options.speaker, self.switch_speaker),
            (options.microphone, self.switch_microphone),
        ):
            if not wanted:
                continue
            try:
                await switch(True)
            except InternalError:
                raise
            except GeminiLiveError as error:
                self._console.narrator.error(str(error))
            await self._console.front.flush()

    @asynccontextmanager
    async def _open_microphone(self) -> AsyncIterator[Microphone]:
        # Both first, since what is heard while nobody listens would be lost.
        await self._console.keeper.awake()
        if self._speaker is not None:
            await self._join(self._speaker.device)
        async with open_microphone(_device(self._console.options.input_device)) as microphone:
            yield microphone

    @asynccontextmanager
    async def _open_speaker(self) -> AsyncIterator[Speaker]:
        async with open_speaker(
            _device(self._console.options.output_device),
            on_device=functools.partial(self._tell_device, "spk", "speaker"),
        ) as speaker:
            if self._microphone is not None:
                await self._join(speaker)
            with speaker.tap(seconds=SHOWN_SECONDS) as self._shown:
                yield speaker

    async def _join(self, speaker: Speaker) -> None:
        """Cancel the echo of a speaker from here on."""
        self._part()
        self._echo = await begin(
            self._console.nursery,
            self._open_echo(speaker),
            _until_stopped,
            lambda _stage, _error: None,
        )
        choice = self._echo.device.choice
        if choice.warning:
            self._note_once(" ".join((choice.warning, *choice.missing.values())))

    def _part(self) -> None:
        if self._echo is not None:
            self._echo.stop_soon()
            self._echo = None

    @asynccontextmanager
    async def _open_echo(self, speaker: Speaker) -> AsyncIterator[EchoStage]:
        wanted = cast("Any", self._console.options.echo)  # it is checked there
        async with open_echo_canceller(wanted) as stage:
            with speaker.tap() as tap, self._ears.against(stage, tap):
                yield stage

    async def _listen(self, microphone: Microphone) -> None:
        session = await self._console.keeper.awake()
        while True:
            try:
                await run_voice(
                    session,
                    microphone=microphone,
                    speaker=False,
                    echo=self._ears,
                    on_device=functools.partial(self._tell_device, "mic", "microphone"),
                )
            except SessionBroken:
                if session.statistics().uptime < SOON_SECONDS:
                    raise
            session = await self._console.keeper.successor(session)

    async def _speak(self, speaker: Speaker) -> None:
        session: LiveSession | None = None
        async with trio.open_nursery() as nursery:
            while True:
                session = await self._session_after(session)
                nursery.start_soon(self._voice, session, speaker)

    async def _voice(self, session: LiveSession, speaker: Speaker) -> None:
        with contextlib.suppress(SessionBroken):  # the keeper tells
            await run_voice(session, microphone=False, speaker=speaker)

    async def _session_after(self, last: LiveSession | None) -> LiveSession:
        """Wait for a session that somebody else opens."""
        while True:
            session = self._console.keeper.session
            if session is not None and session is not last:
                return session
            await self._news.wait()

    async def _end_speech(self, microphone: Microphone) -> None:
        """Nothing more comes, so the service shall answer what it has heard."""
        session = self._console.keeper.session
        if session is None or microphone.muted:
            return
        with contextlib.suppress(trio.ClosedResourceError, SessionBroken):
            await session.send_audio_stream_end()

    def _microphone_ended(self, _device: Microphone, error: GeminiLiveError | None) -> None:
        self._microphone = None
        self._part()
        self._tell_failure("microphone", error)

    def _speaker_ended(self, _device: Speaker, error: GeminiLiveError | None) -> None:
        self._speaker = None
        self._part()
        self._tell_failure("speaker", error)

    def _tell_failure(self, kind: str, error: GeminiLiveError | None) -> None:
        self._console.narrator.error(f"The {kind} was switched off: {error}")
        self._console.nursery.start_soon(self._console.front.flush)

    def _tell_device(self, side: str, kind: str, event: DeviceLost | DeviceRestored) -> None:
        if isinstance(event, DeviceLost):
            self._lost.add(side)
            self._note(f"{event.text} It is waited for.")
        else:
            self._lost.discard(side)
            self._note(f"The {kind} works again after {event.seconds:.0f} s: {event.device}.")
        self._console.nursery.start_soon(self._console.front.flush)

    def _note(self, text: str) -> None:
        self._console.narrator.note(text)

    def _note_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._note(text)

    # --- What was lost, and how loud it is -----------------------------------------------------

    def _microphone_losses(self) -> Sequence[str]:
        assert self.microphone is not None
        now = self.microphone.statistics()
        lost = now.dropped + now.overflows
        return [f"{lost:,} block{'s' * (lost != 1)} lost"] if lost else []

    def _speaker_losses(self) -> Sequence[str]:
        assert self.speaker is not None
        now = self.speaker.statistics()
        losses = []
        if now.underruns:
            losses.append(f"{now.underruns:,} hole{'s' * (now.underruns != 1)}")
        if now.overflow_seconds:
            losses.append(f"{now.overflow_seconds:,.1f} s dropped")
        return losses

    def _level_of_speaker(self) -> float:
        from ..media.pcm import level

        played = [] if self._shown is None else self._shown.take()
        if played:
            pcm = b"".join(block.pcm for block in played)
            self._played_dbfs = max(SILENCE_DBFS, level(pcm).rms_db)
        return self._played_dbfs


def _switch(
    command: str, do: Callable[[bool], Any], is_on: Callable[[], bool]
) -> Mapping[str, Action]:
    """The three forms of a command that switches something."""

    async def toggle(_values: Mapping[str, str]) -> None:
        await do(not is_on())

    async def on(_values: Mapping[str, str]) -> None:
        await do(True)

    async def off(_values: Mapping[str, str]) -> None:
        await do(False)

    return {command: toggle, f"{command} on": on, f"{command} off": off}


async def _until_stopped(_device: object) -> None:
    await trio.sleep_forever()


def _device(name: str | None) -> str | int | None:
    """A device as the library takes it; what was typed as a number is one."""
    return int(name) if name is not None and name.isdecimal() else name


def _short(losses: Sequence[str]) -> str:
    return f" ({', '.join(losses)})" if losses else ""


def _long(device: Microphone | Speaker, losses: Sequence[str]) -> str:
    return "; ".join((device.device, *losses))
