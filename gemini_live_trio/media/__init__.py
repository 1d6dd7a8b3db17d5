"""Sound and pictures: files of any kind and the screen as what a session takes, and its voice.

Nothing here knows of sessions. Reading sound needs the extra ``audio``, pictures and the screen
need ``screen``; they are imported when something is opened. Writing needs nothing. Samples as
arrays are in ``pcm``.
"""

from ._images import LoadedImage as LoadedImage
from ._images import load_image as load_image
from ._reading import RawEncoding as RawEncoding
from ._reading import RawPcm as RawPcm
from ._reading import SoundReader as SoundReader
from ._reading import open_sound as open_sound
from ._screen import Picture as Picture
from ._screen import Screen as Screen
from ._screen import ScreenStatistics as ScreenStatistics
from ._screen import list_targets as list_targets
from ._screen import open_screen as open_screen
from ._screen_targets import ScreenNote as ScreenNote
from ._screen_targets import ScreenTarget as ScreenTarget
from ._screen_targets import ScreenTargets as ScreenTargets
from ._screen_targets import TargetLost as TargetLost
from ._writing import WavWriter as WavWriter
from ._writing import open_wav_writer as open_wav_writer

__all__ = [
    "LoadedImage",
    "Picture",
    "RawEncoding",
    "RawPcm",
    "Screen",
    "ScreenNote",
    "ScreenStatistics",
    "ScreenTarget",
    "ScreenTargets",
    "SoundReader",
    "TargetLost",
    "WavWriter",
    "list_targets",
    "load_image",
    "open_screen",
    "open_sound",
    "open_wav_writer",
]
