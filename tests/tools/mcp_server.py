"""An MCP server made with the SDK, for the tests: ``stdio``, ``http`` or ``http-json``.

Over HTTP it prints its port. With ``MCP_TEST_TOKEN`` in its environment it lets in nobody else.
"""

import os
import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server.mcpserver import Audio, Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

PNG = b"\x89PNG\r\n\x1a\nnot much of a picture"

server = MCPServer("everything", instructions="Ask twice.", log_level="WARNING")


def write_down(diary: str, what: str) -> None:
    Path(diary).write_text(what, encoding="utf-8")


@server.tool()
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@server.tool(name="files/ls überall", title="List files")
def list_files(folders: list[str]) -> list[str]:
    return [f"{folder}/file" for folder in folders]


@server.tool()
def describe(who: str) -> dict[str, Any]:
    """Tell of somebody."""
    return {"name": who, "length": len(who), "tags": ["a", None]}


@server.tool()
def picture() -> Image:
    """Give a picture."""
    return Image(data=PNG, format="png")


@server.tool(structured_output=False)
def mixture() -> types.CallToolResult:
    """Give one of everything."""
    text = types.TextResourceContents(uri="file:///a.txt", text="inside", mime_type="text/plain")
    blob = types.BlobResourceContents(uri="file:///a.bin", blob="AAEC")
    sound = Audio(data=b"RIFF", format="wav").to_audio_content()
    link = types.ResourceLink(uri="https://example.com/", name="a page", description="Of old.")
    return types.CallToolResult(
        content=[
            types.TextContent(text="Look:"),
            sound,
            link,
            types.EmbeddedResource(resource=text),
            types.EmbeddedResource(resource=blob),
        ]
    )


@server.tool(structured_output=False)
def nothing() -> None:
    """Give nothing."""


@server.tool()
def photograph(length: int) -> Image:
    """Give a picture of that many bytes."""
    return Image(data=bytes(length), format="png")


@server.tool()
def fail(how: str) -> str:
    """Fail."""
    raise ToolError(f"no {how} today, says {os.environ.get('MCP_TEST_SECRET')}")


@server.tool()
def environment() -> list[str]:
    """Tell which environment variables there are."""
    return sorted(os.environ)


@server.tool()
def where() -> list[Any]:
    """Tell the process and its folder."""
    return [os.getpid(), str(Path.cwd())]


@server.tool()
def die(status: int) -> str:
    """End the server in the middle of a call."""
    os._exit(status)


@server.tool()
async def wait(diary: str, context: Context) -> str:
    """Report progress, and wait to be cancelled; write down when that happens."""
    await context.report_progress(1, 4, "begun")
    await context.report_progress(2)
    try:
        await anyio.sleep_forever()
    finally:
        write_down(diary, "cancelled")
    return "never"


@server.tool()
async def ask_back(context: Context) -> str:
    """Ask the client's model, which no client has to lend."""
    messages = [types.SamplingMessage(role="user", content=types.TextContent(text="Who?"))]
    answer = await context.session.create_message(messages=messages, max_tokens=9)
    return str(answer)


@server.tool()
async def change(context: Context) -> str:
    """Change the list of tools."""
    server.remove_tool("nothing")
    await context.notify_tools_changed()
    return "changed"


class Guarded:
    """Lets in who has the token."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        token = os.environ.get("MCP_TEST_TOKEN")
        if scope["type"] == "http" and token is not None:
            given = Request(scope).headers.get("authorization")
            if given != f"Bearer {token}":
                answer: Response = PlainTextResponse(f"not with {given}", status_code=401)
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)


def main() -> None:
    how = sys.argv[1]
    if how == "stdio":
        sys.stderr.write("ready to serve\n")
        server.run("stdio")
        return
    listening = socket.socket()
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen()
    app = Guarded(server.streamable_http_app(json_response=how == "http-json"))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listening])


if __name__ == "__main__":
    main()
