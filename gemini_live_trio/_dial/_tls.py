"""TLS: whom to trust, and why somebody can't be."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio

from ._stages import Step

__all__ = ["default_ssl_context", "start_tls"]

_LONGEST_NAME = 100
_STORES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

# Codes of OpenSSL's X509_V_ERR_*.
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = {18, 19, 20, 21}
"""The first two of them sign themselves."""
_OTHER_NAME = {62, 64}

# What OpenSSL says of an answer that isn't TLS.
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}


def default_ssl_context() -> ssl.SSLContext:
    """Return a context with the system's certificates, or those of ``SSL_CERT_FILE``."""
    return _context(tuple(os.environ.get(name, "") for name in _STORES))


@functools.cache
def _context(_stores: tuple[str, ...]) -> ssl.SSLContext:
    # Loading the certificates takes some 20 ms; OpenSSL itself looks into the environment.
    return ssl.create_default_context()


async def start_tls(
    stream: trio.abc.Stream, host: str, context: ssl.SSLContext, here: Step
) -> trio.SSLStream[trio.abc.Stream]:
    """Speak TLS over ``stream``; on failure the caller closes it.

    Raises:
      ConnectError: There is no TLS, or nobody to trust.
    """
    tls = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
    try:
        await tls.do_handshake()
    except (trio.BrokenResourceError, ssl.SSLError, OSError) as error:
        why = error.__cause__ or error
        raise here.error(
            f"No secure connection to {here.place}: {_words(why, tls)}", _advice(why)
        ) from error
    here.facts.update(_facts(tls))
    return tls


def _facts(tls: trio.SSLStream[trio.abc.Stream]) -> dict[str, str]:
    """Return what was agreed on, and whose certificate it is."""
    facts = {"version": tls.version() or "", "cipher": (tls.cipher() or ("",))[0]}
    # Empty where somebody else than OpenSSL has judged it, as truststore does.
    certificate = tls.getpeercert() or {}
    if issuer := _name(certificate.get("issuer", ())):
        facts["issuer"] = issuer
    if ends := certificate.get("notAfter"):
        end = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
        facts["expires"] = end.isoformat()
    return facts


def _name(entries: Sequence[Sequence[tuple[str, str]]]) -> str:
    """Return what a certificate calls somebody, made harmless: anybody can write one."""
    parts = {name: value for entry in entries for name, value in entry}
    words = [parts[name] for name in ("commonName", "organizationName") if parts.get(name)]
    name = ", ".join(dict.fromkeys(words)) or next(iter(parts.values()), "")
    return "".join(letter for letter in name if letter.isprintable())[:_LONGEST_NAME]


def _signer(tls: trio.SSLStream[trio.abc.Stream]) -> str:
    """Return who vouches for a certificate that nobody here trusts.

    That is what somebody behind a proxy that inspects TLS has to know. ``ssl`` doesn't tell, but
    what it is made of does.
    """
    inner: Any = getattr(getattr(tls, "_ssl_object", None), "_sslobj", None)
    try:
        last = inner.get_unverified_chain()[-1].get_info()
        return _name(last["issuer"])
    except (AttributeError, LookupError, TypeError, ValueError):
        return ""


def _words(why: BaseException, tls: trio.SSLStream[trio.abc.Stream]) -> str:
    if isinstance(why, ssl.SSLCertVerificationError):
        signer = _signer(tls) if why.verify_code in _UNKNOWN_AUTHORITY else ""
        signed = f", signed by {signer!r}," if signer else ""
        return f"its certificate{signed} isn't trusted ({why.verify_message.rstrip('.')})"
    if isinstance(why, ssl.SSLError) and why.reason in _NO_TLS:
        return "what answers there doesn't speak TLS"
    if isinstance(why, ssl.SSLError) and why.reason and not isinstance(why, ssl.SSLEOFError):
        return f"TLS failed ({why.reason})"
    return "it hung up"


def _advice(why: BaseException) -> str:
    if isinstance(why, ssl.SSLCertVerificationError):
        code = why.verify_code
        if code in (_EXPIRED, _NOT_YET_VALID):
            return "check this machine's clock; if it is right, the server needs a new certificate"
        if code in _OTHER_NAME:
            return "check the address; a captive portal may be answering in its place"
        if code in _UNKNOWN_AUTHORITY:
            return (
                "set SSL_CERT_FILE to the certificate of the authority that signs here, or pass "
                f"ssl_context; a proxy that inspects TLS may be in the way{_unreadable_store()}"
            )
        return "check what the network does with TLS"
    if isinstance(why, ssl.SSLError) and why.reason in _NO_TLS:
        return "check scheme and port; a captive portal may be answering in its place"
    return "check the address; a firewall may be in the way"


def _unreadable_store() -> str:
    """OpenSSL says nothing when these name what isn't there."""
    for name in _STORES:
        path = os.environ.get(name)
        if path and not any(os.access(part, os.R_OK) for part in _paths(name, path)):
            return f" ({name} is set to {path}, which can't be read)"
    return ""


def _paths(name: str, value: str) -> list[Path]:
    return [Path(part) for part in (value.split(os.pathsep) if name == "SSL_CERT_DIR" else [value])]
