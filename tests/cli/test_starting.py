"""Ctrl-C before the program has begun."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gemini_live_trio._starting import _is_the_program

STOPPED = "gemini-live-trio: Stopped by Ctrl-C.\n"
INTERRUPTED_AT = """\
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def run(folder: Path, module: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python, with Ctrl-C where it begins to import a module."""
    (folder / "sitecustomize.py").write_text(INTERRUPTED_AT.format(module=module))
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": str(folder)},
    )


@pytest.mark.parametrize(
    "module",
    [
        *("gemini_live_trio.codec", "trio", "gemini_live_trio.repl"),
        *("gemini_live_trio.repl._program", "gemini_live_trio.media"),
    ],
)
def test_it_is_one_sentence_while_modules_are_imported(tmp_path: Path, module: str) -> None:
    done = run(tmp_path, module, "-m", "gemini_live_trio", "--simulate", "--text", "hi")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", STOPPED)


def test_it_is_one_sentence_for_the_installed_script_too(tmp_path: Path) -> None:
    script = tmp_path / "gemini-live-trio"
    script.write_text("import sys\nfrom gemini_live_trio.__main__ import main\nsys.exit(main())\n")
    done = run(tmp_path, "trio", str(script), "--simulate", "--text", "hi")
    assert (done.returncode, done.stderr) == (130, STOPPED)


def test_afterwards_it_is_an_exception_again(tmp_path: Path) -> None:
    done = run(tmp_path, "gemini_live_trio.simulator", "-m", "gemini_live_trio", "--simulate")
    assert (done.returncode, done.stderr.splitlines()[-1:]) == (130, [STOPPED.strip()])


def test_a_program_that_uses_the_library_keeps_its_own(tmp_path: Path) -> None:
    code = "try:\n    import gemini_live_trio\nexcept KeyboardInterrupt:\n    print('mine')\n"
    done = run(tmp_path, "gemini_live_trio.codec", "-c", code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "mine\n", "")


GARBAGE = """\
import gc, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in {modules!r}:
            print(name, gc.isenabled())

sys.meta_path.insert(0, Finder())
"""


def looks_for_garbage(folder: Path, modules: list[str], *command: str) -> list[str]:
    (folder / "sitecustomize.py").write_text(GARBAGE.format(modules=modules))
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"PYTHONPATH": str(folder)},
    )
    return done.stdout.splitlines()[: len(modules)]


def test_garbage_is_looked_for_once_it_has_begun(tmp_path: Path) -> None:
    modules = ["gemini_live_trio.codec", "gemini_live_trio.simulator"]
    command = ["-m", "gemini_live_trio", "--simulate", "--text", "hi"]
    codec, simulator = looks_for_garbage(tmp_path, modules, *command)
    assert (codec, simulator) == (f"{modules[0]} False", f"{modules[1]} True")


def test_a_program_that_uses_the_library_keeps_looking(tmp_path: Path) -> None:
    found = looks_for_garbage(tmp_path, ["trio"], "-c", "import gemini_live_trio")
    assert found == ["trio True"]


@pytest.mark.parametrize(
    ("arguments", "command", "expected"),
    [
        (["-m", "--json"], ["python", "-m", "gemini_live_trio", "--json"], True),
        (["-m"], ["python", "-X", "dev", "-m", "gemini_live_trio"], True),
        (["-m"], ["python", "-m", "other"], False),
        (["-m", "gemini_live_trio"], ["python", "-m", "other", "gemini_live_trio"], False),
        (["/bin/gemini-live-trio"], ["python", "/bin/gemini-live-trio"], True),
        (["/bin/gemini-live-trio"], ["python", "-c", "import multiprocessing"], False),
        (["/bin/other"], ["python", "/bin/other", "gemini-live-trio"], False),
        ([""], ["python"], False),
        ([], ["python"], False),
    ],
)
def test_the_program_is_told_from_others(
    arguments: list[str], command: list[str], expected: bool
) -> None:
    assert _is_the_program(arguments, command) is expected
