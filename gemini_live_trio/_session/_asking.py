"""Asking for a credential, within bounds, and keeping what it says out of every text."""

from __future__ import annotations

from collections.abc import Iterator

import trio

from .._auth import Credential, DialReason, approach, secrets_in
from .._endpoint import Target
from .._redact import Redactor, Secrets
from ..config import SessionConfig
from ..errors import ConfigError, CredentialsError, GeminiLiveError

__all__ = ["Asker"]


class Asker:
    """Knows who we are, for one session.

    Attributes:
      secrets: Everything so far that must not be written down.
    """

    def __init__(self, config: SessionConfig) -> None:
        self._config = config
        self.secrets: Secrets = Secrets(secrets_in(config.endpoint, config.auth))
        self._redactor = Redactor(secrets=self.secrets)

    @property
    def renews(self) -> bool:
        """Whether it may have another credential the next time."""
        return not isinstance(self._config.auth, Credential | None)

    def text(self, text: str) -> str:
        """Take secrets out of a text."""
        return self._redactor.text(text)

    def scrub(self, error: GeminiLiveError) -> None:
        """Take them out of an error that quotes the other side."""
        error.args = tuple(
            self.text(part) if isinstance(part, str) else part for part in error.args
        )
        for name, value in vars(error).items():
            if isinstance(value, str):
                setattr(error, name, self.text(value))
        if error.__suppress_context__:
            error.__context__ = None  # what a traceback hides, other tools show

    async def ask(
        self,
        reason: DialReason,
        *,
        timeout: float,  # noqa: ASYNC109 - it is a share of the time for connecting
    ) -> tuple[Target, list[tuple[bytes, bytes]], float]:
        """Return where to dial, with which headers, and how much of the time is left.

        Raises:
          CredentialsError: Nobody could say, or not in time.
        """
        auth = self._config.auth
        if isinstance(auth, Credential | None):
            return *approach(self._config.endpoint, auth), timeout
        started = trio.current_time()
        credential: object = None
        failure: CredentialsError | None = None
        cause: Exception | None = None
        with trio.move_on_after(timeout) as scope:
            try:
                credential = await auth(reason)
            except CredentialsError as error:
                self.scrub(error)
                if self._presentable(error) is None:
                    error.__cause__ = error.__context__ = None
                raise
            except Exception as error:  # noqa: BLE001 - told below, outside of its own handling
                failure, cause = self._failure(error), self._presentable(error)
        if scope.cancelled_caught:
            failure = CredentialsError(
                f"There was no credential within {timeout:g} s.",
                advice="Check what is to give it, or raise connect_timeout.",
            )
        if failure is not None:
            raise failure from cause
        if not isinstance(credential, Credential):
            raise CredentialsError(
                f"auth gave a {type(credential).__name__}.",
                advice="It must return an ApiKey, an EphemeralToken or a BearerToken.",
            )
        self.secrets.add(credential.secrets())
        try:
            target, headers = approach(self._config.endpoint, credential)
        except ConfigError as error:
            raise CredentialsError(str(error)) from None
        return target, headers, max(0.0, timeout - (trio.current_time() - started))

    def _failure(self, error: Exception) -> CredentialsError:
        said = self.text(str(error))
        words = f": {said}" if said else ""
        return CredentialsError(
            f"auth raised {type(error).__name__}{words}.",
            advice="It is asked for a credential before every dial.",
        )

    def _presentable(self, error: Exception) -> Exception | None:
        """Chain it only where a traceback would show nothing that looks like a secret."""
        for link in _chain(error):
            shown = f"{link!r} {link} {getattr(link, '__notes__', '')}"
            if self.text(shown) != shown:
                return None
        return error


def _chain(error: BaseException) -> Iterator[BaseException]:
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [other for other in (link.__cause__, link.__context__) if other is not None]
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
