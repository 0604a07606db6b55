"""Draws the spectrum over time: lines in the terminal, or a PNG file that is renewed every second."""

import struct
import zlib
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audiosockets import Block, Processor, Samples, Stream

SHADES = " .:-=+*#%@"
FLOOR_DB, TOP_DB = -90.0, -10.0


def spectra(samples: Samples, window: int) -> NDArray[np.float64]:
    """Decibels of full scale, shape (len(samples) // (window / 2) - 1, window / 2); `samples` has shape (n,)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[:: window // 2]
    taper = np.hanning(window)
    magnitudes = np.abs(np.fft.rfft(frames * taper))[:, : window // 2] * 2 / taper.sum()
    return np.asarray(20 * np.log10(np.maximum(magnitudes, 1e-9)))


def brightness(levels_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 at the floor, 1 at the top."""
    return np.clip((levels_db - FLOOR_DB) / (TOP_DB - FLOOR_DB), 0, 1)


def line(levels_db: NDArray[np.float64], width: int) -> str:
    """One row of the terminal, low frequencies on the left."""
    parts = np.array_split(brightness(levels_db), width)
    return "".join(SHADES[round(float(part.max()) * (len(SHADES) - 1))] for part in parts)


def png(picture: NDArray[np.uint8]) -> bytes:
    """A grey picture, shape (height, width)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = picture.shape
    rows = b"".join(b"\0" + row.tobytes() for row in picture)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Spectrogram(Processor):
    """Frequencies from 0 to half the sample rate."""

    png = ""  # the file; without one the terminal is used
    seconds = 10.0  # that the picture shows
    window = 512  # samples
    width = 80  # characters of the terminal

    def setup(self, stream: Stream) -> None:
        if self.window < 16 or self.window % 2 or self.seconds <= 0 or not 1 <= self.width <= self.window // 2:
            raise ValueError("window must be even and at least 16, seconds more than 0, width 1 to half the window")
        self._rest = np.zeros(0, np.float32)
        columns = int(self.seconds * stream.format.sample_rate / (self.window // 2))
        self._columns = deque[NDArray[np.float64]](maxlen=max(1, columns))
        self._drawn = stream.position

    def process(self, block: Block) -> None:
        self._rest = np.concatenate((self._rest, block.samples.mean(axis=1)))
        if len(self._rest) < self.window:
            return
        found = spectra(self._rest, self.window)
        self._rest = self._rest[len(found) * (self.window // 2) :]
        if not self.png:
            print(f"{block.start_s:7.1f} {line(found.max(axis=0), self.width)}", flush=True)
            return
        self._columns.extend(found)
        if block.end - self._drawn >= block.format.sample_rate:
            self._drawn = block.end
            self._draw()

    def close(self) -> None:
        if self.png and self._columns:
            self._draw()

    def _draw(self) -> None:
        picture = (brightness(np.array(self._columns)).T[::-1] * 255).astype(np.uint8)
        fresh = Path(self.png).with_suffix(".new")
        fresh.write_bytes(png(picture))
        fresh.replace(self.png)  # whoever looks sees a whole picture
