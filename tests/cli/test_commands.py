"""What typed lines mean."""

from pathlib import Path

import pytest

from gemini_live_trio.repl._commands import (
    COMMANDS,
    Mistake,
    Run,
    help_lines,
    help_on,
    suggestions,
    understand_command,
    urgent,
)
from gemini_live_trio.repl._saying import Say, understand


@pytest.mark.parametrize(
    ("line", "run"),
    [
        ("/help", Run("/help")),
        ("  /HELP ", Run("/help")),
        ("/?", Run("/help")),
        ("/help mic", Run("/help", {"COMMAND": "mic"})),
        ("/exit", Run("/quit")),
        ("/mic", Run("/mic")),
        ("/mic ON", Run("/mic on")),
        ("/share list", Run("/share-screen list")),
        ("/share-screen 2", Run("/share-screen", {"TARGET": "2"})),
        (
            '/share-screen "My Window" 1.5',
            Run("/share-screen", {"TARGET": "My Window", "SECONDS": "1.5"}),
        ),
        ("/share-screen stop", Run("/share-screen stop")),
        ("/system", Run("/system")),
        ("/system set don't be brief", Run("/system set", {"TEXT": "don't be brief"})),
        ("/system set 'be brief'", Run("/system set", {"TEXT": "be brief"})),
        ('/system set say "hi"  and go', Run("/system set", {"TEXT": 'say "hi"  and go'})),
        ("/system set one\ntwo", Run("/system set", {"TEXT": "one\ntwo"})),
        ("/tools enable timer", Run("/tools enable", {"TOOL": "timer"})),
        ("/voice apply", Run("/voice apply")),
        ("/voice Puck", Run("/voice", {"VOICE": "Puck"})),
        ('/save "my talk.md"', Run("/save", {"FILE": "my talk.md"})),
        ("/save my talk.md", Run("/save", {"FILE": "my talk.md"})),
        ("/record stop", Run("/record stop")),
    ],
)
def test_commands_are_understood(line: str, run: Run) -> None:
    assert understand(line) == run


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("/hepl", "Did you mean /help?"),
        ("/qit", "Did you mean /quit?"),
        ("/xyz", "/help shows"),
        ("/", "/help shows"),
        ("/exit now", "/quit stands alone"),
        ("/tools enabel timer", "Did you mean /tools enable?"),
        ("/tools enable", "It is written /tools, /tools list, /tools enable TOOL"),
        ("/mic of", "Did you mean /mic off?"),
        ('/share-screen "My', "A quotation mark isn't closed"),
        ("/system set", "It is written"),
        ("/save", "It is written /save FILE"),
    ],
)
def test_what_is_not_understood_is_answered_with_what_may_be_meant(line: str, hint: str) -> None:
    meaning = understand(line)
    assert isinstance(meaning, Mistake)
    assert hint in meaning.text


def test_every_form_is_understood_as_itself() -> None:
    for command in COMMANDS:
        for name in (command.name, *command.others):
            for form in command.forms:
                words = [word if word.islower() else "1" for word in form.words]
                meaning = understand_command(" ".join([name, *words]))
                assert isinstance(meaning, Run)
                assert meaning.action == " ".join([command.name, *form.keywords])
                assert [*meaning.values] == [*form.blanks]


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
        ("line one\n  line two", "line one\n  line two"),
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


@pytest.mark.parametrize("line", ["hear @missing.wav please", '@"no such thing"', "@photo.jpg"])
def test_a_missing_file_stops_the_whole_line(line: str) -> None:
    meaning = understand(line)
    assert isinstance(meaning, Mistake)
    assert "nothing of this line was sent" in meaning.text


def test_a_folder_is_a_word_unless_it_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("home").mkdir()
    assert understand("I am @home now") == Say(["I am @home now"])
    meaning = understand('look at @"home"')
    assert isinstance(meaning, Mistake)
    assert "home is a folder" in meaning.text
    (tmp_path / "home.jpg").mkdir()
    meaning = understand("@home.jpg what is this?")
    assert isinstance(meaning, Mistake)
    assert "home.jpg is a folder" in meaning.text


def test_help_tells_of_every_command_and_form() -> None:
    text = "\n".join(help_lines())
    for command in COMMANDS:
        assert command.name in text
        assert command.summary in text
        rows = "\n".join(help_on(command.name) or [])
        for form in command.forms:
            assert f"{command.name} {form.pattern}".strip() in rows
            assert form.summary in rows
    assert help_on("mic") == help_on("/mic")
    assert help_on("nonsense") is None


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("/to", ["/tools"]),
        ("/tools ", ["list", "enable", "disable", "toggle", "apply"]),
        ("/tools e", ["enable"]),
        ("/tools enable ", ["timer", "clock"]),
        ("/tools enable t", ["timer"]),
        ("/tools enable timer ", []),
        ("/voice ", ["apply", "Puck"]),
        ("/voice p", ["Puck"]),
        ("/nonsense ", []),
        ("/help /t", ["/tools"]),
    ],
)
def test_what_may_follow(before: str, words: list[str]) -> None:
    def choices(blank: str) -> list[tuple[str, str]]:
        offered = {"TOOL": ["timer", "clock"], "VOICE": ["Puck"], "COMMAND": ["/tools"]}
        return [(word, "") for word in offered[blank]]

    assert [word for word, _ in suggestions(before, choices)] == words


@pytest.mark.parametrize(
    ("line", "run"),
    [
        ("/quit", Run("/quit")),
        (" /EXIT ", Run("/quit")),
        ("/help mic", Run("/help", {"COMMAND": "mic"})),
        ("/quit now", None),
        ("//quit", None),
        ("quit", None),
        ("/system set /quit", None),
    ],
)
def test_some_commands_wait_for_nothing(line: str, run: Run | None) -> None:
    assert urgent(line) == run
