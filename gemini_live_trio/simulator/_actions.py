"""What can be done to a connection, and to connections that are still to come.

Two sets of calls, each written once: a ``ServerConnection`` has those for a connection, a
``Simulator`` those for the service, and the ``Scene`` of a script has both. The ``!commands`` call
nothing else.
"""

from __future__ import annotations

import abc
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs
import trio

from .. import wire
from ._checks._arguments import check_code, check_count, check_seconds, check_speed, check_status
from ._hub import (
    EmptyResume,
    Hub,
    SetupAnswer,
    SetupDelay,
    SetupDrop,
    SetupFault,
    SetupRefusal,
    SetupSilence,
    UpgradeFault,
)
from ._mind._hands import new_id
from ._talk._delivery import Delivery
from ._talk._frames import audio_part, content

if TYPE_CHECKING:
    from ._connection import ServerConnection

__all__ = ["ConnectionActions", "ServiceActions", "SetupRule", "check_code"]

SetupRule: TypeAlias = Callable[[wire.LiveClientSetup], bool]
"""Tells whether a planned fault is meant for a setup."""

GO_AWAY_IGNORED: Final = (
    "Connection aborted because the client failed to close the connection after receiving a "
    "GoAway signal once the session duration limit was reached."
)
TOO_OLD: Final = "Deadline expired before operation could complete."
NOTICED_AFTER: Final = 480.0
"""Seconds until the service gives up a connection whose other end is gone; measured."""
LARGE: Final = 15 * 2**20
MOST_LARGE: Final = 64 * 2**20
_NOT_NOW: Final = wire.LiveServerSessionResumptionUpdate()
_UNKNOWN: Final[Mapping[str, Mapping[str, Any]]] = {
    "message": {"somethingNew": {"number": 1}},
    "field": {"serverContent": {"somethingNew": {"number": 1}}, "usageMetadata": {"newCount": 1}},
    "part": {"serverContent": {"modelTurn": {"parts": [{"somethingNew": {"number": 1}}]}}},
    "value": {"serverContent": {"turnCompleteReason": "SOMETHING_NEW", "interactionStatus": "NEW"}},
}


