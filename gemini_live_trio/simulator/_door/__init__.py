"""How clients come in: from bytes on a port to a WebSocket whose sender is known.

* ``_door``: the way through TLS, HTTP and the upgrade; what every peer may do wrong
* ``_http``, ``_rest``, ``_tokens``: what isn't a WebSocket
* ``_dialects``: which back end was asked for, in which version, with which credentials
* ``_tls``: certificates
* ``_stream``, ``_pair``, ``_socket``, ``_pieces``: bytes and frames, with gates and faults in them
* ``_visitors``: who came
"""
