"""Settings in files: read, refused, written."""

from __future__ import annotations

import argparse
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio.errors import ConfigError, MissingDependency
from gemini_live_trio.repl import _profiles as profiles
from gemini_live_trio.repl._layers import settle
from gemini_live_trio.repl._toml import dumped, edited, line_of, written

NOTHING = argparse.Namespace()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "profiles"
    folder.mkdir()
    return folder


def environment(place: Path, **more: str) -> dict[str, str]:
    return {"GEMINI_LIVE_CONFIG_DIR": str(place.parent), **more}


def profile(place: Path, name: str = "work") -> profiles.Profile:
    return profiles.locate(name, environment(place))


# --- Which file -------------------------------------------------------------------------------


def test_profiles_are_in_the_platforms_folder(home: Path) -> None:
    found = profiles.locate(None, {}).path
    assert found is not None
    assert found.name == "default.toml"
    if sys.platform == "linux":
        assert found == home / "profiles" / "default.toml"


def test_without_a_default_profile_nothing_is_set(place: Path) -> None:
    settled = settle(NOTHING, environment(place))
    assert not settled.profile.exists
    assert set(settled.sources.values()) == {"default"}
    assert list(place.iterdir()) == []  # and nothing is written


def test_the_name_comes_from_the_line_then_the_environment(place: Path) -> None:
    for name in ("work", "home"):
        (place / f"{name}.toml").write_text(f'voice = "{name}"\n')
    variable = environment(place, GEMINI_LIVE_PROFILE="home")
    assert profiles.read(None, variable).values == {"voice": "home"}
    assert profiles.read("work", variable).values == {"voice": "work"}


@pytest.mark.parametrize("name", ["../up", "Work", "a.b", "con", "", " ", "a" * 65, "ä", "\x1b[2J"])
def test_a_name_that_cannot_be_a_file_everywhere_is_refused(place: Path, name: str) -> None:
    variable = environment(place, GEMINI_LIVE_PROFILE=name)
    if not name.strip():
        assert profiles.locate(None, variable).name == "default"
        return
    with pytest.raises(ConfigError, match="takes a name of small letters") as caught:
        profiles.locate(None, variable)
    assert "\x1b" not in str(caught.value)


def test_a_profile_that_is_not_there_is_an_error_with_a_way_out(place: Path) -> None:
    (place / "work.toml").touch()
    with pytest.raises(ConfigError) as caught:
        profiles.read("wrk", environment(place))
    assert str(caught.value) == (
        "There is no profile wrk; did you mean work? "
        "To make it: gemini-live-trio config set --profile wrk KEY VALUE"
    )


def test_without_platformdirs_only_a_named_profile_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "platformdirs", None)  # as if it weren't there
    assert settle(NOTHING, {}).profile.path is None
    with pytest.raises(MissingDependency, match="gemini-live-trio\\[repl\\]"):
        profiles.read("work", {})


# --- What is in it ----------------------------------------------------------------------------


