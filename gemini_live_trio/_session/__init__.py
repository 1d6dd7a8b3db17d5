"""The session: what its user sees, its tasks, and the receivers' buffers.

``_open`` enters and leaves the block, ``_live`` is the user's object, ``_core`` holds the three
tasks, ``_cursor`` a receiver's place in the stream of events.
"""

from ._live import LiveSession
from ._open import open_session

__all__ = ["LiveSession", "open_session"]
