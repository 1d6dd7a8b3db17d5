"""Commands in a conversation: each works, and whatever is wrong with one is told."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from simulator.raw_client import SETUP, Closed, RawClient, dial, order, sound, spoken
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import SessionConfig, open_session
from gemini_live_trio.events import OutputTranscription, TurnComplete
from gemini_live_trio.simulator import ServerConnection, Simulator, open_simulator
from gemini_live_trio.simulator._scripts._commands import COMMANDS
from gemini_live_trio.simulator._scripts._orders import CommandError, read_order


@asynccontextmanager
async def talking(**options: Any) -> AsyncIterator[tuple[RawClient, ServerConnection, Simulator]]:
    async with (
        open_simulator(port=None, commands=True, **options) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up(outputAudioTranscription={}, tools=TOOLS)
        yield client, await simulator.accept(), simulator


TOOLS = [{"functionDeclarations": [{"name": "look"}]}]


async def command(client: RawClient, line: str) -> list[dict[str, Any] | Closed]:
    """Give a command; everything up to the end of the turn that answers it, or the end."""
    await client.send(realtimeInput={"text": line})
    seen: list[dict[str, Any] | Closed] = []
    with trio.move_on_after(30):
        while True:
            message = await client.receive()
            seen.append(message)
            if isinstance(message, Closed):
                return seen
            if spoken([one for one in seen if isinstance(one, dict)]) and "turnComplete" in (
                message.get("serverContent", {})
            ):
                return seen
    return seen


async def nothing(client: RawClient, server: ServerConnection, simulator: Simulator) -> None:
    """For what can be seen in the command's own answer."""


async def next_setup(simulator: Simulator, **more: Any) -> dict[str, Any] | Closed | None:
    async with dial(simulator) as other:
        await other.send(setup={**SETUP, **more})
        with trio.move_on_after(25):
            return await other.receive()


async def answer_to(client: RawClient, text: str) -> list[dict[str, Any]]:
    answer = await client.say(text)
    with trio.move_on_after(3):
        while True:
            message = await client.receive()
            assert isinstance(message, dict)
            answer.append(message)
    return answer


def roots(seen: list[Any]) -> list[str]:
    return order([message for message in seen if isinstance(message, dict)])


async def test_go_away_by_command(autojump_clock: MockClock) -> None:
    async with talking() as (client, server, _simulator):
        seen = await command(client, "!goaway 5")
        assert seen[0] == {"goAway": {"timeLeft": "5s"}}
        assert spoken(seen[1:]) == "Done: goaway 5."
        assert await client.closed() == Closed(1008, (await server.wait_ended()).reason[:123])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("!goaway-silent 9", {"goAway": {"timeLeft": "9s"}}),
        ("!goaway-untimed", {"goAway": {}}),
        ("!close 4000 because I say so", Closed(4000, "because I say so")),
        ("!close-open 1011 Hm.", Closed(1011, "Hm.")),
        ("!drop", Closed(1006, "")),
        ("!reset", Closed(1006, "")),
        ("!restart", Closed(1006, "")),
        ("!empty", {}),
        (
            "!unknown",
            {"serverContent": {"somethingNew": {"number": 1}}, "usageMetadata": {"newCount": 1}},
        ),
        ("!unknown message", {"somethingNew": {"number": 1}}),
        ("!status IDLE", {"serverContent": {"interactionStatus": "IDLE"}}),
        ("!no-handle", {"sessionResumptionUpdate": {}}),
        (
            "!transcribe You hummed.",
            {"serverContent": {"inputTranscription": {"text": "You hummed."}}},
        ),
        ("!phantom-interrupted", {"serverContent": {"interrupted": True}}),
    ],
)
async def test_what_a_command_sends_at_once(
    line: str, message: Any, autojump_clock: MockClock
) -> None:
    async with talking() as (client, _server, _simulator):
        await client.send(realtimeInput={"text": line})
        assert await client.receive() == message


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        (
            "!together",
            ["outputTranscription", "sessionResumptionUpdate", "usageMetadata", "voiceActivity"],
        ),
        ("!handle", ["sessionResumptionUpdate"]),
        ("!thought", ["modelTurn"]),
        ('!call look {"at": "sky"}', ["toolCall"]),
    ],
)
async def test_what_kind_of_message_a_command_sends(
    line: str, keys: list[str], autojump_clock: MockClock
) -> None:
    async with talking() as (client, _server, _simulator):
        await client.send(realtimeInput={"text": line})
        first = await client.receive()
        assert isinstance(first, dict)
        found = [*first.get("serverContent", {}), *(set(first) - {"serverContent"})]
        assert sorted(found) == keys


