"""Microphones, through sounddevice and PortAudio."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from audiosockets.audio import BLOCK_MS, Encoding, Format, optional

log = logging.getLogger("audiosockets.microphone")
DTYPES: dict[Encoding, str] = {"s16le": "int16", "f32le": "float32"}
SILENT_S = 5.0  # a microphone that gives nothing for so long is gone
PREFERRED_RATE = 16_000  # Hz: what recognisers use


@dataclass(frozen=True)
class Device:
    index: int
    name: str
    host: str  # the audio system it belongs to: ALSA, Core Audio, WASAPI
    channels: int
    sample_rate: int  # Hz, its own
    default: bool


def devices() -> list[Device]:
    """What can record."""
    sounddevice = _sounddevice()
    default, hosts = sounddevice.default.device[0], sounddevice.query_hostapis()
    return [
        Device(
            each["index"],
            each["name"],
            hosts[each["hostapi"]]["name"],
            each["max_input_channels"],
            round(each["default_samplerate"]),
            each["index"] == default,
        )
        for each in sounddevice.query_devices()
        if each["max_input_channels"] > 0
    ]


def choose(wanted: int | str | None, found: list[Device]) -> Device:
    """By number, by part of the name, or the default. Raises ValueError, which lists what there is."""
    if isinstance(wanted, str) and wanted.isdecimal():
        wanted = int(wanted)
    if isinstance(wanted, str):
        matching = [each for each in found if wanted.lower() in each.name.lower()]
        matching = [each for each in matching if each.name.lower() == wanted.lower()] or matching
    elif wanted is None:
        matching = [each for each in found if each.default] or found[:1]
    else:
        matching = [each for each in found if each.index == wanted]
    if len(matching) == 1:
        return matching[0]
    names = "; ".join(f"{each.index} {each.name}" for each in found) or "none"
    problem = "is not there" if not matching else f"fits {len(matching)}"
    raise ValueError(f"device {'(default)' if wanted is None else repr(wanted)} {problem}. Devices: {names}")


class Microphone:
    """A live source. Without `sample_rate` it is 16 kHz where the device can do that, or else the device's own."""

    live = True

    def __init__(
        self, device: int | str | None = None, *, sample_rate: int | None = None, channels: int = 1,
        encoding: Encoding = "s16le", block_ms: int = BLOCK_MS,
    ) -> None:  # fmt: skip
        self.device = choose(device, devices())
        if channels > self.device.channels:
            raise ValueError(f"channels is {channels}; {self.device.name} has {self.device.channels}")
        rate = sample_rate or self._rate(channels, DTYPES[encoding])
        self.format = Format(rate, channels, encoding)
        self.overflows = 0  # times that the system lost audio before PortAudio had it
        self._block = self.format.frames(block_ms / 1000)
        self._queue = SimpleQueue[bytes | None]()
        self._closed = False

    def blocks(self) -> Iterator[bytes]:
        sounddevice = _sounddevice()
        try:
            with sounddevice.RawInputStream(
                device=self.device.index, samplerate=self.format.sample_rate, channels=self.format.channels,
                dtype=DTYPES[self.format.encoding], blocksize=self._block,
                callback=self._receive, finished_callback=lambda: self._queue.put(None),
            ):  # fmt: skip
                while (pcm := self._queue.get(timeout=SILENT_S)) is not None:  # also what came before `close`
                    yield pcm
        except Empty:
            raise ValueError(f"{self.device.name} gives no audio any more; was it pulled out?") from None
        except sounddevice.PortAudioError as error:
            raise ValueError(f"{self.device.name} cannot record: {error}") from None

        if not self._closed:
            raise ValueError(f"{self.device.name} stopped; was it pulled out?")

    def close(self) -> None:
        self._closed = True
        self._queue.put(None)

    def _receive(self, data: Any, frames: int, moment: Any, status: Any) -> None:
        """PortAudio's thread: take the block and return."""
        if status.input_overflow:
            self.overflows += 1
            log.warning("%s: the system lost audio (%d times so far)", self.device.name, self.overflows)
        self._queue.put(bytes(data))

    def _rate(self, channels: int, dtype: str) -> int:
        sounddevice = _sounddevice()
        try:
            sounddevice.check_input_settings(self.device.index, channels, dtype, samplerate=PREFERRED_RATE)
        except sounddevice.PortAudioError:
            return self.device.sample_rate
        return PREFERRED_RATE


def _sounddevice() -> Any:
    return optional("sounddevice", "microphones")
