"""Proxies to go through: a packaged one in a process of its own, and scripts that go wrong."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

__all__ = ["PATIENCE", "Visit", "packaged_proxy", "scripted"]

PATIENCE = 20
"""Seconds: without a bound a lost byte would hang the test."""

Serve = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def packaged_proxy(
    protocol: str, *, credentials: str = "", certificate: Path | None = None
) -> AsyncIterator[tuple[str, trio.Process]]:
    """Run pproxy, which speaks ``http`` and ``socks5``; its host and port, and its process.

    ``certificate`` is a PEM file with chain and key, for TLS up to the proxy.
    """
    if importlib.util.find_spec("pproxy") is None:
        assert "PROXIES_REQUIRED" not in os.environ, "pproxy isn't installed"
        pytest.skip("needs pproxy (nox -s tests installs it)")
    secret = f"#{credentials}" if credentials else ""
    scheme = f"{protocol}+ssl" if certificate else protocol
    command = [sys.executable, "-u", "-m", "pproxy", "-l", f"{scheme}://127.0.0.1:0{secret}"]
    # It remembers for a month who has given a password, by address; here never.
    command += ["--auth", "0", *(["--ssl", str(certificate)] if certificate else [])]
    process = await trio.lowlevel.open_process(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    try:
        said = b""
        with trio.fail_after(PATIENCE):
            while not (found := re.search(rb"Serving on \S+ 127\.0\.0\.1:(\d+)", said)):
                more = await process.stdout.receive_some()
                assert more, said.decode()
                said += more
        yield f"127.0.0.1:{int(found[1])}", process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()


class Visit:
    """What a scripted server saw of its one visitor."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.port = int(address.rpartition(":")[2])
        self.heard = b""
        self.came = trio.Event()
        self.spoke = trio.Event()
        self.gone = trio.Event()

    async def listen(self, stream: trio.SocketStream) -> None:
        """Note what it says until it hangs up."""
        try:
            async for data in stream:
                self.heard += data
                self.spoke.set()
        except trio.BrokenResourceError:
            pass
        self.gone.set()


@asynccontextmanager
async def scripted(
    *answers: bytes, hang_up: bool = False, reset: bool = False
) -> AsyncIterator[Visit]:
    """Listen on loopback, and after each piece that comes say the next answer, whatever was asked.

    Then listen on, or with ``hang_up`` close, with ``reset`` rudely.
    """
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        visit = Visit(f"127.0.0.1:{listener.socket.getsockname()[1]}")

        async def serve(stream: trio.SocketStream) -> None:
            visit.came.set()
            async with stream:
                for answer in answers:
                    visit.heard += await stream.receive_some()
                    visit.spoke.set()
                    await stream.send_all(answer)
                if hang_up or reset:
                    if not answers:
                        visit.heard += await stream.receive_some()
                    if reset:
                        at_once = struct.pack("ii", 1, 0)
                        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                    return
                await visit.listen(stream)

        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield visit
        nursery.cancel_scope.cancel()
