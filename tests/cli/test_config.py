"""``config``: who says what, and keys in a keyring."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemini_live_trio import ApiKey
from gemini_live_trio.errors import ConfigError
from gemini_live_trio.repl import main
from gemini_live_trio.repl._config import run_config
from gemini_live_trio.repl._options import parse
from gemini_live_trio.repl._schema import SETTINGS
from gemini_live_trio.repl._toolbox import Toolbox

pytest.importorskip("keyring", reason="needs the extra repl")
import keyring
import keyring.backend
import keyring.backends.fail
import keyring.errors

KEY = "AIzaSy-hush-hush-hush-hush-hush-hush-hu"


class Drawer(keyring.backend.KeyringBackend):  # type: ignore[misc]
    """A keyring in memory; what it does wrong can be asked for."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.fault: Exception | None = None
        self.forgetful = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.fault is not None:
            raise self.fault
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.fault is not None:
            raise self.fault
        if not self.forgetful:
            self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class PlaintextDrawer(Drawer):
    """One of those that write what they keep into a file as it is."""


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    before = keyring.get_keyring()
    ours = Drawer()
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEMINI_LIVE_CONFIG_DIR", str(tmp_path))
    for name in list(os.environ):
        if name.startswith(("GEMINI_API", "GOOGLE_", "VERTEX_", "LIVE_", "GEMINI_MODEL")):
            monkeypatch.delenv(name)
    return tmp_path / "profiles"


def config(*arguments: str, **environment: str) -> int:
    return run_config(arguments, os.environ | environment, "gemini-live-trio")


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


# --- Showing ----------------------------------------------------------------------------------


