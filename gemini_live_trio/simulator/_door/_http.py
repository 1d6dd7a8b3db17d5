"""HTTP at the simulator's port: everything that comes before a WebSocket, or instead of one.

h11 reads the request, which wsproto has with it anyway. An upgrade is handed on untouched, byte
for byte; anything else is answered here, once, and the connection is closed. Requests are bounded:
16 KiB of headers (h11's own bound), 1 MiB of body.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import attrs
import h11
import trio

from ._stream import GatedStream

__all__ = [
    "Answer",
    "BadRequest",
    "Exchange",
    "Gone",
    "http_error",
    "problem",
    "read_request",
    "usual_words",
]

MAX_BODY_BYTES: Final = 2**20
RECEIVE_BYTES: Final = 16_384
_TLS: Final = b"\x16"
"""First byte of a TLS handshake."""

_STATUS_NAMES: Final[Mapping[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    504: "DEADLINE_EXCEEDED",
}


_USUAL_WORDS: Final[Mapping[int, str]] = {
    401: "Request had invalid authentication credentials. Expected OAuth 2 access token, login "
    "cookie or other valid authentication credential.",
    403: "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API.",
    404: "Requested entity was not found.",
    429: "Resource has been exhausted (e.g. check quota).",
    500: "Internal error encountered.",
    503: "The service is currently unavailable.",
    504: "Deadline expired before operation could complete.",
}


def usual_words(status: int) -> str:
    """What the service says with a status."""
    usual = _USUAL_WORDS[503] if status >= 500 else "Request contains an invalid argument."
    return _USUAL_WORDS.get(status, usual)


def http_error(status: int, message: str, *details: Mapping[str, Any]) -> bytes:
    """The body of an HTTP error, as the service writes it."""
    name = _STATUS_NAMES.get(status, "UNAVAILABLE" if status >= 500 else "INVALID_ARGUMENT")
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if details:
        error["details"] = list(details)
    return json.dumps({"error": error}, indent=2).encode() + b"\n"


@attrs.frozen
class Answer:
    """An HTTP response."""

    status: int
    body: bytes
    kind: str = "application/json; charset=UTF-8"
    headers: tuple[tuple[str, str], ...] = ()


def problem(status: int, message: str, *details: Mapping[str, Any]) -> Answer:
    """An HTTP error as an answer."""
    return Answer(status, http_error(status, message, *details))


class Gone(Exception):
    """The client left before its request was complete."""


class BadRequest(Exception):
    """What came is no HTTP that could be served.

    Attributes:
      status: The HTTP status that tells so; ``None`` where nobody would understand it.
    """

    def __init__(self, text: str, status: int | None = 400) -> None:
        super().__init__(text)
        self.status = status


@attrs.define(eq=False)
class Exchange:
    """One request, and its answer.

    Attributes:
      method: ``GET`` and the like.
      target: Path and query, as they came.
      headers: Names in lower case.
    """

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    _stream: GatedStream
    _connection: h11.Connection
    _raw: bytes

    @property
    def wants_websocket(self) -> bool:
        """Whether it asks for an upgrade."""
        return any(
            name == b"upgrade" and b"websocket" in value.lower() for name, value in self.headers
        )

    def give_back(self) -> None:
        """Put everything that was read back into the stream.

        Raises:
          BadRequest: it has a body, and nobody could tell where its frames begin.
        """
        if not isinstance(_next(self._connection), h11.EndOfMessage):
            raise BadRequest("The request for a WebSocket has a body.")
        frames, _ = self._connection.trailing_data
        self._stream.push_back(self._raw, head=len(self._raw) - len(frames))

    async def read_body(self) -> bytes:
        """Read the rest of the request.

        Raises:
          BadRequest: it is too large, or broken.
          Gone: it never ends.
        """
        body = bytearray()
        while True:
            event = _next(self._connection)
            if isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY_BYTES:
                    raise BadRequest("Request payload size exceeds the limit: 1048576 bytes.", 413)
            elif event is h11.NEED_DATA:
                if self._connection.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    await _send(self._stream, self._connection.send(go_on) or b"")
                await _feed(self._connection, self._stream)
            else:
                return bytes(body)

    async def answer(self, answer: Answer) -> None:
        """Answer it; nothing more is read of it after that."""
        await _answer(self._stream, self._connection, answer, bare=self.method == "HEAD")


async def read_request(stream: GatedStream) -> Exchange:
    """Read one request up to its body.

    Raises:
      BadRequest: it isn't HTTP.
      Gone: the client left.
    """
    connection = h11.Connection(h11.SERVER)
    raw = b""
    while True:
        try:
            event = _next(connection)
        except BadRequest:
            if raw[:1] == _TLS:
                raise BadRequest("this port speaks no TLS", None) from None
            raise
        if isinstance(event, h11.Request):
            return Exchange(
                event.method.decode("ascii"),
                event.target.decode("ascii"),
                list(event.headers),
                stream,
                connection,
                raw,
            )
        raw += await _feed(connection, stream)


async def refuse(stream: GatedStream, bad: BadRequest) -> None:
    """Answer whatever it was.

    Raises:
      Gone: the client left.
    """
    if bad.status is not None:
        await _answer(stream, h11.Connection(h11.SERVER), problem(bad.status, str(bad)))


def _next(connection: h11.Connection) -> Any:
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise BadRequest(str(error), error.error_status_hint) from None
    if isinstance(event, h11.ConnectionClosed):
        raise Gone
    return event


async def _send(stream: GatedStream, data: bytes) -> None:
    try:
        await stream.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        raise Gone from None


async def _feed(connection: h11.Connection, stream: GatedStream) -> bytes:
    try:
        data = await stream.receive_some(RECEIVE_BYTES)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        raise Gone from None
    if not data:
        raise Gone
    connection.receive_data(data)
    return data


async def _answer(
    stream: GatedStream, connection: h11.Connection, answer: Answer, *, bare: bool = False
) -> None:
    response = h11.Response(
        status_code=answer.status,
        reason=HTTPStatus(answer.status).phrase,
        headers=[
            ("Content-Type", answer.kind),
            ("Content-Length", str(len(answer.body))),
            ("Connection", "close"),
            *answer.headers,
        ],
    )
    data = connection.send(response) or b""
    if not bare:
        data += connection.send(h11.Data(data=answer.body)) or b""
    await _send(stream, data)
    await stream.end_politely()
