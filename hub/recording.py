"""A recorder's connection: audio comes in, and what need not be sent again is said."""

import asyncio
from typing import Protocol

from starlette.websockets import WebSocket

from hub.connection import NORMAL, RESTARTING, Connection
from hub.hub import Hub
from hub.pace import Pace
from hub.stream import Stream
from hub.subscription import MESSAGES_PER_S, publish
from hub.wire import AudioHeader, Block, End, Message, Record, Refusal, encode

STORED_S = 1.0  # after audio came, a recorder knows that it is held
HELLO_TIMEOUT_S = 10
BURST_S = 10  # of audio, before a recorder is held to the speed of the rules


class Recognizer(Protocol):
    """Recognises a stream beside its recording."""

    @property
    def full(self) -> bool: ...

    def begin(self, stream: Stream) -> None: ...


class Recording(Connection):
    def __init__(self, websocket: WebSocket, hub: Hub, name: str, recognizer: Recognizer) -> None:
        super().__init__(websocket)
        self._hub = hub
        self._name = name
        self._recognizer = recognizer
        self._stream: Stream | None = None
        self._link = 0
        self._out: list[str] = []
        self._stored = 0  # the position last said
        self._timer: asyncio.TimerHandle | None = None  # until the next is said, however little has come since
        self._due = False
        self._hello = asyncio.get_running_loop().call_later(HELLO_TIMEOUT_S, self._give_up)

    def next_message(self) -> str | None:
        if self._out:
            return self._out.pop(0)
        if (stream := self._stream) is None:
            return None
        new = stream.position - self._stored
        if new >= stream.format.sample_rate or (new and (stream.finished or self._due)):
            self._stored, self._due = stream.position, False
            return encode("stored", position=stream.position)
        if stream.finished:
            self.finish(RESTARTING if stream.finished == "stopped" else NORMAL)
            return encode("end", position=stream.position, reason=stream.finished)
        return None

    async def receive(self, message: Message, size: int) -> None:
        if (stream := self._stream) is None:
            self._begin(message)
        elif stream.finished:
            pass  # it cannot know yet
        elif not stream.holds(self._link):
            raise Refusal("replaced", "another connection goes on with this recording")
        elif isinstance(message, End):
            self._hub.finish(stream, "ended")
            self.wake()
        elif isinstance(message, Block) and isinstance(message.header, AudioHeader):
            stream.write(message.header.start, message.payload)
            self._timer = self._timer or asyncio.get_running_loop().call_later(STORED_S, self._say_stored)
            self.wake()
            await self._pace.wait(len(message.payload) / stream.format.sample_bytes)
        else:
            publish(stream, message)
            await self._events.wait(1)

    def leave(self) -> None:
        self._hello.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._stream is not None:
            self._hub.leave(self._stream, self._link)

    def _begin(self, message: Message) -> None:
        if not isinstance(message, Record):
            raise Refusal("protocol", "a recorder's first message is record")
        new = self._name not in self._hub.streams
        if new and message.recognize is not None and self._recognizer.full:
            raise Refusal("too_many", "the recogniser has no place for a stream more")
        stream = self._hub.record(self._name, message)
        self._hello.cancel()
        rate = stream.format.sample_rate
        self._pace, self._events = Pace(rate * self._hub.rules.speed, rate * BURST_S), Pace(MESSAGES_PER_S)
        self._stream, self._stored = stream, stream.position
        self._link = stream.attach(self._replaced)
        self._out.append(self._answer(stream))
        if new and stream.lang:
            self._recognizer.begin(stream)
        self.wake()

    def _answer(self, stream: Stream) -> str:
        format, keys = stream.format, stream.keys
        return encode(
            "recording",
            stream=stream.name,
            position=stream.position,
            encoding=format.encoding,
            sample_rate=format.sample_rate,
            channels=format.channels,
            lang=stream.lang,
            listen_token=keys.listen,
            publish_token=keys.publish,
            record_token=keys.record,
            grace_s=self._hub.rules.grace_s,
        )

    def _say_stored(self) -> None:
        self._timer, self._due = None, True
        self.wake()

    def _replaced(self) -> None:
        self.refuse(Refusal("replaced", "another connection goes on with this recording"))

    def _give_up(self) -> None:
        self.refuse(Refusal("timeout", f"record did not come within {HELLO_TIMEOUT_S} s"))
