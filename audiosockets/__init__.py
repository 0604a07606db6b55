"""Record audio on one machine and process it on others: clients of the live streams of the speech server."""

from audiosockets.audio import File, Format, Pipe, Samples, Source
from audiosockets.config import Config, ConfigError
from audiosockets.link import Refused
from audiosockets.microphone import Device, Microphone, devices
from audiosockets.processor import Processor
from audiosockets.recorder import Recorder
from audiosockets.wire import Block, End, Event, Gap, State, Stream

__version__ = "0.1.0"
__all__ = [
    "Block",
    "Config",
    "ConfigError",
    "Device",
    "End",
    "Event",
    "File",
    "Format",
    "Gap",
    "Microphone",
    "Pipe",
    "Processor",
    "Recorder",
    "Refused",
    "Samples",
    "Source",
    "State",
    "Stream",
    "devices",
]
