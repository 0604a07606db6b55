"""From audio as it comes to frames that are scored, and the places where a broken stream can be taken up again. Pure.

Positions are samples of this connection. A client that resumes sends three stretches: a lead-in, for the resampler
alone; from its checkpoint on what is already answered, which is scored again so that the voice detector is where it
was; and from there on what is new.
"""

from collections import deque

from audio import FRAME_SAMPLES, SAMPLE_RATE, Framer, Resampler, Samples, ms_of, samples_of
from protocol.events import Checkpoint, Progress

PROGRESS_SAMPLES = SAMPLE_RATE  # a progress message about once a second of audio
CHECKPOINT_SAMPLES = 25 * FRAME_SAMPLES  # 0.8 s of the stream: a whole number of samples at every usual rate


class Intake:
    """`offset` is where this connection's audio begins on the stream's clock, in samples."""

    def __init__(
        self, rate: int, *, offset: int = 0, resume: Checkpoint | None = None, resumable: bool = False
    ) -> None:
        self.received = 0  # samples, after resampling
        self._offset = offset
        self._resumable = resumable
        self._resampler, self._framer = Resampler(rate), Framer()
        self._frames, self._scoring = deque[Samples](), deque[Samples]()  # to be scored; being scored
        self._checkpoints = deque[tuple[int, str]]()  # position, state of the voice detector there
        self._reported = 0  # what was received at the last report
        self._given = -1  # the checkpoint that the client has
        self._lead_in = self._scored = samples_of(resume.at_ms) - offset if resume else 0  # before it nothing is scored
        self.start = samples_of(resume.settled_ms) - offset if resume else 0  # before it everything is answered
        self._heard = self._scored  # samples whose scores have come

    @property
    def busy(self) -> bool:
        return bool(self._frames or self._scoring)

    def feed(self, samples: Samples) -> None:
        self._hear(self._resampler.feed(samples))

    def flush(self) -> None:
        """No more audio comes: the last frame is filled up with silence."""
        self._hear(self._resampler.flush())
        self._queue(self._framer.flush())

    def clear(self) -> None:
        self._frames.clear()
        self._scoring.clear()

    def frames_to_score(self) -> list[Samples]:
        """At most up to the next checkpoint, when the client wants them."""
        room = len(self._frames)
        if self._resumable:
            room = min(room, (CHECKPOINT_SAMPLES - (self._offset + self._scored) % CHECKPOINT_SAMPLES) // FRAME_SAMPLES)
        frames = [self._frames.popleft() for _ in range(room)]
        self._scored += FRAME_SAMPLES * len(frames)
        self._scoring.extend(frames)
        return frames

    def frame_scored(self) -> Samples | None:
        """The frame whose score has come; None for one that is already answered, or when nothing waits for a score."""
        if not self._scoring:
            return None
        frame = self._scoring.popleft()
        self._heard += FRAME_SAMPLES
        return frame if self._heard > self.start else None

    @property
    def at_checkpoint(self) -> bool:
        here = (self._offset + self._heard) % CHECKPOINT_SAMPLES == 0
        return self._resumable and here and not self._scoring

    def add_checkpoint(self, state: str) -> None:
        self._checkpoints.append((self._heard, state))

    @property
    def report_due(self) -> bool:
        return self.received - self._reported >= PROGRESS_SAMPLES

    def report(self, settled: int) -> Progress:
        """`settled`: audio before it is answered."""
        self._reported = self.received
        received, ms = (ms_of(self._offset + n) for n in (self.received, settled))
        return Progress(received, ms, received - ms, self._new_checkpoint(settled))

    def _new_checkpoint(self, settled: int) -> Checkpoint | None:
        """The newest that needs no audio after `settled`, once; older ones are forgotten."""
        while len(self._checkpoints) > 1 and self._checkpoints[1][0] <= settled:
            self._checkpoints.popleft()
        if not self._checkpoints or not self._given < self._checkpoints[0][0] <= settled:
            return None
        self._given, state = self._checkpoints[0]
        return Checkpoint(ms_of(self._offset + self._given), ms_of(self._offset + settled), state)

    def _hear(self, samples: Samples) -> None:
        self.received += len(samples)
        self._queue(self._framer.feed(samples))

    def _queue(self, frames: list[Samples]) -> None:
        skipped = min(len(frames), self._lead_in // FRAME_SAMPLES)
        self._lead_in -= skipped * FRAME_SAMPLES
        self._frames.extend(frames[skipped:])
