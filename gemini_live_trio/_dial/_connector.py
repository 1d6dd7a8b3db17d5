"""Opening the stream under a WebSocket, stage by stage."""

from __future__ import annotations

import ssl
from contextlib import AbstractContextManager
from typing import Protocol

import attrs
import trio

from .._endpoint import Target
from ._proxy import Proxy, ProxyChoice, proxy_for, read_proxy
from ._stages import StageTimeouts, Step, step
from ._tcp import open_tcp
from ._tls import default_ssl_context, start_tls
from ._tunnel import check_extra, open_socks, open_tunnel

__all__ = ["Connector", "TcpConnector"]


class Connector(Protocol):
    """Opens the byte stream under a WebSocket.

    Replace it to reach the service some other way; a simulator's connects in memory.
    """

    async def connect(self, target: Target, /) -> trio.abc.Stream:
        """Open a stream to ``target``, with TLS done where ``target.secure``.

        Raises:
          ConnectError: It didn't work; the text says at which stage and why.
          OSError: The same, in the operating system's words.
        """
        ...


@attrs.frozen(kw_only=True)
class TcpConnector:
    """TCP, through a proxy where there is one, and TLS.

    Where a name has several addresses, they are tried side by side, a quarter of a second apart.

    Raises:
      ConfigError: ``proxy`` can't be one.
    """

    proxy: ProxyChoice = attrs.field(default=True, converter=read_proxy)
    """A ``Proxy`` or its URL. ``True`` looks into the environment before each dial: ``HTTPS_PROXY``
    for ``wss://`` and ``HTTP_PROXY`` for ``ws://``, else ``ALL_PROXY``, unless ``NO_PROXY`` names
    the host, and never for this machine itself. ``None`` means none."""

    ssl_context: ssl.SSLContext | None = None
    """By default the system's certificates; ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are honoured."""

    timeouts: StageTimeouts = attrs.field(factory=StageTimeouts)
    """What each stage may take."""

    async def connect(self, target: Target, /) -> trio.abc.Stream:
        """Open a stream; see ``Connector.connect``.

        Raises:
          ConnectError: As there.
          ConfigError: The environment names a proxy that can't be; nothing was sent.
          MissingDependency: A SOCKS5 proxy without the extra ``proxy``; nothing was sent.

        Cancellation: at any time; no socket remains.
        """
        proxy = proxy_for(self.proxy, target)
        if proxy is not None:
            check_extra(proxy)
        stream = await self._open(target, proxy)
        if not target.secure:
            return stream
        try:
            with step(
                "tls",
                str(target),
                seconds=self.timeouts.tls,
                lacking=f"No secure connection to {target}",
                advice="check the address; a firewall may be in the way",
            ) as here:
                stream = await start_tls(stream, target.host, self._context(), here)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return stream

    def secrets(self, target: Target, /) -> tuple[str, ...]:
        """Texts that must not be written down of the way to ``target``."""
        proxy = proxy_for(self.proxy, target)
        return () if proxy is None else proxy.secrets()

    def _context(self) -> ssl.SSLContext:
        return self.ssl_context or default_ssl_context()

    async def _open(self, target: Target, proxy: Proxy | None) -> trio.abc.Stream:
        """Open a stream that leads to ``target``, without its TLS."""
        if proxy is None:
            return await open_tcp(target, seconds=self.timeouts.tcp)
        if proxy.scheme == "socks5":
            with self._proxy_step(proxy, target) as here:
                return await open_socks(proxy, target, here)
        stream: trio.abc.Stream = await open_tcp(proxy, seconds=self.timeouts.tcp)
        try:
            if proxy.scheme == "https":
                with step(
                    "proxy",
                    str(proxy),
                    seconds=self.timeouts.tls,
                    lacking=f"No secure connection to the proxy {proxy}",
                    advice="check that it is an HTTPS proxy; most are http:// ones",
                ) as here:
                    context = proxy.ssl_context or self._context()
                    stream = await start_tls(stream, proxy.host, context, here)
            with self._proxy_step(proxy, target) as here:
                await open_tunnel(stream, proxy, target, here)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return stream

    def _proxy_step(self, proxy: Proxy, target: Target) -> AbstractContextManager[Step]:
        return step(
            "proxy",
            str(proxy),
            seconds=self.timeouts.proxy,
            lacking=f"The proxy {proxy} didn't connect to {target}",
            advice="check that it is a proxy of the kind that its URL says",
        )
