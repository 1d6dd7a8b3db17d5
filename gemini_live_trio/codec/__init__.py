"""Frames to wire classes and back, and wire classes to events.

Tolerant in, strict out, and nothing lost: a field that this version doesn't know, or can't read,
stays in its object's ``extra`` and goes out again as it came. ``testing.same_frame`` says exactly
when two frames are the same.

General layout:

* ``_scalars``: single values
* ``_shapes``: what the wire classes' annotations say
* ``_reading``, ``_writing``: objects, on cattrs
* ``_checks``: what a client message must keep to
* ``_frames``: JSON text and its bounds
* ``_direct``: the short way for plain audio
* ``_events``: what a frame tells the user
"""

from ._direct import encode_audio as encode_audio
from ._events import to_events as to_events
from ._frames import decode as decode
from ._frames import decode_client as decode_client
from ._frames import encode as encode
from ._frames import encode_raw as encode_raw
from ._frames import encode_server as encode_server

__all__ = [
    "decode",
    "decode_client",
    "encode",
    "encode_audio",
    "encode_raw",
    "encode_server",
    "to_events",
]
