"""Everything that can go wrong, in one tree.

::

    GeminiLiveError
    ├── ConfigError (also ValueError)          before any I/O: mend the call
    │   └── MissingDependency (also ImportError)   an extra isn't installed
    ├── ConnectError                           no WebSocket: address, network, TLS, proxy
    │   ├── CredentialsError                   no credential to dial with, or to mint a token with
    │   ├── ConnectTimeout
    │   └── UpgradeRejected                    the server answered HTTP instead
    ├── SetupError                             a WebSocket, but no session
    │   ├── SetupTimeout
    │   └── SetupRejected                      closed before ``setupComplete``
    ├── ProtocolError
    │   ├── LocalProtocolError (also ValueError)   we were about to send something illegal
    │   └── RemoteProtocolError                the service sent something illegal
    │       └── DecodeError                    a frame that can't be read
    ├── SessionBroken (also trio.BrokenResourceError)
    │   ├── ConnectionLost                     the cause is final, or reconnecting is off
    │   ├── ReconnectExhausted                 it was tried, and the policy's end was reached
    │   └── BudgetExhausted                    it has cost what its ``Budget`` allows
    ├── ToolError                              raised in a tool, to speak to the model
    ├── McpError                               an MCP server that gives no tools
    ├── PromptLost                             a prompt whose answer can't be told from others
    ├── MediaError                             a file or device that can't be used
    ├── RecordingError                         a recording that can't be read or written
    └── InternalError                          a fault of ours: please report it

Trio's own ``ClosedResourceError``, ``BusyResourceError``, ``WouldBlock`` and ``EndOfChannel`` keep
Trio's meanings and are raised as they are.

Every message is a sentence or two for a person; what a program wants to know stands in attributes.
No message contains a key, a token, or media.
"""

from __future__ import annotations

import trio

__all__ = [
    "BudgetExhausted",
    "ConfigError",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionLost",
    "CredentialsError",
    "DecodeError",
    "GeminiLiveError",
    "InternalError",
    "LocalProtocolError",
    "McpError",
    "MediaError",
    "MissingDependency",
    "PromptLost",
    "ProtocolError",
    "ReconnectExhausted",
    "RecordingError",
    "RemoteProtocolError",
    "SessionBroken",
    "SetupError",
    "SetupRejected",
    "SetupTimeout",
    "ToolError",
    "UpgradeRejected",
]


def _again(kind: type[GeminiLiveError], args: tuple[object, ...]) -> GeminiLiveError:
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class GeminiLiveError(Exception):
    """Base of every error that this library defines; each can be copied and pickled."""

    def __reduce__(self) -> tuple[object, ...]:
        """Give the text and the attributes; Python alone would call ``__init__`` with the text."""
        return _again, (type(self), self.args), self.__dict__


class ConfigError(GeminiLiveError, ValueError):
    """What was asked for can't work, and nothing was sent to find that out."""


class MissingDependency(ConfigError, ImportError):
    """A part was used whose extra isn't installed; the text names the ``pip install``."""


class ConnectError(GeminiLiveError):
    """No WebSocket could be opened.

    Attributes:
      stage: ``"credentials"``, ``"dns"``, ``"tcp"``, ``"proxy"``, ``"tls"`` or ``"upgrade"``: how
        far it got. All that goes wrong with a proxy before its tunnel stands is ``"proxy"``.
      address: Host and port that this stage had to do with, the server's or the proxy's; empty
        where unknown.
      seconds: How long this stage had lasted.
      advice: What a person can do about it, or an empty string.
    """

    def __init__(
        self,
        text: str,
        /,
        *,
        stage: str,
        address: str = "",
        seconds: float = 0.0,
        advice: str = "",
    ) -> None:
        super().__init__(text)
        self.stage = stage
        self.address = address
        self.seconds = seconds
        self.advice = advice


class CredentialsError(ConnectError):
    """There was no credential to dial with, or an ephemeral token could not be made.

    Attributes:
      status: The HTTP status of a refusal, where there was one.
    """

    def __init__(self, text: str, /, *, advice: str = "", status: int | None = None) -> None:
        super().__init__(f"{text} {advice}".rstrip(), stage="credentials", advice=advice)
        self.status = status


