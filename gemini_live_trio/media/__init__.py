"""Sound in files: any recording as the blocks that a session takes, and what it says as a WAV.

Nothing here knows of sessions. Reading needs the extra ``audio``, which is imported when a file is
opened; writing needs nothing.
"""

from ._reading import SoundReader as SoundReader
from ._reading import open_sound as open_sound
from ._writing import WavWriter as WavWriter
from ._writing import open_wav_writer as open_wav_writer

__all__ = ["SoundReader", "WavWriter", "open_sound", "open_wav_writer"]
