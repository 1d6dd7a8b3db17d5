"""``update``, with the real pip, uv and pipx, and an index that is a folder of wheels."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import attrs
import pytest

import gemini_live_trio
from gemini_live_trio.errors import ConfigError
from gemini_live_trio.repl._update import find_installation

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX layout of environments")

PACKAGE = Path(gemini_live_trio.__file__).parent
OLD, NEW = gemini_live_trio.__version__, "99.1"
CHANGES = f"""\
# Changelog

## {NEW}

- It can fly.

## 50.0

- It can walk.

## {OLD}

- It can stand.
"""
UPDATE = (
    "import sys, trio; from gemini_live_trio.repl._update import run_update; "
    "from functools import partial; from gemini_live_trio.repl._errors import verdict\n"
    "check = '--check' in sys.argv\n"
    "try: sys.exit(trio.run(partial(run_update, only_check=check, tell=print)))\n"
    "except Exception as error:\n"
    "    text, status = verdict(error); print(text, file=sys.stderr); sys.exit(status)\n"
)


def build(folder: Path, version: str, *, broken: bool = False) -> None:
    """Make a wheel of this project's files, with another version."""
    name = "gemini_live_trio"
    info = f"{name}-{version}.dist-info"
    files: dict[str, bytes] = {
        str(path.relative_to(PACKAGE.parent)): path.read_bytes() for path in PACKAGE.rglob("*.py")
    }
    files[f"{name}/CHANGELOG.md"] = CHANGES.encode()
    init = files[f"{name}/__init__.py"].decode()
    changed = init.replace(f'__version__ = "{OLD}"', f'__version__ = "{version}"')
    files[f"{name}/__init__.py"] = b"1 / 0\n" if broken else changed.encode()
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: gemini-live-trio\nVersion: {version}\n"
        "Provides-Extra: there\nRequires-Dist: trio>=0.27; extra == 'there'\n"
        "Provides-Extra: missing\nRequires-Dist: no-such-thing-4711; extra == 'missing'\n"
    ).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = (
        b"[console_scripts]\ngemini-live-trio = gemini_live_trio.__main__:main\n"
    )
    record = ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(data)}\n"
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")