def test_what_is_in_a_profile_counts(place: Path) -> None:
    (place / "work.toml").write_bytes(
        b'\xef\xbb\xbfvoice = "Puck"\r\nmicrophone = true\r\nsleep_after = 0\r\n'
        b"[tools]\r\ntimer = true\r\nrun-command = false\r\n"
    )
    settled = settle(NOTHING, environment(place, GEMINI_LIVE_PROFILE="work"))
    assert (settled["voice"], settled["microphone"], settled["sleep_after"]) == ("Puck", True, 0)
    assert settled.tools == {"timer": True, "run-command": False}
    assert settled.sources["voice"] == settled.sources["tools.timer"] == "profile work"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('model = "m"\nvoic = "Puck"', "line 2: there is no setting 'voic'; did you mean voice?"),
        ("voice = 3", "line 1: voice must be a text, not a whole number."),
        ('microphone = "on"', "line 1: microphone must be true or false, not a text."),
        ("retries = true", "line 1: retries must be a whole number, not true or false."),
        ("retries = 1.5", "line 1: retries must be a whole number, not a number."),
        ("voice = 1979-05-27", "line 1: voice must be a text, not a date or time."),
        ('\nthinking = "much"', "line 2: thinking: must be one of minimal, low, medium, high"),
        ("share_interval = nan", "line 1: share_interval: must be a number of seconds, from 0.1"),
        ("share_interval = inf", "from 0.1 to 3,600, not inf"),
        ("share_interval = 0.05", "from 0.1 to 3,600, not 0.05"),
        ("sleep_after = -1", "from 0 to 31,536,000, not -1"),
        ('url = "wss://ada:hush@example.org"', "line 1: url: must look like wss://host"),
        ('workspace = "here"', "line 1: workspace: must be a whole path"),
        ('voice = " "', "line 1: voice: there is nothing in it"),
        ("tools = true", "line 1: tools must be a table"),
        ("[tools]\ntimer = 1", "line 2: tools.timer must be true or false, not a whole number."),
        ('[tools]\n"no way" = true', "line 2: there is no setting 'tools.no way'"),
        ("[voice]\nname = 1", "work.toml: voice must be a text, not a table."),
        ('"\\u001b[2J" = 1', "there is no setting '\\x1b[2J'"),
        ('model = "m"\nvoice = Puck', "isn't valid TOML: Invalid value (at line 2, column 9)"),
        ("a = " + "[" * 100_000, "isn't valid TOML"),
        ('api_key = "hush"', "a profile is no place for a secret, and 'api_key' looks like one"),
        ('geminiApiKey = "hush"', "line 1: a profile is no place for a secret"),
        ('vertexAiAccessToken = "hush"', "a profile is no place for a secret"),
        ('\nmodel = "AIzaSy-hush-hush-hush"', "line 2: a profile is no place for a secret"),
        ('vertex_auth = "ya29.hush-hush"', "a profile is no place for a secret"),
    ],
)
def test_what_cannot_be_is_one_sentence(place: Path, text: str, said: str) -> None:
    (place / "work.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        profiles.read("work", environment(place))
    sentence = str(caught.value)
    assert said in sentence
    assert str(place / "work.toml") in sentence
    assert "hush" not in sentence
    assert sentence.isprintable()


def test_what_cannot_be_read_is_one_sentence(place: Path) -> None:
    (place / "folder.toml").mkdir()
    (place / "bytes.toml").write_bytes(b'voice = "\xff"')
    with (place / "huge.toml").open("wb") as file:
        file.truncate(1 << 31)
    (place / "closed.toml").touch(mode=0)
    refused = {"folder": "is no file", "bytes": "isn't valid UTF-8", "huge": "larger than 1 MiB"}
    if os.name == "posix":
        os.mkfifo(place / "pipe.toml")
        refused["pipe"] = "is no file"
    if os.name == "posix" and os.geteuid():
        refused["closed"] = "can't be read: Permission denied"
    for name, said in refused.items():
        with pytest.raises(ConfigError, match=said) as caught:
            profiles.read(name, environment(place))
        assert f"{name}.toml" in str(caught.value)
    assert "folder" not in profiles.names(environment(place))


def test_a_file_where_the_folder_should_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "profiles").touch()
    with pytest.raises(ConfigError, match="Not a directory"):
        profiles.names(environment(tmp_path / "profiles"))
    with pytest.raises(ConfigError):
        profiles.read("work", environment(tmp_path / "profiles"))


def test_a_home_that_is_nobodys_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="GEMINI_LIVE_CONFIG_DIR names nobody's home: '~none/x'"):
        profiles.locate(None, {"GEMINI_LIVE_CONFIG_DIR": "~none/x"})


# --- Writing ----------------------------------------------------------------------------------


def test_a_change_leaves_the_rest_and_its_comments(place: Path) -> None:
    path = place / "work.toml"
    path.write_text(
        '# mine\nvoice = "Kore" # soft\nsystem = """\nBe\nbrief."""\n\n[tools]\ntimer = true'
    )
    changes = {"voice": "Puck", "system": None, "retries": 3, "tools.search": False}
    assert profiles.change(profile(place), changes) == [
        "voice",
        "system",
        "retries",
        "tools.search",
    ]
    assert path.read_text() == (
        '# mine\nvoice = "Puck"\nretries = 3\n\n[tools]\nsearch = false\ntimer = true\n'
    )
    assert profiles.change(profile(place), {"voice": "Puck", "system": None}) == []


