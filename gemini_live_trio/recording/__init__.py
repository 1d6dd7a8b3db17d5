"""Recordings: every frame of a session both ways with its time, as JSON lines.

::

    for frame in read_recording("session.jsonl").frames("server"):
        print(frame.time, *frame.events)

``python -m gemini_live_trio.recording show FILE`` prints one, ``diff FILE FILE`` compares two.
``docs/recordings.md`` tells what is in the file and what never is.

General layout:

* ``_redact``, beside the package: what must not be written down
* ``_format``: the lines, and what they are in Python
* ``_writer``, ``_reader``: files
* ``_diff``: what two recordings say differently
"""

from .._redact import MediaMode as MediaMode
from .._redact import Redactor as Redactor
from ._books import transcript_of as transcript_of
from ._books import usage_of as usage_of
from ._diff import Difference as Difference
from ._diff import diff as diff
from ._format import Ended as Ended
from ._format import Frame as Frame
from ._format import Happening as Happening
from ._format import Header as Header
from ._format import Incomplete as Incomplete
from ._format import Lost as Lost
from ._format import Opened as Opened
from ._reader import Place as Place
from ._reader import Recording as Recording
from ._reader import read_recording as read_recording
from ._record import SessionRecorder as SessionRecorder
from ._record import record as record
from ._writer import RecordingWriter as RecordingWriter

__all__ = [
    "Difference",
    "Ended",
    "Frame",
    "Happening",
    "Header",
    "Incomplete",
    "Lost",
    "MediaMode",
    "Opened",
    "Place",
    "Recording",
    "RecordingWriter",
    "Redactor",
    "SessionRecorder",
    "diff",
    "read_recording",
    "record",
    "transcript_of",
    "usage_of",
]
