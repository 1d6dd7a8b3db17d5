"""What Tab offers."""

from pathlib import Path

import pytest

pytest.importorskip("prompt_toolkit", reason="needs the extra repl")

from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from gemini_live_trio.repl._commands import Run
from gemini_live_trio.repl._completion import MOST, Completions
from gemini_live_trio.repl._saying import Say, understand

FILES = ("speech.wav", "my photo.jpg", ".hidden", "it's.md", "up\x1b[2Jset.wav", "line\nfeed.wav")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in FILES:
        (tmp_path / name).touch()
    (tmp_path / "holiday pictures").mkdir()
    (tmp_path / "holiday pictures" / "sea.png").touch()
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "a.wav").touch()
    return tmp_path


def offered(before: str) -> list[str]:
    """What the whole line would be, for each completion."""
    completions = Completions()
    completions.choices = lambda blank: {
        "TOOL": [("clock", "tells\nthe \x1b[31mtime"), ("calendar", "")],
        "VOICE": [("Kore", ""), ("Deep Voice", ""), ("Bad\x1bVoice", "")],
    }.get(blank, [])
    document = Document(before, len(before))
    found = [*completions.get_completions(document, CompleteEvent())]
    shown = "".join(each.display_text + each.display_meta_text for each in found)
    assert shown.isprintable()
    return [before[: len(before) + each.start_position] + each.text for each in found]


@pytest.mark.parametrize(
    ("before", "lines"),
    [
        ("/he", ["/help"]),
        ("/tools en", ["/tools enable"]),
        ("/tools  enable c", ["/tools  enable clock", "/tools  enable calendar"]),
        ("/voice K", ["/voice Kore"]),
        ("/voice D", ['/voice "Deep Voice"']),
        ("/voice B", []),
        ("/record s", ["/record sounds/", "/record speech.wav", "/record stop"]),
        ("/save my", ['/save "my photo.jpg"']),
        ('/save "my', ['/save "my photo.jpg"']),
        ("/save my ph", ['/save "my photo.jpg"']),
        ("/save it", ['/save "it\'s.md"']),
        ("/save ~/sp", ["/save ~/speech.wav"]),
        ("/quit ", []),
        ("/nothing s", []),
        ("//sp", []),
        ("hello", []),
        ("hear @spe", ["hear @speech.wav"]),
        ("@spe", ["@speech.wav"]),
        ("@my", ['@"my photo.jpg"']),
        ('see @"my ph', ['see @"my photo.jpg"']),
        ("@hol", ['@"holiday pictures/']),
        ('@"holiday pictures/', ['@"holiday pictures/sea.png"']),
        ("@sounds/", ["@sounds/a.wav"]),
        ("@~", ["@~/"]),
        ("@~/sp", ["@~/speech.wav"]),
        ("@.h", ["@.hidden"]),
        ("@up", []),
        ("@li", []),
        ("me@spe", []),
        ("@@spe", []),
        ("@none/", []),
        ("@speech.wav/", []),
        ("@\0", []),
    ],
)
def test_completion(before: str, lines: list[str]) -> None:
    assert offered(before) == lines


def test_hidden_files_are_offered_after_a_dot_only() -> None:
    assert offered("@") == [
        '@"holiday pictures/',
        "@it's.md",
        '@"my photo.jpg"',
        "@sounds/",
        "@speech.wav",
    ]


def test_what_is_offered_is_understood(folder: Path) -> None:
    (folder / 'six" nails.md').touch()
    for path in folder.iterdir():
        if not path.name.isprintable() or path.is_dir():
            continue
        (line,) = offered(f"/save {path.name[:3]}")
        assert understand(line) == Run("/save", {"FILE": path.name})
        for line in offered(f"@{path.name[:3]}"):
            assert understand(line) == Say([Path(path.name)])


def test_of_very_many_only_some_are_offered(folder: Path) -> None:
    for number in range(MOST + 10):
        (folder / f"many{number}").touch()
    assert len(offered("@many")) == MOST
