"""A processor: a stream's blocks and events go through its methods, and what these return goes back as a layer."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from audiosockets.config import Config
from audiosockets.signals import StopSignals
from audiosockets.subscription import Subscription
from audiosockets.wire import Block, Event, Gap, Message, Stream, encode_event
from audiosockets.workers import make_worker

log = logging.getLogger("audiosockets.processor")


class Processor:
    """Subclass it and override `process`; `run` calls it with each block until the stream ends.

    Or iterate: `async for message in Processor("http://localhost:8000", "lecture"): ...`.
    A method that takes long delays this processor alone; what it misses is told to `process_gap`.
    The attributes below are options: a subclass or an instance may set them.
    """

    layers: Sequence[str] = ("audio",)  # to receive
    layer = ""  # where what the methods return is published; needs the publish token
    since = "now"  # or "-10s", or a position
    policy = "drop-oldest"  # or "disconnect"
    again = False  # after the end wait for the next stream of this name
    workers = 0  # processes that share the blocks, each with a copy of this object; 0: a thread of this process

    def __init__(
        self, config: Config | Path | str | None = None, stream: str | None = None, *, token: str | None = None,
        **options: Any,
    ) -> None:  # fmt: skip
        """`config` is a URL or a configuration file; `options` set attributes of the class."""
        self.config = Config.of(config, stream=stream, token=token)
        for name, value in options.items():
            if name not in self.options():
                raise TypeError(f"{type(self).__name__} has no option {name}; it has {', '.join(self.options())}")
            setattr(self, name, value)
        self.stream: Stream | None = None
        self._subscription: Subscription | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None  # that works
        self._stopped = False

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Name and default of each attribute that may be changed."""
        names = dict.fromkeys(name for each in reversed(cls.__mro__) for name in vars(each) if not name.startswith("_"))
        return {name: getattr(cls, name) for name in names if not callable(getattr(cls, name))}

    def setup(self, stream: Stream) -> None:
        """Before the first block of a stream, where blocks are processed: in each of the `workers`."""

    def process(self, block: Block) -> Any:
        """What it returns, unless None, is published to `layer`: any JSON. This and the next two may be `async`."""

    def process_event(self, event: Event) -> Any:
        """A message of another layer than audio; answered like a block."""

    def process_gap(self, gap: Gap) -> Any:
        """What this processor missed."""
        log.warning(
            "%s: %s from %d to %d is missing (%s)", self.config.stream, gap.layer, gap.start, gap.end, gap.reason
        )

    def close(self) -> None:
        """After the last block, where blocks were processed."""

    def run(self) -> None:
        """Until the stream ends, or Ctrl-C. Raises Refused, or what a method raised."""
        asyncio.run(self.work())

    async def work(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._stopped = False
        worker = make_worker(self, self._answer)
        try:
            with StopSignals(self.stop):
                async with contextlib.aclosing(aiter(self)) as messages:
                    async for message in messages:
                        await worker.put(message)
        except asyncio.CancelledError:
            if not self._stopped or self._task is None:
                raise
            self._task.uncancel()
        finally:
            await worker.close()

    def stop(self) -> None:
        """Ends `run` soon; may be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._stopped:
            self._stopped = True
            self._task.cancel()

    def publish(self, data: Any, start: int, end: int, *, layer: str = "", payload: bytes = b"") -> None:
        """To a layer, from any thread of this process while it works. Raises ValueError for what JSON cannot say."""
        if self._subscription is None or self._loop is None:
            raise ValueError("there is nothing to publish to yet: the processor does not run")
        message = encode_event(Event(layer or self.layer, start, end, data, payload))
        self._loop.call_soon_threadsafe(self._subscription.publish, end, message)

    async def __aiter__(self) -> AsyncGenerator[Message]:
        self._loop = asyncio.get_running_loop()
        self._subscription = Subscription(
            self.config, self.layers, since=self.since, policy=self.policy,
            publishes=bool(self.layer), again=self.again,
        )  # fmt: skip
        async with contextlib.aclosing(aiter(self._subscription)) as messages:
            async for message in messages:
                if isinstance(message, Stream):
                    self.stream = message
                yield message

    def _answer(self, message: Block | Event | Gap, answer: Any) -> None:
        if answer is not None and self.layer:
            self.publish(answer, message.start, message.end)

    def __getstate__(self) -> dict[str, Any]:
        """For worker processes: everything but the connection."""
        return vars(self) | {"_subscription": None, "_loop": None, "_task": None}
