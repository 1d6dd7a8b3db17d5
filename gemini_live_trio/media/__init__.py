"""Ears, voice and eyes: microphone, speaker, the echo between them, files of any kind, the screen.

Nothing here knows of sessions; ``gemini_live_trio.voice`` joins them. What a part needs is imported
when it is used: the extra ``audio`` for sound, with the PortAudio library for devices, and
``screen`` for pictures and the screen. Writing files needs nothing. Samples as arrays are in
``pcm``.
"""

from ._devices import Device as Device
from ._devices import list_devices as list_devices
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
from ._images import LoadedImage as LoadedImage
from ._images import load_image as load_image
from ._lines import DeviceLost as DeviceLost
from ._lines import DeviceRestored as DeviceRestored
from ._microphone import Microphone as Microphone
from ._microphone import MicrophoneBlock as MicrophoneBlock
from ._microphone import MicrophoneEvent as MicrophoneEvent
from ._microphone import MicrophonePaused as MicrophonePaused
from ._microphone import MicrophoneStatistics as MicrophoneStatistics
from ._microphone import open_microphone as open_microphone
from ._played import PlayedBlock as PlayedBlock
from ._played import SpeakerStatistics as SpeakerStatistics
from ._played import SpeakerTap as SpeakerTap
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
from ._speaker import Speaker as Speaker
from ._speaker import open_speaker as open_speaker
from ._writing import WavWriter as WavWriter
from ._writing import open_wav_writer as open_wav_writer

__all__ = [
    "Device",
    "DeviceLost",
    "DeviceRestored",
    "EchoAlignment",
    "EchoBackend",
    "EchoCanceller",
    "EchoChoice",
    "EchoMeasurement",
    "EchoStage",
    "EchoStatistics",
    "LoadedImage",
    "Microphone",
    "MicrophoneBlock",
    "MicrophoneEvent",
    "MicrophonePaused",
    "MicrophoneStatistics",
    "Picture",
    "PlayedBlock",
    "RawEncoding",
    "RawPcm",
    "Screen",
    "ScreenNote",
    "ScreenStatistics",
    "ScreenTarget",
    "ScreenTargets",
    "SoundBlock",
    "SoundReader",
    "Speaker",
    "SpeakerStatistics",
    "SpeakerTap",
    "TargetLost",
    "WavWriter",
    "erle_db",
    "list_devices",
    "list_targets",
    "load_image",
    "measure_echo",
    "open_echo_canceller",
    "open_microphone",
    "open_screen",
    "open_sound",
    "open_speaker",
    "open_wav_writer",
]
