"""Google's Python SDK, unmodified, on a lead: it does what it is told on standard input.

One JSON object a line comes in (``{"do": "connect", ...}``), one goes out: ``{"result": ...}``, or
``{"failed": {"code", "text"}}`` where the SDK raised. ``javascript_sdk.mjs`` knows the same words.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from contextlib import AsyncExitStack
from typing import Any

from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials
from websockets.exceptions import ConnectionClosed

PATIENCE = 10.0
"""Seconds for one step."""


def client_for(order: dict[str, Any]) -> genai.Client:
    options = types.HttpOptions(base_url=order["url"], api_version=order.get("version"))
    match order.get("backend", "gemini"):
        case "gemini":
            return genai.Client(api_key=order["key"], http_options=options)
        case "express":
            return genai.Client(vertexai=True, api_key=order["key"], http_options=options)
        case "vertex":
            return genai.Client(
                vertexai=True,
                project="a-project",
                location="us-central1",
                credentials=Credentials(token=order["key"]),  # type: ignore[no-untyped-call]
                http_options=options,
            )
        case other:
            raise ValueError(other)


def plain(message: types.LiveServerMessage) -> Any:
    """The message as the SDK understood it, in the names of the wire."""
    return message.model_dump(mode="json", by_alias=True, exclude_none=True)


class Lead:
    """One client, at most one session."""

    def __init__(self) -> None:
        self._open = AsyncExitStack()
        self._session: Any = None

    async def obey(self, order: dict[str, Any]) -> Any:
        return await getattr(self, f"_{order['do']}")(order)

    async def _connect(self, order: dict[str, Any]) -> None:
        config = types.LiveConnectConfig(**order.get("config", {}))
        connect = client_for(order).aio.live.connect(model=order["model"], config=config)
        self._session = await self._open.enter_async_context(connect)

    async def _close(self, _order: dict[str, Any]) -> None:
        try:
            await self._open.aclose()
        finally:
            self._open = AsyncExitStack()

    async def _content(self, order: dict[str, Any]) -> None:
        turns = [types.Content(**turn) for turn in order["turns"]]
        await self._session.send_client_content(
            turns=turns, turn_complete=order.get("turnComplete", True)
        )

    async def _realtime(self, order: dict[str, Any]) -> None:
        for name in ("audio", "video"):
            if blob := order.get(name):
                data = base64.b64decode(blob["data"])
                order[name] = types.Blob(data=data, mime_type=blob["mimeType"])
        names = {
            "audio": "audio",
            "video": "video",
            "text": "text",
            "audioStreamEnd": "audio_stream_end",
            "activityStart": "activity_start",
            "activityEnd": "activity_end",
        }
        chosen = {ours: order[wire] for wire, ours in names.items() if wire in order}
        await self._session.send_realtime_input(**chosen)

    async def _speak(self, order: dict[str, Any]) -> None:
        """Send sound as a microphone gives it: piece by piece, at the pace at which it plays."""
        pcm = base64.b64decode(order["pcm"])
        size = 2 * int(order["rate"] * order["seconds"])
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number, offset in enumerate(range(0, len(pcm), size)):
            await asyncio.sleep(start + number * order["seconds"] - loop.time())
            blob = types.Blob(
                data=pcm[offset : offset + size], mime_type=f"audio/pcm;rate={order['rate']}"
            )
            await self._session.send_realtime_input(audio=blob)

    async def _hear(self, order: dict[str, Any]) -> list[Any]:
        """Receive until a message has the key, at its top or in its content."""
        wanted = order.get("until", "turnComplete")
        heard = []
        while True:
            async for message in self._session.receive():
                heard.append(plain(message))
                if wanted in heard[-1] or wanted in heard[-1].get("serverContent", {}):
                    return heard

    async def _answer(self, order: dict[str, Any]) -> None:
        responses = [types.FunctionResponse(**response) for response in order["responses"]]
        await self._session.send_tool_response(function_responses=responses)

    async def _update(self, order: dict[str, Any]) -> None:
        await self._session.send_context_update(system_instruction=order["instruction"])

    async def _mint(self, order: dict[str, Any]) -> str | None:
        config = types.CreateAuthTokenConfig(**order.get("config", {}))
        return (await client_for(order).aio.auth_tokens.create(config=config)).name


def failure(error: Exception) -> dict[str, Any]:
    code: int | None = None
    if isinstance(error, errors.APIError):
        code = error.code
    elif isinstance(error, ConnectionClosed):
        code = error.rcvd.code if error.rcvd else 1006
    return {"code": code, "text": f"{type(error).__name__}: {error}"}


async def main() -> None:
    lead = Lead()
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            async with asyncio.timeout(PATIENCE):
                answer = {"result": await lead.obey(json.loads(line))}
        except Exception as error:  # noqa: BLE001 (told to the other side)
            answer = {"failed": failure(error)}
        print(json.dumps(answer), flush=True)  # noqa: T201


asyncio.run(main())