def test_show_says_who_says_what(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.mkdir()
    (place / "work.toml").write_text(
        'voice = "Puck"\nmodel = "kept"\nretries = 1\n[tools]\ntimer = true\nsearch = true\n'
    )
    variables = {"GEMINI_MODEL": "named", "GEMINI_LIVE_ECHO": "off", "GOOGLE_API_KEY": KEY}
    line = ["show", "--profile", "work", "--retries", "2", "--no-tool", "search"]
    config(*line, "--json", **variables)
    document = json.loads(capsys.readouterr().out)
    said = {key: tuple(one.values()) for key, one in document["settings"].items()}
    assert said["retries"] == (2, "command line")
    assert said["model"] == ("named", "GEMINI_MODEL")
    assert said["echo"] == ("off", "GEMINI_LIVE_ECHO")
    assert said["voice"] == ("Puck", "profile work")
    assert said["tools.timer"] == (True, "profile work")
    assert said["tools.search"] == (False, "command line")
    assert said["sleep_after"] == (90.0, "default")
    assert set(said) == {*SETTINGS, "tools.timer", "tools.search"}
    assert document["secrets"]["api_key"] == {"set": True, "source": "GOOGLE_API_KEY"}
    assert document["secrets"]["access_token"] == {"set": False, "source": ""}
    assert (document["profile"], document["exists"]) == ("work", True)

    config(*line, **variables)
    out = capsys.readouterr().out
    rows = {row[0]: row[1:] for row in map(str.split, out.splitlines()[1:])}
    assert rows["voice"] == ['"Puck"', "profile", "work"]
    assert rows["api_key"] == ["set", "GOOGLE_API_KEY"]
    assert "hush" not in out


def test_what_a_profile_says_is_never_obeyed_by_a_terminal(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.mkdir()
    (place / "default.toml").write_text('system = "\\u001b[2J\\u202e"\n')
    config("show")
    out = capsys.readouterr().out
    assert '"\\u001b[2J\\u202e"' in out


def test_path_and_list(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config("list")
    assert "no profile yet" in capsys.readouterr().out
    config("path", "--profile", "work")
    assert capsys.readouterr().out == f"{place / 'work.toml'}\n"
    place.mkdir()
    for name in ("work.toml", "default.toml", "notes.txt", "Not A Profile.toml"):
        (place / name).touch()
    config("list", GEMINI_LIVE_PROFILE="work")
    assert capsys.readouterr().out == "  default\n* work\n"


# --- Changing ---------------------------------------------------------------------------------


def test_only_what_was_asked_for_is_written(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_MODEL", "from-outside")
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    config("set", "voice", "Puck")
    config("save", "--mic", "--share-interval", "2.5", "--tool", "timer", "--workspace", ".")
    config("set", "tools.timer", "off")
    config("unset", "voice")
    assert (place / "default.toml").read_text() == (
        f'microphone = true\nshare_interval = 2.5\nworkspace = "{Path.cwd()}"\n\n'
        "[tools]\ntimer = false\n"
    )
    capsys.readouterr()
    config("unset", "voice")
    config("set", "tools.timer", "false")
    assert capsys.readouterr().out.count("nothing is changed") == 2


def test_a_run_writes_nothing(place: Path) -> None:
    config("set", "--profile", "work", "voice", "Puck")
    before = (place / "work.toml").stat()
    options = parse(["--profile", "work", "--simulate", "--voice", "Kore"], os.environ)
    assert (options.config.voice, options.profile) == ("Kore", "work")
    assert (place / "work.toml").stat() == before


def test_an_unknown_tool_of_a_profile_is_told_with_a_way_out(place: Path) -> None:
    config("set", "--profile", "work", "tools.timr", "true")
    with pytest.raises(ConfigError) as caught:
        toolbox("--profile", "work")
    assert str(caught.value) == (
        "There is no tool 'timr'; did you mean timer? The profile work names it; to take it out: "
        "gemini-live-trio config unset --profile work tools.timr"
    )
    with pytest.raises(ConfigError) as caught:
        toolbox("--profile", "work", "--tool", "timr")
    assert str(caught.value) == "There is no tool 'timr'; did you mean timer?"
    config("unset", "--profile", "work", "tools.timr")
    assert "timer" in toolbox("--profile", "work").items


def toolbox(*arguments: str) -> Toolbox:
    async def ask(_question: str) -> bool:
        raise AssertionError("nobody is asked before a command is to run")

    return Toolbox(parse(["--simulate", *arguments], os.environ), ask)


def test_an_unknown_key_can_be_taken_out(place: Path) -> None:
    place.mkdir()
    (place / "default.toml").write_text('api_key = "hush"\nvoice = "Puck"\n')
    with pytest.raises(ConfigError, match="unset api_key"):
        config("show")
    config("unset", "api_key")
    assert (place / "default.toml").read_text() == 'voice = "Puck"\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "voic", "Puck"], "There is no setting 'voic'; did you mean voice?"),
        (["set", "api_key", KEY], "gemini-live-trio config set-key"),
        (["set", "GEMINI_API_KEY", KEY], "gemini-live-trio config set-key"),
        (["set", "voice", KEY], "The value of voice looks like a secret"),
        (["set", "share_interval", "inf"], "share_interval: must be a number of seconds"),
        (["set", "microphone", "perhaps"], "microphone: must be true or false, not 'perhaps'"),
        (["set", "tools.No Way", "true"], "A tool is named as in tools.timer"),
        (["set", "tools", "timer"], "A tool is named as in tools.timer"),
        (["unset", "--profile", "none", "voice"], "There is no profile none"),
        (["show", "--profile", "none"], "There is no profile none"),
        (["save"], "There is nothing to save"),
        (["set-key", KEY], "set-key takes no key on the command line"),
    ],
)
def test_a_call_that_cannot_work_is_one_sentence(
    place: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert "hush" not in err
    assert not place.exists()


@pytest.mark.parametrize(
    "action", ["", "show", "path", "list", "set", "unset", "save", "set-key", "forget-key"]
)
def test_every_action_has_help(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["config", *action.split(), "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "exit status" in out
    assert all(len(line) <= 100 for line in out.splitlines())
    if action == "set":
        assert all(f"\n  {key} " in out for key in SETTINGS)


# --- Keys -------------------------------------------------------------------------------------


def test_a_key_goes_into_the_keyring_and_nowhere_else(
    place: Path, drawer: Drawer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, f" {KEY}\n")
    config("set-key", "--profile", "work")
    assert list(drawer.kept.values()) == [KEY]
    assert (place / "work.toml").read_text() == "keyring = true\n"
    assert parse(["--profile", "work"], os.environ).config.auth == ApiKey(KEY)
    named = os.environ | {"GEMINI_API_KEY": "another"}
    assert parse(["--profile", "work"], named).config.auth == ApiKey("another")
    config("show", "--profile", "work")
    captured = capsys.readouterr()
    assert "set" in captured.out
    assert "the keyring (profile work)" in captured.out
    assert "hush" not in captured.out + captured.err

    config("forget-key", "--profile", "work")
    assert drawer.kept == {}
    assert (place / "work.toml").read_text() == ""
    config("forget-key", "--profile", "work")
    with pytest.raises(ConfigError, match="There is no API key"):
        parse(["--profile", "work"], os.environ)


def test_keys_of_two_profiles_and_two_folders_are_apart(
    place: Path, drawer: Drawer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number, (name, folder) in enumerate((("work", "a"), ("home", "a"), ("work", "b")), start=1):
        type_in(monkeypatch, f"key-number-{number}")
        config("set-key", "--profile", name, GEMINI_LIVE_CONFIG_DIR=str(tmp_path / folder))
    variables = os.environ | {"GEMINI_LIVE_CONFIG_DIR": str(tmp_path / "a")}
    assert parse(["--profile", "work"], variables).config.auth == ApiKey("key-number-1")
    assert len(drawer.kept) == 3


def test_a_profile_without_a_key_leaves_the_keyring_alone(place: Path, drawer: Drawer) -> None:
    drawer.fault = AssertionError("nobody should ask")
    config("set", "voice", "Puck")
    with pytest.raises(ConfigError, match="There is no API key"):
        parse([], os.environ)
    config("set", "keyring", "true")
    assert parse(["--simulate"], os.environ).config.auth is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "No key was given"),
        (" \n", "No key was given"),
        ("hush hush", "blanks or odd"),
        ("hush" * 2_000, "No key has more than 4,096 letters"),
    ],
)
def test_what_can_be_no_key_is_not_kept(
    place: Path, drawer: Drawer, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    type_in(monkeypatch, text)
    with pytest.raises(ConfigError, match=said) as caught:
        config("set-key")
    assert "hush" not in str(caught.value)
    assert drawer.kept == {}
    assert not place.exists()


def test_what_is_no_text_can_be_no_key(
    place: Path, drawer: Drawer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hush\xff"), encoding="utf-8"))
    assert main(["config", "set-key"]) == 2
    assert capsys.readouterr().err == (
        "gemini-live-trio: That is no text, and so no key; nothing is changed.\n"
    )
    assert drawer.kept == {}


def test_a_keyring_that_cannot_be_used_is_one_sentence(
    place: Path, drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(said: str, *arguments: str) -> None:
        type_in(monkeypatch, KEY)
        with pytest.raises(ConfigError, match=said) as caught:
            config(*arguments)
        assert "hush" not in str(caught.value)
        assert "GEMINI_API_KEY" in str(caught.value)
        assert not place.exists()

    for action in ("set-key", "forget-key"):
        keyring.set_keyring(keyring.backends.fail.Keyring())
        refused("there is none", action)
        keyring.set_keyring(drawer)
        drawer.fault = keyring.errors.KeyringLocked("hush")
        refused("it is locked", action)
        drawer.fault = RuntimeError(f"D-Bus says {KEY}")
        refused("RuntimeError", action)
    drawer.fault, drawer.forgetful = None, True
    refused("doesn't keep what it is given", "set-key")
    keyring.set_keyring(PlaintextDrawer())
    refused("as plain text", "set-key")
    monkeypatch.setitem(sys.modules, "keyring", None)  # as if it weren't there
    refused("gemini-live-trio\\[repl\\]", "set-key")


def test_a_key_that_is_gone_from_the_keyring_is_missed(
    place: Path, drawer: Drawer, capsys: pytest.CaptureFixture[str]
) -> None:
    config("set", "--profile", "work", "keyring", "true")
    with pytest.raises(ConfigError, match="no API key for the profile work"):
        parse(["--profile", "work"], os.environ)
    config("show", "--profile", "work")  # all the rest can be shown
    assert "The keyring has no API key for the profile work" in capsys.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX")
def test_a_key_that_is_typed_is_not_shown(place: Path, tmp_path: Path) -> None:
    (tmp_path / "drawer.py").write_text(
        "import json, pathlib\n"
        "from keyring.backend import KeyringBackend\n"
        f"FILE = pathlib.Path({str(tmp_path / 'kept')!r})\n"
        "class Drawer(KeyringBackend):\n"
        "    priority = 1\n"
        "    def get_password(self, service, username):\n"
        "        return FILE.read_text() if FILE.exists() else None\n"
        "    def set_password(self, service, username, password):\n"
        "        FILE.write_text(password)\n"
    )
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gemini_live_trio", "config", "set-key"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "PYTHON_KEYRING_BACKEND": "drawer.Drawer"},
    )
    os.close(slave)
    shown = b""
    while b"API key" not in shown:
        shown += os.read(master, 1_000)
    os.write(master, f"{KEY}\n".encode())
    while True:
        try:
            more = os.read(master, 1_000)
        except OSError:  # as Linux says that nobody is there any more
            break
        if not more:
            break
        shown += more
    os.close(master)
    assert process.wait(60) == 0
    assert (tmp_path / "kept").read_text() == KEY
    assert b"keeps the API key of the profile default" in shown
    assert b"hush" not in shown
