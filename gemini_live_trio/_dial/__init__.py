"""From an address to a stream of bytes: names, TCP, proxies, TLS.

General layout:

* ``_connector``: ``Connector``, and ``TcpConnector``, which goes through the stages
* ``_stages``: what a stage may take, and how its failure is told
* ``_proxy``: which proxy to take; no I/O
* ``_tcp``: names and addresses
* ``_tunnel``: asking a proxy for the way (HTTP CONNECT, SOCKS5)
* ``_tls``: whom to trust, and why somebody can't be
"""

from ._connector import Connector as Connector
from ._connector import TcpConnector as TcpConnector
from ._proxy import Proxy as Proxy
from ._proxy import way_to as way_to
from ._stages import Journey as Journey
from ._stages import StageTimeouts as StageTimeouts
from ._stages import Step as Step
from ._stages import sentence as sentence
from ._stages import step as step

__all__ = [
    "Connector",
    "Journey",
    "Proxy",
    "StageTimeouts",
    "Step",
    "TcpConnector",
    "sentence",
    "step",
    "way_to",
]
