"""Imports go one way, and the sans-IO modules stay that."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gemini_live_trio

PACKAGE = Path(gemini_live_trio.__file__).parent

# Each layer may import itself and those before it on its line.
ORDER = ["errors", "wire", "events", "codec", "_conversation", "tools", "_session", "repl"]
BESIDE_CONVERSATION = {
    *("_transport", "_dial", "_auth", "_google", "_endpoint", "_closes", "_redact"),
    *("capabilities", "config", "explanation"),
}
BOOKS = {"transcript", "usage", "statistics", "observers"}
RULES: dict[str, set[str]] = {
    **{layer: set(ORDER[:number]) for number, layer in enumerate(ORDER)},
    **{module: {"errors", "wire"} | BESIDE_CONVERSATION for module in BESIDE_CONVERSATION},
    "media": {"errors"},
    **{book: {"errors", "wire", "events"} for book in BOOKS},
    "recording": {"errors", "wire", "events", "codec", "_redact", "capabilities"} | BOOKS,
    "otel": {"errors", "wire", "events", "observers"},
    "simulator": {"errors", "wire", "codec", "recording", "_endpoint", "_redact"},
    "testing": {"errors", "wire", "events", "codec", "recording", "simulator"},
    "_starting": set(),
    "__main__": {"", "repl", "_starting"},
}
RULES["_redact"] = RULES["_groups"] = set()
RULES["_tool_events"] = {"wire"}
RULES["events"] |= {"_tool_events"}
RULES["_tokens"] = {"errors", "wire", "codec", "_auth", "_endpoint", "_redact", "config"}
RULES["capabilities"] |= {"usage"}
RULES["_overlay"] = {"errors", "wire", "codec"}
RULES["_builtin"] = {"errors", "wire"}
RULES["config"] |= {"_overlay", "_builtin"}
RULES["explanation"] |= {"codec"}
RULES["_conversation"] |= {"_closes", "capabilities"} | BOOKS
RULES["tools"] |= {"capabilities", "config", "statistics", "_builtin", "_groups", "_redact"}
RULES["tools"] |= {"_session"}  # for type checkers only
RULES["_session"] |= {"recording", "_builtin", "_groups"} | BESIDE_CONVERSATION | BOOKS
RULES["doctor"] = {"", "_session", "media", *RULES["_session"]}
RULES["voice"] = {
    "_groups",
    "errors",
    "events",
    "media",
    "_session",
}  # the last for type checkers only
# The living example uses what everybody may use; the package root holds the public names.
RULES["repl"] = {
    *(
        "",
        "errors",
        "events",
        "wire",
        "codec",
        "media",
        "tools",
        "recording",
        "simulator",
        "config",
        "explanation",
        "doctor",
        "voice",
        "capabilities",
    ),
    *BOOKS,
}

SANS_IO = [
    "wire",
    "events",
    "_tool_events",
    "codec",
    "_conversation",
    "_closes",
    "_endpoint",
    "_auth",
    "_redact",
    "config",
    "capabilities",
    "explanation",
    "_overlay",
    "_builtin",
    *sorted(BOOKS),
]
IMPURE = {"trio", "trio_websocket", "time", "datetime", "random", "socket", "asyncio", "threading"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer_of(path: Path) -> str:
    top = path.relative_to(PACKAGE).parts[0]
    return "" if top == "__init__.py" else top.removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Names of modules that a file imports, absolute."""
    package = ["gemini_live_trio", *path.relative_to(PACKAGE).parts[:-1]]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{prefix}.{alias.name}" for alias in node.names}
    return found


def layers_imported(path: Path) -> set[str]:
    layers = set()
    for name in imports(path):
        root, _, rest = name.partition(".")
        if root == "gemini_live_trio":
            first = rest.split(".")[0]
            known = (PACKAGE / f"{first}.py").exists() or (PACKAGE / first).is_dir()
            layers.add(first if known and first else "")
    return layers


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    layer = layer_of(path)
    if layer == "":
        return  # the root re-exports
    assert layers_imported(path) <= RULES[layer] | {layer}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sans_io_modules_know_no_world(path: Path) -> None:
    if layer_of(path) in SANS_IO:
        assert not {name.split(".")[0] for name in imports(path)} & IMPURE


def test_the_terminal_program_uses_public_names_only() -> None:
    for path in modules():
        if layer_of(path) in ("repl", "__main__"):
            ours = {name for name in imports(path) if name.startswith("gemini_live_trio.")}
            elsewhere = {name for name in ours if not name.startswith("gemini_live_trio.repl")}
            # A package's ``__main__`` is what ``python -m`` runs, and as public as that.
            public = (".__version__", ".__main__.main")
            private = {name for name in elsewhere if "._" in name and not name.endswith(public)}
            private -= {"gemini_live_trio._starting.started"}  # the start itself shows nothing
            assert not private, path


HEAVY = {
    *("numpy", "PIL", "soundfile", "soxr", "samplerate", "sounddevice", "mss", "livekit"),
    *("httpx", "httpx2", "requests", "google", "mcp", "opentelemetry"),
    *("keyring", "hypothesis", "pytest"),
}
"""What no start may wait for: these are imported where they are used."""
PROMPT = {"prompt_toolkit", "platformdirs"}
"""What the prompt needs, and nothing else."""


def loaded_by(*statements: str) -> tuple[set[str], set[str]]:
    """Names of the packages that a fresh Python has loaded then, and of all modules."""
    code = "; ".join([*statements, "import sys; print(*sys.modules)"])
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = set(run.stdout.split())
    return {name.split(".")[0] for name in names}, names


def ours(names: set[str]) -> set[str]:
    """Which parts of this package are among the modules."""
    return {name.split(".")[1] for name in names if name.startswith("gemini_live_trio.")}


def test_importing_the_package_brings_nothing_heavy() -> None:
    loaded, names = loaded_by("import gemini_live_trio")
    assert not loaded & (HEAVY | PROMPT | {"asyncio"})
    assert "urllib.request" not in names
    assert not ours(names) & {"simulator", "testing", "repl", "media", "doctor", "voice", "otel"}


def test_what_takes_a_while_comes_after_the_prompt_or_never() -> None:
    pytest.importorskip("prompt_toolkit", reason="needs the extra repl")
    repl = "gemini_live_trio.repl"
    loaded, names = loaded_by(f"import {repl}._program, {repl}._front, {repl}._prompt")
    assert not loaded & HEAVY
    assert not ours(names) & {"simulator", "testing", "media", "doctor", "voice", "otel"}
    late = {"_client", "_script", "_ordered", "_toolbox", "_config", "_doctor", "_update"}
    assert not names & {f"{repl}.{name}" for name in late}


def test_a_word_that_ends_the_program_needs_no_prompt() -> None:
    loaded, names = loaded_by("import gemini_live_trio.repl._program")
    assert not loaded & (HEAVY | PROMPT)
    assert "gemini_live_trio.repl._front" not in names
