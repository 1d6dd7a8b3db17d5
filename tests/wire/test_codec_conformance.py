"""The conformance suite passes our own codec, and fails others for the right reasons."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

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

# It waits without reading.
SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]


def command(tmp_path: Path, spoil: str = "pass") -> str:
    script = tmp_path / "child.py"
    script.write_text(CHILD.replace("SPOIL", spoil), encoding="utf-8")
    return f"'{sys.executable}' '{script}'"


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gemini_live_trio.testing.conformance", *arguments],
        capture_output=True,
        text=True,
        env=env,
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
        ("if case['case'] == 9: answer = []", "the program treats the same frame differently"),
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


def test_a_program_that_does_not_read_has_no_longer_than_the_limit() -> None:
    async def ask() -> None:
        async with conformance.open_program(SLEEPER, seconds=0.3) as program:
            with pytest.raises(conformance.CaseFailed, match=r"no answer in 0\.3 s"):
                await program.answer("x" * 300_000, "server")

    begun = time.monotonic()
    trio.run(ask)
    assert time.monotonic() - begun < 3


def test_a_dead_or_slow_program_is_not_asked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "starts"
    spoil = f"open({str(log)!r}, 'a').write('x'); sys.exit(3)"
    assert conformance.main([command(tmp_path, spoil), "--examples", "25"]) == 1
    assert log.read_text("utf-8") == "x"
    assert "the program has ended" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/no/such/program"], "can't run '/no/such/program': No such file or directory"),
        ([str(Path(__file__).parent)], "Permission denied"),
        ([""], "the command is empty"),
        (["'"], "No closing quotation"),
        ([], "COMMAND"),
        (["true", "--examples", "0"], "--examples: '0'"),
        (["true", "--examples=-5"], "--examples: '-5'"),
        (["true", "--timeout=-5"], "--timeout: '-5'"),
        (["true", "--timeout", "nan"], "--timeout: 'nan'"),
        (["true", "--timeout", "inf"], "--timeout: 'inf'"),
        (["true", "--timeout", "0"], "--timeout: '0'"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        conformance.main(arguments)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert "error: " in message
    assert said in message


def test_ctrl_c_is_one_line(tmp_path: Path) -> None:
    # The program that is tested interrupts the one that tests it.
    spoil = "import os, signal; os.kill(os.getppid(), signal.SIGINT); sys.stdin.read()"
    done = run(command(tmp_path, spoil))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_without_hypothesis_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "hypothesis.py").write_text(
        "raise ModuleNotFoundError('no hypothesis', name='hypothesis')", encoding="utf-8"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run("--help", env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert 'pip install "gemini-live-trio[test]"' in done.stderr


def test_help_explains_the_protocol() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("frame_base64", '"root": "server"', "Exit status"):
        assert word in done.stdout
