"""Engines for tests that speak symbolic audio: a run of samples at level n/100 is the word `wn`."""

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audio import Samples
from recognizer.base import Hypothesis, ModelError, Request, Transcript

RAISE, DIE, HANG = 90, 91, 92  # words that make the engine misbehave


def words(audio: Samples) -> list[int]:
    """The levels that occur, in order, without silence and repetitions."""
    levels = np.rint(audio * 100).astype(int)
    changes = levels[np.flatnonzero(np.diff(levels, prepend=0))]
    return [int(level) for level in changes if level > 0]


def spoken(*numbers: int, seconds: float = 0.3) -> Samples:
    """The audio that says these words."""
    return np.concatenate([np.full(int(seconds * 16_000), n / 100, np.float32) for n in numbers])


class FakeEngine:
    """Misbehaves once for each marker word: what it did is remembered in `memory`, across processes."""

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = memory

    def warm_up(self) -> None:
        pass

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        return [self._one(words(request.audio)) for request in batch]

    def _one(self, numbers: list[int]) -> Transcript:
        if RAISE in numbers:
            raise ValueError("secret detail")
        if DIE in numbers and self._first_time("died"):
            os.kill(os.getpid(), signal.SIGKILL)
        if HANG in numbers and self._first_time("hung"):
            threading.Event().wait()
        text = " ".join(f"w{n}" for n in numbers)
        return Transcript((Hypothesis(text, 0.9),) if text else ())

    def _first_time(self, name: str) -> bool:
        if self._memory is None:
            return True
        try:
            (self._memory / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def make_broken_engine() -> FakeEngine:
    raise ModelError("the model is broken")


def make_deadly_engine() -> FakeEngine:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("we are dead")