async def test_calls_are_repeated_and_cancelled_by_command(autojump_clock: MockClock) -> None:
    async with talking() as (client, server, _simulator):
        await command(client, "!call look")
        (first,) = server.conversation.open_calls
        again = await command(client, "!repeat-calls")
        assert isinstance(again[0], dict)
        assert again[0]["toolCall"]["functionCalls"][0]["id"] == first
        await command(client, "!repeat-calls fresh")
        assert len(server.conversation.open_calls) == 2
        gone = await command(client, "!cancel-tools")
        assert isinstance(gone[0], dict)
        assert len(gone[0]["toolCallCancellation"]["ids"]) == 2
        assert server.conversation.open_calls == ()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("!refuse 1 1008 Not you.", Closed(1008, "Not you.")),
        ("!drop-setup", Closed(1006, "")),
        ("!ignore-setup", None),
        ("!delay-setup 20", {"setupComplete": {}}),
        ("!wrong-first", {"goAway": {"timeLeft": "50s"}}),
    ],
)
async def test_the_next_setup_by_command(
    line: str, expected: Any, autojump_clock: MockClock
) -> None:
    async with talking() as (client, _server, simulator):
        await command(client, line)
        start = trio.current_time()
        assert await next_setup(simulator) == expected
        assert (trio.current_time() - start > 15) is (expected in (None, {"setupComplete": {}}))
        await command(client, line)
        await command(client, "!clear")
        assert await next_setup(simulator) == {"setupComplete": {}}


@pytest.mark.parametrize("line", ["!reject 429", "!drop-upgrade", "!accept off"])
async def test_the_next_upgrade_by_command(line: str, autojump_clock: MockClock) -> None:
    async with talking() as (client, _server, simulator):
        await command(client, line)
        with pytest.RaisesGroup(Exception, flatten_subgroups=True, allow_unwrapped=True):
            with trio.fail_after(5):
                await next_setup(simulator)
        await command(client, "!accept on")
        assert await next_setup(simulator) == {"setupComplete": {}}


async def test_resumes_by_command(autojump_clock: MockClock) -> None:
    async with talking() as (client, server, simulator):
        await server.send_handle("h")
        resume = {"sessionResumption": {"handle": "h"}}
        for line, expected in [
            ("!refuse-resume 2", Closed(1011, "Internal error encountered.")),
            ("!empty", Closed(1011, "Internal error encountered.")),
            ("!empty", Closed(1011, "Internal error encountered.")),  # the lock
            ("!resume-lock off", {"setupComplete": {}}),
            ("!empty-resume", {"setupComplete": {}}),
            ("!forget", Closed(1008, "BidiGenerateContent session not found")),
        ]:
            await command(client, line)
            assert await next_setup(simulator, **resume) == expected
        assert len(simulator.conversations) == 2


async def test_bytes_by_command(autojump_clock: MockClock) -> None:
    async with talking() as (client, server, _simulator):
        await command(client, "!late-pongs 8")
        start = trio.current_time()
        await client.websocket.ping()
        assert trio.current_time() - start == pytest.approx(8)
        client.kinds.clear()
        await command(client, "!frames text")
        await command(client, "!fragments 10")
        assert client.kinds == {str}
        start = trio.current_time()
        seen = await command(client, "!freeze 20")
        assert seen
        assert trio.current_time() - start > 20
        start = trio.current_time()
        await command(client, "!stop-reading 4")
        await client.websocket.ping()
        assert trio.current_time() - start > 4
        await command(client, "!read-slowly 10")
        start = trio.current_time()
        await command(client, "!late-pongs 0")
        assert trio.current_time() - start > 4
        assert server.ending is None


async def test_large_messages_by_command(autojump_clock: MockClock) -> None:
    async with talking() as (client, _server, _simulator):
        seen = await command(client, "!large 0.5")
        assert len(sound(seen[:1])) == pytest.approx(0.75 * 0.5 * 2**20, rel=0.01)


