"""Sound in files: any recording as the blocks that a session takes, and what it says as a WAV.

Nothing here knows of sessions. Reading needs the extra ``audio``, which is imported when a file is
opened; writing needs nothing.
"""

from ._echo import EchoAlignment as EchoAlignment
from ._echo import EchoBackend as EchoBackend
from ._echo import EchoCanceller as EchoCanceller
from ._echo import EchoChoice as EchoChoice
from ._echo import EchoStage as EchoStage
from ._echo import EchoStatistics as EchoStatistics
from ._echo import SoundBlock as SoundBlock
from ._echo import open_echo_canceller as open_echo_canceller
from ._echo_measure import EchoMeasurement as EchoMeasurement
from ._echo_measure import erle_db as erle_db
from ._echo_measure import measure_echo as measure_echo
from ._reading import SoundReader as SoundReader
from ._reading import open_sound as open_sound
from ._writing import WavWriter as WavWriter
from ._writing import open_wav_writer as open_wav_writer

__all__ = [
    "EchoAlignment",
    "EchoBackend",
    "EchoCanceller",
    "EchoChoice",
    "EchoMeasurement",
    "EchoStage",
    "EchoStatistics",
    "SoundBlock",
    "SoundReader",
    "WavWriter",
    "erle_db",
    "measure_echo",
    "open_echo_canceller",
    "open_sound",
    "open_wav_writer",
]
