"""An MCP server that does what no MCP server should; made by hand, since the SDK's behave.

The first argument says what it does wrong; a second one names a file in which it writes down every
message that it gets.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

HOW = sys.argv[1]
DIARY = Path(sys.argv[2]).open("a", encoding="utf-8") if len(sys.argv) > 2 else None  # noqa: SIM115
TOOL = {"name": "go", "description": "Go.", "inputSchema": {"type": "object"}}
ODD_SCHEMAS: list[Any] = [
    {"type": "object", "properties": {"x": {"type": "string", "not": {"const": "y"}}}},
    {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
    {
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/P"}},
        "$defs": {"P": {"type": "string"}},
    },
    {"type": "object", "properties": {"next": {"$ref": "#"}}},
    {"type": "object", "properties": {"x": {"type": "integer", "minimum": "three"}}},
    {"type": "object", "properties": {"x": {"enum": [], "description": 5}}},
]


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def listed(cursor: str | None) -> dict[str, Any]:
    if HOW == "pages":
        page = int(cursor or 0)
        tools = [{**TOOL, "name": f"go-{page}-{n}"} for n in range(3)]
        return {"tools": tools, **({"nextCursor": str(page + 1)} if page < 2 else {})}
    if HOW == "endless-pages":
        return {"tools": [TOOL], "nextCursor": "again"}
    if HOW == "odd-names":
        names = ["a/b", "a b", "a_b", "7up", "", "x" * 200, "x" * 201, "ünï", "a.b:c-d"]
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]}
    if HOW == "odd-schemas":
        return {
            "tools": [
                {**TOOL, "name": f"go{n}", "inputSchema": s} for n, s in enumerate(ODD_SCHEMAS)
            ]
        }
    if HOW == "bad-list":
        return {"tools": "none"}
    return {"tools": [TOOL]}


def answer_call(number: object, token: object) -> None:
    if HOW == "dies-in-call":
        sys.stderr.write("Boom: the end is near\n")
        sys.stderr.flush()
        os._exit(7)
    if HOW == "hangs-in-call":
        say({"method": "notifications/progress", "params": {"progressToken": token, "progress": 1}})
        return
    if HOW == "garbage-in-call":
        sys.stdout.write('{"jsonrpc": "2.0", "id": \n\x00\x01 not JSON at all\n[]\n42\n\n')
        sys.stdout.flush()
    if HOW == "endless-line":
        while True:
            sys.stdout.write("spam " * 20_000)
    if HOW == "long-line":
        say({"id": number, "result": {"content": [{"type": "text", "text": "x" * 12_000_000}]}})
        return
    results: dict[str, Any] = {
        "bad-result": {"content": 3},
        "bad-block": {"content": [{"type": "hologram", "depth": 3}]},
        "bad-base64": {"content": [{"type": "image", "data": "***", "mimeType": "image/png"}]},
        "silent-error": {"content": [], "isError": True},
        "empty": {"content": []},
        "no-result": None,
    }
    if HOW == "protocol-error":
        say({"id": number, "error": {"code": -32602, "message": "no such thing as sesame-street"}})
        return
    if HOW == "answers-others":
        say({"id": 999, "result": {}})
        say({"method": "notifications/nobody/knows", "params": {"x": 1}})
        say({"method": "notifications/progress", "params": {"progressToken": "?", "progress": 1}})
        say(
            {
                "id": 5,
                "method": "sampling/createMessage",
                "params": {"messages": [], "maxTokens": 1},
            }
        )
    text = str(os.getpid()) if HOW == "tells-who" else "gone"
    good = {"content": [{"type": "text", "text": text}]}
    say({"id": number, "result": results.get(HOW, good)})


def main() -> None:
    if HOW == "dies-at-once":
        sys.exit("Boom: sesame-street is closed")
    if HOW == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if HOW == "floods":
        for number in range(200):
            sys.stderr.write(f"{number} " + "spam " * 2000 + "\n")
    for line in sys.stdin:
        message = json.loads(line)
        if DIARY is not None:
            DIARY.write(line)
            DIARY.flush()
        number = message.get("id")
        match message.get("method"):
            case "initialize" if HOW == "silent":
                pass
            case "initialize" if HOW == "refuses":
                say({"id": number, "error": {"code": -32603, "message": "Not on Sundays"}})
            case "initialize" if HOW == "old":
                say({"id": number, "result": {"protocolVersion": "1999-01-01", "capabilities": {}}})
            case "initialize":
                version = message["params"]["protocolVersion"]
                about = {"name": "broken", "version": "1"}
                capabilities = {"tools": {}}
                result = {
                    "protocolVersion": version,
                    "serverInfo": about,
                    "capabilities": capabilities,
                }
                say({"id": number, "result": result})
            case "tools/list" if HOW == "silent-list":
                pass
            case "tools/list":
                say({"id": number, "result": listed((message.get("params") or {}).get("cursor"))})
            case "tools/call":
                answer_call(number, message["params"].get("_meta", {}).get("progressToken"))
            case "server/discover":
                say({"id": number, "error": {"code": -32601, "message": "Method not found"}})
    while HOW == "stubborn":
        signal.pause()


if __name__ == "__main__":
    main()
