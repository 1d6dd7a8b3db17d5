"""Print what is said of some failures; ``docs/proxies.md`` shows it, and a test compares them."""

from __future__ import annotations

import re
import socket

import trio
from transport.proxies import scripted

from gemini_live_trio import GeminiApi, SessionConfig, StageTimeouts, TcpConnector, open_session
from gemini_live_trio.errors import ConnectError

HTTP = "HTTP/1.1 {}\r\nContent-Length: 0\r\n\r\n"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<html"


async def said(url: str, connector: TcpConnector) -> str:
    """Return what opening a session says, without what differs from run to run."""
    config = SessionConfig(model="gemini-3.8-live", endpoint=GeminiApi(base_url=url))
    try:
        async with open_session(config, connector=connector):
            raise AssertionError("there should be no session")
    except ConnectError as error:
        text = re.sub(r"127\.0\.0\.1:\d+", "proxy.example:3128", str(error))
        return re.sub(r"after \d\.\d s", "after 0.1 s", text)


async def tell() -> list[str]:
    """Meet the failures, one after the other."""
    service = "wss://live.example"
    told = []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    told.append(await said(service, TcpConnector(proxy=nobody)))
    challenge = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=a\r\n\r\n"
    async with scripted(challenge) as proxy:
        told.append(await said(service, TcpConnector(proxy=f"http://{proxy.address}")))
    async with scripted(HTTP.format("403 No").encode()) as proxy:
        told.append(await said(service, TcpConnector(proxy=f"http://{proxy.address}")))
    async with scripted() as proxy:
        slow = TcpConnector(proxy=f"http://{proxy.address}", timeouts=StageTimeouts(proxy=0.1))
        told.append(await said(service, slow))
    async with scripted(HTTP.format("200 OK").encode().replace(b"Content-Length: 0\r\n", b"")) as p:
        quick = StageTimeouts(tls=0.1)
        told.append(await said(service, TcpConnector(proxy=f"http://{p.address}", timeouts=quick)))
    async with scripted(b"HTTP/1.1 200 OK\r\n\r\n", PAGE) as proxy:
        told.append(await said("ws://live.example", TcpConnector(proxy=f"http://{proxy.address}")))
    return told


if __name__ == "__main__":
    print("\n".join(trio.run(tell)))  # noqa: T201