async def test_ends_by_command(autojump_clock: MockClock) -> None:
    async with talking() as (client, server, _simulator):
        start = trio.current_time()
        await command(client, "!close-at-age 40 1000")
        await client.closed()
        assert trio.current_time() - start == pytest.approx(40, abs=1)
        assert (await server.wait_ended()).code == 1000
    async with talking() as (client, server, _simulator):
        await command(client, "!vanish 60")
        assert (await server.wait_ended()).why == "the client had vanished"
    async with talking() as (client, server, _simulator):
        await command(client, "!ping-before-close")
        await command(client, "!no-close-reply")
        with trio.move_on_after(100) as scope:
            await client.websocket.aclose()
        assert scope.cancelled_caught


@pytest.mark.parametrize(
    "line",
    [
        "!speed 0.8",
        "!burst 4",
        "!gap 1 2",
        "!late-audio after-turn 2",
        "!transcript before",
        "!heard after-turn",
        "!usage alone",
        "!status-after",
    ],
)
async def test_the_way_of_delivery_by_command(line: str, autojump_clock: MockClock) -> None:
    async with talking() as (client, server, _simulator):
        usual = server.delivery
        seen = await command(client, line)
        assert spoken([one for one in seen if isinstance(one, dict)]) == f"Done: {line[1:]}."
        assert server.delivery != usual
        with trio.move_on_after(3):
            while True:
                await client.receive()
        await answer_to(client, "count to 5")
        assert server.ending is None


async def test_ways_of_delivery_add_up_and_are_taken_back(autojump_clock: MockClock) -> None:
    async with talking() as (client, server, _simulator):
        usual = server.delivery
        for line in ("!transcript after", "!usage missing", "!heard after-answer"):
            await command(client, line)
        delivery = server.delivery
        assert (delivery.transcript, delivery.usage, delivery.heard) == (
            "after",
            "missing",
            "after_answer",
        )
        for line in ("!transcript usual", "!usage usual", "!heard usual", "!status-after none"):
            await command(client, line)
        assert server.delivery == usual


async def test_strict_tools_by_command(autojump_clock: MockClock) -> None:
    async with talking() as (client, server, _simulator):
        await command(client, "!strict-tools")
        assert server.strict_blocking
        await command(client, "!strict-tools off")
        assert not server.strict_blocking


async def test_a_turn_by_command(autojump_clock: MockClock) -> None:
    async with talking() as (client, _server, _simulator):
        seen = await command(client, "!say Good day to you.")
        assert spoken([one for one in seen if isinstance(one, dict)]) == "Good day to you."


# --- What is wrong with a command ---


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("!gowaay 5", "There is no command 'gowaay'. Did you mean goaway?"),
        ("!xyzzy", "There is no command 'xyzzy'. help lists them all."),
        (
            "!late-pongs soon",
            "late-pongs: seconds is a number of seconds, not 'soon'. "
            "Usage: late-pongs [seconds=8].",
        ),
        (
            "!close 1006",
            "close: code is a code that a close frame can carry, such as 1011, not '1006'. "
            "Usage: close [code=1000] [reason].",
        ),
        ("!drop now", "drop takes no 'now'. Usage: drop."),
        ("!say", "say wants text: some words. Usage: say <text>."),
        ("!speed 0", "speed: times is a number above 0, not '0'. Usage: speed <times>."),
        (
            "!fragments -1",
            "fragments: size is a whole number from 1, not '-1'. Usage: fragments [size=64].",
        ),
        ("!call look [1]", "call: args is a JSON object, not '[1]'. Usage: call <name> [args]."),
        (
            "!reject 200",
            "reject: status is an HTTP status from 400 to 599, not '200'. "
            "Usage: reject [status=503] [times=1].",
        ),
        ("!frames hex", "frames: kind is text or binary, not 'hex'. Usage: frames [text/binary]."),
        ("!help drop", "drop: the end without a close frame (1006)."),
        ("!help dorp", "There is no command 'dorp'. Did you mean drop?"),
    ],
)
async def test_what_is_wrong_is_said(line: str, answer: str, autojump_clock: MockClock) -> None:
    async with talking(mind=None) as (client, server, _simulator):
        seen = await command(client, line)
        assert spoken([one for one in seen if isinstance(one, dict)]) == answer
        assert server.ending is None


