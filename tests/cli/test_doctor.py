"""``doctor`` as a person calls it, and the table of subcommands."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from gemini_live_trio import ApiKey, ApplicationDefault, BearerToken, EphemeralToken, VertexAi
from gemini_live_trio.doctor import Check, Report
from gemini_live_trio.errors import ConfigError
from gemini_live_trio.repl import main
from gemini_live_trio.repl._doctor import _Screen
from gemini_live_trio.repl._options import parse

NOBODY = {
    name: value
    for name, value in os.environ.items()
    if not name.endswith(("_API_KEY", "_proxy", "_PROXY"))
    and not name.startswith(("GEMINI_", "VERTEX_", "GOOGLE_", "LIVE_"))
}


def doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gemini_live_trio", "doctor", *arguments],
        env=NOBODY | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_simulator_is_fit() -> None:
    run = doctor("--simulate", "--no-devices")
    assert (run.returncode, run.stderr) == (0, "")
    *lines, blank, verdict = run.stdout.splitlines()
    assert blank == ""
    assert re.fullmatch(r"All is well. \(\d+\.\d s\)", verdict)
    assert [line.split("  ")[0].strip() for line in lines][:4] == [
        *("versions", "extras", "environment", "configuration ok")
    ]
    assert any(line.startswith("round trip    ok") for line in lines)
    assert "\x1b" not in run.stdout


def test_devices_are_looked_at_and_end_nothing() -> None:
    run = doctor("--simulate", "--json", DISPLAY="", WAYLAND_DISPLAY="")
    report = json.loads(run.stdout)
    found = {check["name"]: check for check in report["checks"]}
    assert {"microphone", "speaker", "echo", "screen"} <= set(found)
    assert run.stderr == ""
    assert found["screen"]["state"] == "skipped"
    assert all(check["fix"] for check in report["checks"] if check["state"] == "failed")


def test_without_a_key_only_the_network_is_looked_at() -> None:
    run = doctor("--no-devices")
    assert run.returncode == 1
    assert "credentials   FAILED" in run.stdout
    assert "-> Set GEMINI_API_KEY" in run.stdout
    assert "Not fit: " in run.stdout.splitlines()[-1]


def test_a_key_is_nowhere_in_what_is_said() -> None:
    for option in ("--json", "--no-devices"):
        run = doctor(
            *("--url", "ws://127.0.0.1:9", option, "--no-devices"), GEMINI_API_KEY="hush-hush-4711"
        )
        assert run.returncode == 1
        assert "hush" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "nonsense"], "must look like wss://"),
        (["--simulate", "--url", "ws://x"], "brings its own server"),
        (["--vertex-project", "p"], "Vertex AI needs a region"),
    ],
)
def test_a_call_that_cannot_work_is_one_sentence(arguments: list[str], said: str) -> None:
    run = doctor(*arguments)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert said in run.stderr
    assert run.stdout == ""


# --- What comes out ---------------------------------------------------------------------------


class Terminal:
    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_what_is_shown_for_a_while_is_taken_back_when_it_ends_early() -> None:
    terminal = Terminal()
    screen = _Screen(terminal, {"TERM": "xterm"})  # type: ignore[arg-type]
    screen.begin("tls")
    screen.leave()
    assert terminal.text == "tls ...\r       \r"


def test_long_lines_end_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    terminal = Terminal()
    screen = _Screen(terminal, {"TERM": "xterm", "NO_COLOR": "1"})  # type: ignore[arg-type]
    text = "this is a longer sentence than one line holds, and its words stay whole"
    screen.tell(Check(name="tls", state="failed", text=text, fix=text))
    lines = terminal.text.splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= 70
    assert "tls FAILED this is" in " ".join(terminal.text.split())
    assert " ".join(terminal.text.split()).endswith(f"-> {text}")


def test_letters_that_the_output_does_not_know_lose_no_line() -> None:
    run = doctor(
        *("--simulate", "--no-devices", "--model", "gemini-\N{DUCK}"), PYTHONIOENCODING="ascii"
    )
    assert (run.returncode, run.stderr) == (1, "")
    assert "model         FAILED" in run.stdout
    assert "gemini-\\U0001f986" in run.stdout


def test_json_can_be_read_whatever_the_output_knows() -> None:
    run = doctor(
        *("--simulate", "--no-devices", "--json", "--model", "gemini-\N{DUCK}"),
        PYTHONIOENCODING="ascii",
    )
    assert (run.returncode, run.stderr) == (1, "")
    texts = [check["text"] for check in json.loads(run.stdout)["checks"]]
    assert any("gemini-\N{DUCK}" in text for text in texts)


def test_a_closed_output_is_no_fault() -> None:
    screen = _Screen(None, {"TERM": "xterm"})
    screen.begin("tls")
    screen.tell(Check(name="tls", state="ok", text="fine"))
    screen.end(Report(checks=[], seconds=1.0))


@pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")
def test_when_nobody_reads_nobody_is_dialled() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ws://127.0.0.1:{server.getsockname()[1]}"
        try:
            run = subprocess.run(
                [sys.executable, "-m", "gemini_live_trio", "doctor", "--no-devices", "--url", url],
                env=NOBODY,
                stdout=writes,
                stderr=subprocess.PIPE,
                timeout=60,
                check=False,
            )
        finally:
            os.close(writes)
        assert (run.returncode, run.stderr) == (141, b"")
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_one_sentence(number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ws://127.0.0.1:{server.getsockname()[1]}"
        with subprocess.Popen(
            [sys.executable, "-m", "gemini_live_trio", "doctor", "--url", url],
            env=NOBODY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as run:
            connection, _ = server.accept()
            with connection:
                run.send_signal(number)
                _, err = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert err.startswith("gemini-live-trio: Stopped by ")
    assert err.count("\n") == 1


def test_marks_can_be_read_without_colours() -> None:
    checks = [Check(name="tls", state="failed", text="bad\x1b[31m", fix="Mend it.", seconds=0.5)]
    for environment, coloured in (
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ):
        terminal = Terminal()
        screen = _Screen(terminal, environment)  # type: ignore[arg-type]
        screen.begin("tls")
        screen.tell(checks[0])
        screen.end(Report(checks=checks, seconds=1.0))
        assert ("\x1b[1;31mFAILED" in terminal.text) == coloured
        assert "FAILED" in terminal.text
        assert "500 ms" in terminal.text
        assert "bad\x1b" not in terminal.text  # what a server says is never obeyed
        assert terminal.text.endswith("Not fit: tls failed. (1.0 s)\n")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("doctr", "did you mean doctor?"),
        ("updat", "did you mean update?"),
        ("xyz", "config, doctor, simulate, update"),
    ],
)
def test_an_unknown_subcommand_is_answered_with_the_nearest(
    word: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([word])
    assert caught.value.code == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("name", ["config", "doctor", "update"])
def test_every_subcommand_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert f"gemini-live-trio {name}" in out
    assert "exit status" in out
    assert all(len(line) <= 100 for line in out.splitlines())


def test_the_help_of_update_is_set_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["update", "--help"])
    assert "\nexit status:\n  0 all is well " in capsys.readouterr().out


# --- Whom to talk to --------------------------------------------------------------------------

VERTEX = {"LIVE_BACKEND": "vertex", "VERTEX_PROJECT": "p", "VERTEX_LOCATION": "europe-west4"}


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ([], VERTEX),
        (["--vertex-project", "p", "--vertex-location", "europe-west4"], {}),
        (
            [],
            {
                "GOOGLE_GENAI_USE_VERTEXAI": "true",
                "GOOGLE_CLOUD_PROJECT": "p",
                "GOOGLE_CLOUD_LOCATION": "europe-west4",
            },
        ),
        (
            [],
            {
                "LIVE_BACKEND": "vertex",
                "VERTEX_MODEL": "projects/p/locations/europe-west4/publishers/google/models/m",
            },
        ),
    ],
)
def test_vertex_is_chosen_by_options_and_by_the_environment(
    arguments: list[str], environment: dict[str, str]
) -> None:
    pytest.importorskip("google.auth")
    config = parse(arguments, environment).config
    assert config.endpoint == VertexAi("p", "europe-west4")
    assert isinstance(config.auth, ApplicationDefault)


def test_credentials_on_vertex() -> None:
    token = {"VERTEX_AI_ACCESS_TOKEN": "t1234567"}
    assert parse([], VERTEX | token).config.auth == BearerToken("t1234567")
    assert parse([], VERTEX | token | {"VERTEX_AUTH": "static"}).config.auth == BearerToken(
        "t1234567"
    )
    express = parse([], {"LIVE_BACKEND": "vertex", "GOOGLE_API_KEY": "k1234567"}).config
    assert (express.endpoint, express.auth) == (VertexAi(express=True), ApiKey("k1234567"))


def test_a_token_in_the_wrong_variable_is_not_said() -> None:
    with pytest.raises(ConfigError, match="VERTEX_AI_ACCESS_TOKEN") as caught:
        parse([], VERTEX | {"VERTEX_AUTH": "ya29.hush-hush"})
    assert "hush" not in str(caught.value)


def test_an_ephemeral_token_is_nothing_for_vertex() -> None:
    with pytest.raises(ConfigError, match="in express mode takes an ApiKey"):
        parse([], {"LIVE_BACKEND": "vertex", "GEMINI_API_KEY": "auth_tokens/abc"})


def test_without_google_auth_the_rest_is_looked_at_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)  # as if it weren't there
    for name, value in VERTEX.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("VERTEX_AI_ACCESS_TOKEN", raising=False)
    assert main(["doctor", "--no-devices", "--url", "ws://127.0.0.1:1"]) == 1
    out = capsys.readouterr().out
    assert "credentials   FAILED           Google accounts need google-auth\n" in out
    assert '-> pip install "gemini-live-trio[vertex]"\n' in out
    assert "tcp           FAILED" in out


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["--thinking", "low"], {}), ([], {"GEMINI_THINKING_LEVEL": "low"})],
)
def test_thinking_is_asked_for_as_in_a_conversation(
    arguments: list[str], environment: dict[str, str]
) -> None:
    run = doctor("--simulate", "--no-devices", *arguments, **environment)
    assert run.returncode == 1
    assert "configuration FAILED           gemini-3.8-live takes no thinking_level" in run.stdout


def test_an_ephemeral_token_may_stand_for_the_key() -> None:
    config = parse([], {"GEMINI_API_KEY": "auth_tokens/abc"}).config
    assert config.auth == EphemeralToken("auth_tokens/abc")


def test_the_names_of_the_rust_client_work() -> None:
    config = parse(
        [],
        {
            "GEMINI_API_KEY": "k1234567",
            "GEMINI_MODEL": "gemini-3.8-live-extended-thinking",
            "GEMINI_THINKING_LEVEL": "low",
            "GEMINI_SYSTEM_INSTRUCTION": "Be brief.",
        },
    ).config
    assert config.system_instruction == "Be brief."
    assert config.thinking is not None
    assert config.thinking.thinking_level == "LOW"
    assert parse(["--thinking", "high"], {"GEMINI_API_KEY": "k1234567"}).config.thinking


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"LIVE_BACKEND": "azure"}, 'must be "gemini" or "vertex"'),
        (VERTEX | {"VERTEX_AUTH": "magic"}, 'must be "adc" or "static"'),
        (VERTEX | {"VERTEX_AUTH": "static"}, "set VERTEX_AI_ACCESS_TOKEN"),
        ({"LIVE_BACKEND": "vertex"}, "Vertex AI needs a project"),
        ({"GEMINI_API_KEY": "k1234567", "GEMINI_THINKING_LEVEL": "much"}, "must be one of minimal"),
    ],
)
def test_what_the_environment_cannot_mean_is_refused(
    environment: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        parse([], environment)