def test_nothing_is_made_to_take_something_out(place: Path) -> None:
    assert profiles.change(profile(place, "new"), {"voice": None}) == []
    assert list(place.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_profile_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        place = tmp_path / "deep" / "profiles"
        profiles.change(profile(place), {"voice": "Puck"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "work.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_stays_one(place: Path, tmp_path: Path) -> None:
    (tmp_path / "real.toml").touch()
    (place / "work.toml").symlink_to(tmp_path / "real.toml")
    profiles.change(profile(place), {"voice": "Puck"})
    assert (place / "work.toml").is_symlink()
    assert (tmp_path / "real.toml").read_text() == 'voice = "Puck"\n'


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place / "work.toml"
    path.write_text('voice = "Kore"\n')

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        profiles.change(profile(place), {"voice": "Puck"})
    assert path.read_text() == 'voice = "Kore"\n'
    assert list(place.iterdir()) == [path]


def test_a_broken_profile_is_not_overwritten(place: Path) -> None:
    (place / "work.toml").write_text("voice = Puck")
    with pytest.raises(ConfigError, match="isn't valid TOML"):
        profiles.change(profile(place), {"retries": 3})
    assert (place / "work.toml").read_text() == "voice = Puck"


def test_a_secret_is_not_written(place: Path) -> None:
    with pytest.raises(ConfigError, match="looks like a secret") as caught:
        profiles.change(profile(place), {"system": "AIzaSy-hush-hush-hush"})
    assert "hush" not in str(caught.value)
    assert list(place.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="elsewhere the later of two changes may win")
def test_many_copies_at_once_lose_nothing(place: Path) -> None:
    code = (
        "import sys; from gemini_live_trio.repl import _profiles as p\n"
        "it = p.locate('work', {'GEMINI_LIVE_CONFIG_DIR': sys.argv[1]})\n"
        "for n in range(20): p.change(it, {f'tools.t{sys.argv[2]}-{n}': True})"
    )
    copies = [
        subprocess.Popen([sys.executable, "-c", code, str(place.parent), str(number)])
        for number in range(3)
    ]
    assert [copy.wait(60) for copy in copies] == [0, 0, 0]
    assert len(profiles.read("work", environment(place)).values) == 60


# --- The little TOML --------------------------------------------------------------------------

VALUES = (
    st.text()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
NAMES = st.text(st.sampled_from("abcxyz-_19"), min_size=1, max_size=4)


@given(VALUES)
def test_what_is_written_is_read_again(value: Any) -> None:
    text = written(value)
    assert tomllib.loads(f"a = {text}") == {"a": value}
    assert text.isprintable()


@given(
    st.dictionaries(st.text(min_size=1, max_size=4).filter(lambda name: name != "tools"), VALUES),
    st.dictionaries(st.text(max_size=4), VALUES),
    NAMES,
    VALUES | st.none(),
    st.booleans(),
)
def test_an_edit_changes_one_key(
    top: dict[str, Any], tools: dict[str, Any], name: str, value: Any, in_tools: bool
) -> None:
    before = top | {"tools": tools}
    after = tomllib.loads(edited(dumped(before), f"tools.{name}" if in_tools else name, value))
    table = tools if in_tools else top
    table.pop(name, None)
    if value is not None:
        table[name] = value
    assert after == top | {"tools": tools}


@pytest.mark.parametrize(
    "text",
    [
        "tools = { timer = true }",
        "tools.timer = true",
        'voice = "a"\n"tools" . "timer" = true',
        's = """\n[tools]\ntimer = 1\n"""\n[tools]\ntimer = true',
        "[ tools ] # mine\n'timer'=true",
        "list = [1, {a = 2}]\nday = 1979-05-27T07:32:00Z\ntools = { timer = true }",
    ],
)
def test_an_edit_copes_with_other_ways_to_write(text: str) -> None:
    document = tomllib.loads(text)
    document["tools"]["timer"] = False
    assert tomllib.loads(edited(text, "tools.timer", False)) == document
    document["tools"] = {}
    assert tomllib.loads(edited(text, "tools.timer", None)) == document


def test_a_key_is_found_in_its_own_table() -> None:
    text = "timer = 1\n[tools]\n# timer = 2\n timer = true\n"
    assert (line_of(text, "timer"), line_of(text, "tools.timer")) == (1, 4)
    assert line_of(text, "tools.absent") is None
