"""LocalBackend: engines in child processes, so that a search can hang, crash or hold the GIL and nobody else notices.

A worker that dies or takes too long is killed and replaced, and its job is decoded again: the client sees delay.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from audio import SAMPLE_RATE, Draft, Utterance
from recognizer.base import Engine, ModelError, Options, RecognizerError, Request, Transcript
from recognizer.child import Child, ChildDied

log = logging.getLogger("speech.recognizer")
MAX_TRIES = 2  # a job that kills two workers is given up
MAX_START_FAILURES = 3  # in a row; then the model is at fault
MAX_BACKOFF_S = 30.0


@dataclass(eq=False)
class _Job:
    request: Request
    done: asyncio.Future[Transcript]
    queued_at: float  # monotonic seconds
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
        self._drafts: deque[_Job] = deque()  # never more than there are idle workers
        self._idle = 0
        self._work = asyncio.Condition()

    @property
    def pids(self) -> list[int]:
        """Of the workers that live."""
        return [child.pid for child in self._children if child.pid is not None]

    @property
    def device(self) -> str:
        """Where the engines compute; known once started."""
        return self._children[0].device

    async def start(self) -> None:
        """Returns when every worker has loaded its model and warmed up. Raises ModelError."""
        try:
            await asyncio.gather(*(self._start(child) for child in self._children))
        except ModelError:
            await self.close()
            raise
        self._tasks = [asyncio.create_task(self._serve(child)) for child in self._children]

    async def transcribe(self, job: Utterance, options: Options) -> Transcript:
        final = not isinstance(job, Draft)
        if final and len(self._finals) >= self._max_waiting:
            raise RecognizerError("overloaded", f"{self._max_waiting} utterances are waiting already")
        if not final and (len(self._drafts) >= self._idle or self._finals):
            raise RecognizerError("overloaded", "no worker is free for a draft")
        done: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
        waiting = _Job(Request(job.audio, final, options), done, time.monotonic())
        async with self._work:
            (self._finals if final else self._drafts).append(waiting)
            self._work.notify()
        return await done

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await asyncio.gather(*(child.kill() for child in self._children))
        for job in (*self._finals, *self._drafts):
            if not job.done.done():
                job.done.set_exception(RecognizerError("closed", "the server is stopping"))
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
        """One worker's life: the next job, its answer, and a new process where the old one failed."""
        while True:
            job = await self._next()
            try:
                await self._decode(child, job)
            except (ChildDied, TimeoutError) as error:
                await child.kill()
                self._retry(job, error)
                await self._replace(child)

    async def _next(self) -> _Job:
        async with self._work:
            self._idle += 1
            try:
                await self._work.wait_for(self._discard_cancelled)
            finally:
                self._idle -= 1
            return self._finals.popleft() if self._finals else self._drafts.popleft()

    def _discard_cancelled(self) -> bool:
        """Drops the jobs of clients that went away; true when one is left."""
        for queue in (self._finals, self._drafts):
            while queue and queue[0].done.done():
                queue.popleft()
        return bool(self._finals or self._drafts)

    async def _decode(self, child: Child, job: _Job) -> None:
        began = time.monotonic()
        async with asyncio.timeout(self._timeout_s):
            answer = await child.ask(job.request)
        if job.done.done():
            return  # its client went away
        if isinstance(answer, str):
            log.error("the engine failed on %.1f s of audio:\n%s", _seconds(job), answer)
            job.done.set_exception(RecognizerError("recognizer_failed", "the recogniser failed on this utterance"))
            return
        if job.request.final:
            waited, took = began - job.queued_at, time.monotonic() - began
            log.info("utterance of %.2f s: decoded in %.3f s, queued %.3f s", _seconds(job), took, waited)
            log.debug("text: %s", answer.text)
        job.done.set_result(answer)

    def _retry(self, job: _Job, error: Exception) -> None:
        hung = isinstance(error, TimeoutError)
        log.error("a worker %s on %.1f s of audio and is replaced", "hung" if hung else "died", _seconds(job))
        job.tries += 1
        if job.done.done():
            return
        if job.tries < MAX_TRIES and job.request.final:
            self._finals.appendleft(job)
            return
        code = "timeout" if hung else "recognizer_failed"
        job.done.set_exception(RecognizerError(code, "the recogniser could not decode this utterance"))

    async def _replace(self, child: Child) -> None:
        delay = 0.5
        while True:
            try:
                return await child.start()
            except (ChildDied, ModelError) as error:
                log.error("a worker does not start again (%s); next try in %.1f s", error, delay)
                await asyncio.sleep(delay)
                delay = min(2 * delay, MAX_BACKOFF_S)


def _seconds(job: _Job) -> float:
    return len(job.request.audio) / SAMPLE_RATE
