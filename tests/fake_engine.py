"""Engines for tests that speak symbolic audio: a run of samples at level n/100 is the word `wn`."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audio import Draft, Samples, Utterance
from recognizer.base import Hypothesis, ModelError, Options, RecognizerError, Request, Transcript
from vad.silero import VadState

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

    device = "cpu"
    search = "marks in the audio"
    eager = True
    together = drafts_together = 1

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


class TogetherEngine(FakeEngine):
    """Takes four finals at once, drafts one by one, and notes in `memory` how many came."""

    together, drafts_together = 4, 1

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        if self._memory is not None:
            with (self._memory / "batches").open("a") as file:
                file.write(f"{len(batch)} ")
        return super().transcribe(batch)


def make_broken_engine() -> FakeEngine:
    raise ModelError("the model is broken")


def make_deadly_engine() -> FakeEngine:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("we are dead")


def make_engine_twice(memory: Path) -> FakeEngine:
    """Loads for the first two workers, never again."""
    for name in ("first", "second"):
        with contextlib.suppress(FileExistsError):
            (memory / name).touch(exist_ok=False)
            return FakeEngine(memory)
    raise ModelError("the model is gone")


class FakeVad:
    """Whatever is not silent is speech."""

    def score(self, frames: Sequence[Samples], states: Sequence[VadState]) -> list[float]:
        return [0.9 if frame.max() > 0.005 else 0.1 for frame in frames]


class FakeBackend:
    """A FakeEngine in this process; `gate` holds back its finals while it is closed."""

    device = "cpu"
    search = "marks in the audio"
    eager = True
    late = False

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.active = 0
        self.jobs = list[Utterance]()
        self.hold_drafts = False

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def transcribe(self, job: Utterance, options: Options, known: Transcript | None = None) -> Transcript:
        self.active += 1
        self.jobs.append(job)
        try:
            if self.hold_drafts and isinstance(job, Draft):
                await asyncio.Event().wait()
            if not isinstance(job, Draft) or job.complete:
                await self.gate.wait()
            (transcript,) = FakeEngine().transcribe([Request(job.audio, True, options)])
            return transcript
        except ValueError:
            raise RecognizerError("recognizer_failed", "the recogniser failed on this utterance") from None
        finally:
            self.active -= 1
