"""Scripts as files: JSON lines, one step a line, checked whole before anything is served."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import trio

from ... import codec, wire
from ...errors import DecodeError
from .._actions import check_code
from ._expecting import ScriptError, field_path
from ._matching import difference, pattern_from
from ._orders import nearest, read_order
from ._script import Scene, Script

__all__ = ["STEPS", "read_script"]

MOST_BYTES: Final = 64 * 2**20
_REMARK: Final = "#"

Act: TypeAlias = Callable[[Scene], Awaitable[object]]


class _Wrong(ValueError):
    """What is wrong with a line."""


@attrs.frozen
class _Line:
    number: int
    name: str
    act: Act


def read_script(path: str | os.PathLike[str]) -> Script:
    """Read a script from a file.

    Raises:
      ScriptError: it can't be read, or a line is wrong; the text names the file and the line.
    """
    name = os.fspath(path)
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise ScriptError(f"{name} is too large for a script.")
        if Path(path).is_fifo():
            raise ScriptError(f"{name} is a pipe; name a file.")
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ScriptError(f"{name} can't be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise ScriptError(f"{name} is no text in UTF-8.") from None
    lines: list[_Line] = []
    connected = False
    for number, line in enumerate(text.split("\n"), 1):
        try:
            step = _read_line(line)
            if step is None:
                continue
            connected = connected or step[0] == "connection"
            if not connected and step[0] not in _BEFORE_ANY:
                raise _Wrong('there is no connection yet; begin with {"connection": "next"}.')
        except ValueError as error:
            raise ScriptError(f"{name}, line {number}: {error}") from None
        lines.append(_Line(number, *step))
    if not lines:
        raise ScriptError(f"{name} has no step in it.")

    async def script(scene: Scene) -> None:
        for line in lines:
            scene.place = f"{name}, line {line.number}"
            await line.act(scene)

    return script


def _read_line(line: str) -> tuple[str, Act] | None:
    """Read a step: its name, and what it does; ``None`` for a line without any."""
    if not line.strip():
        return None
    try:
        step = json.loads(line, object_pairs_hook=_once_each)
        json.dumps(step, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _Wrong("this has half of a surrogate pair in it, which can't be sent.") from None
    except json.JSONDecodeError as error:
        raise _Wrong(f"this is no JSON ({error.msg}, at character {error.pos + 1}).") from None
    except RecursionError:
        raise _Wrong("this is too deep.") from None
    if not isinstance(step, dict):
        raise _Wrong('a step is a JSON object, such as {"say": "Hello"}.')
    step.pop(_REMARK, None)
    if not step:
        return None
    names = [name for name in step if name in STEPS]
    if not names:
        (name, *_) = step
        raise _Wrong(f"there is no step {name!r}.{nearest(name, STEPS)}")
    if len(names) > 1:
        raise _Wrong(f"a line is one step, and this is {len(names)}: {', '.join(names)}.")
    (name,) = names
    value = step.pop(name)
    more, read = STEPS[name]
    for other in step:
        if other not in more:
            takes = f"; it takes {', '.join(more)}" if more else ""
            raise _Wrong(f"{name} takes no {other!r}{takes}.{nearest(other, more)}")
    try:
        return name, read(value, **step)
    except _Wrong as error:
        raise _Wrong(f"{name}: {error}") from None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object, in which JSON would let the last of several equal names win."""
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise _Wrong(f"{name!r} stands twice in one object.")
        made[name] = value
    return made


# --- What each step may say --------------------------------------------------------------------


def _seconds(value: Any, what: str = "it") -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:
        raise _Wrong(f"{what} is a number of seconds, not {value!r}.")
    return float(value)


def _within(value: Any) -> float:
    return math.inf if value is None else _seconds(value, "within")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"it is a text, not {value!r}.")
    return value


