"""A subscription: what a stream carries, in order, over as many connections as it takes; and the way back into it."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from audiosockets.config import Config
from audiosockets.link import LOSSES, Link, Pauses, Refused, Unavailable, link
from audiosockets.wire import Block, End, Event, Gap, Message, ProtocolError, Stream

log = logging.getLogger("audiosockets.subscription")
MAX_OUTBOX = 1000  # messages that wait to be published; beyond it the oldest go


class Subscription:
    """`async for message in subscription` gives a Stream for each connection, then its messages; the End is the last.

    After a lost connection it goes on at the position where it was, as far as the server still has it.
    """

    def __init__(
        self, config: Config, layers: Sequence[str] = ("audio",), *, since: str = "now", policy: str = "drop-oldest",
        publishes: bool = False, again: bool = False,
    ) -> None:  # fmt: skip
        """`publishes`: insist on the right to; `again`: after the end of a stream wait for the next of this name."""
        self.config = config
        self.stream: Stream | None = None  # as it was when the connection opened
        self._layers, self._since, self._policy = tuple(layers), since, policy
        self._publishes, self._again = publishes, again
        self._next: int | None = None  # the position to go on from
        self._outbox = deque[tuple[int, str | bytes]](
            maxlen=MAX_OUTBOX
        )  # with the position it needs the stream to have
        self._news = asyncio.Event()  # the outbox has something
        self._pauses = Pauses(f"subscriber of {config.stream}")

    def publish(self, end: int, message: str | bytes) -> None:
        """Sends, when there is a connection, what ends at the position `end`."""
        if len(self._outbox) == MAX_OUTBOX:
            log.warning("%s: %d messages wait to be published, the oldest goes", self.config.stream, MAX_OUTBOX)
        self._outbox.append((end, message))
        self._news.set()

    async def __aiter__(self) -> AsyncGenerator[Message]:
        while True:
            try:
                async with link(self.config, "subscribe", **self._query()) as opened:
                    stream = await self._open(opened)
                    writing = asyncio.create_task(self._write(opened))
                    try:
                        yield stream
                        while not isinstance(message := await opened.receive(stream.format), End):
                            self._note(message)
                            yield message
                    finally:
                        writing.cancel()
                    if message.reason == "stopped":
                        raise Unavailable("stopped", "the server stops")
                    yield message
                    self._next = None
                    if not self._again:
                        return
            except LOSSES as error:
                await self._pauses.after(error)

    async def _open(self, opened: Link) -> Stream:
        stream = await opened.receive()
        if not isinstance(stream, Stream):
            raise ProtocolError(f"the server began with {stream!r}")
        if self._publishes and not stream.may_publish:
            raise Refused("forbidden", "this token may listen, but not publish: a layer needs the publish token")
        self._pauses.reset()
        self.stream = stream
        # A server that was restarted may have less than we know of, and would refuse what lies beyond.
        self._outbox = deque((each for each in self._outbox if each[0] <= stream.position), MAX_OUTBOX)
        return stream

    def _query(self) -> dict[str, str]:
        since = self._since if self._next is None else str(self._next)
        return {"layers": ",".join(self._layers), "from": since, "policy": self._policy}

    def _note(self, message: Message) -> None:
        """With audio its position is what counts: it comes without holes."""
        if isinstance(message, Block) or (isinstance(message, Gap) and message.layer == "audio"):
            self._next = message.end
        elif isinstance(message, Event) and "audio" not in self._layers:
            self._next = max(self._next or 0, message.end)

    async def _write(self, opened: Link) -> None:
        try:
            while True:
                self._news.clear()
                while self._outbox:
                    _, message = self._outbox[0]
                    await opened.send(message)
                    self._outbox.popleft()
                await self._news.wait()
        except LOSSES:
            pass  # whoever receives hears of it as well