@pytest.mark.parametrize("name", [one.name for one in COMMANDS])
def test_every_command_is_tried_here(name: str) -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert re.search(rf"[\"']!{name}[\"' ]", source)


async def test_help_lists_every_command(autojump_clock: MockClock) -> None:
    async with talking() as (client, _server, _simulator):
        seen = await command(client, "!help")
        said = spoken([one for one in seen if isinstance(one, dict)])
        assert all(f" {one.name}," in said or f" {one.name}." in said for one in COMMANDS)


# --- Commands and the conversation ---


@pytest.mark.parametrize("way", ["realtimeInput", "clientContent"])
async def test_a_command_is_consumed_but_no_part_of_the_history(
    way: str, autojump_clock: MockClock
) -> None:
    async with talking() as (client, server, _simulator):
        if way == "realtimeInput":
            await client.send(realtimeInput={"text": " !empty"})
        else:
            turn = {"role": "user", "parts": [{"text": "!empty"}]}
            await client.send(clientContent={"turns": [turn], "turnComplete": True})
        assert await client.receive() == {}
        await client.until("turnComplete")
        (consumed,) = server.conversation.consumed
        assert (consumed.kind, consumed.ignored) == (way.replace("realtimeInput", "text"), False)
        assert [turn.role for turn in server.history] == ["model"]
        assert "one turn" in spoken(await client.say("How many turns?"))


@pytest.mark.parametrize("text", ["!!!", "! hello", "hello !drop", "!", "!1"])
async def test_what_only_looks_like_a_command(text: str, autojump_clock: MockClock) -> None:
    async with talking() as (client, server, _simulator):
        assert "command" not in spoken(await client.say(text))
        assert server.history[0].text == text


