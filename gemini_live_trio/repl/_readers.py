"""From what a person wrote to a value, or to a clause that says what it must be.

Each raises ``argparse.ArgumentTypeError``; options, the environment and profiles all come by here.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = [
    "LONGEST",
    "count",
    "folder",
    "language",
    "no_blank",
    "one_of",
    "seconds",
    "switch",
    "tool",
    "url",
    "vertex_auth",
]

LONGEST: Final = 31_536_000
"""Seconds, a year."""


def no_blank(text: str) -> str:
    """Check a text that a person gave."""
    if not text.strip():
        raise argparse.ArgumentTypeError("there is nothing in it")
    try:
        text.encode()
    except UnicodeEncodeError:  # Python's stand-ins for bytes that it couldn't decode
        raise argparse.ArgumentTypeError("isn't valid UTF-8") from None
    return text


def one_of(*choices: str) -> Callable[[str], str]:
    """Make a reader of one of a few words, in any case of letters."""
    if len(choices) == 2:
        wanted = f'must be "{choices[0]}" or "{choices[1]}"'
    else:
        wanted = f"must be one of {', '.join(choices)}"

    def read(text: str) -> str:
        word = text.strip().lower()
        if word not in choices:
            raise argparse.ArgumentTypeError(f"{wanted}, not {text!r}")
        return word

    return read


def vertex_auth(text: str) -> str:
    """Read how to be known on Vertex AI."""
    word = text.strip().lower()
    if word not in ("adc", "static"):
        # What it is stays unsaid: it may be the token that belongs into the other variable.
        raise argparse.ArgumentTypeError(
            'must be "adc" or "static"; a token goes into VERTEX_AI_ACCESS_TOKEN'
        )
    return word


def url(text: str) -> str:
    """Read an address; what it is stays unsaid."""
    # What else is wrong with it, the endpoint says; but this would be kept in a profile, and shown.
    if re.search(r"[@?]", no_blank(text)):
        raise argparse.ArgumentTypeError(
            "must look like wss://host or ws://host:port/path, without credentials or query"
        )
    return text


def switch(text: str) -> bool:
    """Read a word for on or off."""
    word = text.strip().lower()
    if word in ("true", "on", "yes", "1"):
        return True
    if word in ("false", "off", "no", "0"):
        return False
    raise argparse.ArgumentTypeError(f"must be true or false, not {text!r}")


def seconds(low: float, high: float) -> Callable[[str], float]:
    """Make a reader of a number of seconds between two bounds."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:  # not a number isn't between any two
            raise argparse.ArgumentTypeError(
                f"must be a number of seconds, from {low:g} to {high:,}, not {text}"
            )
        return value

    return read


def count(text: str) -> int:
    """Read a whole number, 0 or more."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= LONGEST:
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more, not {text}")
    return value


def language(text: str) -> str:
    """Read the code of a language."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", text.strip()):
        raise argparse.ArgumentTypeError(
            f"must be a code of a language, such as es or pt-BR, not {text!r}"
        )
    return text.strip()


def folder(text: str) -> str:
    """Read a path; it need not be there."""
    try:
        return str(Path(no_blank(text)).expanduser())
    except RuntimeError:  # ~ with nobody at home
        raise argparse.ArgumentTypeError(f"names nobody's home: {text!r}") from None


def tool(text: str) -> str:
    """Read the name of a tool; that there is one by that name is not looked at."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", text):
        raise argparse.ArgumentTypeError(f"must be the name of a tool, such as timer, not {text!r}")
    return text
