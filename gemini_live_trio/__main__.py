"""``python -m gemini_live_trio``: the terminal program."""

import sys

from .repl import main as main

if __name__ == "__main__":
    sys.exit(main())
