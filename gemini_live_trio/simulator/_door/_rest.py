"""What plain HTTP requests get: a token, a page for people, or an error in the service's words."""

from __future__ import annotations

import re
from typing import Final

from .._books._log import log
from ._dialects import (
    ACCESS_TOKEN_INVALID,
    API_KEY_INVALID,
    NOBODY,
    open_door,
    plain_path,
    read_credentials,
)
from ._http import Answer, Exchange, problem
from ._tokens import TokenRefused, TokenStore

__all__ = ["respond"]

_MINT_PATH: Final = re.compile(r"/(v1|v1beta|v1alpha)/auth_tokens/?")
_BAD_KEY: Final = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    "reason": "API_KEY_INVALID",
    "domain": "googleapis.com",
    "metadata": {"service": "generativelanguage.googleapis.com"},
}
_PAGE: Final = """\
This is a simulator of the Gemini Live service, from gemini-live-trio. No model is behind it.

It serves WebSockets at

  /ws/google.ai.generativelanguage.VERSION.GenerativeService.BidiGenerateContent
      Gemini; VERSION is v1, v1beta or v1alpha
  /ws/google.ai.generativelanguage.VERSION.GenerativeService.BidiGenerateContentConstrained
      the same with an ephemeral token
  /ws/google.cloud.aiplatform.VERSION.LlmBidiService/BidiGenerateContent
      Vertex AI; VERSION is v1 or v1beta1

and makes ephemeral tokens at

  POST /VERSION/auth_tokens

Its handbook is docs/simulator.md in the source of gemini-live-trio.
"""


async def respond(exchange: Exchange, *, api_key: str | None, tokens: TokenStore) -> Answer:
    """Find the answer to a plain HTTP request.

    Raises:
      BadRequest: its body is too large, or broken.
      Gone: the client left.
    """
    path = plain_path(exchange.target)
    if path == "/":
        if exchange.method not in ("GET", "HEAD"):
            return _not_allowed("GET, HEAD")
        return Answer(200, _PAGE.encode(), "text/plain; charset=UTF-8")
    if _MINT_PATH.fullmatch(path):
        if exchange.method != "POST":
            if exchange.method in ("GET", "HEAD"):  # measured: the service has no list of them
                return problem(404, "Tokens can be made here, with POST, but not looked up.")
            return _not_allowed("POST")
        return await _mint(exchange, api_key=api_key, tokens=tokens)
    if open_door(exchange.target, exchange.headers) is not None:
        if exchange.method != "GET":
            return _not_allowed("GET")
        return problem(400, "This path wants the upgrade to a WebSocket.")
    return problem(404, "Requested entity was not found.")


def _not_allowed(allowed: str) -> Answer:
    error = problem(405, "This path doesn't take this method.")
    return Answer(error.status, error.body, error.kind, (("Allow", allowed),))


async def _mint(exchange: Exchange, *, api_key: str | None, tokens: TokenStore) -> Answer:
    body = await exchange.read_body()
    given = read_credentials(exchange.target, exchange.headers)
    if given.ephemeral_token is not None:
        return problem(400, API_KEY_INVALID, _BAD_KEY)
    if api_key is not None and not given.match(api_key):
        if not given:
            return problem(403, NOBODY)
        if given.api_key is None:
            return problem(401, ACCESS_TOKEN_INVALID)
        return problem(400, API_KEY_INVALID, _BAD_KEY)
    try:
        token = tokens.mint_from(body)
    except TokenRefused as refused:
        return problem(400, str(refused))
    log.info("an ephemeral token was made")
    return Answer(200, b'{\n  "name": "%s"\n}\n' % token.name.encode())
