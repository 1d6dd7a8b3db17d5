"""The commands of the terminal, in one table: it feeds parsing, help and completion.

A command has forms, such as ``enable TOOL``: words in small letters are typed as they stand, words
in capitals are filled in, words in brackets may be left out, and ``TEXT`` and ``FILE`` take all
that follows. What a form does is found under its ``action``, the command with its small words.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from ._schema import LEVELS

__all__ = [
    "COMMANDS",
    "PRESS_AGAIN",
    "Command",
    "Form",
    "Mistake",
    "Run",
    "Suggestion",
    "help_lines",
    "help_on",
    "suggestions",
    "understand_command",
    "urgent",
]


@attrs.frozen
class Form:
    """One way to write a command."""

    pattern: str
    """What follows the command's name."""
    summary: str

    @property
    def words(self) -> Sequence[str]:
        """The words of the pattern, without brackets."""
        return [word.strip("[]") for word in self.pattern.split()]

    @property
    def keywords(self) -> Sequence[str]:
        """Those that are typed as they stand; they come first."""
        return [word for word in self.words if word.islower()]

    @property
    def blanks(self) -> Sequence[str]:
        """Those that are filled in."""
        return [word for word in self.words if word.isupper()]

    @property
    def least(self) -> int:
        """How many words there must be."""
        return sum(not word.startswith("[") for word in self.pattern.split())


@attrs.frozen
class Command:
    """One row of the table."""

    name: str
    summary: str
    forms: Sequence[Form]
    others: Sequence[str] = ()
    """Other names that it goes by."""
    urgent: bool = False
    """It doesn't wait for what was typed before it, nor long for anything else."""


_APPLY: Final = Form("apply", "let what waits take effect; the conversation goes on")
_SWITCH: Final = (
    Form("", "switch it"),
    Form("on", "switch it on"),
    Form("off", "switch it off"),
)

COMMANDS: Final = (
    Command(
        "/help",
        "what can be typed",
        (Form("", "all commands"), Form("COMMAND", "all forms of one")),
        ("/?",),
        urgent=True,
    ),
    Command("/mic", "let the model hear the microphone", _SWITCH),
    Command("/mute", "keep the microphone open, but send silence", _SWITCH, urgent=True),
    Command("/speak", "hear the model's voice", _SWITCH),
    Command(
        "/share-screen",
        "let the model see a monitor or a window",
        (
            Form("", "stop, where something is shared"),
            Form("list", "what can be shared"),
            Form("stop", "stop sharing"),
            Form("TARGET [SECONDS]", "share it, a picture every so many seconds (1)"),
        ),
        ("/share",),
    ),
    Command("/interrupt", "let the model fall silent", (Form("", "as Ctrl-C does"),), urgent=True),
    Command(
        "/system",
        "the system instruction",
        (
            Form("", "what is in force, and what waits"),
            Form("show", "the same"),
            Form("set TEXT", "have this instruction wait"),
            Form("clear", "have its removal wait"),
            _APPLY,
        ),
    ),
    Command(
        "/tools",
        "what the model may do",
        (
            Form("", "what is in force, and what waits"),
            Form("list", "every tool"),
            Form("enable TOOL", "have it wait to be switched on"),
            Form("disable TOOL", "have it wait to be switched off"),
            Form("toggle TOOL", "have it wait to be switched"),
            _APPLY,
        ),
    ),
    Command(
        "/voice",
        "the model's voice",
        (
            Form("", "what is in force, what waits, and what there is"),
            Form("apply", _APPLY.summary),
            Form("VOICE", "have it wait"),
        ),
    ),
    Command(
        "/thinking",
        "how much the model thinks, where it can be told",
        (
            Form("", "what is in force, and what waits"),
            Form("apply", _APPLY.summary),
            Form("none", "leave it to the model"),
            Form("LEVEL", f"have it wait: {', '.join(LEVELS)}"),
        ),
    ),
    Command(
        "/model",
        "the model",
        (
            Form("", "what is in force, what waits, and what there is"),
            Form("apply", _APPLY.summary),
            Form("MODEL", "have it wait; it will be told what was said so far"),
        ),
    ),
    Command("/apply", "let all that waits take effect", (Form("", _APPLY.summary),)),
    Command("/usage", "tokens so far", (Form("", "all in all, and for each turn"),)),
    Command("/devices", "microphones and speakers", (Form("", "those of this machine"),)),
    Command(
        "/save",
        "write the conversation to a file",
        (Form("FILE", ".md or .json: what was said; .wav: what the model has said aloud"),),
    ),
    Command(
        "/record",
        "write the voices of both sides to a WAV as they are heard",
        (
            Form("", "whether it records, and where to"),
            Form("stop", "end the recording"),
            Form("FILE", "begin one"),
        ),
    ),
    Command(
        "/reconnect",
        "move to a new connection",
        (Form("", "the conversation goes on; where there is no connection, dial at once"),),
    ),
    Command(
        "/status",
        "how things stand",
        (Form("", "connection, devices, settings, drops"),),
        urgent=True,
    ),
    Command(
        "/quit",
        "end the conversation and leave",
        (Form("", "Ctrl-D does too"),),
        ("/exit", "/q"),
        urgent=True,
    ),
)

