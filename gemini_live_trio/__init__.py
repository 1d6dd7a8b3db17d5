"""A Trio-native client for Google's Gemini Live API.

General layout:

* ``open_session``, ``LiveSession``, ``SessionConfig``: a conversation (``_session/``, ``config``)
* ``events``: what a session tells its user
* ``errors``: what can go wrong
* ``wire``: the protocol's JSON objects as classes
* ``codec``: those classes to frames and back
* ``capabilities``: what each model allows, with sources; ``explain`` says what it means for a setup
* ``transcript``, ``usage``, ``statistics``: what was said, what it cost, how it went
* ``observers``: hooks; ``otel`` makes traces with them (extra ``otel``)
* ``recording``: every frame with its time, in a file
* ``media``: sound files (extra ``audio``)
* ``simulator``: a server of the protocol, to develop and test against
* ``testing``: strategies and a conformance suite for codecs (extra ``test``)
* ``repl``: the terminal program (``python -m gemini_live_trio``)
"""

from . import _starting as _starting  # isort: skip - before all that takes a while

import logging

from . import codec as codec
from . import errors as errors
from . import events as events
from . import wire as wire
from ._auth import ApiKey as ApiKey
from ._auth import BearerToken as BearerToken
from ._auth import Credential as Credential
from ._auth import CredentialSource as CredentialSource
from ._auth import DialReason as DialReason
from ._auth import EphemeralToken as EphemeralToken
from ._dial import Connector as Connector
from ._dial import Proxy as Proxy
from ._dial import StageTimeouts as StageTimeouts
from ._dial import TcpConnector as TcpConnector
from ._endpoint import CustomEndpoint as CustomEndpoint
from ._endpoint import Endpoint as Endpoint
from ._endpoint import GeminiApi as GeminiApi
from ._endpoint import Target as Target
from ._endpoint import VertexAi as VertexAi
from ._google import ApplicationDefault as ApplicationDefault
from ._session import Fate as Fate
from ._session import LiveSession as LiveSession
from ._session import Receipt as Receipt
from ._session import Resumption as Resumption
from ._session import Status as Status
from ._session import open_session as open_session
from ._tokens import mint_ephemeral_token as mint_ephemeral_token
from .config import CapabilityWarning as CapabilityWarning
from .config import Liveness as Liveness
from .config import ReconnectPolicy as ReconnectPolicy
from .config import SessionConfig as SessionConfig
from .explanation import Explanation as Explanation
from .explanation import explain as explain
from .observers import SessionObserver as SessionObserver
from .usage import Budget as Budget

# What we log goes nowhere unless the program says so: else Python prints warnings by itself.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__version__ = "0.1.0"
