"""What helps to test a client of the Live API, or another codec for it.

* ``same_frame``, ``canonical_frame``: when two frames are the same
* ``gemini_live_trio.testing.strategies``: Hypothesis strategies (extra ``test``)
* ``simulator_in_thread``: the simulator for clients that know nothing of Trio
* a pytest plugin, with the fixtures ``gemini_simulator``, ``gemini_session`` and others
* ``python -m gemini_live_trio.testing.conformance``: holds another program's codec against ours

Nothing else in the package imports this.
"""

from ._thread import SimulatorThread as SimulatorThread
from ._thread import simulator_in_thread as simulator_in_thread
from .frames import Root as Root
from .frames import canonical_frame as canonical_frame
from .frames import same_frame as same_frame

__all__ = ["Root", "SimulatorThread", "canonical_frame", "same_frame", "simulator_in_thread"]