class ConnectionActions(abc.ABC):
    """What the service's end of a connection can be made to do."""

    @abc.abstractmethod
    def _end(self) -> ServerConnection:
        """Which connection is meant."""

    # --- Saying something ---

    async def send(self, message: wire.LiveServerMessage) -> None:
        """Send one message, whatever it says; returns when it is written.

        Tool calls in it are open from then on: the conversation waits for their answers, over a
        resume too, and an answer begins a turn.

        Cancellation: atomic; ``Cancelled`` means that nothing was sent.
        """
        await self._end()._send(message)

    async def send_raw(self, frame: str | bytes) -> None:
        """Send a frame as it is: text as a text frame, bytes as a binary one."""
        await self._end()._socket.send(frame)

    async def send_together(self, *messages: wire.LiveServerMessage) -> None:
        """Send several messages as one frame.

        Where two hold the same field, objects are joined and lists put one after the other; of
        other values the later one counts.
        """
        await self.send(functools.reduce(_joined, messages, wire.LiveServerMessage()))

    async def send_large(self, size: int = LARGE) -> None:
        """Send one piece of audio in a frame of about ``size`` bytes, 15 MiB by default.

        Raises:
          ValueError: ``size`` is negative, or more than 64 MiB.
        """
        if not 0 <= size <= MOST_LARGE:
            raise ValueError(f"a large message has at most {MOST_LARGE:,} bytes, not {size:,}")
        silence = bytes(size // 4 * 3 // 2 * 2)
        turn = wire.Content(parts=[audio_part(silence)], role="model")
        await self.send(content(model_turn=turn))

    async def send_unknown(
        self, where: Literal["message", "field", "part", "value"] = "field"
    ) -> None:
        """Send what no client of today can know.

        Args:
          where: ``"message"``: a root field nobody knows; ``"field"``: new fields inside known
            ones; ``"part"``: a part of a new kind; ``"value"``: enum values that are new.

        Raises:
          ValueError: ``where`` is none of these.
        """
        if where not in _UNKNOWN:
            raise ValueError(f"where is one of {', '.join(_UNKNOWN)}, not {where!r}")
        end = self._end()
        await end._socket.send(end._framed(json.dumps(_UNKNOWN[where]).encode()))

    async def send_handle(self, handle: str | None = None, *, resumable: bool = True) -> str:
        """Send a ``sessionResumptionUpdate``, and take the handle from now on.

        Args:
          handle: Its text; a fresh UUID by default.
          resumable: With ``False`` the update says that there is no handle now.

        Returns:
          The handle, empty if not resumable.
        """
        end = self._end()
        update = _NOT_NOW
        if resumable:
            latest = end._hub.settings.resume_restores or end._profile.restores
            snapshot = end._transparent or latest == "handle"
            handle = end._hub.store.issue(end._session, snapshot=snapshot, handle=handle)
            # State and number belong together, so both are taken now.
            end._unsaved = 0
            update = wire.LiveServerSessionResumptionUpdate(
                new_handle=handle,
                resumable=True,
                last_consumed_client_message_index=end._index if end._transparent else None,
            )
        elif end._transparent:
            update = wire.LiveServerSessionResumptionUpdate(last_consumed_client_message_index=0)
        await self.send(wire.LiveServerMessage(session_resumption_update=update))
        return handle or ""

    async def say(self, text: str) -> bool:
        """Say a whole turn as the model would: in pieces, with sound, transcript and usage.

        Waits for its place in the conversation, and returns when ``turnComplete`` was sent. If the
        connection ends before, it is said again after a resume, as every answer is.

        Returns:
          Whether it was said to its end; ``False`` if it was interrupted.

        Raises:
          trio.BrokenResourceError: the connection ended.

        Cancellation: it is said all the same.
        """
        return await self._end()._say(text)

    async def transcribe(self, text: str) -> None:
        """Send a transcript of what the user said (``inputTranscription``)."""
        await self.send(content(heard=text))

    async def interrupt(self) -> None:
        """Cut the answer off though nobody spoke: ``interrupted``, then ``turnComplete``.

        While no answer is made, both come all the same, out of nothing.
        """
        end = self._end()
        if end._dialogue.mid_answer:
            end._dialogue.cut()
            await trio.lowlevel.checkpoint()
            return
        await self.send(content(interrupted=True))
        await self.send(content(turn_complete=True))

    @property
    def delivery(self) -> Delivery:
        """How answers are laid out in time and order; settable, from the next answer on."""
        return self._end()._dialogue.delivery

    @delivery.setter
    def delivery(self, value: Delivery) -> None:
        self._end()._dialogue.delivery = value

    # --- Tools ---

    @property
    def strict_blocking(self) -> bool:
        """Whether input is refused with 1008 while a function's answer is waited for; settable."""
        return self._end()._dialogue.strict_blocking

    @strict_blocking.setter
    def strict_blocking(self, value: bool) -> None:
        self._end()._dialogue.strict_blocking = value

    async def call(
        self,
        name: str,
        args: Mapping[str, Any] | None = None,
        /,
        *,
        call_id: str | None = None,
    ) -> str:
        """Call one function of the client's.

        Args:
          name: The function.
          args: Its arguments, plain JSON.
          call_id: By default one that isn't open, in the model's style.

        Returns:
          The call's id.
        """
        call = wire.FunctionCall(id=call_id, name=name, args=args or {})
        (made,) = await self.call_all(call)
        return made

    async def call_all(self, *calls: wire.FunctionCall) -> Sequence[str]:
        """Call several functions in one message; calls without an id get one.

        Returns:
          Their ids.
        """
        end = self._end()
        taken = set(end._session.state.calls)
        made = []
        for call in calls:
            call_id = call.id or new_id(end._profile.call_id, taken)
            taken.add(call_id)
            made.append(attrs.evolve(call, id=call_id))
        end._last_calls = wire.LiveServerToolCall(function_calls=made)
        await self.send(wire.LiveServerMessage(tool_call=end._last_calls))
        return [call.id or "" for call in made]

    async def repeat_calls(self, *, fresh_ids: bool = False) -> Sequence[str]:
        """Send the last ``toolCall`` once more.

        Args:
          fresh_ids: Whether the calls get other ids, as 3.8 does with a call it had dropped.

        Returns:
          The ids; none where nothing was called on this connection.
        """
        last = self._end()._last_calls
        if last is None:
            await trio.lowlevel.checkpoint()
            return []
        calls = last.function_calls
        return await self.call_all(
            *(attrs.evolve(call, id=None) if fresh_ids else call for call in calls)
        )

    async def cancel_calls(self, *ids: str) -> Sequence[str]:
        """Send ``toolCallCancellation`` for these calls, or for all that are open.

        Returns:
          The ids; where there are none, nothing is sent.
        """
        gone = ids or tuple(self._end().conversation.open_calls)
        if gone:
            cancellation = wire.LiveServerToolCallCancellation(ids=gone)
            await self.send(wire.LiveServerMessage(tool_call_cancellation=cancellation))
        else:
            await trio.lowlevel.checkpoint()
        return gone

    # --- Its end ---

    async def go_away(
        self, time_left: float | None = 50.0, *, abort: bool = True, silent: bool = False
    ) -> None:
        """Tell the client to leave.

        Its time counts from the call, even if it can't be told because it doesn't read.

        Args:
          time_left: Seconds it has; ``None`` leaves ``timeLeft`` out, and nothing follows.
          abort: Whether a client that is still there after them is closed with 1008, as the
            service does.
          silent: Whether nothing more of the conversation is sent on this connection.

        Raises:
          ValueError: ``time_left`` is no time.
        """
        check_seconds(time_left, "time_left")
        end = self._end()
        if abort and time_left is not None:
            end._later(time_left, self._close_for, 1008, GO_AWAY_IGNORED, "goAway was ignored")
        notice = wire.LiveServerGoAway(time_left=time_left)
        await self.send(wire.LiveServerMessage(go_away=notice))
        end._silent = end._silent or silent

    async def close(self, code: int = 1000, reason: str = "", *, hold_open: bool = False) -> None:
        """End the connection with a close frame; the reason is cut at 123 bytes.

        Args:
          code: The close code.
          reason: The close reason.
          hold_open: Whether TCP stays open after it, until the client closes it.

        Raises:
          ValueError: no close frame can carry this code. For 1006 there is ``drop``.
        """
        check_code(code)
        socket = self._end()._socket
        await socket.close(code, reason, why="closed on request", hold_open=hold_open)

    def close_at_age(self, seconds: float, code: int = 1011, reason: str = TOO_OLD) -> None:
        """Close the connection without a warning, so many seconds after its setup.

        Raises:
          ValueError: no close frame can carry this code, or that is no time.
        """
        check_code(code)
        check_seconds(seconds, "its age")
        end = self._end()
        left = end._began + seconds - trio.current_time()
        end._later(max(0.0, left), self._close_for, code, reason, f"{seconds:g} s old")

    async def drop(self) -> None:
        """End the connection without a close frame, as a failing network does."""
        await self._end()._socket.drop()

    async def reset(self) -> None:
        """End the connection with a TCP reset: the client loses what it hasn't read."""
        await self._end()._socket.reset()

    def vanish(self, *, noticed_after: float | None = NOTICED_AFTER) -> None:
        """Lose every byte from now on in both directions, with no end that anybody could see.

        The session stays locked until the service notices.

        Args:
          noticed_after: Seconds until it does; ``None`` for never.

        Raises:
          ValueError: that is no time.
        """
        check_seconds(noticed_after, "noticed_after")
        end = self._end()
        if end.ending is None:
            end._socket.stream.vanish()
            if noticed_after is not None:
                end._later(noticed_after, end._socket.drop, "the client had vanished")

    def ignore_close(self) -> None:
        """Never answer the client's close frame, and leave TCP open after it."""
        self._end()._socket.stream.swallow_close = True

    def ping_before_close(self) -> None:
        """Send a ping between the client's close frame and the answer to it."""
        self._end()._socket.stream.ping_before_close = True

    async def _close_for(self, code: int, reason: str, why: str) -> None:
        await self._end()._socket.close(code, reason, why=why)

    # --- Its bytes ---

    def freeze(self, seconds: float | None = None) -> None:
        """Read nothing, send nothing, answer no ping; the connection stays open.

        Args:
          seconds: For how long; ``None``: until ``thaw``.

        Raises:
          ValueError: that is no time.
        """
        self._hold(seconds, writing=True)

    def stop_reading(self, seconds: float | None = None) -> None:
        """Read nothing; a client can write some 128 KiB more before it must wait.

        Pings aren't read either, and so not answered.

        Args:
          seconds: For how long; ``None``: until ``thaw``.

        Raises:
          ValueError: that is no time.
        """
        self._hold(seconds, writing=False)

    def thaw(self) -> None:
        """Go on after ``freeze`` or ``stop_reading``; what arrived meanwhile is read now."""
        self._end()._socket.stream.thaw()

    def _hold(self, seconds: float | None, *, writing: bool) -> None:
        check_seconds(seconds, "how long")
        end = self._end()
        end._socket.stream.freeze(writing=writing)
        if seconds is not None:
            end._later(seconds, end._socket.stream.thaw)

    def read_slowly(self, bytes_per_second: float | None) -> None:
        """Read at this speed from now on; ``None``: as fast as it comes.

        Raises:
          ValueError: that is no speed.
        """
        if bytes_per_second is not None:
            check_speed(bytes_per_second)
        self._end()._socket.stream.read_rate = bytes_per_second

    def delay_pongs(self, seconds: float) -> None:
        """Answer pings late from now on; 0: at once again.

        Raises:
          ValueError: that is no time.
        """
        check_seconds(seconds, "how late a pong is")
        self._end()._socket.stream.pong_delay = seconds

    def use_frames(self, kind: Literal["binary", "text"]) -> None:
        """Send JSON in this kind of frames from now on.

        Raises:
          ValueError: there is no such kind.
        """
        if kind not in ("binary", "text"):
            raise ValueError(f"frames are binary or text, not {kind!r}")
        self._end()._frames = kind

    def fragment(self, size: int | None) -> None:
        """Send every message in fragments of this many bytes from now on; ``None``: whole.

        A message that would have more than 10,000 of them gets larger ones.

        Raises:
          ValueError: a fragment has at least one byte.
        """
        if size is not None and size < 1:
            raise ValueError(f"a fragment has at least one byte, not {size}")
        self._end()._socket.stream.fragment_size = size


class ServiceActions:
    """What can be planned for connections to come, and what becomes of the sessions."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    # --- Before the upgrade ---

    @property
    def accepting(self) -> bool:
        """Whether new connections are let in; settable. Refused ones end before the upgrade."""
        return self._hub.accepting

    @accepting.setter
    def accepting(self, value: bool) -> None:
        self._hub.accepting = value

    def reject_next_upgrade(
        self, status: int = 503, body: bytes | None = None, *, times: int = 1
    ) -> None:
        """Answer the next upgrade requests with plain HTTP.

        Args:
          status: The HTTP status.
          body: What it says; by default a JSON error as the service writes it.
          times: How many.

        Raises:
          ValueError: no request can be refused with this status, or ``times`` isn't from 1 to
            1,000,000, as everywhere here.
        """
        check_status(status)
        check_count(times, "times")
        self._hub.upgrade_faults.extend([UpgradeFault(status, body)] * times)

    def drop_next_upgrade(self, *, times: int = 1) -> None:
        """Read the next upgrade requests, and close TCP without an answer."""
        check_count(times, "times")
        self._hub.upgrade_faults.extend([UpgradeFault(None)] * times)

    # --- Instead of setupComplete ---

    def refuse_next_setup(
        self,
        code: int = 1011,
        reason: str = "Internal error encountered.",
        *,
        times: int | None = 1,
        only_resumes: bool = False,
        when: SetupRule | None = None,
    ) -> None:
        """Answer the next setups with a close frame.

        Args:
          code: The close code.
          reason: The close reason.
          times: How many; ``None`` for all, until ``clear_faults``.
          only_resumes: Whether setups without a handle pass.
          when: Which setups are meant; those it says no to pass, and don't count.

        Raises:
          ValueError: no close frame can carry this code.
        """
        check_code(code)
        refusal = SetupRefusal(code, reason, only_resumes, for_ever=times is None, when=when)
        self._plan(refusal, 1 if times is None else times)

    def empty_next_resume(self, *, times: int = 1) -> None:
        """Take the next handles, but bring nothing back with them: the history is gone."""
        self._plan(EmptyResume(), times)

    def answer_next_setup(
        self, message: wire.LiveServerMessage, *, then_complete: bool = False, times: int = 1
    ) -> None:
        """Say something else first than ``setupComplete``.

        Args:
          message: What to say.
          then_complete: Whether ``setupComplete`` follows after all.
          times: How many setups are answered so.
        """
        self._plan(SetupAnswer(message, then_complete), times)

    def drop_next_setup(self, *, times: int = 1) -> None:
        """Read the next setups, and end the connection without a close frame."""
        self._plan(SetupDrop(), times)

    def ignore_next_setup(self, *, times: int = 1) -> None:
        """Never answer the next setups; the connections stay open."""
        self._plan(SetupSilence(), times)

    def delay_next_setup(self, seconds: float, *, times: int = 1) -> None:
        """Answer the next setups late.

        Raises:
          ValueError: that is no time.
        """
        check_seconds(seconds, "a delay")
        self._plan(SetupDelay(seconds), times)

    def _plan(self, fault: SetupFault, times: int) -> None:
        check_count(times, "times")
        self._hub.setup_faults.extend([fault] * times)

    def clear_faults(self) -> None:
        """Forget what was planned for coming upgrades and setups."""
        self._hub.upgrade_faults.clear()
        self._hub.setup_faults.clear()

    # --- Sessions ---

    def forget_sessions(self) -> None:
        """Forget every handle, as a restarted service does."""
        self._hub.store.forget()

    @property
    def resume_lock(self) -> bool:
        """Whether a handle is refused while its old connection is open; settable."""
        return self._hub.settings.resume_lock

    @resume_lock.setter
    def resume_lock(self, value: bool) -> None:
        self._hub.settings = attrs.evolve(self._hub.settings, resume_lock=value)

    async def drop_all(self) -> None:
        """End every connection without a close frame, in its handshake or held open after its end.

        Of one that has vanished the client doesn't learn that either.
        """
        for connection in tuple(self._hub.connections):
            await connection.drop()
        for stream in tuple(self._hub.streams):
            if not stream.vanished:
                await stream.let_go()

    async def restart(self) -> None:
        """Do what killing the server and starting it again does: all ends, all is forgotten."""
        await self.drop_all()
        self.forget_sessions()


def _joined(first: Any, second: Any) -> Any:
    """Join two wire objects of a kind: the later one's values count where both have some."""
    changes = {}
    for field in attrs.fields(type(first)):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if not other and not isinstance(other, (wire.Message, int)):
            continue
        if isinstance(one, wire.Message) and type(one) is type(other):
            changes[field.name] = _joined(one, other)
        elif isinstance(one, tuple) and isinstance(other, tuple):
            changes[field.name] = (*one, *other)
        elif isinstance(one, Mapping) and isinstance(other, Mapping):
            changes[field.name] = {**one, **other}
        else:
            changes[field.name] = other
    return attrs.evolve(first, **changes)
