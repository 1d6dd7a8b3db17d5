"""The command line and the environment."""

import itertools
import os
from pathlib import Path
from typing import Any, get_args

import pytest

from gemini_live_trio import ApiKey, GeminiApi, __version__
from gemini_live_trio.capabilities import TABLE
from gemini_live_trio.errors import ConfigError
from gemini_live_trio.media import EchoBackend
from gemini_live_trio.repl import main
from gemini_live_trio.repl._advice import ADVICE, advised, refusal
from gemini_live_trio.repl._options import parse
from gemini_live_trio.repl._schema import SETTINGS
from gemini_live_trio.repl._script_options import StandardInput
from gemini_live_trio.wire import TranslationConfig

KEY = {"GEMINI_API_KEY": "a-key"}


def test_the_ways_to_cancel_echo_are_those_there_are() -> None:
    assert SETTINGS["echo"].choices == ("auto", *get_args(EchoBackend))


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


def test_what_the_interactive_client_goes_by(tmp_path: Path) -> None:
    plain = parse([], KEY)
    assert not plain.microphone
    assert (plain.echo, plain.share_interval, plain.sleep_after) == ("auto", 1.0, 90.0)
    assert (plain.workspace, plain.tools, plain.profile) == (None, {}, None)
    arguments = ["--mic", "--no-speak", "--input-device", "2", "--output-device", "USB"]
    arguments += ["--echo", "off", "--share-screen", "monitor:1", "--share-interval", "0.1"]
    arguments += [
        "--tool",
        "timer",
        "--no-tool",
        "search",
        "--tool",
        "search",
        "--sleep-after",
        "0",
    ]
    arguments += ["--workspace", str(tmp_path), "--language", "pt-BR", "--retries", "3"]
    options = parse(arguments, KEY | {"GEMINI_LIVE_SPEAKER": "on"})
    assert (options.microphone, options.speaker) == (True, False)
    assert (options.input_device, options.output_device) == ("2", "USB")
    assert (options.echo, options.share_screen) == ("off", "monitor:1")
    assert (options.share_interval, options.sleep_after) == (0.1, 0)
    assert options.tools == {"timer": True, "search": True}
    assert (options.workspace, options.retries) == (tmp_path, 3)
    assert options.language == "pt-BR"
    assert options.config.translation == TranslationConfig(target_language_code="pt-BR")
    assert options.sources["speaker"] == options.sources["tools.timer"] == "command line"
    assert parse([], KEY | {"GEMINI_LIVE_SPEAKER": "on"}).speaker


def test_every_setting_has_names_of_its_own() -> None:
    options = [setting.flag for setting in SETTINGS.values() if setting.flag]
    variables = [name for setting in SETTINGS.values() for name in setting.variables]
    assert len(set(options)) == len(options)
    assert len(set(variables)) == len(variables)


@pytest.mark.parametrize(
    ("arguments", "environment", "profile", "backend"),
    [
        ([], {}, "", "gemini"),
        ([], {}, 'vertex_project = "p"', "vertex"),
        ([], {}, 'vertex_project = "p"\nbackend = "gemini"', "gemini"),
        ([], {"LIVE_BACKEND": "gemini"}, 'backend = "vertex"', "gemini"),
        ([], {"VERTEX_PROJECT": "p"}, "", "gemini"),
        ([], {"GOOGLE_GENAI_USE_VERTEXAI": "false"}, 'backend = "vertex"', "vertex"),
        (["--vertex-location", "eu"], {"LIVE_BACKEND": "gemini"}, "", "vertex"),
        (["--backend", "gemini"], {"LIVE_BACKEND": "vertex"}, "", "gemini"),
    ],
)
def test_the_back_end_is_what_the_first_says_that_says_something(
    arguments: list[str], environment: dict[str, str], profile: str, backend: str, tmp_path: Path
) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "default.toml").write_text(profile)
    place = {"GEMINI_LIVE_CONFIG_DIR": str(tmp_path)}
    token = {"VERTEX_AI_ACCESS_TOKEN": "t1234567", "GOOGLE_CLOUD_LOCATION": "eu"}
    project = {"GOOGLE_CLOUD_PROJECT": "p"}
    options = parse(arguments, KEY | token | project | place | environment)
    assert options.config.endpoint.backend == backend


def test_the_simulator_is_no_contradiction_to_a_profile(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "default.toml").write_text('url = "wss://x"\nvertex_project = "p"')
    options = parse(["--simulate"], {"GEMINI_LIVE_CONFIG_DIR": str(tmp_path)})
    assert options.config.endpoint == GeminiApi()


# --- Advice -----------------------------------------------------------------------------------


