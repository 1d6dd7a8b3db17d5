"""A conversation led by another program: orders in lines of JSON, events in lines of JSON."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Final

import attrs
import trio

from .. import LiveSession
from ..errors import ConfigError, LocalProtocolError, MediaError, MissingDependency
from ._errors import ConversationFailed
from ._json import as_json, as_line
from ._kinds import FileKind
from ._options import Options
from ._orders import (
    AnswerCalls,
    BadOrder,
    EndSound,
    Hear,
    Interrupt,
    Order,
    Quit,
    Reconnect,
    Say,
    See,
    SendFile,
    Wait,
    read_order,
)
from ._plain import PlainScreen
from ._sending import check_file, check_listener, send_parts
from ._speaking import Recorder
from ._turns import Turns

__all__ = ["LINE_LIMIT", "run_orders"]

LINE_LIMIT: Final = 32 << 20
"""Bytes of a line: a picture in base64 has some millions."""
BACKLOG_BYTES: Final = 64 << 20
"""Of lines that were read and wait for those before them."""


async def run_orders(
    session: LiveSession,
    options: Options,
    screen: PlainScreen,
    recorder: Recorder,
    lines: AsyncIterator[str],
) -> None:
    """Carry out orders until they end, then wait for the answer that runs.

    Raises:
      ConversationFailed: Some couldn't be carried out. Each was answered on its own; this is the
        sum, or with ``options.strict`` the first of them.
    """
    conductor = _Conductor(session, options, screen, recorder)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(conductor.listen)
            nursery.start_soon(conductor.read, lines)
            await conductor.work()
            nursery.cancel_scope.cancel()
    finally:
        with trio.move_on_after(1) as scope:
            scope.shield = True
            await screen.flush()
    if conductor.failed:
        raise ConversationFailed(
            f"{conductor.failed} of the orders could not be carried out; the output says why."
        )


@attrs.frozen
class _Numbered:
    number: int
    """Of the line, from 1."""
    order: Order
    size: int


class _Backlog:
    """Orders that wait for those before them, bounded by the bytes of their lines."""

    def __init__(self) -> None:
        self._waiting: deque[_Numbered] = deque()
        self._bytes = 0
        self._ended = False
        self._changed = trio.Event()

    async def put(self, item: _Numbered) -> None:
        while self._bytes > BACKLOG_BYTES:
            await self._changed.wait()
        self._waiting.append(item)
        self._bytes += item.size
        self._notify()

    def end(self) -> None:
        self._ended = True
        self._notify()

    async def get(self) -> _Numbered | None:
        """Wait for the next, ``None`` at the end."""
        while not self._waiting:
            if self._ended:
                return None
            await self._changed.wait()
        item = self._waiting.popleft()
        self._bytes -= item.size
        self._notify()
        return item

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


class _Conductor:
    def __init__(
        self, session: LiveSession, options: Options, screen: PlainScreen, recorder: Recorder
    ) -> None:
        self.failed = 0
        self._session = session
        self._options = options
        self._screen = screen
        self._recorder = recorder
        self._turns = Turns(session)
        self._backlog = _Backlog()

    async def listen(self) -> None:
        """Show every event."""
        async for event in self._session:
            await self._recorder.take(event)
            await self._print(as_json(event, media=self._options.json_media))
            self._turns.seen(event)

    async def read(self, lines: AsyncIterator[str]) -> None:
        """Read orders, also while one is carried out.

        An answer to a call that waits for it overtakes the others: they may wait for the turn that
        waits for the call.
        """
        number = 0
        async for line in lines:
            number += 1
            if not line.strip():
                continue
            try:
                item = _Numbered(number, read_order(line), len(line))
            except BadOrder as error:
                await self._refuse(number, str(error))
                continue
            calls = self._turns.calls
            if isinstance(item.order, AnswerCalls) and all(
                response.id in calls for response in item.order.responses
            ):
                await self._carry_out(item)
            else:
                await self._backlog.put(item)
        self._backlog.end()

    async def work(self) -> None:
        """Carry out one order after the other, until they end."""
        while item := await self._backlog.get():
            if isinstance(item.order, Quit):
                return
            await self._carry_out(item)
        try:
            if self._turns.speaking:
                await self._do(EndSound())
            await self._turns.wait_for_the_last()
        except ConversationFailed as error:
            await self._refuse(None, str(error))

    async def _carry_out(self, item: _Numbered) -> None:
        try:
            await self._do(item.order)
        except (
            *(ConfigError, LocalProtocolError, MediaError),
            *(MissingDependency, ConversationFailed),
        ) as error:
            await self._refuse(item.number, str(error))

    async def _do(self, order: Order) -> None:
        session, turns = self._session, self._turns
        match order:
            case Say(text=text):
                check_listener(self._options.config.model, "text")
                await session.send_text(text)
                turns.asked()
            case SendFile():
                await self._send_file(order)
            case Hear(pcm=pcm, rate_hz=rate_hz):
                await session.send_audio(pcm, rate_hz=rate_hz)
                turns.sound_came()
            case EndSound():
                await session.send_audio_stream_end()
                turns.sound_ended()
            case See(data=data, mime_type=mime_type):
                check_listener(self._options.config.model, "pictures")
                await session.send_video(data, mime_type=mime_type)
            case AnswerCalls(responses=given):
                turns.check_calls(given)
                # Without a name the call's own is meant; some models insist on one.
                responses = [
                    attrs.evolve(response, name=response.name or turns.calls[response.id or ""])
                    for response in given
                ]
                await session.send_tool_response(responses)
                for response in responses:
                    turns.answered_call(response)
            case Interrupt():
                await session.interrupt()
                turns.silenced()
            case Reconnect():
                await session.reconnect()
            case Wait(until="turn"):
                await turns.wait_for_turn()
            case Wait(until="idle"):
                await turns.wait_until_idle()
            case Wait(until=seconds):
                await trio.sleep(float(seconds))
            case Quit():  # that is the end of ``work``
                pass

    async def _send_file(self, order: SendFile) -> None:
        turns, rate_hz = self._turns, self._options.audio_rate
        # A file that can't be used is no sound whose answer would be waited for.
        is_sound = await check_file(order.path, raw_rate_hz=rate_hz) is not FileKind.PICTURE
        spoke = turns.speaking
        if is_sound:
            turns.sound_came()
        try:
            await send_parts(
                self._session,
                [order.path],
                fast=self._options.fast,
                warn=self._warn,
                raw_rate_hz=rate_hz,
            )
        except LocalProtocolError:  # about the rate, so nothing of it was sent
            turns.speaking = spoke
            raise
        if is_sound:
            turns.sound_ended()

    def _warn(self, text: str) -> None:
        self._screen.raw(as_line({"warning": text}))

    async def _refuse(self, number: int | None, text: str) -> None:
        """Say what couldn't be done, by the number of its line if it has one."""
        if self._options.strict:
            raise ConversationFailed(text if number is None else f"Line {number}: {text}")
        self.failed += 1
        answer = {"error": text} | ({} if number is None else {"line": number})
        await self._print(as_line(answer))

    async def _print(self, line: str) -> None:
        self._screen.raw(line)
        await self._screen.flush()
