"""TCP, to the service or to a proxy, and why there is none."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

import trio

from .._endpoint import Target
from ..errors import ConnectError
from ._proxy import Proxy
from ._stages import Step, step

__all__ = ["no_tcp", "open_tcp"]


async def open_tcp(place: Target | Proxy, *, seconds: float) -> trio.SocketStream:
    """Find the address and connect, to several side by side where there are several.

    Raises:
      ConnectError: Nothing is there, or nothing answers.
    """
    who, check = _words(place)
    with step(
        "proxy" if isinstance(place, Proxy) else "tcp",
        str(place),
        seconds=seconds,
        lacking=f"No TCP connection to {who}",
        advice=f"check {check} and the network, a firewall may be in the way",
    ) as here:
        try:
            stream = await trio.open_tcp_stream(place.host, place.port)
        except OSError as error:
            raise no_tcp(error, place, here) from error
        with suppress(OSError):  # it may be gone again
            here.facts["peer"] = _shown(stream.socket.getpeername())
        return stream
    raise AssertionError  # unreachable: step raises when its time is over


def _shown(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def no_tcp(error: BaseException, place: Target | Proxy, here: Step) -> ConnectError:
    """Say why there is no connection."""
    who, check = _words(place)
    if isinstance(error, socket.gaierror):
        # It has a stage of its own, but only now is it known that it was this.
        stage = here.stage if isinstance(place, Proxy) else "dns"
        return Step(stage, here.address, "", here.began).error(
            f"The name of {who} can't be resolved: {error.strerror}",
            f"check {check} and the network",
        )
    return here.error(f"Nothing answers at {who}: {_why(error)}", f"check {check} and the network")


def _words(place: Target | Proxy) -> tuple[str, str]:
    if isinstance(place, Proxy):
        return f"the proxy {place}", "the proxy's address"
    return str(place), "the address"


def _why(error: BaseException) -> str:
    """Return what went wrong, which Trio hides behind a group of attempts."""
    cause = error.__cause__
    attempts = cause.exceptions if isinstance(cause, ExceptionGroup) else [error]
    return "; ".join(dict.fromkeys(_system_words(attempt) for attempt in attempts))


def _system_words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return str(error)
