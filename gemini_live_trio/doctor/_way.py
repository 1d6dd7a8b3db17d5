"""The way to the service, stage by stage: one session is opened and watched while it opens.

Nothing here dials by itself, so that what is found is what a program would find. Only the name is
looked up beforehand, by the call that the dialling makes too, because that is the one stage whose
time can't be seen from outside.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import attrs
import trio

from .._auth import ApiKey, BearerToken, Credential, EphemeralToken, GoogleAccount
from .._closes import Close, Phase, classify
from .._dial import Connector, Proxy, TcpConnector, way_to
from .._endpoint import GeminiApi, VertexAi
from .._session import LiveSession, open_session
from ..capabilities import Capability
from ..config import Liveness, ReconnectPolicy, SessionConfig
from ..errors import (
    ConfigError,
    ConnectError,
    CredentialsError,
    SessionBroken,
    SetupError,
    SetupRejected,
)
from ..observers import SessionObserver
from ..wire import JsonValue
from ._report import Notes, State
from ._stages import clock_check, tls_check

__all__ = ["AFTERWARDS", "STEPS", "Way"]

DNS: Final = 5.0
CONNECT: Final = 12.0
SETUP: Final = 10.0
CLOSE: Final = 1.0
PING_AFTER: Final = 0.25
"""Seconds of silence. A session would wait for longer; here the time of a ping is wanted."""

AFTERWARDS: Final = ("round trip", "ping", "resumption")
"""What is tried once there is a session."""
_ON_SETUP: Final = ("access", "model", "region", "setup")
"""What is known once the setup is answered."""
STEPS: Final = (
    *("credentials", "dns", "proxy", "tcp", "tls", "websocket"),
    *_ON_SETUP,
    *AFTERWARDS,
)
"""Each depends on those before it."""

NO_CREDENTIALS: Final = "Give some: at the terminal GEMINI_API_KEY, in a program auth=ApiKey(...)."

_STAGES: Final = {"upgrade": "websocket"}
"""Stages of connecting that are named otherwise here."""
_STAGE_AND_TIME: Final = re.compile(r" \(stage '\w+', after [\d.]+ s\)")
_CULPRITS: Final = {
    **dict.fromkeys(("bad_key", "no_credentials", "token", "bad_token"), "access"),
    **dict.fromkeys(("api_disabled", "denied", "quota"), "access"),
    "unknown_model": "model",
    "region": "region",
}
"""Whose fault a refused setup is, by its cause in the table of closes."""


class Way(SessionObserver):
    """Goes it, and notes what it meets.

    Args:
      notes: Where it is noted.
      config: Of the session.
      connector: How the service is reached.
      source: Where the credentials come from, in words.
    """

    def __init__(
        self, notes: Notes, config: SessionConfig, connector: Connector, *, source: str
    ) -> None:
        self._notes = notes
        self._config = config
        self._connector = connector
        self._source = source
        self._target = config.endpoint.target()
        self._proxy: Proxy | None = None
        self._why = ""
        self._by_proxy = 0.0
        self._upgraded_at = 0.0
        self._blame = ""
        """What has failed already, without keeping us from looking at the network."""
        self.left: list[str] = list(STEPS)
        """What hasn't been noted yet."""
        self.was_pinged: trio.Event = trio.Event()
        self.ping: float = 0.0
        """Seconds that the newest ping took."""

    @property
    def capability(self) -> Capability:
        """What is known of the model."""
        config = self._config
        return config.capabilities.capability_of(config.model, config.endpoint.backend)

    # --- Noting ----------------------------------------------------------------------------

    def note(
        self,
        name: str,
        state: State,
        text: str,
        *,
        fix: str = "",
        seconds: float | None = None,
        facts: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Note a check, and say what comes next."""
        self.left.remove(name)
        self._notes.add(name, state, text, fix=fix, seconds=seconds, facts=facts)
        if name == "tcp" and state == "ok" and not self._target.secure:
            self.note("tls", "skipped", "ws:// has none")
        elif self.left and state != "failed":
            self._notes.start("setup" if self.left[0] in _ON_SETUP else self.left[0])

    def fail(self, name: str, text: str, *, fix: str, seconds: float | None = None) -> None:
        """Note what failed, and that therefore the rest can't be looked at."""
        if name not in self.left:
            name = self.left[0]
        self.note(name, "failed", text, fix=fix, seconds=seconds)
        self._skip_rest(name)

    def _skip_rest(self, because: str) -> None:
        self._notes.skip(self.left, because)
        self.left.clear()

    # --- Going -----------------------------------------------------------------------------

    async def go(
        self,
        afterwards: Callable[[LiveSession, Way], Awaitable[None]],
        *,
        no_credentials: ConfigError | None,
    ) -> None:
        """Open a session, let ``afterwards`` try it, and note everything.

        Args:
          afterwards: What to do with it; it notes what ``AFTERWARDS`` lists.
          no_credentials: Why there are none; then only the network is looked at.
        """
        config = self._config
        if no_credentials is not None:
            config = self._without_credentials(str(no_credentials), "")
        elif isinstance(config.auth, Credential | None):
            self.note("credentials", "ok", self._who())
        if not await self._find_proxy() or not await self._look_up():
            return
        refusal = await self._open(config, afterwards)
        if refusal is not None:
            fix = refusal.advice
            config = self._without_credentials(str(refusal).removesuffix(fix).rstrip(), fix)
            await self._open(config, afterwards)

    def _without_credentials(self, text: str, fix: str) -> SessionConfig:
        what, _, advice = text.partition(": ") if not fix else (text, "", fix)
        # A command to type stays as it is.
        fix = advice if advice.startswith("pip ") else f"{advice[:1].upper()}{advice[1:]}"
        self.note("credentials", "failed", what, fix=fix)
        self._blame = "credentials"
        return attrs.evolve(self._config, auth=None)

    async def _find_proxy(self) -> bool:
        if not isinstance(self._connector, TcpConnector):
            for name in ("dns", "proxy", "tcp", "tls"):
                self.note(name, "skipped", "the program reaches the service in its own way")
            return True
        try:
            way = way_to(self._connector.proxy, self._target)
        except ConfigError as error:
            self.fail("proxy", str(error), fix="Mend that variable, or unset it.")
            return False
        self._proxy, self._why = way.proxy, way.why
        return True

    async def _look_up(self) -> bool:
        if "dns" not in self.left:
            return True
        place = self._proxy or self._target
        later = f"; {self._target.host} is looked up by the proxy" if self._proxy else ""
        began = trio.current_time()
        if _is_address(place.host):
            self._looked_up(f"{place.host} is no name{later}", 0.0, [place.host])
            return True
        self._notes.start("dns")
        why = f"no answer within {DNS:g} s"
        with trio.move_on_after(DNS) as scope:
            try:
                found = await trio.socket.getaddrinfo(
                    place.host, place.port, type=socket.SOCK_STREAM
                )
            except (OSError, UnicodeError) as error:
                why = getattr(error, "strerror", None) or "it can't be a name"
            else:
                seconds = trio.current_time() - began
                addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
                more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
                text = f"{place.host} is {addresses[0]}{more}{later}"
                self._looked_up(text, seconds, addresses)
                return True
        whose = "the proxy's name " if self._proxy else ""
        self.fail(
            "dns",
            f"{whose}{place.host} can't be resolved: {why}",
            fix=self._advice_on_name(timed_out=scope.cancelled_caught),
            seconds=trio.current_time() - began,
        )
        return False

    def _looked_up(self, text: str, seconds: float, addresses: list[str]) -> None:
        self.note("dns", "ok", text, seconds=seconds, facts={"addresses": addresses})
        if self._proxy is None:
            self.note("proxy", "ok", f"none: {self._why}")

    def _advice_on_name(self, *, timed_out: bool) -> str:
        endpoint = self._config.endpoint
        if timed_out:
            return "Check the network and its name servers."
        if self._proxy is not None:
            return f"Check the proxy's address ({self._why}), and the network."
        if isinstance(endpoint, VertexAi) and not endpoint.express and endpoint.base_url is None:
            return f"Check that {endpoint.location} is a region of Vertex AI, and the network."
        return "Check the address and the network."

    async def _open(
        self,
        config: SessionConfig,
        afterwards: Callable[[LiveSession, Way], Awaitable[None]],
    ) -> CredentialsError | None:
        """Open it; return why there was no credential, if there was none."""
        try:
            async with open_session(
                attrs.evolve(config, check="off"),  # what it finds is noted already
                connector=self._connector,
                reconnect=ReconnectPolicy(enabled=False),
                liveness=Liveness(ping_after=PING_AFTER),
                observers=[self],
                connect_timeout=CONNECT,
                setup_timeout=SETUP,
                close_timeout=CLOSE,
            ) as session:
                if self._blame:
                    self._skip_rest(self._blame)
                else:
                    await afterwards(session, self)
        except CredentialsError as error:
            return error
        except ConnectError as error:
            self._not_connected(error)
        except SetupError as error:
            self._not_set_up(error)
        except ConfigError as error:
            # What can only be known now: a SOCKS5 proxy without its extra.
            what, _, fix = str(error).partition(": ")
            self.fail("proxy", what, fix=fix)
        except SessionBroken as error:
            what = str(error).removesuffix(error.advice).rstrip()
            if self.left:
                self.fail(self.left[0], what, fix=error.advice)
            else:
                self._notes.add("end", "warning", what, fix=error.advice)
        return None

    def _not_connected(self, error: ConnectError) -> None:
        name = _STAGES.get(error.stage, error.stage)
        if name in ("tls", "websocket"):
            self._proxy_is_behind()
        if name == "websocket" and self._blame:
            self._skip_rest(self._blame)
            return
        what = _STAGE_AND_TIME.sub(f" ({self._why})" if name == "proxy" else "", str(error))
        advice = f"; {error.advice[:1].lower()}{error.advice[1:]}"
        text = " ".join(what.removesuffix(advice).split())  # an answer in it may have many lines
        self.fail(name, text, fix=error.advice, seconds=error.seconds)

    def _not_set_up(self, error: SetupError) -> None:
        if self._blame:
            self._skip_rest(self._blame)
            return
        seconds = trio.current_time() - self._upgraded_at
        if not isinstance(error, SetupRejected):
            fix = "Check the model, the address, and fields of the setup that are younger than it."
            self._blame_setup(str(error), fix, "setup", seconds)
            return
        close = Close("server", error.code, error.reason)
        rule = classify(close, Phase.FIRST)
        culprit = _CULPRITS.get(rule.cause, "setup")
        who, fix = "", error.advice
        if culprit == "access" and self._config.auth is None:
            who, fix = "no credentials were given, and ", NO_CREDENTIALS
        self._blame_setup(f"{who}{close}", fix, culprit, seconds)

    def _blame_setup(self, text: str, fix: str, culprit: str, seconds: float) -> None:
        """Note what the setup failed on; of the others it isn't known."""
        for name in _ON_SETUP[: _ON_SETUP.index(culprit)]:
            self.note(name, "skipped", f"because {culprit} failed", facts={"because": culprit})
        self.fail(culprit, text, fix=fix, seconds=seconds)

    # --- Watching, as an observer --------------------------------------------------------------

    def stage_passed(
        self,
        *,
        connection: int,
        stage: str,
        address: str,
        seconds: float,
        facts: Mapping[str, str],
        time: float,
    ) -> None:
        """See ``SessionObserver``."""
        match stage:
            case "credentials" if "credentials" in self.left:
                self.note("credentials", "ok", self._who(), seconds=seconds)
            case "proxy":
                self._by_proxy += seconds
            case "tcp" if "tcp" in self.left:
                text = f"{address} answers"
                self.note("tcp", "ok", text, seconds=seconds, facts={"address": address, **facts})
            case "tls" if "tls" in self.left:
                self._proxy_is_behind()
                state, text, fix = tls_check(facts, own_trust=self._trusts_otherwise())
                self.note("tls", state, text, fix=fix, seconds=seconds, facts=facts)
            case "upgrade":
                self._upgraded(address, seconds, facts, time)

    def connected(self, *, connection: int, resumed: bool, time: float) -> None:
        """See ``SessionObserver``."""
        if self._blame:
            return
        model = self._config.setup().model
        self.note("access", "ok", self._access())
        self.note("model", "ok", f"the service has {model}", facts={"model": model})
        self.note("region", *self._region())
        self.note("setup", "ok", "the service is ready", seconds=time - self._upgraded_at)

    def pinged(self, *, seconds: float, time: float) -> None:
        """See ``SessionObserver``."""
        self.ping = seconds
        self.was_pinged.set()

    # --- Words -------------------------------------------------------------------------------

    def _upgraded(
        self, address: str, seconds: float, facts: Mapping[str, str], time: float
    ) -> None:
        self._proxy_is_behind()
        self._upgraded_at = time
        if "websocket" not in self.left:
            return
        self.note("websocket", "ok", f"{address} speaks WebSocket", seconds=seconds)
        if "date" in facts:
            check = clock_check(facts["date"])
            if check is not None:
                self._notes.note(check)

    def _who(self) -> str:
        """Whose credentials they are, in words."""
        source = f" from {self._source}" if self._source else ""
        auth: object = self._config.auth
        match auth:
            case None:
                return "none are given; the service wants some, a simulator may not"
            case ApiKey(in_url=in_url):
                return f"an API key{source}{', in the URL' if in_url else ''}"
            case EphemeralToken():
                return f"an ephemeral token{source}"
            case BearerToken():
                return f"an access token{source}"
            case GoogleAccount():
                return f"a Google account{source}"
        return f"what a function gives{source}"

    def _access(self) -> str:
        return "the service lets us in" if self._config.auth else "nobody asks who we are"

    def _region(self) -> tuple[State, str]:
        match self._config.endpoint:
            case VertexAi(express=False, location=location):
                return "ok", f"{location} serves the model"
            case GeminiApi():
                return "ok", "the Gemini API serves this place"
        return "ok", "the service serves this place"

    def _proxy_is_behind(self) -> None:
        """The tunnel stands: say so, and that TCP was a part of it."""
        if self._proxy is None or "proxy" not in self.left:
            return
        self.note("proxy", "ok", f"{self._proxy} ({self._why})", seconds=self._by_proxy)
        if "tcp" in self.left:
            self.note("tcp", "ok", f"the proxy has reached {self._target}")

    def _trusts_otherwise(self) -> bool:
        return isinstance(self._connector, TcpConnector) and bool(self._connector.ssl_context)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
