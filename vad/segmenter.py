"""Turns speech probabilities into utterances. Pure: no model, no clock, no I/O.

Hysteresis as in silero's own iterator: speech begins at `threshold` and ends below `threshold - RELEASE_MARGIN`.
All positions are samples since the start of the stream.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from audio import FRAME_SAMPLES, SAMPLE_RATE, Draft, Samples, Utterance

RELEASE_MARGIN = 0.15
CUT_SEARCH_MS = 2_000  # a too long utterance is cut somewhere in its last two seconds
DRAFT_GROWTH = 0.1  # the period between drafts is at least this share of the segment


@dataclass(frozen=True)
class SegmenterOptions:
    threshold: float = 0.5  # a frame at or above this is speech
    min_speech_ms: int = 96  # shorter bursts are dropped
    min_silence_ms: int = 500  # this much silence ends an utterance
    padding_ms: int = 192  # audio kept before the first and after the last speech frame
    max_utterance_ms: int = 15_000  # longer speech is cut
    draft_interval_ms: int = 300  # of audio between two drafts

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be between {low:g} and {high:g}, not {getattr(self, name):g}")


LIMITS: dict[str, tuple[float, float]] = {
    "threshold": (0.01, 0.99),
    "min_speech_ms": (32, 5_000),
    "min_silence_ms": (64, 10_000),
    "padding_ms": (0, 2_000),
    "max_utterance_ms": (3_000, 60_000),
    "draft_interval_ms": (100, 10_000),
}


@dataclass(frozen=True)
class SpeechStarted:
    segment: int
    at: int


@dataclass(frozen=True)
class SpeechDropped:
    """It was too short to be speech."""

    segment: int
    at: int


SegmentEvent = SpeechStarted | Draft | Utterance | SpeechDropped


def _frames(ms: int) -> int:
    return max(1, round(ms * SAMPLE_RATE / 1000 / FRAME_SAMPLES))


class Segmenter:
    """Feed every frame with its probability; each call returns what happened."""

    def __init__(self, options: SegmenterOptions, *, start: int = 0) -> None:
        self._next_segment = 0
        self._position = start  # samples processed
        self._held: list[Samples] = []  # frames of the segment being built
        self._scores: list[float] = []  # their probabilities
        self._first = self._last = 0  # its first and last speech frame, as indices into _held
        self._speech = 0  # speech frames in it
        self._drafted = 0  # frames held when the last draft was made
        self._announced = False
        self._padding: deque[Samples] = deque()
        self.configure(options)

    def configure(self, options: SegmenterOptions) -> None:
        """Takes effect at once, also for the segment being built."""
        self._threshold, self._release = options.threshold, max(options.threshold - RELEASE_MARGIN, 0.01)
        self._min_speech = _frames(options.min_speech_ms)
        self._min_silence = _frames(options.min_silence_ms)
        self._max_frames = _frames(options.max_utterance_ms)
        self._pad = _frames(options.padding_ms) if options.padding_ms else 0
        self._draft_interval = _frames(options.draft_interval_ms)
        self._padding = deque(self._padding, maxlen=self._pad)

    @property
    def segment(self) -> int:
        """The segment being built, or else the next one."""
        return self._next_segment

    @property
    def settled(self) -> int:
        """No later utterance begins before this position."""
        return self._position - FRAME_SAMPLES * (len(self._held) or len(self._padding))

    def process(self, frame: Samples, probability: float) -> list[SegmentEvent]:
        self._position += FRAME_SAMPLES
        if not self._held and probability < self._threshold:
            self._padding.append(frame)
            return []
        if not self._held:
            self._begin()
        self._held.append(frame)
        self._scores.append(probability)
        return self._advance(probability)

    def flush(self) -> list[SegmentEvent]:
        """The stream ends: so does the segment being built, if any, and nothing is kept for a next one."""
        events = self._end(len(self._held)) if self._held else []
        self._padding.clear()
        return events

    def _begin(self) -> None:
        self._held, self._scores = list(self._padding), [0.0] * len(self._padding)
        self._padding.clear()
        self._first = self._last = len(self._held)
        self._speech = self._drafted = 0
        self._announced = False

    def _advance(self, probability: float) -> list[SegmentEvent]:
        if probability >= self._threshold:
            self._speech += 1
        if probability >= self._release:
            self._last = len(self._held) - 1
        events = self._announce()
        silence = len(self._held) - 1 - self._last
        if silence >= self._min_silence:
            return events + self._end(len(self._held))
        if len(self._held) >= self._max_frames:
            return events + self._end(self._quietest_cut())
        return events + self._draft(silence)

    def _announce(self) -> list[SegmentEvent]:
        if self._announced or self._speech < self._min_speech:
            return []
        self._announced = True
        return [SpeechStarted(self._next_segment, self._start())]

    def _draft(self, silence: int) -> list[SegmentEvent]:
        period = max(self._draft_interval, int(len(self._held) * DRAFT_GROWTH))
        complete = silence == self._pad and silence > 0
        due = not silence and len(self._held) - max(self._drafted, self._first) >= period
        if not self._announced or not (complete or due):
            return []
        self._drafted = len(self._held)
        return [Draft(self._next_segment, self._start(), np.concatenate(self._held), complete)]

    def _quietest_cut(self) -> int:
        """The frame after which a too long segment is cut: the least speech-like of its last two seconds."""
        search = min(_frames(CUT_SEARCH_MS), len(self._held) // 2)
        tail = self._scores[-search:]
        return len(self._held) - search + tail.index(min(tail)) + 1

    def _end(self, count: int) -> list[SegmentEvent]:
        """Closes the segment after `count` frames; what follows them goes through the door again."""
        start, segment, speech = self._start(), self._next_segment, self._speech
        kept = min(count, self._last + 1 + self._pad)
        held, self._held = self._held, []
        scores, self._scores = self._scores, []
        self._position -= FRAME_SAMPLES * (len(held) - kept)
        event: SegmentEvent = SpeechDropped(segment, start)
        if speech >= self._min_speech:
            self._next_segment += 1
            event = Utterance(segment, start, np.concatenate(held[:kept]))
        events = [event]
        for frame, score in zip(held[kept:], scores[kept:], strict=True):
            events += self.process(frame, score)
        return events

    def _start(self) -> int:
        return self._position - FRAME_SAMPLES * len(self._held)
