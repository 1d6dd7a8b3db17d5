"""What typed lines mean."""

from pathlib import Path

import pytest

from gemini_live_trio.repl._commands import COMMANDS, Mistake, Run, Say, help_lines, understand


@pytest.mark.parametrize(
    ("line", "name"),
    [("/help", "/help"), ("  /HELP ", "/help"), ("/?", "/help"), ("/quit", "/quit")],
)
def test_commands_are_found_by_all_their_names(line: str, name: str) -> None:
    meaning = understand(line)
    assert isinstance(meaning, Run)
    assert meaning.command.name == name


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("/hepl", "Did you mean /help?"),
        ("/qit", "Did you mean /quit?"),
        ("/xyz", "/help shows"),
        ("/", "/help shows"),
        ("/exit now", "/exit stands alone"),
    ],
)
def test_an_unknown_command_suggests_the_nearest(line: str, hint: str) -> None:
    meaning = understand(line)
    assert isinstance(meaning, Mistake)
    assert hint in meaning.text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Hello there", "Hello there"),
        ("//etc is a folder", "/etc is a folder"),
        ("write to a@example.org", "write to a@example.org"),
        ("ask @alice about it", "ask @alice about it"),
        ("@@speech.wav is a name", "@speech.wav is a name"),
        ("a lone @ sign", "a lone @ sign"),
        ("@" + "x" * 100_000, "@" + "x" * 100_000),
        ("@~nobody-of-that-name", "@~nobody-of-that-name"),
    ],
)
def test_ordinary_words_are_said_as_they_are(line: str, said: str) -> None:
    assert understand(line) == Say([said])


def test_files_and_words_are_said_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a.wav", "b c.wav", "plain"):
        Path(name).touch()
    assert understand('first @a.wav then @"b c.wav" and @plain') == Say(
        ["first", Path("a.wav"), "then", Path("b c.wav"), "and", Path("plain")]
    )
    assert understand("@~/a.wav") == Say([tmp_path / "a.wav"])


@pytest.mark.parametrize("line", ["hear @missing.wav please", '@"no such thing"'])
def test_a_missing_file_stops_the_whole_line(line: str) -> None:
    meaning = understand(line)
    assert isinstance(meaning, Mistake)
    assert "nothing of this line was sent" in meaning.text


def test_help_tells_of_every_command() -> None:
    text = "\n".join(help_lines())
    for command in COMMANDS:
        assert command.name in text
        assert command.summary in text
