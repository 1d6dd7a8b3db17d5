"""The command line and the environment."""

import os
from pathlib import Path
from typing import Any

import pytest

from gemini_live_trio import ApiKey, __version__
from gemini_live_trio.errors import ConfigError
from gemini_live_trio.repl import main
from gemini_live_trio.repl._options import parse
from gemini_live_trio.repl._script_options import StandardInput

KEY = {"GEMINI_API_KEY": "a-key"}


def test_what_to_say_keeps_its_order() -> None:
    given = ["--text", "a", "--audio", "b.wav", "--file", "c.jpg", "--audio", "-", "--text", "@d"]
    options = parse(given, KEY)
    assert options.turns == ["a", Path("b.wav"), Path("c.jpg"), StandardInput(), "@d"]


@pytest.mark.parametrize(
    ("arguments", "environment", "model"),
    [
        ([], {}, "models/gemini-3.8-live"),
        ([], {"GEMINI_MODEL": "mine"}, "mine"),
        ([], {"GEMINI_MODEL": " "}, "models/gemini-3.8-live"),
        (["--model", "other"], {"GEMINI_MODEL": "mine"}, "other"),
    ],
)
def test_the_model_comes_from_the_line_then_the_environment(
    arguments: list[str], environment: dict[str, str], model: str
) -> None:
    assert parse(arguments, KEY | environment).config.model == model


@pytest.mark.parametrize(
    ("arguments", "environment", "key"),
    [
        ([], KEY, "a-key"),
        ([], {"GOOGLE_API_KEY": "b-key"}, "b-key"),
        ([], KEY | {"GOOGLE_API_KEY": "b-key"}, "a-key"),
        (["--simulate"], KEY, None),
        (["--url", "ws://127.0.0.1:1"], {}, None),
        (["--url", "ws://127.0.0.1:1"], KEY, "a-key"),
    ],
)
def test_the_key_comes_from_the_environment(
    arguments: list[str], environment: dict[str, str], key: str | None
) -> None:
    assert parse(arguments, environment).config.auth == (key and ApiKey(key))


def test_the_rest_reaches_the_session() -> None:
    arguments = ["--voice", "Puck", "--system", "Be brief.", "--modality", "text", "--retries", "0"]
    options = parse(arguments, KEY)
    assert options.config.voice == "Puck"
    assert options.config.system_instruction == "Be brief."
    assert list(options.config.response_modalities) == ["TEXT"]
    assert not options.policy.enabled


def test_what_cannot_work_is_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.wav").touch()
    Path("one.json").write_text('{"name": "f"}')
    Path("cut.json").write_text('[{"name": "f"')
    Path("slip.json").write_text('[{"name": "f", "descripion": "x"}]')
    Path("odd.json").write_text('[{"description": "x"}]')
    Path("same.wav").symlink_to("in.wav")
    refused: list[tuple[list[str], dict[str, str], str]] = [
        ([], {}, "set GEMINI_API_KEY, or add --simulate"),
        ([], {"GEMINI_API_KEY": "schlüssel"}, "blanks or odd characters"),
        (["--simulate", "--url", "ws://x"], {}, "brings its own server"),
        (["--url", "http://example.org"], KEY, "must look like wss://"),
        (["--save-audio", "-", "--json"], KEY, "either JSON or sound"),
        (["--save-audio", "-", "--json-input"], KEY, "either JSON or sound"),
        (["--audio", "-", "--audio", "-"], KEY, "given only once"),
        (["--json-input", "--text", "a"], KEY, "leave --text, --audio and --file out"),
        (["--strict"], KEY, "--strict goes with --json-input"),
        (["--tools-file", "t.json"], KEY, "--tools-file goes with --json-input"),
        (["--json-input", "--tools-file", "t.json"], KEY, "t.json: No such file"),
        (["--json-input", "--tools-file", "one.json"], KEY, "must hold a JSON array"),
        (["--json-input", "--tools-file", "cut.json"], KEY, "cut.json can't be used. .*JSON"),
        (["--json-input", "--tools-file", "slip.json"], KEY, "the function 'f' has descripion"),
        (["--json-input", "--tools-file", "odd.json"], KEY, "the function None has no name"),
        (["--save-audio", "out.mp3"], KEY, "ends in .wav, not out.mp3"),
        (["--url", "ws://example.org"], KEY, "key would travel to example.org in the clear"),
        (["--save-audio", "."], KEY, "names a folder"),
        (["--save-audio", "none/out.wav"], KEY, "there is no folder none"),
        (["--audio", "in.wav", "--save-audio", "same.wav"], KEY, "would overwrite in.wav"),
    ]
    for arguments, environment, said in refused:
        with pytest.raises(ConfigError, match=said) as caught:
            pytest.fail(f"{arguments}: {parse(arguments, environment)}")
        assert "\n" not in str(caught.value)
        assert "schlüssel" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--timeout", "0"], "must be a number of seconds, above 0 and at most 31,536,000, not 0"),
        (["--timeout", "nan"], "must be a number of seconds"),
        (["--timeout", "soon"], "must be a number of seconds"),
        (["--timeout", "1e9"], "at most 31,536,000, not 1e9"),
        (["--retries", "-1"], "must be a whole number, 0 or more, not -1"),
        (["--retries", "x"], "must be a whole number, 0 or more, not x"),
        (["--text", " "], "there is nothing in it"),
        (["--text", "\udcff"], "argument --text: isn't valid UTF-8"),
        (["--model", ""], "there is nothing in it"),
        (["--voice", ""], "there is nothing in it"),
        (["--save-audio", "a.wav", "--save-audio", "b.wav"], "can be given only once"),
        (["--audio-rate", "999"], "must be 1000 to 768000 samples a second, not 999"),
        (["--audio-rate", "x"], "must be 1000 to 768000 samples a second, not x"),
        (["--tex", "abbreviated"], "unrecognized"),
        (["--modality", "video"], "invalid choice"),
        (["stray"], "unrecognized"),
    ],
)
def test_what_is_not_understood_ends_with_status_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert "gemini-live-trio: error: " in err
    assert said in err


def test_a_key_may_travel_in_the_clear_within_this_machine() -> None:
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert parse(["--url", f"ws://{host}:1"], KEY).config.auth == ApiKey("a-key")


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--help", "--version"):
        with pytest.raises(SystemExit) as caught:
            main([option])
        assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.endswith(f"gemini-live-trio {__version__}\n")
    assert "--simulate" in out
    assert "GEMINI_API_KEY" in out
    assert all(len(line) <= 100 for line in out.splitlines())


def test_without_a_key_it_says_so_and_returns_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    assert main(["--text", "hi"]) == 2
    captured: Any = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("gemini-live-trio: There is no API key: set GEMINI_API_KEY")
