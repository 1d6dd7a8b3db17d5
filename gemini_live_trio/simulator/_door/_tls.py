"""TLS with a certificate made for the occasion, by an authority of the simulator's own."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from ...errors import MissingDependency

__all__ = ["Certificates", "open_certificates"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 (no names, so no certificate is for them)


@attrs.frozen
class Certificates:
    """What the simulator serves TLS with.

    Attributes:
      context: For the server's side.
      authority: A PEM file for clients to trust.
    """

    context: ssl.SSLContext
    authority: Path


@contextmanager
def open_certificates(host: str) -> Iterator[Certificates]:
    """Make a certificate for loopback and for this host; the file lives as long as the block.

    Raises:
      MissingDependency: the extra ``simulator`` isn't installed.
    """
    try:
        import trustme
    except ImportError as error:
        raise MissingDependency(
            'TLS in the simulator needs: pip install "gemini-live-trio[simulator]"'
        ) from error
    names = _LOOPBACK if host in (*_LOOPBACK, *_ANYWHERE) else (*_LOOPBACK, host)
    authority = trustme.CA(organization_name="gemini-live-trio simulator")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    authority.issue_cert(*names).configure_cert(context)
    with tempfile.TemporaryDirectory(prefix="gemini-live-simulator-") as directory:
        file = Path(directory) / "ca.pem"
        authority.cert_pem.write_to_path(file)
        yield Certificates(context, file)
