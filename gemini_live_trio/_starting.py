"""Ctrl-C while the program's modules are imported: one sentence instead of a traceback.

Python imports this package before its ``__main__``, and that takes most of the time until the
program can catch anything. So the package imports this module first of all, and it does something
only where the process is the program itself: whoever imports the library keeps their Ctrl-C. An
exception wouldn't do: raised in the middle of an import it may come out as another one, or not at
all.

Nor does the program look for garbage meanwhile: nearly all that is made stays, and looking at all
of it again and again takes a tenth of the time.
"""

import gc
import itertools
import os
import signal
import sys

__all__ = ["started"]

_PROGRAM = "gemini-live-trio"
_WORDS = f"{_PROGRAM}: Stopped by Ctrl-C.\n".encode()
_STATUS = 130


def _is_the_program(arguments: list[str], command: list[str]) -> bool:
    """Tell ``python -m`` and the installed script from a program that uses the library.

    Args:
      arguments: ``sys.argv``; while Python looks for the module of ``-m``, that stands first.
      command: ``sys.orig_argv``: how Python itself was called.
    """
    name = arguments[0] if arguments else ""
    if name == "-m":
        return ("-m", "gemini_live_trio") in itertools.pairwise(command)
    script = os.path.basename(name)  # noqa: PTH119 - pathlib takes a while to import
    return name in command and script.removesuffix(".exe") == _PROGRAM


def _stop(_number: int, _frame: object) -> None:
    # Nothing is open yet that wants to be closed.
    os.write(2, _WORDS)
    os._exit(_STATUS)


def started() -> None:
    """Let Ctrl-C be ``KeyboardInterrupt`` again: from here on it is caught."""
    if not gc.isenabled():
        gc.freeze()  # what stays needn't be looked at later either
        gc.enable()
    if signal.getsignal(signal.SIGINT) is _stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if _is_the_program(getattr(sys, "argv", []), sys.orig_argv):
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
