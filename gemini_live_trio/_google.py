"""Google's application default credentials, without letting google-auth hold up anything.

google-auth is synchronous: it reads files, starts ``gcloud``, asks a metadata server, and each of
these may hang. So it runs in a thread, and this is what is made of it:

* One thread at a time, however many sessions ask. Callers wait for it, each with its own time-out;
  one that gives up, or is cancelled, leaves the thread to the others.
* A thread can't be stopped. One that hangs stays until google-auth gives up; nobody waits for it
  beyond the time-out, no second one is started beside it, and it doesn't keep the program from
  ending.
* A token is used until shortly before it expires, and renewed in the background before that.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from ._auth import BearerToken, DialReason, GoogleAccount
from ._redact import Redactor
from .errors import ConfigError, CredentialsError, GeminiLiveError, MissingDependency

if TYPE_CHECKING:
    import outcome
    from google.auth.credentials import Credentials

__all__ = ["ApplicationDefault"]

_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_USELESS: Final = 30.0
"""Seconds before its end at which a token isn't dialled with any more."""


@attrs.frozen
class _Token:
    bearer: BearerToken
    expires: datetime | None

    def lasts(self, seconds: float) -> bool:
        if self.expires is None:
            return True
        return (self.expires - datetime.now(UTC)).total_seconds() > seconds


class _Flight:
    """One call of google-auth, in a thread, for all who ask meanwhile."""

    def __init__(self) -> None:
        self.run: trio.lowlevel.TrioToken = trio.lowlevel.current_trio_token()
        self.landed: trio.Event = trio.Event()
        self.result: _Token | BaseException | None = None


class ApplicationDefault(GoogleAccount):
    """Google's application default credentials, for Vertex AI (extra ``vertex``).

    That is: the file that ``GOOGLE_APPLICATION_CREDENTIALS`` names, ``gcloud auth
    application-default login``, or the service account of the machine it runs on. One object may
    serve many sessions.

    Args:
      credentials: google-auth's own, instead of what it finds.
      quota_project: The project that is charged for the calls; by default what the credentials say.
      scopes: What the token is to allow.
      refresh_ahead: Seconds before its end from which on a token is renewed.
      timeout: Seconds to wait for google-auth.

    Raises:
      ConfigError: A number is negative, or ``timeout`` is 0.
      MissingDependency: The extra ``vertex`` isn't installed.
    """

    def __init__(
        self,
        *,
        credentials: Credentials | None = None,
        quota_project: str | None = None,
        scopes: Sequence[str] = _SCOPES,
        refresh_ahead: float = 300.0,
        timeout: float = 10.0,
    ) -> None:
        if not refresh_ahead >= 0 or not timeout > 0:
            raise ConfigError("refresh_ahead and timeout take seconds.")
        if not _installed("google.auth") or not _installed("requests"):
            raise MissingDependency(
                'ApplicationDefault needs: pip install "gemini-live-trio[vertex]"'
            )
        self._credentials: Any = credentials
        self._quota_project = quota_project
        self._scopes = (scopes,) if isinstance(scopes, str) else tuple(scopes)
        self._refresh_ahead = refresh_ahead
        self._timeout = timeout
        self._token: _Token | None = None
        self._flight: _Flight | None = None

    def __repr__(self) -> str:
        return "ApplicationDefault()"

    async def __call__(self, reason: DialReason, /) -> BearerToken:
        """Return a token that lasts; renew it where it doesn't.

        Raises:
          CredentialsError: google-auth has none, or doesn't answer in time.

        Cancellation: at any time; a renewal goes on for the next to ask.
        """
        await trio.lowlevel.checkpoint()
        token = self._token
        if token is not None and token.lasts(self._refresh_ahead):
            return token.bearer
        flight = self._take_off()
        if token is not None and token.lasts(_USELESS):
            return token.bearer
        with trio.move_on_after(self._timeout):
            await flight.landed.wait()
        if flight.result is None:
            raise CredentialsError(
                f"google-auth gave no token within {self._timeout:g} s.",
                advice="Check the network to the token endpoint or the metadata server.",
            )
        if isinstance(flight.result, BaseException):
            raise _explained(flight.result)
        return flight.result.bearer

    def _take_off(self) -> _Flight:
        """Start a thread, unless one is under way."""
        flight = self._flight
        if flight is not None and flight.run is trio.lowlevel.current_trio_token():
            return flight
        flight = self._flight = _Flight()
        trio.lowlevel.start_thread_soon(
            self._renew, functools.partial(self._deliver, flight), "google-auth"
        )
        return flight

    def _deliver(self, flight: _Flight, result: outcome.Outcome[_Token]) -> None:
        """Hand the result over; called in the thread."""
        landing: _Token | BaseException
        try:
            landing = result.unwrap()
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for it
            landing = error
        with suppress(trio.RunFinishedError):  # nobody is left to want it
            flight.run.run_sync_soon(self._land, flight, landing)

    def _land(self, flight: _Flight, result: _Token | BaseException) -> None:
        flight.result = result
        if isinstance(result, _Token):
            self._token = result
        if self._flight is flight:
            self._flight = None
        flight.landed.set()

    def _renew(self) -> _Token:
        """Run google-auth; in the thread."""
        import google.auth
        import google.auth.transport.requests

        request: Any = google.auth.transport.requests.Request()
        hurried: Any = functools.partial(request, timeout=self._timeout)
        credentials = self._credentials
        if credentials is None:
            credentials, _ = google.auth.default(scopes=self._scopes, request=hurried)
            self._credentials = credentials
        credentials.refresh(hurried)
        expiry = credentials.expiry
        return _Token(
            BearerToken(
                credentials.token,
                quota_project=self._quota_project or credentials.quota_project_id,
            ),
            None if expiry is None else expiry.replace(tzinfo=UTC),
        )


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


def _explained(error: BaseException) -> GeminiLiveError:
    """Say what it means; google-auth's text may quote an answer with a token in it."""
    if isinstance(error, GeminiLiveError):
        return error.with_traceback(None)
    from google.auth import exceptions

    said = Redactor().text(str(error.args[0] if error.args else error)).rstrip(".")
    if isinstance(error, exceptions.DefaultCredentialsError):
        return CredentialsError(
            f"There are no Google credentials here ({said}).",
            advice="Run gcloud auth application-default login, or set "
            "GOOGLE_APPLICATION_CREDENTIALS to a file with some.",
        )
    if isinstance(error, exceptions.RefreshError):
        return CredentialsError(
            f"Google gave no token for these credentials ({said}).",
            advice="They may be revoked or expired; log in again, or make a new key.",
        )
    if isinstance(error, exceptions.TransportError):
        return CredentialsError(
            f"The token endpoint can't be reached ({said}).",
            advice="Check the network, and a proxy if there is one.",
        )
    return CredentialsError(f"google-auth failed with {type(error).__name__} ({said}).")
