"""What a configuration comes to: what is dialled and sent, what is left out, what won't work.

``print(explain(config))`` shows it without dialling. ``open_session`` looks through the same
glasses before it does.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Any

import attrs

from . import codec, wire
from ._auth import ApiKey, BearerToken, EphemeralToken, secrets_in
from ._redact import Redactor, Secrets
from .capabilities import Capability, Finding
from .config import SessionConfig
from .errors import ConfigError

__all__ = ["Explanation", "LeftOut", "explain"]


@attrs.frozen
class LeftOut:
    """Something that was asked for and isn't sent."""

    option: str
    """The option of ``SessionConfig``."""

    why: str


@attrs.frozen(kw_only=True)
class Explanation:
    """What a configuration comes to; as text, it is for a person."""

    dials: str
    """The URL, without a query."""

    auth: str
    """What kind of credential is presented, and how; never the credential."""

    capability: Capability
    """What is known of the model there."""

    sends: Any
    """``setup`` as JSON; secrets and media are left out."""

    left_out: Sequence[LeftOut]
    findings: Sequence[Finding]
    """What the model won't take, what it makes no use of, and what isn't certain."""

    @property
    def refused(self) -> Sequence[Finding]:
        """The findings that stop a session whose ``check`` is ``"strict"``."""
        return [finding for finding in self.findings if finding.blocks]

    def __str__(self) -> str:
        known = self.capability
        lines = [
            f"dials   {self.dials}",
            f"as      {self.auth}",
            f"model   {self.sends['model']}, known as {known.name} ({known.status})",
            "sends",
            textwrap.indent(json.dumps(self.sends, indent=2, ensure_ascii=False), "        "),
        ]
        for title, rows in (
            ("leaves out", [f"{item.option}: {item.why}" for item in self.left_out]),
            ("refused", self._told(self.refused)),
            (
                "perhaps refused",
                self._told(
                    finding
                    for finding in self.findings
                    if finding.effect == "refused" and not finding.blocks
                ),
            ),
            ("ignored", self._told(one for one in self.findings if one.effect == "ignored")),
            ("unclear", self._told(one for one in self.findings if one.effect == "unclear")),
        ):
            if rows:
                lines.append(title)
                lines += [f"        {row}" for row in rows]
        if not self.findings:
            lines.append("Nothing speaks against it.")
        return "\n".join(lines)

    def _told(self, findings: Any) -> list[str]:
        return [f"{finding}. [{finding.rule}: {finding.source}]" for finding in findings]


def explain(config: SessionConfig) -> Explanation:
    """Say what a configuration comes to, without any I/O.

    Raises:
      ConfigError: ``extra_setup`` can't be laid over the setup, or it can't be sent at all.
    """
    setup = config.setup()
    try:
        frame = codec.encode(wire.LiveClientMessage(setup=setup))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    target = config.endpoint.target()
    redactor = Redactor("hash", Secrets(secrets_in(config.endpoint, config.auth)))
    scheme = "wss" if target.secure else "ws"
    return Explanation(
        dials=f"{scheme}://{target}{target.resource.partition('?')[0]}",
        auth=_presented(config),
        capability=config.capabilities.capability_of(setup.model or "", config.endpoint.backend),
        sends=redactor.tree(json.loads(frame))["setup"],
        left_out=tuple(_left_out(config, setup)),
        findings=config.findings(),
    )


def _presented(config: SessionConfig) -> str:
    match config.auth:
        case None:
            return "nobody: no credential"
        case ApiKey(in_url=in_url):
            what = "an API key"
        case EphemeralToken(in_url=in_url):
            what = "an ephemeral token"
        case BearerToken():
            what, in_url = "an OAuth access token", False
        case _:
            return f"whoever {getattr(config.auth, '__name__', type(config.auth).__name__)} says"
    return f"{what}, in {'the URL' if in_url else 'a header'}"


def _left_out(config: SessionConfig, setup: wire.LiveClientSetup) -> Sequence[LeftOut]:
    items = []
    if config.output_audio_transcription and setup.output_audio_transcription is None:
        items.append(
            LeftOut(
                "output_audio_transcription",
                f"there is no voice to transcribe in a session that answers in {config.modality}",
            )
        )
    return items
