"""A simulator of the Gemini Live service: a real WebSocket server that needs no key and no network.

::

    async with open_simulator() as simulator:
        ...  # dial simulator.url with any client

``python -m gemini_live_trio.simulator`` runs it as a program. ``docs/simulator.md`` tells what it
does, what it refuses, and how to make it fail.

General layout:

* ``_server``, ``_hub``: one simulator, and what its connections share
* ``_door/``: from bytes to a WebSocket whose sender is known
* ``_service``, ``_connection``, ``_sessions``: one client, its connection, and what outlives it
* ``_checks/``: what is legal, and what each model does
* ``_talk/``: a conversation; ``_mind/``: its answers and senses
* ``_actions``, ``_scripts/``: faults by call, by command and in scripts
* ``_books/``: what is written down
"""

from ._books._ledger import Consumed as Consumed
from ._checks._legality import LegalityReport as LegalityReport
from ._checks._legality import Violation as Violation
from ._checks._profiles import PROFILES as PROFILES
from ._checks._profiles import Profile as Profile
from ._connection import ServerConnection as ServerConnection
from ._door._dialects import Credentials as Credentials
from ._door._dialects import Door as Door
from ._door._socket import Ending as Ending
from ._door._visitors import Visitors as Visitors
from ._hub import ClientFrame as ClientFrame
from ._hub import FrameLog as FrameLog
from ._mind._hands import Answer as Answer
from ._mind._hands import Call as Call
from ._mind._mind import DefaultMind as DefaultMind
from ._mind._mind import Mind as Mind
from ._mind._mind import Reply as Reply
from ._mind._mind import Situation as Situation
from ._scripts._expecting import ScriptError as ScriptError
from ._scripts._expecting import ScriptMismatch as ScriptMismatch
from ._scripts._script import Scene as Scene
from ._scripts._script import Script as Script
from ._server import MemoryConnector as MemoryConnector
from ._server import Simulator as Simulator
from ._server import open_simulator as open_simulator
from ._sessions import Conversation as Conversation
from ._sessions import Turn as Turn
from ._talk._delivery import Delivery as Delivery
from ._talk._manner import Hears as Hears

__all__ = [
    "PROFILES",
    "Answer",
    "Call",
    "ClientFrame",
    "Consumed",
    "Conversation",
    "Credentials",
    "DefaultMind",
    "Delivery",
    "Door",
    "Ending",
    "FrameLog",
    "Hears",
    "LegalityReport",
    "MemoryConnector",
    "Mind",
    "Profile",
    "Reply",
    "Scene",
    "Script",
    "ScriptError",
    "ScriptMismatch",
    "ServerConnection",
    "Simulator",
    "Situation",
    "Turn",
    "Violation",
    "Visitors",
    "open_simulator",
]
