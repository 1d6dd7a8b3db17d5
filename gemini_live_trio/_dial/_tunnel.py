"""Asking a proxy for the way to the service.

HTTP CONNECT is h11's, which the WebSocket brings along. python-socks has it too, but takes the
first piece that arrives for the whole answer, so that the rest of a slow one would be read as TLS.
SOCKS5 is python-socks', which dials the proxy itself, also by Trio's ``open_tcp_stream``.
"""

from __future__ import annotations

import base64
from http import HTTPStatus

import h11
import trio

from .._endpoint import Target
from ..errors import ConnectError, MissingDependency
from ._proxy import Proxy
from ._stages import Step
from ._tcp import no_tcp

__all__ = ["check_extra", "open_socks", "open_tunnel"]

_LONGEST_ANSWER = 64 * 2**10
_KIND = "that it is a proxy of the kind that its URL says"
_GARBAGE_ADVICE = f"check {_KIND}"
_FOREVER = 10.0**9


def check_extra(proxy: Proxy) -> None:
    """Refuse a proxy that can't be spoken with here, before any I/O.

    Raises:
      MissingDependency: For SOCKS5 without python-socks.
    """
    if proxy.scheme == "socks5":
        try:
            import python_socks.async_.trio.v2  # noqa: F401 - only who uses it pays
        except ImportError as error:
            raise MissingDependency(
                "A SOCKS5 proxy needs python-socks: "
                'pip install "gemini-live-trio[proxy]"; HTTP proxies need nothing.'
            ) from error


def _hung_up(proxy: Proxy, here: Step) -> ConnectError:
    return here.error(f"The proxy {proxy} hung up without an answer", _GARBAGE_ADVICE)


def _host(target: Target) -> str:
    return target.host if ":" in target.host else target.host.encode("idna").decode("ascii")


# --- HTTP ------------------------------------------------------------------------------------


async def open_tunnel(stream: trio.abc.Stream, proxy: Proxy, target: Target, here: Step) -> None:
    """Have the HTTP proxy behind ``stream`` connect it to ``target``.

    Raises:
      ConnectError: It doesn't.
    """
    host = _host(target)
    authority = f"[{host}]:{target.port}" if ":" in host else f"{host}:{target.port}"
    headers = [("Host", authority)]
    if proxy.username is not None:
        words = f"{proxy.username}:{proxy.password}".encode()
        headers.append(("Proxy-Authorization", f"Basic {base64.b64encode(words).decode()}"))
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_ANSWER)
    asked = http.send(h11.Request(method="CONNECT", target=authority, headers=headers)) or b""
    try:
        await stream.send_all(asked + (http.send(h11.EndOfMessage()) or b""))
        answer = await _answer(stream, http, proxy, here)
    except trio.BrokenResourceError as error:
        raise _hung_up(proxy, here) from error
    if not 200 <= answer.status_code < 300:
        raise _refused(answer, proxy, authority, here)
    if http.trailing_data[0]:
        # Neither TLS nor a WebSocket lets the server speak first.
        raise here.error(f"The proxy {proxy} said more than that it connects", _GARBAGE_ADVICE)


async def _answer(
    stream: trio.abc.Stream, http: h11.Connection, proxy: Proxy, here: Step
) -> h11.Response:
    try:
        while not isinstance(event := http.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                data = await stream.receive_some()
                if not data and not http.trailing_data[0]:
                    raise _hung_up(proxy, here)
                http.receive_data(bytes(data))
    except h11.RemoteProtocolError as error:
        raise here.error(f"The proxy {proxy} doesn't answer in HTTP", _GARBAGE_ADVICE) from error
    return event


def _refused(answer: h11.Response, proxy: Proxy, authority: str, here: Step) -> ConnectError:
    # Its own words are left out: nobody knows what they repeat.
    status = answer.status_code
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    advice = "ask whoever runs it, or check that it is a proxy"
    match status:
        case 407:
            if proxy.username is None:
                advice = f"put its credentials into its URL: http://user:password@{proxy}"
            else:
                advice = "check the user name and the password in its URL"
            offered = _offered(answer)
            if offered and "basic" not in map(str.lower, offered):
                advice = f"only Basic is spoken here, and it wants {' or '.join(offered)}"
        case 403 | 405:
            advice = f"ask whoever runs it to allow CONNECT to {authority}"
        case 502 | 503 | 504:
            advice = "it can't reach the service: check the address, or ask whoever runs it"
    said = f"HTTP {status} {phrase}".strip()
    return here.error(f"The proxy {proxy} refused to connect to {authority}: {said}", advice)


def _offered(answer: h11.Response) -> list[str]:
    """Return the ways in which a proxy lets itself be told who we are."""
    words = [
        value.partition(b" ")[0].decode("latin-1")
        for name, value in answer.headers
        if name == b"proxy-authenticate"
    ]
    return [word for word in dict.fromkeys(words) if word.isalnum()]


# --- SOCKS5 ----------------------------------------------------------------------------------


async def open_socks(proxy: Proxy, target: Target, here: Step) -> trio.abc.Stream:
    """Dial the proxy, and have it connect the stream to ``target``.

    Raises:
      ConnectError: It doesn't, or isn't there.
    """
    import python_socks
    from python_socks.async_.trio.v2 import Proxy as SocksProxy

    client = SocksProxy(
        python_socks.ProxyType.SOCKS5,
        proxy.host,
        proxy.port,
        username=proxy.username,
        password=proxy.password,
        rdns=True,
    )
    try:
        # Its own time-out would be a minute; ours is around it.
        opened = await client.connect(_host(target), target.port, timeout=_FOREVER)
    except python_socks.ProxyConnectionError as error:
        raise no_tcp(error.__cause__ or error, proxy, here) from error
    except python_socks.ProxyError as error:
        if error.error_code is None:
            raise here.error(
                f"The proxy {proxy} refused to speak: {error}",
                f"check the user name and the password in its URL, and {_KIND}",
            ) from error
        raise here.error(
            f"The proxy {proxy} refused to connect to {target}: {error}",
            "check the address, or ask whoever runs the proxy",
        ) from error
    except trio.BrokenResourceError as error:
        raise _hung_up(proxy, here) from error
    except ValueError as error:  # of what python-socks can't make sense of
        raise here.error(f"The proxy {proxy} doesn't answer in SOCKS5", _GARBAGE_ADVICE) from error
    return opened.trio_stream
