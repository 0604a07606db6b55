"""Recognises a recorded stream through the same line as a client of /ws: it is one, inside this process.

It reads the stream as any subscriber does. When it is slow, the recording does not wait: it skips, and says so.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
from starlette.websockets import WebSocket

from audio import Samples, decode_pcm
from hub.history import Item, Reader
from hub.hub import Hub
from hub.stream import Stream
from hub.tap import ResultsTap
from hub.wire import payload_of
from protocol import native
from session.tap import Tap

log = logging.getLogger("speech.hub")
Serve = Callable[[WebSocket, Callable[[str], Tap]], Awaitable[None]]  # one session, from accept to close
RETRY_S = 1


class Recognition:
    """`serve` runs a session on a WebSocket; `full` says whether there is a place for one."""

    def __init__(self, hub: Hub, serve: Serve, full: Callable[[], bool]) -> None:
        self._hub = hub
        self._serve = serve
        self._full = full
        self._tasks = set[asyncio.Task[None]]()

    @property
    def full(self) -> bool:
        return self._full()

    def begin(self, stream: Stream) -> None:
        task = asyncio.create_task(self._run(stream, _Ear(stream)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, stream: Stream, ear: "_Ear") -> None:
        """Session after session: a new one behind every gap."""
        try:
            while await ear.hears_something() and not self._hub.stopping:
                part = _Part(stream, ear)
                await self._serve(WebSocket(_SCOPE, part.receive, part.send), lambda id: ResultsTap(id, stream))
                if not part.complete and not self._hub.stopping:
                    ear.skip("failed")
                    await asyncio.sleep(RETRY_S)
        except Exception:
            log.exception("the recognition of stream %s failed", stream.name)
        finally:
            stream.recognizer = None
            if stream.finished:
                self._hub.end(stream, stream.finished)


class _Ear:
    """The recogniser's place in a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._reader = Reader.at(stream.audio, stream.position)
        self._next: Item | None = None
        self._heard = stream.position  # the end of what a session got
        self._changed = asyncio.Event()
        stream.recognizer = self

    @property
    def position(self) -> int:
        """Of what it hears next, when something waits."""
        return self._next.start if self._next is not None else self._reader.position

    def wake(self) -> None:
        self._changed.set()

    async def hears_something(self) -> bool:
        """Waits for audio; False when no more comes."""
        while self._next is None and await self._waits():
            self._read()
        return self._next is not None

    async def hear(self) -> Item | None:
        """The next audio; None at its end, or before a gap."""
        if self._next is None and await self._waits():
            self._read()
        item, self._next = self._next, None
        self._heard = self._heard if item is None else item.end
        return item

    async def _waits(self) -> bool:
        """Until there is something to read; False when nothing more comes."""
        while not self._reader.waiting:
            if self._stream.finished:
                return False
            self._changed.clear()
            await self._changed.wait()
        return True

    def _read(self) -> None:
        what = self._reader.read()
        if isinstance(what, Item):
            self._next = what
        elif what.reason != "recorder":
            self.skip("slow")

    def skip(self, why: str) -> None:
        """Goes on with what comes from now on: one long gap is better than words in pieces."""
        start, end = self._heard, self._stream.position
        self._next, self._reader, self._heard = None, Reader.at(self._stream.audio, end), end
        self._stream.publish_result(start, end, {"type": "gap", "reason": why})


class _Part:
    """A run of audio without gaps, as a client of /ws would send it: the two halves of an ASGI connection."""

    def __init__(self, stream: Stream, ear: _Ear) -> None:
        self._stream = stream
        self._ear = ear
        self._closed = asyncio.Event()
        self._messages = self._dialogue()
        self.complete = False  # the session was told of its end

    async def receive(self) -> dict[str, Any]:
        return await anext(self._messages)

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self._closed.set()

    async def _dialogue(self) -> AsyncIterator[dict[str, Any]]:
        yield {"type": "websocket.connect"}
        yield _text(self._start())
        while (item := await self._ear.hear()) is not None:
            yield {"type": "websocket.receive", "bytes": self._mono(item)}
        self.complete = True
        yield _text({"type": "stop"})
        await self._closed.wait()
        yield {"type": "websocket.disconnect", "code": 1000}

    def _start(self) -> dict[str, Any]:
        format = self._stream.format
        return {
            "type": "start",
            "lang": self._stream.lang,
            "encoding": format.encoding if format.channels == 1 else "f32le",
            "sample_rate": format.sample_rate,
            "offset_ms": self._ear.position * 1000 // format.sample_rate,
            "interim_results": True,
            "words": True,
        }

    def _mono(self, item: Item) -> bytes:
        assert isinstance(item.message, bytes)
        payload, format = bytes(payload_of(item.message)), self._stream.format
        if format.channels == 1:
            return payload
        samples = decode_pcm(payload, format.encoding).reshape(-1, format.channels)
        mono: Samples = samples.mean(axis=1, dtype=np.float32)
        return mono.tobytes()


_SCOPE = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"", "subprotocols": [native.SUBPROTOCOL]}


def _text(command: dict[str, Any]) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": json.dumps(command)}
