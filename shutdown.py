"""A stop that lets live streams finish."""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def drain_on_signals(drain: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """The server's own handler would close the sockets at once: the streams are drained before it is called."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def handle(number: int, frame: FrameType | None) -> None:
        for again, handler in previous.items():
            signal.signal(again, handler)  # a second signal does not wait
        loop.call_soon_threadsafe(lambda: tasks.add(loop.create_task(finish(number))))

    async def finish(number: int) -> None:
        try:
            await drain()
        finally:
            signal.raise_signal(number)

    for number in previous:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
