"""Collects the frames of all live streams and scores them in batched calls, off the event loop."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from audio import Samples
from vad.silero import MAX_BATCH, VadState


class Vad(Protocol):
    def score(self, frames: Sequence[Samples], states: Sequence[VadState]) -> list[float]: ...


class _Job:
    """The frames that one stream waits for, and what came out so far."""

    def __init__(self, state: VadState, frames: Sequence[Samples], done: asyncio.Future[list[float]]) -> None:
        self.state = state
        self.frames = frames
        self.done = done
        self.probabilities: list[float] = []


class Scorer:
    """One thread, one model, any number of streams. A stream has at most one call to `score` under way."""

    def __init__(self, vad: Vad) -> None:
        self._vad = vad
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vad")
        self._waiting: list[_Job] = []
        self._running: asyncio.Task[None] | None = None

    async def score(self, state: VadState, frames: Sequence[Samples]) -> list[float]:
        """One probability a frame, in order."""
        if not frames:
            return []
        job = _Job(state, frames, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await job.done

    async def close(self) -> None:
        if self._running is not None:
            await asyncio.wait([self._running])
        self._thread.shutdown()

    async def _run(self) -> None:
        """Scores batch after batch until no job waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            jobs, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            try:
                await loop.run_in_executor(self._thread, self._score_all, jobs)
            except Exception as error:  # the model failed: every stream of this batch must learn of it
                _fail(jobs, error)
            else:
                _finish(jobs)

    def _score_all(self, jobs: list[_Job]) -> None:
        """Step k takes the k-th frame of every stream that has one."""
        for step in range(max(len(job.frames) for job in jobs)):
            live = [job for job in jobs if step < len(job.frames)]
            scores = self._vad.score([job.frames[step] for job in live], [job.state for job in live])
            for job, probability in zip(live, scores, strict=True):
                job.probabilities.append(probability)


def _finish(jobs: list[_Job]) -> None:
    for job in jobs:
        if not job.done.done():  # its stream may have gone
            job.done.set_result(job.probabilities)


def _fail(jobs: list[_Job], error: Exception) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_exception(error)