PRESS_AGAIN: Final = "Press Ctrl-C again to leave."

_BY_NAME: Final = {
    name: command for command in COMMANDS for name in (command.name, *command.others)
}
_TAKES_ALL: Final = ("TEXT", "FILE")

TYPED: Final = (
    ("text", "is said to the model; no need to wait for it to finish"),
    ("@photo.jpg", 'a picture is shown, a recording spoken; @"with spaces.wav"'),
    ("//text, @@text", "text that begins with / or @"),
    ("Alt-Enter, Ctrl-J", "begin a new line; Enter sends them all"),
    ("Tab, Up, Ctrl-R", "complete; earlier lines; search them"),
    ("Ctrl-C", "silences the model, else clears the line; twice in a row leaves"),
    ("Ctrl-D", "on an empty line leaves"),
)


@attrs.frozen
class Run:
    """A command to carry out."""

    action: str
    """The command and the small words of its form: ``/tools enable``."""
    values: Mapping[str, str] = attrs.field(factory=dict)
    """What was filled in, by the capitals of the form."""


@attrs.frozen
class Mistake:
    """Nothing was done, and this is why."""

    text: str


# --- Parsing --------------------------------------------------------------------------------


def understand_command(line: str) -> Run | Mistake:
    """Tell what a line that begins with ``/`` asks for."""
    name, rest = [*re.split(r"\s+", line.strip(), maxsplit=1), ""][:2]
    command = _BY_NAME.get(name.lower())
    if command is None:
        return _unknown(name)
    words = _split(rest)
    for form in _most_particular(command):
        values = _match(form, words, rest)
        if values is not None:
            return Run(" ".join([command.name, *form.keywords]), values)
    if words is None:
        return Mistake("A quotation mark isn't closed; nothing was done.")
    return Mistake(_misfit(command, words))


def urgent(line: str) -> Run | None:
    """Return the command of a line, if it is one that doesn't wait for the lines before it."""
    command = _BY_NAME.get(line.strip().partition(" ")[0].lower())
    if command is None or not command.urgent:
        return None
    run = understand_command(line)
    return run if isinstance(run, Run) else None


def _most_particular(command: Command) -> Sequence[Form]:
    return sorted(command.forms, key=lambda form: -len(form.keywords))


def _split(text: str) -> list[str] | None:
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if os.name == "nt":
        lexer.escape = ""  # it stands in paths there
    try:
        return list(lexer)
    except ValueError:
        return None


