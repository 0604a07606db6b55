"""Recorders and processors that run in threads beside a test, and remember what they got."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from audiosockets import Block, Event, Format, Gap, Processor, Recorder, Stream

PATIENCE_S = 30.0
TOKEN = "a-token-of-the-tests"


def eventually(condition: Callable[..., Any], *arguments: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition(*arguments):
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.01)


class Running:
    """Something with `run` in a thread; `join` raises what it raised."""

    def __init__(self, runs: Recorder | Processor) -> None:
        self.runs = runs
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.runs.run()
        except BaseException as error:
            self.error = error

    def abandon(self) -> None:
        """As if its machine were switched off."""
        loop = self.runs._loop
        assert loop is not None
        for task in asyncio.all_tasks(loop):
            loop.call_soon_threadsafe(task.cancel)
        self._thread.join(PATIENCE_S)

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "it does not end"
        if self.error is not None:
            raise self.error


class Live:
    """A live source that the test plays: nothing comes but what it says."""

    live = True

    def __init__(self) -> None:
        self.format = Format()
        self._blocks: list[bytes] = []
        self._news = threading.Condition()
        self._closed = False

    def say(self, pcm: bytes) -> None:
        with self._news:
            self._blocks.append(pcm)
            self._news.notify()

    def blocks(self) -> Iterator[bytes]:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._blocks or self._closed)
                if not self._blocks:
                    return
                pcm = self._blocks.pop(0)
            yield pcm

    def close(self) -> None:
        with self._news:
            self._closed = True
            self._news.notify()


class Memory(Processor):
    """Remembers everything."""

    layers: Sequence[str] = ("audio", "results")
    since = "0"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.streams = list[Stream]()
        self.blocks = list[Block]()
        self.events = list[Event]()
        self.gaps = list[Gap]()
        self.closed = 0

    @property
    def pcm(self) -> bytes:
        """Of all blocks, which must follow each other."""
        for before, after in zip(self.blocks, self.blocks[1:], strict=False):
            assert before.end == after.start, (before.end, after.start)
        return b"".join(block.pcm for block in self.blocks)

    def setup(self, stream: Stream) -> None:
        self.streams.append(stream)

    def process(self, block: Block) -> Any:
        self.blocks.append(block)

    def process_event(self, event: Event) -> None:
        self.events.append(event)

    def process_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def close(self) -> None:
        self.closed += 1


@contextlib.contextmanager
def recording(url: str, stream: str, source: Any = None, **config: Any) -> Iterator[tuple[Recorder, Live]]:
    """A stream that exists; what is said into it follows. It is over at the end."""
    source = source or Live()
    recorder = Recorder(url, stream, source, **{"token": TOKEN, **config})
    running = Running(recorder)
    eventually(lambda: recorder.ready.is_set() or running.error)
    try:
        yield recorder, source
    finally:
        recorder.stop()
        running.join()
