"""A subscription: what a stream carries, in order, over as many connections as it takes; and the way back into it."""

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from audiosockets.config import Config
from audiosockets.link import LOSSES, Link, Pauses, Refused, Unavailable, link
from audiosockets.wire import Block, End, Event, Gap, Message, ProtocolError, Stream

log = logging.getLogger("audiosockets.subscription")
OVERLAP_S = 10.0  # of events that are asked for again after a lost connection; the server holds at least as much
MISSING_S = 60.0  # a server that was restarted has the stream again when its recorder is back
MAX_HEARD = 2000  # events
MAX_OUTBOX = 1000  # messages that wait to be published; beyond it the oldest go


class Subscription:
    """`async for message in subscription` gives a Stream for each connection, then its messages; the End is the last.

    After a lost connection it goes on at the position where it was, as far as the server still has it.
    """

    def __init__(
        self, config: Config, layers: Sequence[str] = ("audio",), *, since: str = "now", policy: str = "drop-oldest",
        publishes: bool = False, again: bool = False, missing_s: float = MISSING_S,
    ) -> None:  # fmt: skip
        """`publishes`: insist on the right to; `again`: after the end of a stream wait for the next of this name.

        A stream that was heard and is not there any more for `missing_s` seconds has ended while the link was lost.
        """
        self.config = config
        self.stream: Stream | None = None  # as it was when the connection opened
        self._layers, self._since, self._policy = tuple(layers), since, policy
        self._publishes, self._again, self._missing_s = publishes, again, missing_s
        self._missing_since: float | None = None
        self._next: int | None = None  # the position to go on from
        self._known = 0  # where an earlier connection was when it was lost
        self._heard = deque[object](maxlen=MAX_HEARD)  # the newest events
        self._replayed = Counter[object]()  # those of earlier connections, that may come again
        self._outbox = deque[tuple[int, str | bytes]](maxlen=MAX_OUTBOX)  # with the position that they end at
        self._news = asyncio.Event()  # the outbox has something
        self._pauses = Pauses(f"subscriber of {config.stream}")

    def publish(self, end: int, message: str | bytes) -> None:
        """Sends, when there is a connection, what ends at the position `end`."""
        if len(self._outbox) == MAX_OUTBOX:
            log.warning("%s: %d messages wait to be published, the oldest goes", self.config.stream, MAX_OUTBOX)
        self._outbox.append((end, message))
        self._news.set()

    async def __aiter__(self) -> AsyncGenerator[Message]:
        ended = False
        while not ended or self._again:
            try:
                async with (
                    link(self.config, "subscribe", **self._query()) as opened,
                    contextlib.aclosing(self._messages(opened)) as messages,
                ):
                    async for message in messages:
                        yield message
                        ended = isinstance(message, End)
            except LOSSES as error:
                if ended := self._is_gone(error):
                    yield End(self._next or 0, "lost")
                else:
                    await self._pauses.after(error)
            if ended:
                self._next = self.stream = None
                self._heard.clear()
                self._known = 0

    async def _messages(self, opened: Link) -> AsyncGenerator[Message]:
        """Of one connection."""
        stream = await self._open(opened)
        writing = asyncio.create_task(self._write(opened))
        try:
            yield stream
            while not isinstance(message := await opened.receive(stream.format), End):
                if (news := self._news_in(message)) is not None:
                    yield news
        finally:
            writing.cancel()
        if message.reason == "stopped":
            raise Unavailable("stopped", "the server stops")
        yield message

    def _is_gone(self, error: BaseException) -> bool:
        """Whether to give up a stream that was there."""
        if self.stream is None or self._again or not (isinstance(error, Unavailable) and error.code == "not_found"):
            self._missing_since = None
            return False
        self._missing_since = self._missing_since or time.monotonic()
        return time.monotonic() - self._missing_since >= self._missing_s

    async def _open(self, opened: Link) -> Stream:
        stream = await opened.receive()
        if not isinstance(stream, Stream):
            raise ProtocolError(f"the server began with {stream!r}")
        if self._publishes and not stream.may_publish:
            raise Refused("forbidden", "this token may listen, but not publish: a layer needs the publish token")
        self._pauses.reset()
        self._missing_since = None
        self.stream = stream
        self._known, self._replayed = self._next or 0, Counter(self._heard)
        if self._next is None and "audio" not in self._layers:
            self._next = stream.start
        # A server that was restarted may have less than we know of, and would refuse what lies beyond.
        self._outbox = deque((each for each in self._outbox if each[0] <= stream.position), MAX_OUTBOX)
        return stream

    def _query(self) -> dict[str, str]:
        query = {"layers": ",".join(self._layers), "from": self._since, "policy": self._policy}
        if self._next is not None and self.stream is not None:
            # Events come later than their audio: some that ended before may not have been heard.
            overlap = 0 if self._layers == ("audio",) else self.stream.format.frames(OVERLAP_S)
            query |= {"from": str(max(0, self._next - overlap)), "id": self.stream.id}
        return query

    def _news_in(self, message: Message) -> Message | None:
        """What of a message was not heard before, on this connection or an earlier one."""
        if isinstance(message, Event):
            return self._new_event(message)
        if not isinstance(message, Block | Gap):
            return message
        if isinstance(message, Gap) and message.layer != "audio":
            return self._new_gap(message)
        known = self._next or 0
        if message.end <= known:
            return None
        self._next = message.end
        if message.start >= known:
            return message
        if isinstance(message, Gap):
            return replace(message, start=known)
        return replace(message, start=known, pcm=message.pcm[(known - message.start) * message.format.frame_bytes :])

    def _new_gap(self, gap: Gap) -> Gap | None:
        """After a lost link more is asked for again than the server may hold; what was heard then is not missing."""
        if gap.reason != "history":
            return gap
        return replace(gap, start=max(gap.start, self._known)) if gap.end > self._known else None

    def _new_event(self, event: Event) -> Event | None:
        key = (event.layer, event.start, event.end, repr(event.data), event.payload)
        if self._replayed[key] > 0:
            self._replayed[key] -= 1
            return None
        self._heard.append(key)
        if "audio" not in self._layers:
            self._next = max(self._next or 0, event.end)
        return event

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
