"""What helps to test a client of the Live API, or another codec for it.

* ``same_frame``, ``canonical_frame``: when two frames are the same
* ``gemini_live_trio.testing.strategies``: Hypothesis strategies (extra ``test``)
* ``python -m gemini_live_trio.testing.conformance``: holds another program's codec against ours

Nothing else in the package imports this.
"""

from .frames import Root as Root
from .frames import canonical_frame as canonical_frame
from .frames import same_frame as same_frame

__all__ = ["Root", "canonical_frame", "same_frame"]
