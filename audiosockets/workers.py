"""Where a processor's methods run: in one thread beside the event loop, or its blocks in a pool of processes."""

import asyncio
import inspect
import logging
import multiprocessing
import multiprocessing.util
import signal
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from audiosockets.wire import Block, End, Event, Gap, Message, Stream

if TYPE_CHECKING:
    from audiosockets.processor import Processor

log = logging.getLogger("audiosockets.workers")
Answer = Callable[[Any, Any], None]  # a message and what the processor returned for it
MAX_WAITING = 2  # blocks in the pool for each of its processes; then the stream is read no further
MAX_DEATHS = 3


class Thread:
    """One message after the other, in order. Methods that are `async` run in the event loop."""

    def __init__(self, processor: "Processor", answer: Answer) -> None:
        self._processor, self._answer = processor, answer
        self._executor = ThreadPoolExecutor(1, "audiosockets")
        self._stream: Stream | None = None

    async def put(self, message: Message) -> None:
        """Returns when the next message may come. Raises what the processor raised."""
        match message:
            case Stream():
                if self._stream is None or self._stream.format != message.format:
                    await self._end()
                    await self._begin(message)
                self._stream = message
            case End():
                await self._end()  # another may follow
            case Block():
                await self._process(message)
            case Event():
                self._answer(message, await self._call(self._processor.process_event, message))
            case Gap():
                self._answer(message, await self._call(self._processor.process_gap, message))

    async def close(self) -> None:
        try:
            await self._end()
        finally:
            self._executor.shutdown()

    async def _begin(self, stream: Stream) -> None:
        await self._call(self._processor.setup, stream)

    async def _end(self) -> None:
        if self._stream is not None:
            self._stream = None
            await self._call(self._processor.close)

    async def _process(self, block: Block) -> None:
        self._answer(block, await self._call(self._processor.process, block))

    async def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        if inspect.iscoroutinefunction(method):
            return await method(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._executor, method, *arguments)


class Pool(Thread):
    """Blocks go to processes, several at a time; their answers come back in order. The rest stays in this process."""

    def __init__(self, processor: "Processor", answer: Answer) -> None:
        super().__init__(processor, answer)
        self._pool: ProcessPoolExecutor | None = None
        self._running = deque[tuple[Block, Future[Any]]]()
        self._settled = asyncio.Event()  # there may be room for another block
        self._lost = list[Block]()  # by processes that died
        self._deaths = 0  # of pools, since the last answer
        self._failure: BaseException | None = None

    async def put(self, message: Message) -> None:
        await self._tell_losses()
        await super().put(message)

    async def _begin(self, stream: Stream) -> None:
        self._pool = self._open_pool(stream)

    async def _end(self) -> None:
        """Waits for what is being processed."""
        while self._running:
            await self._next_settled()
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown)
            self._pool = None
        await self._tell_losses()
        self._stream = None
        if self._failure is not None:
            raise self._failure

    def _open_pool(self, stream: Stream) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._processor.workers,
            multiprocessing.get_context("spawn"),  # a fork would take our threads' locks along
            initializer=_begin,
            initargs=(self._processor, stream),
        )

    async def _process(self, block: Block) -> None:
        while len(self._running) >= MAX_WAITING * self._processor.workers:
            await self._next_settled()
        future = self._submit(block)
        self._running.append((block, future))
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._settle))

    def _submit(self, block: Block) -> Future[Any]:
        assert self._pool is not None and self._stream is not None, "a stream comes before its blocks"
        try:
            return self._pool.submit(_process, block)
        except BrokenProcessPool:
            self._deaths += 1
            if self._deaths == MAX_DEATHS:
                raise RuntimeError(f"worker processes died {MAX_DEATHS} times before they answered anything") from None
            log.error("a worker process died; there are new ones")
            self._pool = self._open_pool(self._stream)
            return self._pool.submit(_process, block)

    def _settle(self) -> None:
        while self._running and self._running[0][1].done():
            block, future = self._running.popleft()
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                self._lost.append(block)
            elif error is not None:
                self._fail(error)
            else:
                self._deaths = 0
                try:
                    self._answer(block, future.result())
                except ValueError as unsayable:
                    self._fail(unsayable)
        self._settled.set()

    def _fail(self, error: BaseException) -> None:
        """`close` raises it."""
        self._failure = self._failure or error
        self._processor.stop()

    async def _next_settled(self) -> None:
        self._settled.clear()
        await self._settled.wait()

    async def _tell_losses(self) -> None:
        lost, self._lost = self._lost, []
        for block in lost:
            await super().put(Gap("audio", block.start, block.end, "worker"))


def make_worker(processor: "Processor", answer: Answer) -> Thread:
    return Pool(processor, answer) if processor.workers else Thread(processor, answer)


_processor: "Processor"  # of this worker process


def _begin(processor: "Processor", stream: Stream) -> None:
    global _processor
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us in good order
    _processor = processor
    processor.setup(stream)
    multiprocessing.util.Finalize(processor, processor.close, exitpriority=0)


def _process(block: Block) -> Any:
    return _processor.process(block)