async def test_without_leave_there_are_no_commands(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(outputAudioTranscription={})
        assert "!drop" in spoken(await client.say("!drop"))


async def test_a_command_does_not_interrupt_an_answer(autojump_clock: MockClock) -> None:
    async with talking() as (client, _server, _simulator):
        await client.send(realtimeInput={"text": "count to 30"})
        await client.until("modelTurn")
        await client.send(realtimeInput={"text": "!late-pongs 1"})
        rest = await client.until("turnComplete")
        assert "interrupted" not in roots(rest)
        assert spoken(rest).endswith("30.")
        assert spoken(await client.until("turnComplete")) == "Done: late-pongs 1."


async def test_after_a_drop_the_next_connection_says_that_it_was_done(
    autojump_clock: MockClock,
) -> None:
    async with open_simulator(port=None, commands=True) as simulator:
        config = SessionConfig(model="gemini-3.8-live")
        async with open_session(config, connector=simulator.connector) as session:
            receipt = await session.send_text("!drop")
            said = ""
            async for event in session:
                if isinstance(event, OutputTranscription):
                    said += event.text
                if isinstance(event, TurnComplete):
                    break
            assert said == "Done: drop."
            await receipt.wait_final()
            assert receipt.replays == 0
        assert len(simulator.setups) >= 2


LONG = "!say " + "one two three four five six seven eight nine ten. " * 10


async def test_a_command_does_not_wait_for_what_another_one_says(
    autojump_clock: MockClock,
) -> None:
    async with talking() as (client, _server, _simulator):
        await client.send(realtimeInput={"text": LONG})
        await client.until("modelTurn")
        before = trio.current_time()
        await client.send(realtimeInput={"text": "!drop"})
        assert await client.closed() == Closed(1006, "")
        assert trio.current_time() == before


@pytest.mark.parametrize("line", [LONG, "!goaway-silent 50"])
async def test_who_leaves_after_a_command_is_gone(line: str, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, commands=True) as simulator:
        async with dial(simulator) as client:
            await client.set_up()
            server = await simulator.accept()
            await client.send(realtimeInput={"text": line})
            await client.send(realtimeInput={"text": "!say hello"})
            await client.receive()
        with trio.fail_after(10):
            assert (await server.wait_ended()).by == "client"
        assert simulator.connections == ()
        assert not server._session.attached


@pytest.mark.parametrize("line", ["!say hello", "!empty"])
async def test_commands_are_obeyed_while_nothing_can_be_said(
    line: str, autojump_clock: MockClock
) -> None:
    async with talking() as (client, server, _simulator):
        await client.send(realtimeInput={"text": "call look"})
        await client.until("toolCall")  # and the turn waits for its answer
        for _ in range(40):
            await client.send(realtimeInput={"text": line})
        await client.send(realtimeInput={"text": "!drop"})
        with trio.fail_after(10):
            assert (await server.wait_ended()).why == "dropped on request"


async def test_commands_say_things_in_order(autojump_clock: MockClock) -> None:
    async with talking() as (client, _server, _simulator):
        for line in ("!say One.", "!say Two."):
            await client.send(realtimeInput={"text": line})
        said = [spoken(await client.until("turnComplete")) for _ in range(4)]
        assert said == ["One.", "Done: say One..", "Two.", "Done: say Two.."]


def test_the_terminal_programs_simulator_takes_commands() -> None:
    command = [sys.executable, "-m", "gemini_live_trio", "--simulate", "--text", "!drop it"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "drop takes no 'it'. Usage: drop.\n"


@given(st.text(max_size=50), st.sampled_from([one.name for one in COMMANDS]))
def test_any_words_after_a_command_are_read_or_refused(words: str, name: str) -> None:
    for line in (words, f"{name} {words}"):
        try:
            told = read_order(line).answer
        except CommandError as error:
            told = str(error)
        assert told.endswith((".", "?"))


@pytest.mark.parametrize(
    "line",
    [
        "!say \ud800",
        "!close-at-age 1 \ud800",
        "!transcribe \ud800",
        '!call look {"at": NaN}',
        "!call look " + "[" * 1_900,
        "!freeze 1e308",
        "!large 1e9",
        "!say " + "x" * 100_000,
    ],
)
async def test_nothing_that_is_typed_breaks_the_simulator(
    line: str, autojump_clock: MockClock
) -> None:
    async with talking() as (client, _server, simulator):
        await client.send(realtimeInput={"text": line})
        await wait_all_tasks_blocked()
        assert await next_setup(simulator) == {"setupComplete": {}}


# --- What is left to break on a connection that is over ---


async def test_what_is_over_can_not_be_broken_any_more(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            await client.set_up()
            server = await simulator.accept()
        await server.wait_ended()
        ending = server.ending
        with pytest.raises(trio.BrokenResourceError):
            await server.go_away(5)
        with pytest.raises(trio.BrokenResourceError):
            await server.say("Hello?")
        server.vanish()
        server.freeze(5)
        server.stop_reading(5)
        server.close_at_age(5)
        server.thaw()
        server.ignore_close()
        await server.drop()
        await server.reset()
        await server.close(1011)
        await wait_all_tasks_blocked()
        assert server.ending is ending
        async with dial(simulator) as client:
            await client.set_up()


# --- What the pages say ---

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
FAULTS = PAGE[PAGE.index("## What goes wrong on request") : PAGE.index("## What it refuses")]
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| (?:`(.+)`)? ?\|$", FAULTS, re.M)


@pytest.mark.parametrize("line", [line for _, _, line in ROWS if line])
def test_the_page_names_commands_that_can_be_given(line: str) -> None:
    assert read_order(line).command is not None


def test_the_page_names_calls_that_exist() -> None:
    calls = re.findall(r"(server|simulator)\.(\w+)", FAULTS)
    assert len(calls) > 40
    owners = {"server": ServerConnection, "simulator": Simulator}
    missing = [f"{owner}.{name}" for owner, name in calls if not hasattr(owners[owner], name)]
    assert not missing


def test_the_page_leaves_no_command_out() -> None:
    told = {line.split()[0] for _, _, line in ROWS if line} | set(re.findall(r"`(\w+)`", FAULTS))
    assert {command.name for command in COMMANDS} - told <= {"status"}


def test_the_table_of_commands_names_calls_that_exist() -> None:
    owners = {"server": ServerConnection, "simulator": Simulator}
    for command in COMMANDS:
        owner, name = re.findall(r"(server|simulator)\.(\w+)", command.call)[0]
        assert hasattr(owners[owner], name), command.call
        assert (owner == "simulator") is (command.on == "service")
