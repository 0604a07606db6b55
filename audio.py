"""Samples, frames and utterances: the vocabulary every other module shares."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import soxr
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # Hz, what the models were trained on
FRAME_SAMPLES = 512  # 32 ms, the window silero-vad was trained on
MIN_INPUT_RATE, MAX_INPUT_RATE = 8_000, 192_000  # Hz

Samples = NDArray[np.float32]  # mono, [-1, 1], shape (n,)
Encoding = Literal["f32le", "s16le"]
SAMPLE_BYTES: dict[Encoding, int] = {"f32le": 4, "s16le": 2}


@dataclass(frozen=True, eq=False)
class Utterance:
    """One stretch of speech, ready to be recognised."""

    segment: int  # grows by one within a stream
    start: int  # samples since the start of the stream
    audio: Samples

    @property
    def end(self) -> int:
        return self.start + len(self.audio)


@dataclass(frozen=True, eq=False)
class Draft(Utterance):
    """The part heard so far of an utterance that goes on."""

    complete: bool = False  # a pause began: if it lasts, the utterance will be exactly this


def samples_of(ms: int) -> int:
    return ms * SAMPLE_RATE // 1000


def ms_of(samples: int) -> int:
    return samples * 1000 // SAMPLE_RATE


def decode_pcm(data: bytes, encoding: Encoding) -> Samples:
    """Little-endian PCM to samples. Raises ValueError for broken lengths and numbers that are not finite."""
    size = SAMPLE_BYTES[encoding]
    if len(data) % size:
        raise ValueError(f"{len(data)} bytes are no whole number of {encoding} samples of {size} bytes")
    if encoding == "s16le":
        return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    samples: Samples = np.frombuffer(data, "<f4").astype(np.float32)
    if not np.isfinite(samples).all():
        raise ValueError("audio holds NaN or infinite samples")
    clipped: Samples = np.clip(samples, -1.0, 1.0)
    return clipped


class Framer:
    """Cuts chunks of any length into frames of exactly FRAME_SAMPLES."""

    def __init__(self) -> None:
        self._rest: list[Samples] = []
        self._waiting = 0  # samples in self._rest

    def feed(self, chunk: Samples) -> list[Samples]:
        self._rest.append(chunk)
        self._waiting += len(chunk)
        if self._waiting < FRAME_SAMPLES:
            return []
        data = np.concatenate(self._rest)
        end = len(data) - len(data) % FRAME_SAMPLES
        self._rest, self._waiting = [data[end:]], len(data) - end
        return [data[i : i + FRAME_SAMPLES] for i in range(0, end, FRAME_SAMPLES)]

    def flush(self) -> list[Samples]:
        """The last frame, filled up with silence; nothing when no sample waits."""
        if not self._waiting:
            return []
        return self.feed(np.zeros(FRAME_SAMPLES - self._waiting, np.float32))


class Resampler:
    """Brings a stream of any rate to SAMPLE_RATE, keeping its state between chunks (soxr, high quality)."""

    def __init__(self, rate: int) -> None:
        self._stream = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")

    def feed(self, chunk: Samples, *, last: bool = False) -> Samples:
        if self._stream is None:
            return chunk
        resampled: Samples = self._stream.resample_chunk(chunk, last=last)
        clipped: Samples = np.clip(resampled, -1.0, 1.0)
        return clipped

    def flush(self) -> Samples:
        """What the filter still holds at the end of the stream."""
        return self.feed(np.empty(0, np.float32), last=True)
