"""``python -m gemini_live_trio``: the terminal program."""

import sys

from . import repl
from ._starting import started


def main() -> int:
    """Run the program; the installed script calls this."""
    return repl.main(ready=started)


if __name__ == "__main__":
    sys.exit(main())
