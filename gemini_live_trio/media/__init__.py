"""Sound and pictures in files: any of them as what a session takes, and what it says as a WAV.

Nothing here knows of sessions. Reading sound needs the extra ``audio``, pictures need ``screen``;
they are imported when a file is opened. Writing needs nothing. Samples as arrays are in ``pcm``.
"""

from ._images import Picture as Picture
from ._images import load_image as load_image
from ._reading import RawEncoding as RawEncoding
from ._reading import RawPcm as RawPcm
from ._reading import SoundReader as SoundReader
from ._reading import open_sound as open_sound
from ._writing import WavWriter as WavWriter
from ._writing import open_wav_writer as open_wav_writer

__all__ = [
    "Picture",
    "RawEncoding",
    "RawPcm",
    "SoundReader",
    "WavWriter",
    "load_image",
    "open_sound",
    "open_wav_writer",
]