def test_what_a_model_refuses_is_told_in_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--simulate", "--text", "hi", "--modality", "text"]) == 2
    err = capsys.readouterr().err
    assert err == (
        "gemini-live-trio: gemini-3.8-live answers in AUDIO, not in TEXT; "
        "leave --modality out; its words are shown all the same.\n"
    )


def test_advice_names_who_said_it() -> None:
    options = parse([], KEY | {"GEMINI_THINKING_LEVEL": "low"})
    assert refusal(options.config, options.sources) == (
        "gemini-3.8-live takes no thinking_level; leave --thinking out, or take --model "
        "gemini-3.8-live-extended-thinking (thinking comes from GEMINI_THINKING_LEVEL)."
    )


def test_a_translating_model_asks_for_its_language() -> None:
    model = ["--model", "gemini-3.5-live-translate-preview"]
    options = parse(model, KEY)
    said = [advised(finding, options.sources) for finding in options.config.findings()]
    assert any("add --language CODE, such as --language es" in line for line in said)
    assert not parse([*model, "--language", "es"], KEY).config.findings()


def test_what_is_doubtful_is_told_before_the_service_says_no(
    capfd: pytest.CaptureFixture[str],
) -> None:
    call = ["--simulate", "--model", "gemini-3.5-live-translate-preview", "--text", "hi"]
    assert main(call) == 1
    note, refused = capfd.readouterr().err.splitlines()
    assert note.startswith("note> ")
    assert note.endswith("; add --language CODE, such as --language es.")
    assert "The service refused the session" in refused


def test_no_option_can_break_a_rule_without_advice() -> None:
    """With every model on either back end, and every option that a rule may be about."""
    tried = set()
    ways = [["--backend", "gemini"], ["--vertex-project", "p", "--vertex-location", "eu"]]
    asked: list[list[str]] = [[], ["--modality", "text"], ["--modality", "audio"]]
    asked += [["--thinking", level] for level in ("minimal", "low")]
    asked += [["--language", "es"], ["--modality", "text", "--voice", "Puck"]]
    models = [name for known in TABLE.models for name in known.models if name]
    for way, model, more in itertools.product(ways, [*models, "unknown"], asked):
        environment = KEY | {"VERTEX_AI_ACCESS_TOKEN": "t1234567"}
        options = parse([*way, "--model", model, *more], environment)
        tried |= {finding.rule for finding in options.config.findings()}
    assert tried - {*ADVICE} == set()
    assert {*ADVICE} - tried == set()  # and nothing in it is idle


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
        (["--workspace", "none"], KEY, "--workspace names no folder: none"),
        (["--workspace", "in.wav"], KEY, "--workspace names no folder: in.wav"),
        ([], KEY | {"GEMINI_LIVE_WORKSPACE": "none"}, "GEMINI_LIVE_WORKSPACE names no folder"),
        ([], KEY | {"GEMINI_LIVE_ECHO": "loud"}, "GEMINI_LIVE_ECHO must be one of auto, "),
        ([], KEY | {"GEMINI_LIVE_SLEEP_AFTER": "nan"}, "GEMINI_LIVE_SLEEP_AFTER must be a number"),
        (["--profile", "none"], KEY, "There is no profile none"),
        (["--profile", "../up"], KEY, "--profile takes a name of small letters"),
        (["--backend", "gemini", "--vertex-project", "p"], KEY, "is for Vertex AI, and --backend"),
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
        (
            ["--tex", "abbreviated"],
            "arguments: --tex abbreviated (did you mean --text?)",
        ),
        (["--retry=3"], "unrecognized arguments: --retry=3 (did you mean --retries?)"),
        (["--zzz"], "unrecognized arguments: --zzz; see"),
        (["--modality", "video"], "invalid choice"),
        (["--share-interval", "0.05"], "from 0.1 to 3,600, not 0.05"),
        (["--share-interval", "inf"], "from 0.1 to 3,600, not inf"),
        (["--sleep-after", "nan"], "from 0 to 31,536,000, not nan"),
        (["--sleep-after", "-1"], "from 0 to 31,536,000, not -1"),
        (["--tool", "No Way"], "must be the name of a tool, such as timer, not 'No Way'"),
        (["--language", "Spanish!"], "must be a code of a language, such as es or pt-BR"),
        (["--echo", "loud"], "invalid choice"),
        (["--vertex-auth", "ya29.hush"], 'must be "adc" or "static"'),
        (["--url", "wss://ada:hush@example.org"], "without credentials or query"),
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
    assert err.startswith("gemini-live-trio: ")
    assert said in err
    assert err.endswith("; see gemini-live-trio --help\n")
    assert err.count("\n") == 1


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
