"""The terminal client: what is typed, and what becomes of it."""

from __future__ import annotations

import pytest
import trio
from cli.client import client, settled
from trio.testing import MockClock

from gemini_live_trio.repl._commands import COMMANDS


async def test_a_conversation(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        shown = await person.types("My name is Ada.")
        assert shown[0] == "you> My name is Ada."
        assert "model> Hello, Ada. I will remember that." in shown


async def test_the_status_bar_tells_how_things_stand(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        await settled()
        assert "connected" in person.bar
        await person.types("Hello!")
        assert "tokens" in person.bar
        assert "limit 9:" in person.bar


async def test_an_idle_session_sleeps_and_wakes_with_the_conversation(
    autojump_clock: MockClock,
) -> None:
    async with client(sleep_after=90.0) as (person, server):
        await person.types("My name is Ada.")
        await person.sees("the connection sleeps")
        await trio.sleep(1)
        assert "asleep" in person.bar
        assert not server.connections
        shown = await person.types("What is my name?")
        assert "model> Your name is Ada." in shown


async def test_a_session_that_breaks_is_told_and_the_next_input_opens_another(
    autojump_clock: MockClock,
) -> None:
    async with client() as (person, _):
        await person.types("My name is Ada.")
        await person.types("!close 1009")
        await person.sees("The next input opens another connection")
        await trio.sleep(1)
        assert "asleep" in person.bar
        shown = await person.types("What is my name?")
        assert "model> Your name is Ada." in shown


async def test_staged_settings_wait_and_are_applied_with_the_conversation_kept(
    autojump_clock: MockClock,
) -> None:
    async with client() as (person, _):
        await person.types("My name is Ada.")
        (shown,) = await person.types("/system set Don't be brief.")
        assert shown == "note> Waiting for /apply: system instruction: Don't be brief.."
        assert "/apply" in person.bar
        await person.types("/voice puck")
        shown = (await person.types("/apply"))[-1]
        assert "voice: Puck; system instruction: Don't be brief." in shown
        assert "the conversation goes on as it was" in shown
        assert "/apply" not in person.bar
        assert "model> Your name is Ada." in await person.types("What is my name?")


async def test_another_model_is_told_what_was_said(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        await person.types("My name is Ada.")
        await person.types("/model gemini-3.1-flash-live-preview")
        shown = (await person.types("/model apply"))[-1]
        assert "was told what had been said" in shown
        assert "model> Your name is Ada." in await person.types("What is my name?")


@pytest.mark.filterwarnings("ignore::gemini_live_trio.CapabilityWarning")
async def test_settings_that_do_not_work_leave_the_old_ones_in_force(
    autojump_clock: MockClock,
) -> None:
    async with client() as (person, _):
        await person.types("My name is Ada.")
        await person.types("/model gemini-of-another-world")
        shown = await person.types("/apply")
        assert any(line.startswith("note> Nothing is known here of the model") for line in shown)
        assert any(line.startswith("error> ") and "1008" in line for line in shown)
        assert "/apply" in person.bar
        assert "model> Your name is Ada." in await person.types("What is my name?")


async def test_settings_that_are_known_to_fail_are_not_tried(autojump_clock: MockClock) -> None:
    async with client() as (person, server):
        before = len(server.connections)
        await person.types("/model gemini-2.0-flash-live-001")
        (shown,) = await person.types("/apply")
        assert shown.startswith("error> ")
        assert len(server.connections) == before


async def test_nothing_waits(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        assert await person.types("/apply") == ["note> Nothing waits to be applied."]
        assert await person.types("/system clear") == ["note> As it is already."]


async def test_reconnecting_on_request(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        shown = await person.types("/reconnect")
        assert "note> A new connection; the conversation goes on." in shown


async def test_usage_and_status(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        await person.types("Hello!")
        shown = await person.types("/usage")
        assert shown[0].startswith("note> All in all ")
        assert shown[1].startswith("note> Turn 1: ")
        text = "\n".join(await person.types("/status"))
        for word in ("connection", "connected, the simulator", "model", "tokens"):
            assert word in text


async def test_help_is_enough_to_use_each_command(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        text = "\n".join(await person.types("/help"))
        for command in COMMANDS:
            assert command.name in text
        shown = await person.types("/help system")
        assert any("/system set TEXT" in row for row in shown)
        assert (await person.types("/help nonsense"))[0].startswith("error> There is no command")


async def test_ctrl_c_silences_the_model_once(autojump_clock: MockClock) -> None:
    async with client(pace=1.0) as (person, _):
        person._to_type.send_nowait("Tell me a story")
        await person.sees("Once upon")
        await trio.sleep(0.5)
        assert person.speaking
        await person.presses_ctrl_c()
        await person.sees("The model was interrupted")
        assert not person.speaking