class ConnectTimeout(ConnectError):
    """The time for connecting, or for one stage of it, ran out."""


class UpgradeRejected(ConnectError):
    """The server answered the WebSocket upgrade with an ordinary HTTP response.

    Attributes:
      status: The HTTP status code.
      body: The beginning of what it said, for a person.
    """

    def __init__(
        self,
        text: str,
        /,
        *,
        status: int,
        body: str = "",
        address: str = "",
        seconds: float = 0.0,
        advice: str = "",
    ) -> None:
        super().__init__(text, stage="upgrade", address=address, seconds=seconds, advice=advice)
        self.status = status
        self.body = body


class SetupError(GeminiLiveError):
    """The WebSocket opened, but the service never confirmed the session."""


class SetupTimeout(SetupError):
    """No answer to ``setup`` within the time for it."""


class SetupRejected(SetupError):
    """The service closed the connection instead of confirming ``setup``.

    Attributes:
      code: The WebSocket close code, 1006 when there was no close frame.
      reason: The service's own words, cut by it at 123 bytes.
      advice: What a person can do about it, or an empty string.
    """

    def __init__(self, text: str, /, *, code: int, reason: str, advice: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.reason = reason
        self.advice = advice


class ProtocolError(GeminiLiveError):
    """Somebody broke the rules of the protocol."""


class LocalProtocolError(ProtocolError, ValueError):
    """The call would have sent an illegal message; nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The service sent something that the protocol doesn't allow."""


class DecodeError(RemoteProtocolError):
    """A frame could not be read.

    Attributes:
      path: Where, as in ``serverContent.modelTurn.parts[0].text``; empty for the frame as a whole.
      expected: What should have stood there.
      found: What stood there, shortened, never media.
    """

    def __init__(self, *, path: str, expected: str, found: str) -> None:
        place = f"at {path}" if path else "in the frame"
        super().__init__(f"Can't read the message: {place}, expected {expected}, found {found}.")
        self.path = path
        self.expected = expected
        self.found = found


class SessionBroken(GeminiLiveError, trio.BrokenResourceError):
    """The session ended by itself and will not come back.

    Attributes:
      code: The last WebSocket close code, 1006 when there was none, ``None`` without a connection.
      reason: The last close reason, in the service's words.
      cause: A word for it, as in the table of closes: ``"quota"``, ``"bad_key"``, ...
      advice: What a person can do about it, or an empty string.
      attempts: How many times reconnecting was tried.
    """

    def __init__(
        self,
        text: str,
        /,
        *,
        code: int | None = None,
        reason: str = "",
        cause: str = "unknown",
        advice: str = "",
        attempts: int = 0,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.reason = reason
        self.cause = cause
        self.advice = advice
        self.attempts = attempts


class ConnectionLost(SessionBroken):
    """The connection ended and reconnecting would not mend it, or is off."""


class ReconnectExhausted(SessionBroken):
    """Reconnecting was tried until the policy said to stop."""


class BudgetExhausted(SessionBroken):
    """The session has cost what its ``Budget`` allows, and was ended politely."""


class ToolError(GeminiLiveError):
    """Raise it in a tool, to tell the model in these words what went wrong."""


class McpError(GeminiLiveError):
    """An MCP server can't be started or reached, or doesn't speak MCP; the text says which and why.

    Attributes:
      server: Which one: its command, or its address.
    """

    def __init__(self, text: str, /, *, server: str) -> None:
        super().__init__(text)
        self.server = server


class PromptLost(GeminiLiveError):
    """A prompt was cut off with its connection, and its answer can't be told from any other's."""


class MediaError(GeminiLiveError):
    """A file or device can't be used; the text names it and says why."""


class RecordingError(GeminiLiveError):
    """A recording can't be read or written; the text names the file and says why.

    Attributes:
      line: The number of the line that can't be read, from 1; ``None`` for the file as a whole.
    """

    def __init__(self, text: str, /, *, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


class InternalError(GeminiLiveError):
    """A fault of this library. Please report it, with the traceback."""
