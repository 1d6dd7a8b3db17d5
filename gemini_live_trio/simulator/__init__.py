"""A simulator of the Gemini Live service: a real WebSocket server that needs no key and no network.

::

    async with open_simulator() as simulator:
        ...  # dial simulator.url with any client

``python -m gemini_live_trio.simulator`` runs it as a program. ``docs/simulator.md`` tells what it
does, what it refuses, and how to make it fail.
"""

from ._connection import ServerConnection as ServerConnection
from ._hub import ClientFrame as ClientFrame
from ._hub import FrameLog as FrameLog
from ._ledger import Consumed as Consumed
from ._mind import DefaultMind as DefaultMind
from ._mind import Mind as Mind
from ._mind import Reply as Reply
from ._mind import Situation as Situation
from ._profiles import PROFILES as PROFILES
from ._profiles import Profile as Profile
from ._server import MemoryConnector as MemoryConnector
from ._server import Simulator as Simulator
from ._server import open_simulator as open_simulator
from ._sessions import Conversation as Conversation
from ._sessions import Turn as Turn
from ._socket import Ending as Ending

__all__ = [
    "PROFILES",
    "ClientFrame",
    "Consumed",
    "Conversation",
    "DefaultMind",
    "Ending",
    "FrameLog",
    "MemoryConnector",
    "Mind",
    "Profile",
    "Reply",
    "ServerConnection",
    "Simulator",
    "Situation",
    "Turn",
    "open_simulator",
]