def _object(value: Any, *names: str) -> dict[str, Any]:
    """An object; with names, one that holds nothing else."""
    if not isinstance(value, dict):
        raise _Wrong(f"it is an object, not {value!r}.")
    for name in value:
        if names and name not in names:
            raise _Wrong(f"it has no {name!r}.{nearest(name, names)}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"it is true or false, not {value!r}.")
    return value


def _code(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Wrong(f"code is a whole number, not {value!r}.")
    return value


def _connection(value: Any, *, setup: Any = None, within: Any = None) -> Act:
    if value != "next":
        raise _Wrong(f'it is "next", not {value!r}.')
    seconds = _within(within)
    wanted = None if setup is None else _object(setup)
    if wanted is not None:
        _pattern({"setup": wanted})
    return lambda scene: scene.connected(wanted, within=seconds)


def _pattern(value: Mapping[str, Any]) -> wire.LiveClientMessage:
    try:
        return pattern_from(value)
    except ValueError as error:
        raise _Wrong(str(error)) from None


def _expect(value: Any, *, within: Any = None, skip: Any = False) -> Act:
    if isinstance(value, str):
        try:
            field_path(value)
        except ValueError as error:
            raise _Wrong(str(error)) from None
    else:
        _pattern(_object(value))
    seconds, skips = _within(within), _flag(skip)
    return lambda scene: scene.expect(value, within=seconds, skip=skips)


def _expect_text(value: Any, *, within: Any = None, skip: Any = False) -> Act:
    wanted: str | re.Pattern[str] | None
    if value is True:
        wanted = None
    elif isinstance(value, dict):
        try:
            wanted = re.compile(_text(_object(value, "like").get("like")))
        except (re.error, RecursionError, OverflowError) as error:
            raise _Wrong(f"this is no regular expression: {error}.") from None
    else:
        wanted = _text(value)
    seconds, skips = _within(within), _flag(skip)
    return lambda scene: scene.expect_text(wanted, within=seconds, skip=skips)


def _expect_audio(value: Any, *, within: Any = None) -> Act:
    least, seconds = 0.0 if value is True else _seconds(value), _within(within)
    return lambda scene: scene.expect_audio(least, within=seconds)


def _expect_tool_response(value: Any, *, within: Any = None) -> Act:
    given = {"id": value} if isinstance(value, str) else {} if value is True else value
    wanted = {name: _text(text) for name, text in _object(given, "id", "name").items()}
    seconds = _within(within)
    return lambda scene: scene.expect_tool_response(
        wanted.get("id"), name=wanted.get("name"), within=seconds
    )


def _expect_nothing(value: Any) -> Act:
    seconds = _seconds(value)
    return lambda scene: scene.expect_nothing(seconds)


def _expect_end(value: Any, *, within: Any = None) -> Act:
    given = {} if value is True else _object(value, "by", "code")
    by, code = given.get("by"), given.get("code")
    if by not in (None, "client", "server", "nobody"):
        raise _Wrong(f"by is client, server or nobody, not {by!r}.")
    if code is not None:
        _code(code)
    seconds = _within(within)
    return lambda scene: scene.expect_end(by=by, code=code, within=seconds)


def _say(value: Any) -> Act:
    text = _text(value)
    return lambda scene: scene.say(text)


def _transcribe(value: Any) -> Act:
    text = _text(value)
    return lambda scene: scene.transcribe(text)


def _call(value: Any) -> Act:
    calls = []
    for given in value if isinstance(value, list) else [value]:
        call = _object(given, "name", "args", "id")
        calls.append(
            wire.FunctionCall(
                name=_text(call.get("name")),
                args=_object(call.get("args", {})),
                id=None if call.get("id") is None else _text(call["id"]),
            )
        )
    return lambda scene: scene.call_all(*calls)


def _send(value: Any) -> Act:
    try:
        message = codec.decode(json.dumps(_object(value)))
    except DecodeError as error:
        raise _Wrong(f"no client could read this: {error}") from None
    return lambda scene: scene.send(message)


def _send_raw(value: Any) -> Act:
    text = _text(value)
    return lambda scene: scene.send_raw(text)


def _wait(value: Any) -> Act:
    seconds = _seconds(value)

    async def act(_scene: Scene) -> None:
        await trio.sleep(seconds)

    return act


def _do(value: Any) -> Act:
    line = _text(value)
    try:
        read_order(line.removeprefix("!"))
    except ValueError as error:
        raise _Wrong(str(error)) from None
    return lambda scene: scene.do(line)


def _refuse(value: Any) -> Act:
    given = _object(value, "code", "reason", "times", "only_resumes", "when")
    code, reason = _code(given.get("code", 1011)), _text(given.get("reason", ""))
    only_resumes, times = _flag(given.get("only_resumes", False)), given.get("times", 1)
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise _Wrong(f"times is a whole number from 1, or null for all, not {times!r}.")
    try:
        check_code(code)
    except ValueError as error:
        raise _Wrong(f"{error}.") from None
    when = given.get("when")
    pattern = None if when is None else _pattern({"setup": _object(when)}).setup

    def meant(setup: wire.LiveClientSetup) -> bool:
        return difference(pattern, setup) is None

    async def act(scene: Scene) -> None:
        await trio.lowlevel.checkpoint()
        scene.refuse_next_setup(
            code,
            reason,
            times=times,
            only_resumes=only_resumes,
            when=None if pattern is None else meant,
        )

    return act


def _strict(value: Any) -> Act:
    flag = _flag(value)

    async def act(scene: Scene) -> None:
        await trio.lowlevel.checkpoint()
        scene.strict = flag

    return act


STEPS: Final[Mapping[str, tuple[tuple[str, ...], Callable[..., Act]]]] = {
    "connection": (("setup", "within"), _connection),
    "expect": (("within", "skip"), _expect),
    "expect_text": (("within", "skip"), _expect_text),
    "expect_audio": (("within",), _expect_audio),
    "expect_tool_response": (("within",), _expect_tool_response),
    "expect_nothing": ((), _expect_nothing),
    "expect_end": (("within",), _expect_end),
    "say": ((), _say),
    "transcribe": ((), _transcribe),
    "call": ((), _call),
    "send": ((), _send),
    "send_raw": ((), _send_raw),
    "wait": ((), _wait),
    "do": ((), _do),
    "refuse": ((), _refuse),
    "strict": ((), _strict),
}
"""The steps, each with what else may stand in its line."""

_BEFORE_ANY: Final = frozenset({"connection", "wait", "do", "refuse", "strict"})