@attrs.frozen
class World:
    """An index, and an environment with the old version in it."""

    index: Path
    python: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), "-P", "-c", UPDATE, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def version(self) -> str:
        run = subprocess.run(
            [str(self.python), "-P", "-m", "gemini_live_trio", "--version"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return run.stdout.split()[-1] if run.stdout else run.stderr


def borrow_libraries(python: Path) -> None:
    """Let an environment see the libraries of this one, but not its pip: that is the tool's own."""
    (site,) = python.parent.parent.glob("lib/python*/site-packages")
    shelf = python.parent.parent / "borrowed"
    shelf.mkdir()
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *sys.path}
    for path in borrowed:
        if path.endswith("site-packages"):
            for library in Path(path).iterdir():
                if not library.name.startswith("pip"):
                    (shelf / library.name).symlink_to(library)
    (site / "zz_borrowed.pth").write_text(f"{shelf}\n")


def call(environment: dict[str, str], *command: str | Path) -> None:
    run = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr


def installed_by(tool: str, folder: Path, *, backend: str = "") -> World:
    index = folder / "index"
    index.mkdir()
    build(index, OLD)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(index),
        "UV_CACHE_DIR": str(folder / "cache"),
        "UV_TOOL_DIR": str(folder / "tools"),
        "UV_TOOL_BIN_DIR": str(folder / "bin"),
        "PIPX_HOME": str(folder / "pipx"),
        "PIPX_BIN_DIR": str(folder / "bin"),
        "PIPX_DEFAULT_BACKEND": backend,
        "UV_PYTHON": sys.executable,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    if tool == "uv tool":
        call(environment, "uv", "tool", "install", "gemini-live-trio")
        python = folder / "tools" / "gemini-live-trio" / "bin" / "python"
    elif tool == "pipx":
        if backend == "pip":  # which is too old in Python's own bundle
            online = {name: value for name, value in environment.items() if name != "PIP_NO_INDEX"}
            call(online, "pipx", "upgrade-shared")
        call(environment, "pipx", "install", "--python", sys.executable, "gemini-live-trio")
        python = folder / "pipx" / "venvs" / "gemini-live-trio" / "bin" / "python"
    else:
        call(environment, sys.executable, "-m", "venv", folder / "venv")
        python = folder / "venv" / "bin" / "python"
        install = ["uv", "pip"] if tool == "uv" else [python, "-m", "pip"]
        where = ["--python", python] if tool == "uv" else []
        call(environment, *install, "install", *where, "gemini-live-trio")
    borrow_libraries(python)
    return World(index, python, environment)


@pytest.mark.parametrize(
    ("tool", "backend"),
    [("pip", ""), ("uv", ""), ("uv tool", ""), ("pipx", "pip"), ("pipx", "uv")],
)
def test_the_tool_that_installed_it_updates_it(tool: str, backend: str, tmp_path: Path) -> None:
    if tool != "pip" and shutil.which(tool.split()[0]) is None:
        assert "UPDATERS_REQUIRED" not in os.environ, f"{tool} isn't installed"
        pytest.skip(f"needs {tool} (nox -s tests installs it)")
    world = installed_by(tool, tmp_path, backend=backend)
    assert world.version() == OLD

    same = world.run()
    assert (same.returncode, same.stderr) == (0, "")
    assert f"{OLD} is the newest version that {tool} finds" in same.stdout

    build(world.index, NEW)
    checked = world.run("--check")
    assert (checked.returncode, checked.stderr) == (1, "")
    assert f"{NEW} is there; this is {OLD}" in checked.stdout
    assert world.version() == OLD

    updated = world.run()
    assert (updated.returncode, updated.stderr) == (0, "")
    assert f"from {OLD} to {NEW} with {tool}" in updated.stdout
    assert "- It can fly." in updated.stdout
    assert "- It can walk." in updated.stdout
    assert "- It can stand." not in updated.stdout
    assert "is installed, and starts" in updated.stdout
    assert world.version() == NEW


def test_an_update_that_does_not_start_is_told_with_the_way_back(tmp_path: Path) -> None:
    world = installed_by("pip", tmp_path)
    build(world.index, NEW, broken=True)
    failed = world.run()
    assert failed.returncode == 1
    assert "doesn't start" in failed.stderr
    assert f"pip install gemini-live-trio=={OLD}" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_tool_that_fails_has_its_own_last_words(tmp_path: Path) -> None:
    world = installed_by("pip", tmp_path)
    (world.index / f"gemini_live_trio-{NEW}-py3-none-any.whl").write_bytes(b"no zip at all")
    failed = world.run()
    assert failed.returncode == 1
    assert "pip couldn't tell the newest version (status" in failed.stderr
    assert "is invalid" in failed.stderr
    assert world.version() == OLD


def test_extras_that_are_there_are_kept_fit(tmp_path: Path) -> None:
    build(tmp_path, OLD)
    with zipfile.ZipFile(tmp_path / f"gemini_live_trio-{OLD}-py3-none-any.whl") as wheel:
        wheel.extractall(tmp_path)
    info = tmp_path / f"gemini_live_trio-{OLD}.dist-info"
    (info / "INSTALLER").write_text("pip\n")
    found = find_installation(importlib.metadata.Distribution.at(info), tmp_path)
    assert found.updates[-1] == "gemini-live-trio[there]"


ORIGIN = '{"url": "file:///src", "dir_info": {%s}}'
GIT = '{"url": "https://git.example/x", "vcs_info": {}}'


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("direct_url.json", ORIGIN % '"editable": true', "runs from the folder /src"),
        ("direct_url.json", ORIGIN % "", "was installed from the folder /src"),
        ("direct_url.json", GIT, "from a repository"),
        ("INSTALLER", "conda\n", "was installed by conda, so update it with that"),
        ("INSTALLER", "", "nobody knows whom"),
    ],
)
def test_what_nobody_here_can_update_is_refused_with_the_way(
    file: str, text: str, said: str, tmp_path: Path
) -> None:
    info = tmp_path / f"gemini_live_trio-{OLD}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: gemini-live-trio\nVersion: {OLD}\n")
    (info / file).write_text(text)
    with pytest.raises(ConfigError, match=said):
        find_installation(importlib.metadata.Distribution.at(info), tmp_path)
