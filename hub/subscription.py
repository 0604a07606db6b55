"""A subscriber's connection, which may publish as well, and a publisher's, which only hears when the stream ends."""

import asyncio

from starlette.websockets import WebSocket

from hub.connection import NORMAL, RESTARTING, Connection
from hub.hub import Hub
from hub.keys import Right
from hub.pace import Pace
from hub.query import Query, parse
from hub.stream import Stream
from hub.subscriber import Subscriber
from hub.wire import Block, Event, Message, Refusal, encode

MESSAGES_PER_S = 200  # that a publisher may send
BYTES_PER_S = 1 << 20
ALIVE_S = 5.0  # a page cannot ping: it is told that the link lives
NOTHING = Query(layers=frozenset())


class Subscription(Connection):
    """`query` are the pairs of the URL; None makes a publisher of it."""

    def __init__(
        self, websocket: WebSocket, hub: Hub, name: str, token: str, query: list[tuple[str, str]] | None
    ) -> None:  # fmt: skip
        super().__init__(websocket)
        self._hub = hub
        self._name = name
        self._token = token
        self._query = query
        self._stream: Stream | None = None
        self._greeting: str | None = None
        self._messages, self._bytes = Pace(MESSAGES_PER_S), Pace(BYTES_PER_S)
        self._alive: asyncio.TimerHandle | None = None  # until it is said again
        self._due = False

    def open(self) -> None:
        query = NOTHING if self._query is None else parse(self._query)
        need = Right.PUBLISH if self._query is None else Right.LISTEN
        stream = self._hub.find(self._name, self._token, need, query.id)
        self._hub.require_place(stream)
        self._subscriber = Subscriber(stream, query.layers, query.since_in(stream), query.policy)
        self._may_publish = self._hub.may(stream, self._token, Right.PUBLISH)
        kind = "publishing" if self._query is None else "subscribed"
        self._greeting = self._subscriber.greeting(kind, may_publish=self._may_publish)
        stream.subscribers.add(self)
        self._stream = stream
        if kind == "subscribed":
            self._wait()

    def _wait(self) -> None:
        self._alive = asyncio.get_running_loop().call_later(ALIVE_S, self._say_alive)

    def _say_alive(self) -> None:
        self._due = True
        self._wait()
        self.wake()

    def next_message(self) -> str | bytes | None:
        if (greeting := self._greeting) is not None:
            self._greeting = None
            return greeting
        message = self._subscriber.next_message()
        if self._subscriber.ended and self._stream is not None:
            self.finish(RESTARTING if self._stream.ended == "stopped" else NORMAL)
        if message is None and self._due and self._stream is not None:
            self._due = False
            return encode("alive", position=self._stream.position)
        return message

    async def receive(self, message: Message, size: int) -> None:
        if self._stream is None or self._stream.ended:
            return
        if not self._may_publish:
            raise Refusal("forbidden", "publishing needs the publish token")
        publish(self._stream, message)
        await self._messages.wait(1)
        await self._bytes.wait(size)

    def leave(self) -> None:
        if self._alive is not None:
            self._alive.cancel()
        if self._stream is not None:
            self._stream.subscribers.discard(self)


def publish(stream: Stream, message: Message) -> None:
    match message:
        case Event():
            stream.publish(message)
        case Block(header=Event() as event, payload=payload):
            stream.publish(event, payload)
        case Block():
            raise Refusal("protocol", "layer audio belongs to the recorder")
        case _:
            raise Refusal("protocol", f"{type(message).__name__.lower()} is not for here")
