"""Formats of audio, and where it comes from: a file, a pipe, or a microphone. A source yields interleaved PCM."""

import importlib
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Encoding = Literal["s16le", "f32le"]
Samples = NDArray[np.float32]  # [-1, 1], shape (frames, channels)
SAMPLE_BYTES: dict[Encoding, int] = {"s16le": 2, "f32le": 4}
BLOCK_MS = 80  # of one message of a live recorder


@dataclass(frozen=True)
class Format:
    """How PCM is to be read. A frame is one sample of each channel; positions count frames."""

    sample_rate: int = 16_000  # Hz
    channels: int = 1
    encoding: Encoding = "s16le"

    def __post_init__(self) -> None:
        for name, (low, high) in {"sample_rate": (8_000, 192_000), "channels": (1, 8)}.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} is {value!r}; it must be a whole number from {low} to {high}")
        if self.encoding not in SAMPLE_BYTES:
            raise ValueError(f"encoding is {self.encoding!r}; it must be one of {', '.join(SAMPLE_BYTES)}")

    @property
    def frame_bytes(self) -> int:
        return SAMPLE_BYTES[self.encoding] * self.channels

    def frames(self, seconds: float) -> int:
        return round(seconds * self.sample_rate)

    def decode(self, pcm: bytes) -> Samples:
        """shape = (frames, channels)"""
        if self.encoding == "s16le":
            samples: Samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
        else:
            samples = np.frombuffer(pcm, "<f4").astype(np.float32, copy=False)
        return samples.reshape(-1, self.channels)


class Source(Protocol):
    """Audio to record, as interleaved PCM. A live source cannot wait; any other may be asked late for more."""

    live: bool
    format: Format

    def blocks(self) -> Iterator[bytes]: ...

    def close(self) -> None:
        """Ends `blocks` soon; may be called from another thread."""


class Reader:
    """Blocks of PCM that a function reads: `read(frames)` gives at most so many, and nothing at the end."""

    def __init__(
        self, read: Callable[[int], bytes], format: Format, *, speed: float = 1.0, block_ms: int = BLOCK_MS
    ) -> None:
        """`speed` in times real time; 0 is as fast as it can be read and sent."""
        if speed < 0:
            raise ValueError(f"speed is {speed}; it must be 0 or more")
        self.live = speed > 0
        self.format = format
        self._read, self._speed = read, speed
        self._block = format.frames(block_ms / 1000)
        self._closed = False

    def blocks(self) -> Iterator[bytes]:
        began, position = time.monotonic(), 0
        while not self._closed and (pcm := self._read(self._block)):
            position += len(pcm) // self.format.frame_bytes
            if self._speed:  # a microphone hands over what is complete
                due = began + position / self.format.sample_rate / self._speed
                time.sleep(max(0.0, due - time.monotonic()))
            yield pcm

    def close(self) -> None:
        self._closed = True


class File(Reader):
    """A WAV file of 16 bits; with the package `soundfile` also FLAC, Ogg and others. Paced as a microphone would be."""

    def __init__(self, path: str | Path, *, speed: float = 1.0, block_ms: int = BLOCK_MS) -> None:
        """Raises ValueError for what cannot be read, OSError for what is not there."""
        read, format = _open_wav(Path(path)) or _open_other(Path(path))
        super().__init__(read, format, speed=speed, block_ms=block_ms)


class Pipe(Reader):
    """Raw PCM from a stream of bytes, such as standard input. Its writer sets the pace."""

    def __init__(self, stream: BinaryIO, format: Format = Format(), *, block_ms: int = BLOCK_MS) -> None:
        size = format.frame_bytes

        def read(frames: int) -> bytes:
            pcm = stream.read(frames * size)
            return pcm[: len(pcm) - len(pcm) % size]  # the stream may end within a frame

        super().__init__(read, format, speed=0, block_ms=block_ms)


def _open_wav(path: Path) -> tuple[Callable[[int], bytes], Format] | None:
    try:
        file = wave.open(str(path), "rb")
    except (wave.Error, EOFError):
        return None
    if file.getsampwidth() != 2:
        file.close()
        return None
    return file.readframes, Format(file.getframerate(), file.getnchannels(), "s16le")


def _open_other(path: Path) -> tuple[Callable[[int], bytes], Format]:
    soundfile = optional("soundfile", f"{path.name} is no WAV file of 16 bits; other files")
    try:
        file: Any = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path.name} cannot be read: {error.error_string}") from None
    encoding: Encoding = "s16le" if file.subtype == "PCM_16" else "f32le"
    dtype = "int16" if encoding == "s16le" else "float32"
    return lambda frames: bytes(file.buffer_read(frames, dtype)), Format(file.samplerate, file.channels, encoding)


def optional(package: str, what: str) -> Any:
    """Imports a package that only some uses need. Raises ValueError, which says how to install it."""
    try:
        return importlib.import_module(package)
    except (ImportError, OSError) as error:  # OSError: sounddevice, when the PortAudio library is missing
        raise ValueError(f"{what} need the package {package} (pip install {package}): {error}") from None
