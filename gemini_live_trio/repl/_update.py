"""``update``: let the tool that installed this package install its newest version.

There is no installer of our own. Whoever put the package where it is (pip, pipx, uv) knows how to
exchange it, checks what it downloads, and would undo what went behind its back. So this finds out
who it was, asks that tool for the newest version, has it do the work, and looks whether the result
starts. A package that runs from a folder is its owner's to update.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import attrs
import trio

from ..doctor import installed_extras
from ..errors import ConfigError, GeminiLiveError

__all__ = [
    "Installation",
    "UpdateFailed",
    "find_installation",
    "newest_version",
    "run_update",
    "update",
]

NAME: Final = "gemini-live-trio"
_LAST_LINES: Final = 8
"""Of a tool that failed, so much is shown."""


class UpdateFailed(GeminiLiveError):
    """The tool couldn't update the package, or what it installed doesn't start."""


@attrs.frozen(kw_only=True)
class Installation:
    """How this package came here, and how it is exchanged."""

    version: str
    tool: Literal["pip", "pipx", "uv", "uv tool"]
    asks: Sequence[str]
    """The command that would install the newest version, and only says so."""
    updates: Sequence[str]
    """The command that does it."""
    goes_back: str
    """What a person types to have this version again."""


def find_installation(
    distribution: importlib.metadata.Distribution | None = None, prefix: Path | None = None
) -> Installation:
    """Find out who installed this package.

    Args:
      distribution: Of this package; the one that runs by default.
      prefix: Of the environment; the running one by default.

    Raises:
      ConfigError: It runs from a folder, or whoever installed it isn't known here or has gone; the
        text says how to update it then.
    """
    if distribution is None:
        try:
            distribution = importlib.metadata.distribution(NAME)
        except importlib.metadata.PackageNotFoundError:
            raise ConfigError(
                f"{NAME} isn't installed but runs from a folder; update that, with git for one."
            ) from None
    prefix = prefix or Path(sys.prefix)
    _check_origin(distribution)
    installer = (distribution.read_text("INSTALLER") or "").strip()
    python, version = sys.executable, distribution.version
    wanted = _with_extras(distribution)
    dry = ["--dry-run", "--no-deps", "--upgrade", NAME]
    ask_pip = [python, "-m", "pip", "install", "--quiet", "--report", "-", *dry]
    if (prefix / "uv-receipt.toml").is_file():
        uv = _program("uv")
        return Installation(
            version=version,
            tool="uv tool",
            asks=[uv, "pip", "install", "--python", python, *dry],
            updates=[uv, "tool", "upgrade", NAME],
            goes_back=f"uv tool install {NAME}=={version}",
        )
    if (prefix / "pipx_metadata.json").is_file():
        pipx = _program("pipx")
        return Installation(
            version=version,
            tool="pipx",
            # Where there is uv, pipx has that do the work, in an environment without pip.
            asks=[pipx, "runpip", NAME, "install", *dry] if installer == "uv" else ask_pip,
            updates=[pipx, "upgrade", NAME],
            goes_back=f"pipx install --force {NAME}=={version}",
        )
    if installer == "uv":
        uv = _program("uv")
        install = [uv, "pip", "install", "--python", python]
        return Installation(
            version=version,
            tool="uv",
            asks=[*install, *dry],
            updates=[*install, "--upgrade", wanted],
            goes_back=f"uv pip install {NAME}=={version}",
        )
    if installer == "pip":
        return Installation(
            version=version,
            tool="pip",
            asks=ask_pip,
            updates=[python, "-m", "pip", "install", "--upgrade", wanted],
            goes_back=f"{python} -m pip install {NAME}=={version}",
        )
    who = f"{installer}, so update it with that" if installer else "nobody knows whom"
    raise ConfigError(
        f"{NAME} {version} was installed by {who}; only pip, pipx and uv can be called from here."
    )


async def newest_version(installation: Installation) -> str | None:
    """Ask for the newest version that the tool would install; ``None`` if there is no newer one.

    Raises:
      UpdateFailed: The tool can't tell; the text has its own last words.
    """
    result = await _run(installation.tool, installation.asks, "tell the newest version")
    if installation.asks[0] == sys.executable:
        for item in json.loads(result.stdout or "{}").get("install", ()):
            if _same(item["metadata"]["name"], NAME):
                return str(item["metadata"]["version"])
        return None
    # uv tells what it would do on standard error, one line for each package.
    found = re.search(rf"^ \+ {re.escape(NAME)}==(\S+)$", result.stderr, re.M)
    return found[1] if found else None


async def update(
    installation: Installation, newest: str, *, package: Path | None = None
) -> Sequence[str]:
    """Have the package exchanged, and see whether the new one starts.

    Args:
      installation: How it came here.
      newest: The version to expect.
      package: The package's folder; the running one's by default.

    Returns:
      What has changed: the lines of the new version's changelog down to the old version.

    Raises:
      UpdateFailed: It couldn't be, or it isn't the version that was expected, or doesn't start.

    Cancellation: the tool is stopped; what it had begun is its own to repair, by another run.
    """
    await _run(installation.tool, installation.updates, f"install version {newest}")
    # -P: not what lies in the folder where the user happens to be.
    check = [sys.executable, "-P", "-m", "gemini_live_trio", "--version"]
    started = await trio.run_process(check, capture_stdout=True, capture_stderr=True, check=False)
    said = started.stdout.decode(errors="replace").strip()
    if started.returncode or not said.endswith(f" {newest}"):
        raise UpdateFailed(
            f"{installation.tool} has installed something, but it "
            + (f"says that it is {said}" if not started.returncode else "doesn't start")
            + f" instead of being {newest}; to go back: {installation.goes_back}"
        )
    package = package or Path(__file__).parent.parent
    return _news(package / "CHANGELOG.md", since=installation.version)


async def run_update(*, only_check: bool, tell: Callable[[str], None]) -> int:
    """Do what ``update`` and ``update --check`` are to do.

    Returns:
      The exit status: 0 if all is well, with ``only_check`` 1 if there is a newer version.

    Raises:
      ConfigError: It can't be updated from here.
      UpdateFailed: It went wrong.
    """
    installation = find_installation()
    newest = await newest_version(installation)
    if newest is None:
        tell(f"{NAME} {installation.version} is the newest version that {installation.tool} finds.")
        return 0
    if only_check:
        tell(f"{NAME} {newest} is there; this is {installation.version}. To install it: update")
        return 1
    tell(f"Updating {NAME} from {installation.version} to {newest} with {installation.tool} ...")
    for line in await update(installation, newest):
        tell(line)
    tell(f"{NAME} {newest} is installed, and starts. To go back: {installation.goes_back}")
    return 0


def _check_origin(distribution: importlib.metadata.Distribution) -> None:
    origin: Mapping[str, Mapping[str, object]] = json.loads(
        distribution.read_text("direct_url.json") or "{}"
    )
    if "vcs_info" in origin:
        raise ConfigError(
            f"{NAME} was installed from a repository ({origin.get('url')}), not from an index; "
            "install it from there again."
        )
    if "dir_info" in origin:
        how = "runs from" if origin["dir_info"].get("editable") else "was installed from"
        raise ConfigError(
            f"{NAME} {how} the folder {str(origin.get('url')).removeprefix('file://')}; update "
            "that, with git for one, and install it again."
        )


def _with_extras(distribution: importlib.metadata.Distribution) -> str:
    """The package with those of its extras that are wholly installed, so that they stay fit."""
    extras, _ = installed_extras(distribution)
    return f"{NAME}[{','.join(sorted(extras))}]" if extras else NAME


def _same(one: str, other: str) -> bool:
    return re.sub("[-_.]+", "-", one).lower() == other


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ConfigError(f"{NAME} was installed by {name}, which isn't on the PATH any more.")
    return path


async def _run(tool: str, command: Sequence[str], what: str) -> subprocess.CompletedProcess[str]:
    try:
        raw = await trio.run_process(
            list(command), capture_stdout=True, capture_stderr=True, check=False, stdin=b""
        )
    except OSError as error:
        raise UpdateFailed(f"{command[0]} can't be started: {error.strerror}.") from None
    result = subprocess.CompletedProcess(
        raw.args,
        raw.returncode,
        raw.stdout.decode(errors="replace"),
        raw.stderr.decode(errors="replace"),
    )
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()[-_LAST_LINES:]
        raise UpdateFailed(
            f"{tool} couldn't {what} (status {result.returncode}):\n"
            + "\n".join(f"  {line}" for line in lines)
        )
    return result


def _news(path: Path, *, since: str) -> Sequence[str]:
    """The changelog's sections above the one of the old version."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    news: list[str] = []
    for line in lines:
        if line.startswith("## "):
            if line[3:].split()[0].strip("[]") == since:
                break
            news.append(line)
        elif news:
            news.append(line)
    while news and not news[-1].strip():
        news.pop()
    return news
