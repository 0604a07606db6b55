"""LocalBackend: engines in child processes, so that a search can hang, crash or hold the GIL and nobody else notices.

A worker that dies or takes too long is killed and replaced, and its job is decoded again: the client sees delay.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from audio import SAMPLE_RATE, Draft, Utterance
from recognizer.base import Engine, ModelError, Options, RecognizerError, Request, Transcript
from recognizer.child import Answer, Child, ChildDied

log = logging.getLogger("speech.recognizer")
MAX_TRIES = 2  # a job that kills two workers is given up
MAX_START_FAILURES = 3  # in a row; then the model is at fault
MAX_BACKOFF_S = 30.0
DRAFT_PATIENCE_S = 0.3  # a draft that waited longer is stale: the next one knows more
LATE_S = 2.0  # an utterance that waits longer means that no new stream should come


@dataclass(eq=False)
class _Job:
    request: Request
    done: asyncio.Future[Transcript]
    queued_at: float  # monotonic seconds
    final: bool  # of an utterance, not of a draft
    tries: int = 0


class LocalBackend:
    """`workers` processes, each with an engine of its own made by `make_engine` (it must be picklable)."""

    def __init__(
        self, make_engine: Callable[[], Engine], *, workers: int, max_waiting: int, timeout_s: float
    ) -> None:  # fmt: skip
        self._make_engine = make_engine
        self._max_waiting = max_waiting
        self._timeout_s = timeout_s
        self._children = [Child(make_engine) for _ in range(workers)]
        self._tasks: list[asyncio.Task[None]] = []
        self._finals: deque[_Job] = deque()
        self._drafts: deque[_Job] = deque()  # at most one of each session
        self.drafts_dropped = 0  # since the start, because they became stale before a worker was free
        self._work = asyncio.Condition()

    @property
    def pids(self) -> list[int]:
        """Of the workers that live."""
        return [child.pid for child in self._children if child.pid is not None]

    @property
    def ready(self) -> bool:
        """Started, not closed, and at least one worker lives."""
        return bool(self._tasks and self.pids)

    @property
    def late(self) -> bool:
        """More is asked than the workers can do: an utterance has been waiting for seconds."""
        return bool(self._finals) and time.monotonic() - self._finals[0].queued_at > LATE_S

    @property
    def device(self) -> str:
        """Where the engines compute; known once started."""
        return self._children[0].engine.device

    @property
    def search(self) -> str:
        """How the engines decode; known once started."""
        return self._children[0].engine.search

    @property
    def eager(self) -> bool:
        """Whether a complete draft is searched like its utterance; known once started."""
        return self._children[0].engine.eager

    async def start(self) -> None:
        """Returns when every worker has loaded its model and warmed up. Raises ModelError."""
        loading = [asyncio.create_task(self._start(child)) for child in self._children]
        try:
            await asyncio.wait(loading)  # all: one that loads on after close() would never be ended
            for task in loading:
                task.result()
        except BaseException:
            await _cancel(loading)
            await self.close()
            raise
        self._tasks = [asyncio.create_task(self._serve(child)) for child in self._children]

    async def transcribe(self, job: Utterance, options: Options, known: Transcript | None = None) -> Transcript:
        final = not isinstance(job, Draft)
        if not self._tasks:
            raise _closed()
        if final and len(self._finals) >= self._max_waiting:
            raise RecognizerError("overloaded", f"{self._max_waiting} utterances are waiting already")
        done: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
        request = Request(job.audio, final or (isinstance(job, Draft) and job.complete and self.eager), options, known)
        waiting = _Job(request, done, time.monotonic(), final)
        queue = self._finals if final else self._drafts
        queue.append(waiting)
        try:
            await self._wake_one()
            return await done
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):  # it may run already
                queue.remove(waiting)
            raise

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []  # from here on nothing new is taken
        await _cancel(tasks)
        await asyncio.gather(*(child.kill() for child in self._children))
        for job in (*self._finals, *self._drafts):
            if not job.done.done():
                job.done.set_exception(_closed())
        self._finals.clear()
        self._drafts.clear()

    async def _start(self, child: Child) -> None:
        for attempt in range(1, MAX_START_FAILURES + 1):
            try:
                return await child.start()
            except ChildDied:
                log.error("a worker died while it loaded the model, attempt %d", attempt)
        raise ModelError("the worker process dies while it loads the model; is there enough memory?")

    async def _serve(self, child: Child) -> None:
        """One worker's life: the next jobs, their answers, and a new process where the old one failed."""
        while True:
            jobs = await self._next(child.engine.together, child.engine.drafts_together)
            try:
                if child.ended:  # while it idled: no fault of these jobs
                    log.error("a worker died while it idled and is replaced")
                    self._put_back(jobs)
                else:
                    await self._decode(child, jobs)
                    continue
            except Exception as error:  # it died, hung or answered nonsense: not to be trusted any more
                self._retry(jobs, error)
            except asyncio.CancelledError:
                self._put_back(jobs)  # close() answers what waits
                raise
            await self._wake_one()  # another worker may be free for them
            await child.kill()
            await self._replace(child)

    async def _next(self, most_finals: int, most_drafts: int) -> list[_Job]:
        """Utterances before drafts, at most so many; one that was tried before comes alone: it may be deadly."""
        async with self._work:
            await self._work.wait_for(self._has_job)
            queue, most = (self._finals, most_finals) if self._finals else (self._drafts, most_drafts)
            jobs = [queue.popleft()]
            while len(jobs) < most and queue and not (jobs[0].tries or queue[0].tries):
                jobs.append(queue.popleft())
            return jobs

    def _has_job(self) -> bool:
        """Drops the jobs of clients that went away, and drafts that are stale; true when one is left."""
        while self._finals and self._finals[0].done.done():
            self._finals.popleft()
        stale = time.monotonic() - DRAFT_PATIENCE_S
        while self._drafts and (self._drafts[0].done.done() or self._drafts[0].queued_at < stale):
            job = self._drafts.popleft()
            if not job.done.done():
                self.drafts_dropped += 1
                job.done.set_exception(RecognizerError("overloaded", "no worker was free for a draft"))
        return bool(self._finals or self._drafts)

    async def _decode(self, child: Child, jobs: Sequence[_Job]) -> None:
        began = time.monotonic()
        async with asyncio.timeout(self._timeout_s):
            answers = await child.ask([job.request for job in jobs])
        took = time.monotonic() - began
        for job, answer in zip(jobs, answers, strict=True):
            if not job.done.done():  # else its client went away
                _settle(job, answer, began - job.queued_at, took)

    def _retry(self, jobs: Sequence[_Job], error: Exception) -> None:
        hung, died = isinstance(error, TimeoutError), isinstance(error, ChildDied)
        what = "hung" if hung else "died" if died else "failed"
        seconds, code = sum(map(_seconds, jobs)), "timeout" if hung else "recognizer_failed"
        log.error("a worker %s on %.1f s of audio and is replaced", what, seconds, exc_info=not (hung or died))
        for job in reversed(jobs):
            job.tries += 1
            if job.final and job.tries < MAX_TRIES:
                self._put_back([job])  # _has_job drops it where its client went away
            elif not job.done.done():
                job.done.set_exception(RecognizerError(code, "the recogniser could not decode this utterance"))

    def _put_back(self, jobs: Sequence[_Job]) -> None:
        for job in reversed(jobs):
            (self._finals if job.final else self._drafts).appendleft(job)

    async def _wake_one(self) -> None:
        async with self._work:
            self._work.notify()

    async def _replace(self, child: Child) -> None:
        delay = 0.5
        while True:
            try:
                return await child.start()
            except (ChildDied, ModelError) as error:
                log.error("a worker does not start again (%s); next try in %.1f s", error, delay)
                await asyncio.sleep(delay)
                delay = min(2 * delay, MAX_BACKOFF_S)


def _settle(job: _Job, answer: Answer, waited_s: float, took_s: float) -> None:
    if isinstance(answer, str):
        log.error("the engine failed on %.1f s of audio:\n%s", _seconds(job), answer)
        job.done.set_exception(RecognizerError("recognizer_failed", "the recogniser failed on this utterance"))
        return
    if job.final:
        log.info("utterance of %.2f s: decoded in %.3f s, queued %.3f s", _seconds(job), took_s, waited_s)
        log.debug("text: %s", answer.text)
    job.done.set_result(answer)


def _seconds(job: _Job) -> float:
    return len(job.request.audio) / SAMPLE_RATE


def _closed() -> RecognizerError:
    return RecognizerError("closed", "the server is stopping")


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
