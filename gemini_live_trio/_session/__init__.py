"""The session: what its user sees, and the tasks behind it.

* ``_open``: entering and leaving the block
* ``_live``, ``_receipt``: the user's objects
* ``_core``: the tasks and what joins them
* ``_lines``, ``_handshake``: connections, and their setup
* ``_cursor``: a receiver's place in the stream of events
"""

from .._conversation import Fate
from ._live import LiveSession, Resumption, Status
from ._open import open_session
from ._receipt import Receipt

__all__ = ["Fate", "LiveSession", "Receipt", "Resumption", "Status", "open_session"]
