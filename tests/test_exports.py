"""The public surface: what is documented is there, and what is there is documented."""

import importlib
import inspect
import pkgutil
import typing

import pytest

import gemini_live_trio
from gemini_live_trio import errors, events

PUBLIC = [
    name
    for _, name, _ in pkgutil.walk_packages(gemini_live_trio.__path__, "gemini_live_trio.")
    if not any(part.startswith("_") for part in name.split(".")[1:])
]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_modules_say_what_they_export(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    assert len(set(module.__all__)) == len(module.__all__)
    for exported in module.__all__:
        thing = getattr(module, exported)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), f"{name}.{exported} has no docstring"


def test_every_event_is_in_the_union() -> None:
    bases = (events.ServerEvent, events.SessionEvent, events.BookEvent, events.ToolEvent)
    classes = {
        thing
        for name in events.__all__
        if inspect.isclass(thing := getattr(events, name)) and issubclass(thing, bases)
    } - {*bases}
    assert set(typing.get_args(events.Event)) == classes


def test_every_error_is_in_the_tree() -> None:
    tree = errors.__doc__ or ""
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.GeminiLiveError)
        assert name in tree


def test_every_root_name_has_a_home() -> None:
    for name, thing in vars(gemini_live_trio).items():
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), name
