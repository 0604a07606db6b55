"""One WebSocket of the hub: one task reads, one writes, and what it says comes from a pure core that never waits."""

import asyncio
import logging
from collections.abc import Mapping

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from hub.subscriber import Missed
from hub.wire import SUBPROTOCOL, Message, Refusal, decode, encode

log = logging.getLogger("speech.hub")
SEND_TIMEOUT_S = 30  # a client that takes nothing for so long is gone
TURN_MESSAGES = 16  # sent in a row before others have their turn
NORMAL, INTERNAL, RESTARTING = 1000, 1011, 1012


class Connection:
    """`serve` runs it from accept to close. A subclass says what is to be said and does what is asked."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._changed = asyncio.Event()  # there is something to say
        self._close: int | None = None  # nothing more is said but `_last_words`
        self._last_words: list[str] = []

    def next_message(self) -> str | bytes | None:
        raise NotImplementedError

    async def receive(self, message: Message, size: int) -> None:
        """A message of `size` bytes. Raises Refusal to end the connection."""
        raise NotImplementedError

    def open(self) -> None:
        """Raises Refusal when there is nothing for this client here."""

    def leave(self) -> None:
        """The connection is over."""

    def wake(self) -> None:
        self._changed.set()

    def finish(self, close: int = NORMAL) -> None:
        """Nothing more is said: close."""
        self._close = self._close or close
        self.wake()

    def refuse(self, refusal: Refusal) -> None:
        if self._close is None:
            gap = [refusal.gap] if isinstance(refusal, Missed) else []
            self._last_words = [*gap, encode("error", code=refusal.code, message=str(refusal))]
        self.finish(refusal.close)

    async def serve(self) -> None:
        await self._websocket.accept(SUBPROTOCOL)
        try:
            self.open()
        except Refusal as refusal:
            self.refuse(refusal)
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read())
                await self._write()
                reading.cancel()
        finally:
            self.leave()

    async def _read(self) -> None:
        try:
            while self._close is None:
                message = await self._websocket.receive()
                if message["type"] != "websocket.receive":
                    break
                data = content(message)
                await self.receive(decode(data), len(data))
        except Refusal as refusal:
            self.refuse(refusal)
        except Exception:
            log.exception("a connection failed")
            self.refuse(Refusal("internal", "the server failed; its log says why"))
        self.finish()

    async def _write(self) -> None:
        """Returns when nobody listens any more, or everything was said."""
        sent = 0
        while self._close is None:
            self._changed.clear()
            try:
                while self._close is None and (message := self.next_message()) is not None:
                    if not await self._send(message):
                        return
                    sent += 1
                    if sent % TURN_MESSAGES == 0:
                        await asyncio.sleep(0)
            except Refusal as refusal:
                self.refuse(refusal)
            await self._changed.wait()
        for text in self._last_words:
            if not await self._send(text):
                return
        await self._say_close()

    async def _send(self, message: str | bytes) -> bool:
        """False when nobody listens any more."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                if isinstance(message, bytes):
                    await self._websocket.send_bytes(message)
                else:
                    await self._websocket.send_text(message)
        except (WebSocketDisconnect, TimeoutError, RuntimeError):  # RuntimeError: starlette, after a close
            return False
        return True

    async def _say_close(self) -> None:
        if self._websocket.client_state is WebSocketState.CONNECTED:
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._websocket.close(self._close or NORMAL)
            except (WebSocketDisconnect, TimeoutError, RuntimeError):
                pass  # the client was faster, or takes nothing


def content(message: Mapping[str, object]) -> str | bytes:
    text = message.get("text")
    what = text if text is not None else message["bytes"]
    assert isinstance(what, str | bytes)
    return what
