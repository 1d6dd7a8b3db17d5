"""The conformance suite passes our own codec, and fails others for the right reasons."""

import subprocess
import sys
from pathlib import Path

import pytest

from gemini_live_trio.testing import conformance

CHILD = """
import base64, json, sys, time
from gemini_live_trio import codec
from gemini_live_trio.errors import ProtocolError

for line in sys.stdin:
    case = json.loads(line)
    frame = case["frame"] if "frame" in case else base64.b64decode(case["frame_base64"])
    answer = {"case": case["case"]}
    try:
        if case["root"] == "server":
            answer["frame"] = codec.encode_server(codec.decode(frame)).decode()
        else:
            answer["frame"] = codec.encode(codec.decode_client(frame))
    except ProtocolError as error:
        answer["error"] = str(error)
    SPOIL
    print(json.dumps(answer), flush=True)
"""


def command(tmp_path: Path, spoil: str = "pass") -> str:
    script = tmp_path / "child.py"
    script.write_text(CHILD.replace("SPOIL", spoil), encoding="utf-8")
    return f"'{sys.executable}' '{script}'"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gemini_live_trio.testing.conformance", *arguments],
        capture_output=True,
        text=True,
    )


def test_our_own_codec_passes(tmp_path: Path) -> None:
    done = run(command(tmp_path), "--examples", "20")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "passed: 120 cases\n"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            "answer = {k: v.replace('true', 'false') if k == 'frame' else v "
            "for k, v in answer.items()}",
            "a valid frame came back as another",
        ),
        ("answer = {'case': case['case'], 'error': 'no'}", "a valid frame was refused: no"),
        ("answer['frame'] = '{'", "no JSON"),
        ("answer['case'] += 1", "the answer is for case "),
        ("answer = {'case': case['case']}", 'neither "frame" nor "error"'),
        ("answer = []", "the answer is no JSON object"),
        ("print('hello', flush=True)", "the answer is no JSON object"),
        ("sys.exit(3)", "the program has ended"),
        ("if case['case'] == 9: sys.exit(3)", "the program treats the same frame differently"),
    ],
)
def test_a_wrong_codec_fails(
    tmp_path: Path, spoil: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conformance.main([command(tmp_path, spoil), "--examples", "25"]) == 1
    output = capsys.readouterr().out
    assert output.startswith("failed: ")
    assert said in output
    assert "\nYou can" not in output


def test_a_codec_that_hangs_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # It waits for more input than it gets.
    arguments = [command(tmp_path, "sys.stdin.read()"), "--examples", "1", "--timeout", "0.5"]
    assert conformance.main(arguments) == 1
    assert "no answer in 0.5 s" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["/no/such/program"], [""], ["'"], []])
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        conformance.main(arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_help_explains_the_protocol() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("frame_base64", '"root": "server"', "Exit status"):
        assert word in done.stdout
