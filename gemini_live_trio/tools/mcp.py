"""Tools of MCP servers, for the model of a session.

``open_mcp_tools`` starts a server, or connects to one, and gives its tools for the length of a
block. It needs the extra ``mcp``.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TextIO, cast
from urllib.parse import parse_qsl, urlsplit

import attrs
import trio

from .. import wire
from .._groups import is_urgent, lone
from ..errors import ConfigError, McpError, ToolError
from ._mcp_link import Link, call_tool, list_tools, require_sdk
from ._mcp_words import declare
from ._texts import is_word, texts, variables
from ._tool import Handler, OnResult, Tool, ToolContext, check_options, is_positive

if TYPE_CHECKING:
    import mcp
    import mcp.types

__all__ = ["McpHttp", "McpStdio", "McpTools", "open_mcp_tools"]

_SHOWN_WORDS: Final = 3

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD: Final = re.compile(r"([!-~]([\t -~]*[!-~])?)?")
"""Names and values of headers: RFC 9110, section 5."""


def _names(pairs: Mapping[str, str]) -> str:
    """Show names only: the values may be secrets."""
    return f"<{', '.join(pairs) or 'none'}>"


def _headers(value: Mapping[str, str]) -> Mapping[str, str]:
    headers = texts("headers", value)
    for name, text in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ConfigError(f"headers has {name!r:.80}, which can't be the name of one.")
        if not _FIELD.fullmatch(text):
            raise ConfigError(
                f"headers: {name!r:.80} has a blank or a line's end around it, or characters that "
                "HTTP doesn't take."
            )
    return headers


def _arguments(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise ConfigError(f"args takes a list of texts, not one text: use [{value!r}].")
    args: tuple[Any, ...] = tuple(value) if isinstance(value, Iterable) else (value,)
    if not all(isinstance(arg, str) for arg in args):
        raise ConfigError("args takes a list of texts.")  # unquoted: they may be secrets
    if not all(map(is_word, args)):
        raise ConfigError("args: one has a NUL, or half of a surrogate pair.")
    return args


def _a_command(_server: object, _field: object, value: Any) -> None:
    if not isinstance(value, str) or not value.strip() or not is_word(value):
        raise ConfigError("McpStdio takes a command, without its arguments: they go to args.")


def _a_folder(_server: object, _field: object, value: Any) -> None:
    if value is not None and not isinstance(value, str | os.PathLike):
        raise ConfigError(f"cwd takes a folder, not {value!r:.80}.")


def _a_file(_server: object, _field: object, value: Any) -> None:
    try:
        if value is not None:
            value.fileno()
    except (AttributeError, OSError, ValueError):
        raise ConfigError("stderr takes an open file, such as sys.stderr.") from None


def _an_address(_server: object, _field: object, value: Any) -> None:
    try:
        parts = urlsplit(value)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (TypeError, ValueError, AttributeError):
        known = False
    if not known:
        raise ConfigError("McpHttp takes an address that begins with http:// or https://.")


@attrs.frozen
class McpStdio:
    """An MCP server that runs as a process of ours, and speaks over its stdin and stdout.

    Of this program's environment it sees ``HOME``, ``LOGNAME``, ``PATH``, ``SHELL``, ``TERM`` and
    ``USER`` (others on Windows), so no keys.

    Raises:
      ConfigError: there is no command, arguments or variables aren't texts that a process can have,
        or ``cwd`` or ``stderr`` is something else.
    """

    kind: ClassVar[Literal["stdio"]] = "stdio"

    command: str = attrs.field(validator=_a_command)
    """A program, looked for on ``PATH``; without a shell."""

    args: Sequence[str] = attrs.field(
        kw_only=True, default=(), converter=_arguments, repr=lambda args: f"<{len(args)}>"
    )
    """Its arguments."""

    env: Mapping[str, str] = attrs.field(
        kw_only=True, factory=dict, converter=variables, repr=_names, hash=False
    )
    """Further environment variables. Not shown anywhere."""

    cwd: str | os.PathLike[str] | None = attrs.field(
        kw_only=True, default=None, validator=_a_folder
    )
    """Its working directory; ours by default."""

    stderr: TextIO | None = attrs.field(kw_only=True, default=None, validator=_a_file)
    """A file for what it writes to stderr; by default that goes to the log ``gemini_live_trio.mcp``
    (nowhere on Windows)."""

    @property
    def label(self) -> str:
        """What it is called in texts."""
        words = [self.command]
        for word in self.args[: _SHOWN_WORDS - 1]:
            if word.startswith("--") or "=" in word:
                break  # what follows may be a secret
            words.append(word)
        return f"The MCP server {' '.join(words)}"

    def secrets(self) -> Iterable[str]:
        """What must not stand in any text."""
        return self.env.values()


@attrs.frozen
class McpHttp:
    """An MCP server at an address, spoken to over streamable HTTP.

    Raises:
      ConfigError: that is no address, or headers aren't texts that HTTP can have.
    """

    kind: ClassVar[Literal["http"]] = "http"

    url: str = attrs.field(validator=_an_address, repr=lambda url: repr(_shown(url)))
    """As in ``"https://example.com/mcp"``. Credentials belong into ``headers``: addresses are
    logged by many."""

    headers: Mapping[str, str] = attrs.field(
        kw_only=True, factory=dict, converter=_headers, repr=_names, hash=False
    )
    """Sent with every request, as in ``{"Authorization": "Bearer ..."}``. Not shown anywhere."""

    @property
    def label(self) -> str:
        """What it is called in texts."""
        return f"The MCP server at {_shown(self.url)}"

    def secrets(self) -> Iterable[str]:
        """What must not stand in any text."""
        parts = urlsplit(self.url)
        words = [word for value in self.headers.values() for word in (value, *value.split()[1:])]
        words += [value for _, value in parse_qsl(parts.query)]
        return [text for text in (*words, parts.password, parts.query) if text]


def _shown(url: str) -> str:
    """An address without what may be a secret in it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


