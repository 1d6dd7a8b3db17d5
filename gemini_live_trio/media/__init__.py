"""Sound in files: any recording as the blocks that a session takes, and what it says as a WAV.

Nothing here knows of sessions. Reading needs the extra ``audio``, which is imported when a file is
opened; writing needs nothing.
"""

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
    "Picture",
    "Screen",
    "ScreenNote",
    "ScreenStatistics",
    "ScreenTarget",
    "ScreenTargets",
    "SoundReader",
    "TargetLost",
    "WavWriter",
    "list_targets",
    "open_screen",
    "open_sound",
    "open_wav_writer",
]
