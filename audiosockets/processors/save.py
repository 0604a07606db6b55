"""Writes a stream to WAV files of 16 bits, a new one every so many minutes; the oldest may go."""

import logging
import wave
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from audiosockets import Block, Gap, Processor, Stream

log = logging.getLogger("audiosockets.save")
SILENCE_FRAMES = 1 << 16  # written at a time
DIGIT = "[0-9]"


class Save(Processor):
    """Files are named after the stream, the time (UTC) and the position of their first frame, so that a stream of the
    same name overwrites nothing. Gaps become silence: times stay true."""

    policy = "drop-oldest"
    folder = "recordings"
    minutes = 60.0  # of one file
    keep = 0  # files; older ones are deleted; 0 keeps all

    def setup(self, stream: Stream) -> None:
        if self.minutes <= 0 or self.keep < 0:
            raise ValueError("minutes must be more than 0, keep at least 0")
        self._format, self._name = stream.format, stream.name
        self._file: wave.Wave_write | None = None
        self._end = 0  # position of the next frame
        self._frames = stream.format.frames(self.minutes * 60)
        Path(self.folder).mkdir(parents=True, exist_ok=True)

    def process(self, block: Block) -> None:
        pcm = block.pcm
        if self._format.encoding == "f32le":
            pcm = np.rint(np.clip(block.samples * 32768.0, -32768, 32767)).astype("<i2").tobytes()
        self._write(block.start, pcm)

    def process_gap(self, gap: Gap) -> None:
        super().process_gap(gap)
        if self._file is None or gap.end - gap.start > self._frames:
            return self.close()  # the next block begins a file
        for start in range(gap.start, gap.end, SILENCE_FRAMES):
            self._write(start, bytes(2 * self._format.channels * min(SILENCE_FRAMES, gap.end - start)))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, start: int, pcm: bytes) -> None:
        size = 2 * self._format.channels
        while pcm:
            if self._file is None:
                self._open(start)
            assert self._file is not None
            fits = pcm[: (self._end - start) * size]
            self._file.writeframes(fits)  # keeps the header right: a killed process leaves a whole file
            start, pcm = start + len(fits) // size, pcm[len(fits) :]
            if start == self._end:
                self.close()

    def _open(self, start: int) -> None:
        path = Path(self.folder) / f"{self._name}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{start:012d}.wav"
        self._file = wave.open(str(path), "wb")
        self._file.setparams((self._format.channels, 2, self._format.sample_rate, 0, "NONE", ""))
        self._end = start + self._frames
        log.info("writing %s", path)
        if self.keep:
            ours = f"{self._name}-{8 * DIGIT}T{12 * DIGIT}-{12 * DIGIT}.wav"
            for old in sorted(Path(self.folder).glob(ours))[: -self.keep]:
                old.unlink()