class McpTools(tuple[Tool, ...]):
    """The tools of a server: a sequence, as in ``open_session(tools=[*tools, another])``.

    It is what the server had when the block was entered. What it adds later isn't in it, since a
    session's tools are declared once; what it takes away answers with the server's own words.
    """

    instructions: str
    """The server's advice on using them, made for a system instruction; often empty."""

    def __new__(cls, tools: Iterable[Tool] = (), *, instructions: str = "") -> McpTools:
        """Make one by hand, for a test."""
        made = super().__new__(cls, tools)
        made.instructions = instructions
        return made


@asynccontextmanager
async def open_mcp_tools(
    server: McpStdio | McpHttp | mcp.ClientSession | mcp.Client,
    *,
    only: Collection[str] | None = None,
    prefix: str = "",
    blocking: bool | None = None,
    on_result: OnResult | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - of each call, kept by whoever calls
    connect_timeout: float = 30.0,
) -> AsyncIterator[McpTools]:
    """Start an MCP server, or connect to one, and give its tools for the length of the block.

    Names become what the service takes: other characters than letters, digits and ``_ . : -``
    become ``_``, and what is longer than 64 characters is cut. A call that is cancelled tells the
    server so; what the server reports meanwhile goes to the context's ``progress``. What the server
    asks of its client (its model, its user, its folders) is refused.

    A server that ends doesn't end the block: the call that notices fails, and the next one starts
    the server again, or dials again. A server that sends more than 16 MiB as one message is left
    in the same way (a process on Windows isn't), and so is one that compresses what it sends over
    HTTP. A ready session is used as it is.

    Leaving the block ends what it began. A process is given 2 s to end by itself, 2 s more after
    SIGTERM, and is killed then, with all that it started; over HTTP, the goodbye may take 2 s.

    Args:
      server: Where the tools are; or a session of the SDK's, entered and initialised, which is left
        open.
      only: Names of the tools that are wanted, as the server has them; all by default.
      prefix: Put before each name, so that the tools of two servers don't collide.
      blocking: As in ``Tool``, for all of them.
      on_result: As in ``Tool``.
      timeout: As in ``Tool``: seconds for a call.
      connect_timeout: Seconds until the server has answered, and again until it has told its tools.

    Raises:
      ConfigError: ``server`` or an option is something else, or ``only`` names a tool that isn't
        there.
      MissingDependency: The extra ``mcp`` isn't installed.
      McpError: The server can't be started or reached, doesn't answer, or doesn't speak MCP.

    Cancellation: at any time. Connecting ends at once, a process as above. Calls in the block's own
    ``finally`` still work.
    """
    sdk = require_sdk()
    if not isinstance(server, McpStdio | McpHttp | sdk.ClientSession | sdk.Client):
        raise ConfigError(
            'open_mcp_tools takes McpStdio("command"), McpHttp("https://...") or a session of the '
            f"MCP SDK, not a {type(server).__name__}."
        )
    if isinstance(only, str):
        raise ConfigError(f"only takes a list of names, not one name: use [{only!r}].")
    if only is not None and not isinstance(only, Collection):
        raise ConfigError(f"only takes a list of names, not {only!r:.80}.")
    if not isinstance(prefix, str):
        raise ConfigError(f"prefix takes text, not {prefix!r:.80}.")
    if not is_positive(connect_timeout):
        raise ConfigError(f"connect_timeout must be greater than 0, not {connect_timeout!r:.80}.")
    options: dict[str, Any] = {"blocking": blocking, "on_result": on_result, "timeout": timeout}
    check_options("open_mcp_tools", **options)

    def made(listed: Sequence[Any], call: _Call, instructions: str) -> McpTools:
        declarations = declare(listed, only=only, prefix=prefix)
        tools = [
            Tool(declaration=declaration, handler=_handler(call, name), **options)
            for name, declaration in declarations.items()
        ]
        return McpTools(tools, instructions=instructions)

    if not isinstance(server, McpStdio | McpHttp):
        try:
            session = cast("mcp.ClientSession", getattr(server, "session", server))
        except RuntimeError as error:
            raise ConfigError(
                "open_mcp_tools takes a Client of the MCP SDK that is open: write "
                "`async with client:` around it."
            ) from error
        listed = await _ask(session, connect_timeout)
        yield made(listed, functools.partial(_call_given, server), session.instructions or "")
        return

    # A nursery wraps whatever leaves it in a group, so the block's exception goes round it.
    leaving: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            link = Link(server, nursery, connect_timeout=connect_timeout)
            try:
                listed, instructions = await link.tools()
                yield made(listed, link.call, instructions)
            except BaseException as error:  # noqa: BLE001 - raised again below
                leaving = error
            finally:
                link.close()
    except BaseException as error:  # noqa: BLE001 - raised again below, in its order of precedence
        other = lone(error)
        if leaving is None or is_urgent(other):
            leaving = other
    if leaving is not None:
        try:
            raise leaving
        finally:
            del leaving


_Call = Callable[[str, Mapping[str, wire.JsonValue], ToolContext], Awaitable[object]]


def _handler(call: _Call, name: str) -> Handler:
    def handle(args: Mapping[str, wire.JsonValue], context: ToolContext) -> Awaitable[object]:
        return call(name, args, context)

    return handle


async def _ask(session: mcp.ClientSession, seconds: float) -> Sequence[mcp.types.Tool]:
    whose = "The MCP session's server"
    try:
        with trio.fail_after(seconds):
            return await list_tools(session)
    except trio.TooSlowError:
        text = f"{whose} didn't tell its tools within {seconds:g} s."
        raise McpError(text, server=whose) from None
    except Exception as error:
        raise McpError(f"{whose} didn't tell its tools: {error}", server=whose) from error


async def _call_given(
    client: mcp.Client | mcp.ClientSession,
    name: str,
    args: Mapping[str, wire.JsonValue],
    context: ToolContext,
) -> object:
    try:
        return await call_tool(client, name, args, context)
    except ToolError:
        raise
    except Exception as error:
        raise ToolError(f"The MCP server didn't answer as it should: {error}") from error