def _match(form: Form, words: Sequence[str] | None, rest: str) -> Mapping[str, str] | None:
    """Return what a form's blanks are filled with, ``None`` where it doesn't fit."""
    count = len(form.keywords)
    if form.blanks and form.blanks[-1] in _TAKES_ALL:
        # An apostrophe is no quotation mark in a sentence, so only a quoted whole is unquoted.
        pieces = rest.split(maxsplit=count)
        if len(pieces) <= count or [piece.lower() for piece in pieces[:count]] != [*form.keywords]:
            return None
        whole = _split(pieces[count])
        text = whole[0] if whole is not None and len(whole) == 1 else pieces[count].strip()
        return {form.blanks[-1]: text} if text else None
    if words is None or not form.least <= len(words) <= len(form.words):
        return None
    if [word.lower() for word in words[:count]] != [*form.keywords]:
        return None
    return dict(zip(form.blanks, words[count:], strict=False))


def _unknown(name: str) -> Mistake:
    if name == "/":
        return Mistake("A command's name goes after /. /help shows what there is.")
    near = difflib.get_close_matches(name.lower(), _BY_NAME, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else "/help shows what there is."
    return Mistake(f"There is no command {name}. {hint} (//text says text that begins with /.)")


def _misfit(command: Command, words: Sequence[str]) -> str:
    if not any(form.pattern for form in command.forms):
        return (
            f"{command.name} stands alone; nothing was done. (//text says text that begins with /.)"
        )
    keywords = [form.keywords[0] for form in command.forms if form.keywords]
    near = difflib.get_close_matches(words[0].lower(), keywords, n=1) if words else []
    if near and near[0] != words[0].lower():
        return f"{command.name} has no {words[0]!r}. Did you mean {command.name} {near[0]}?"
    ways = ", ".join(f"{command.name} {form.pattern}".strip() for form in command.forms)
    return f"It is written {ways}; nothing was done."


# --- Help -----------------------------------------------------------------------------------


def help_lines() -> list[str]:
    """Everything that can be typed, a line each."""
    return _table(
        [
            *TYPED,
            *(
                (", ".join((command.name, *command.others)), command.summary)
                for command in COMMANDS
            ),
            ("/help COMMAND", "shows how one is written"),
        ]
    )


def help_on(name: str) -> list[str] | None:
    """How one command is written, a line for each form; ``None`` where there is none."""
    command = _BY_NAME.get(name.lower()) or _BY_NAME.get(f"/{name.lower()}")
    if command is None:
        return None
    title = f"{', '.join((command.name, *command.others))}: {command.summary}"
    forms = [(f"{command.name} {form.pattern}".strip(), form.summary) for form in command.forms]
    return [title, *(f"  {row}" for row in _table(forms))]


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(what) for what, _ in rows)
    return [f"{what:<{width}}  {meaning}" for what, meaning in rows]


# --- Completion -------------------------------------------------------------------------------

Suggestion: TypeAlias = tuple[str, str]
"""A word, and what is to be known of it."""


def suggestions(
    before: str, choices: Callable[[str], Sequence[Suggestion]]
) -> Iterator[Suggestion]:
    """Give the words that may stand where the last one of a command line stands.

    Args:
      before: The line up to the cursor. Its last word, perhaps an empty one, is what is completed.
      choices: What a blank can be filled with, by its name: ``TOOL``, ``TARGET``. Not asked for
        files.
    """
    *done, last = before.split(" ")
    done = [word for word in done if word]
    if not done:
        for command in COMMANDS:
            if command.name.startswith(last.lower()):
                yield command.name, command.summary
        return
    found = _BY_NAME.get(done[0].lower())
    if found is None:
        return
    given = [word.lower() for word in done[1:]]
    seen = set()
    for form in found.forms:
        if len(given) >= len(form.words):
            continue
        if given[: len(form.keywords)] != [*form.keywords][: len(given)]:
            continue
        word = form.words[len(given)]
        offered = [(word, form.summary)] if word.islower() else choices(word)
        for text, note in offered:
            if text not in seen and text.lower().startswith(last.lower()):
                seen.add(text)
                yield text, note
