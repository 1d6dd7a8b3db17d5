"""What this machine has installed and set, and what the configuration asks for. No network."""

from __future__ import annotations

import os
import platform
import ssl
from importlib import metadata
from typing import Final

from .. import __version__
from .._endpoint import CustomEndpoint, GeminiApi, VertexAi
from ..config import SessionConfig
from ..errors import ConfigError
from ..explanation import explain
from ..wire import JsonValue
from ._extras import installed_extras
from ._report import Notes, State

__all__ = ["VARIABLES", "configuration", "environment", "extras", "versions"]

PACKAGE: Final = "gemini-live-trio"

VARIABLES: Final = (
    *("GEMINI_API_KEY", "GOOGLE_API_KEY", "GEMINI_MODEL", "LIVE_BACKEND"),
    *("GEMINI_THINKING_LEVEL", "GEMINI_SYSTEM_INSTRUCTION"),
    *("VERTEX_PROJECT", "VERTEX_LOCATION", "VERTEX_MODEL", "VERTEX_AUTH"),
    *("VERTEX_AI_ACCESS_TOKEN",),
    *("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "GOOGLE_GENAI_USE_VERTEXAI"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_QUOTA_PROJECT"),
    *("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"),
    *("NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"),
    *("PULSE_SERVER", "PULSE_LATENCY_MSEC", "DISPLAY", "WAYLAND_DISPLAY"),
)
"""What may explain how it behaves; their values are nobody's business."""


def versions(notes: Notes) -> None:
    """Say what runs here."""
    facts = {
        PACKAGE: __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in ("trio", "trio-websocket")},
        "openssl": ssl.OPENSSL_VERSION.removeprefix("OpenSSL ").partition(" ")[0],
        "system": f"{platform.system()} {platform.machine()}",
    }
    text = (
        f"{PACKAGE} {__version__}, Python {facts['python']}, Trio {facts['trio']}, "
        f"trio-websocket {facts['trio-websocket']}, OpenSSL {facts['openssl']}, {facts['system']}"
    )
    notes.add("versions", "ok", text, facts=facts)


def extras(notes: Notes) -> None:
    """Say which of the package's extras are wholly installed, as its own metadata define them."""
    try:
        distribution = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        notes.add("extras", "skipped", f"{PACKAGE} isn't installed as a package")
        return
    there, missing = installed_extras(distribution)
    text = ", ".join(there) or "none"
    text += f"; not installed: {', '.join(missing)}" if missing else ""
    notes.add("extras", "ok", text, facts={"installed": there, "missing": missing})


def environment(notes: Notes) -> None:
    """Say which variables may matter here, by their names."""
    seen = [name for name in VARIABLES if os.environ.get(name)]
    notes.add("environment", "ok", ", ".join(seen) or "nothing set", facts={"variables": seen})


def configuration(notes: Notes, config: SessionConfig) -> bool:
    """Say what will be asked for; whether it can be asked for at all."""
    target = config.endpoint.target()
    facts: dict[str, JsonValue] = {
        "address": str(target),
        "path": target.resource.partition("?")[0],
    }
    try:
        explanation = explain(config)
    except ConfigError as error:
        notes.add("configuration", "failed", str(error), fix="Mend the configuration.", facts=facts)
        return False
    model = explanation.sends["model"]
    facts["model"] = model
    facts["findings"] = [finding.rule for finding in explanation.findings]
    text = f"{model} at {target}, {_kind(config)}"
    worst = next(iter(explanation.refused or explanation.findings), None)
    if worst is None:
        notes.add("configuration", "ok", text, facts=facts)
        return True
    state: State = "failed" if worst.blocks and config.check == "strict" else "warning"
    fix = f"{worst.fix[:1].upper()}{worst.fix[1:]}."
    notes.add("configuration", state, worst.why, fix=fix, facts=facts)
    return state != "failed"


def _kind(config: SessionConfig) -> str:
    match config.endpoint:
        case GeminiApi(version=version):
            return f"Gemini API {version}"
        case VertexAi(version=version, express=True):
            return f"Vertex AI {version} in express mode"
        case VertexAi(version=version, project=project):
            return f"Vertex AI {version}, project {project}"
        case CustomEndpoint():
            return "an endpoint of your own"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
