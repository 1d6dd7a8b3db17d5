"""Which proxy to take, if any: from a URL, or from the environment. No I/O."""

from __future__ import annotations

import base64
import ipaddress
import os
import ssl
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import attrs

from .._endpoint import Target
from ..errors import ConfigError

__all__ = ["Proxy", "ProxyChoice", "Way", "proxy_for", "read_proxy", "way_to"]

_SCHEMES: Final = {
    "http": ("http", 80),
    "https": ("https", 443),
    "socks5": ("socks5", 1080),
    "socks5h": ("socks5", 1080),
    "socks": ("socks5", 1080),  # what desktops write into ALL_PROXY
}
_LONGEST_SOCKS_WORD: Final = 255


@attrs.frozen
class Proxy:
    """A proxy to reach the service through.

    Args:
      url: ``http://host:port``, ``https://host:port`` or ``socks5://host:port``, with
        ``user:password@`` before the host where the proxy asks for it; odd characters in these as
        ``%XX``.

    Raises:
      ConfigError: The URL can't be one of a proxy. The text doesn't repeat it.
    """

    url: str = attrs.field(repr=False)

    ssl_context: ssl.SSLContext | None = attrs.field(default=None, kw_only=True)
    """For the TLS of an ``https://`` proxy; by default that of the connector."""

    scheme: str = attrs.field(init=False)
    """``"http"``, ``"https"`` or ``"socks5"``."""

    host: str = attrs.field(init=False)
    port: int = attrs.field(init=False)
    username: str | None = attrs.field(init=False, repr=False)
    password: str | None = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for name, value in _parts(self.url).items():
            object.__setattr__(self, name, value)

    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be written down: the password as it is, quoted, and as it is sent.

        Where there is a user name alone, it is a token.
        """
        if not self.username:
            return ()
        secret = self.password or self.username
        basic = base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")
        return secret, quote(secret, safe=""), basic

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


ProxyChoice = Proxy | bool | None
"""A proxy; ``True`` for what the environment says; ``None`` or ``False`` for none."""


def _refusal(what: str) -> ConfigError:
    # The URL itself isn't repeated: what is wrong with it may be the password.
    return ConfigError(
        "A proxy's URL must look like http://host:port, https://host:port or "
        f"socks5://user:password@host:port: {what}."
    )


def _parts(given: object) -> dict[str, Any]:
    if not isinstance(given, str):
        raise _refusal(f"it is text, not of type {type(given).__name__}")
    if given.split() != [given] or not given.isprintable():
        raise _refusal("it is empty or has blanks in or around it")
    try:
        url = urlsplit(given)
        port = url.port
    except ValueError:
        raise _refusal("its host or port can't be read") from None
    if url.scheme not in _SCHEMES or not given[len(url.scheme) :].startswith("://"):
        raise _refusal(f"it begins with none of {', '.join(f'{s}://' for s in _SCHEMES)}")
    if not url.hostname or port == 0:
        raise _refusal("it has no host, or port 0")
    try:
        # What the resolver will do with it; it fails on empty and overlong labels.
        url.hostname.encode("ascii" if ":" in url.hostname else "idna")
    except UnicodeError:
        raise _refusal("its host can't be the name of one") from None
    if url.path not in ("", "/") or url.query or url.fragment:
        raise _refusal("something follows the port; odd characters in a password are written %XX")
    scheme, usual_port = _SCHEMES[url.scheme]
    username = None if url.username is None else unquote(url.username)
    password = None if username is None else unquote(url.password or "")
    _check_credentials(scheme, username, password)
    return {
        "scheme": scheme,
        "host": url.hostname,
        "port": port or usual_port,
        "username": username,
        "password": password,
    }


def _check_credentials(scheme: str, username: str | None, password: str | None) -> None:
    if username is None or password is None:
        return
    if scheme == "socks5":
        for word in (username, password):
            if not (word.isascii() and 0 < len(word) <= _LONGEST_SOCKS_WORD):
                raise _refusal(
                    "SOCKS5 takes a user name and a password of 1 to 255 ASCII characters each"
                )
    elif ":" in username:
        raise _refusal("HTTP allows no colon in a user name")


def read_proxy(value: Proxy | str | bool | None) -> ProxyChoice:
    """Take a URL for a proxy."""
    if isinstance(value, Proxy | bool) or value is None:
        return value
    return Proxy(value)


@attrs.frozen
class Way:
    """How a target is reached."""

    proxy: Proxy | None
    why: str
    """For a person: which variable names the proxy, or why there is none."""


def proxy_for(choice: ProxyChoice, target: Target) -> Proxy | None:
    """Return the proxy on the way to ``target``.

    Raises:
      ConfigError: The environment names one that can't be.
    """
    return way_to(choice, target).proxy


def way_to(choice: ProxyChoice, target: Target) -> Way:
    """Return the proxy on the way to ``target``, and why it is that one.

    Raises:
      ConfigError: The environment names one that can't be.
    """
    if isinstance(choice, Proxy):
        return Way(choice, "given to the connector")
    if not choice:
        return Way(None, "the connector takes none")
    if _is_local(target.host):
        return Way(None, "it is this machine itself")
    import urllib.request  # here, since it brings HTTP and e-mail with it

    found = urllib.request.getproxies()
    scheme = "https" if target.secure else "http"
    name = scheme if found.get(scheme) else "all"
    url = found.get(name)
    # Each form that NO_PROXY may use for an IPv6 address; for a name they are the same.
    if not url:
        return Way(None, "none is set")
    if any(urllib.request.proxy_bypass(form) for form in (target.host, str(target))):
        return Way(None, "NO_PROXY names the host")
    try:
        return Way(Proxy(url if "://" in url else f"http://{url}"), _source(name))
    except ConfigError as error:
        raise ConfigError(
            f"{name.upper()}_PROXY in the environment can't be used. {error}"
        ) from None


def _source(name: str) -> str:
    for variable in (f"{name}_proxy", f"{name}_proxy".upper()):
        if os.environ.get(variable):
            return variable
    return "the system's settings"


def _is_local(host: str) -> bool:
    """Whether only this machine can reach it, so that no proxy could."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
