"""A recorder: it reads its source at all times, and sends what it has when there is a server to send it to."""

import asyncio
import contextlib
import json
import logging
import secrets
import sys
import threading
from pathlib import Path
from typing import Any

from audiosockets.audio import File, Format, Pipe, Source
from audiosockets.backlog import Backlog
from audiosockets.config import Config
from audiosockets.link import LOSSES, Link, Pauses, Unavailable, link
from audiosockets.microphone import Microphone
from audiosockets.signals import StopSignals
from audiosockets.wire import End, ProtocolError, Recording, Stored, encode_audio

log = logging.getLogger("audiosockets.recorder")
MAX_SEND_BYTES = 1 << 18  # of audio in one message, when it catches up
TOKENS = ("listen_token", "publish_token", "record_token")


class Recorder:
    """`Recorder("http://localhost:8000", "lecture").run()` records the default microphone until Ctrl-C.

    While there is no link it keeps the last `buffer_s` seconds; what is older is left out, and the stream says so as a
    gap. It continues at its position when the link is back.
    """

    def __init__(
        self, config: Config | Path | str | None = None, stream: str | None = None, source: Source | None = None,
        **changes: Any,
    ) -> None:  # fmt: skip
        """`config` is a URL or a configuration file, `changes` its keys."""
        self.config = Config.of(config, stream=stream, **changes)
        self.source = source or open_source(self.config)
        self.format: Format = self.source.format
        self.tokens = {name: getattr(self.config, name) for name in TOKENS if getattr(self.config, name)}
        # Our own word that the stream is ours: it holds even if the first answer is lost.
        self.tokens.setdefault("record_token", self.config.token or secrets.token_urlsafe(24))
        self.backlog = Backlog(self.format.frames(self.config.buffer_s), self.format.frame_bytes)
        self.position = 0  # of the stream: what the server has
        self._offset = 0  # of our first frame in the stream
        self.ready = threading.Event()  # the stream is there, `tokens` are complete
        self.links = 0  # how often the stream was opened
        self._pauses = Pauses(f"recorder of {self.config.stream}")
        self._max_frames = min(MAX_SEND_BYTES // self.format.frame_bytes, self.format.sample_rate)

    def run(self) -> None:
        """Until the source ends, or Ctrl-C. Raises Refused, or what the source raised."""
        asyncio.run(self.record())

    def stop(self) -> None:
        """Ends the recording; what was recorded is still sent. May be called from any thread."""
        self.source.close()
        if waiting := len(self.backlog):
            log.info("%.1f s are still to arrive; a second Ctrl-C gives them up", waiting / self.format.sample_rate)

    async def record(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()  # there is something to send, or the source ended
        self._arrived = asyncio.Event()  # the server has more: there may be room again
        self._ended: asyncio.Future[None] = self._loop.create_future()
        with StopSignals(self.stop):
            threading.Thread(target=self._read_source, name="audiosockets-source", daemon=True).start()
            try:
                await self._send_all()
            finally:
                self.source.close()
        await self._ended

    def _read_source(self) -> None:
        """A thread of its own, so that nothing else keeps it waiting."""
        failure = None
        try:
            for pcm in self.source.blocks():
                if not self.source.live:
                    asyncio.run_coroutine_threadsafe(self._room(), self._loop).result()
                self._loop.call_soon_threadsafe(self._append, pcm)
        except Exception as error:  # whatever it is, `record` raises it
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop was closed: the server had refused
            self._loop.call_soon_threadsafe(self._end, failure)

    async def _room(self) -> None:
        while self.backlog.room < self._max_frames:
            self._arrived.clear()
            await self._arrived.wait()

    def _append(self, pcm: bytes) -> None:
        dropped = self.backlog.dropped
        self.backlog.append(pcm)
        if self.backlog.dropped > dropped == 0:
            log.warning("%s: more than %.0f s wait to be sent, the oldest go", self.config.stream, self.config.buffer_s)
        self._news.set()

    def _end(self, failure: Exception | None) -> None:
        if failure is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(failure)
        self._news.set()

    async def _send_all(self) -> None:
        while True:
            try:
                async with link(self.config, "record") as opened:
                    await self._send_over(opened)
                    return
            except LOSSES as error:
                if self._ended.done() and self.links and not len(self.backlog):
                    return  # it has everything; only its good-bye was lost
                await self._pauses.after(error)

    async def _send_over(self, opened: Link) -> None:
        await opened.send(self._request())
        answer = await opened.receive()
        if not isinstance(answer, Recording):
            raise ProtocolError(f"the server answered {answer!r}")
        if not self.links:  # somebody recorded here before us: go on where they stopped
            self._offset = max(0, answer.position - self.backlog.start)
        self.backlog.rewind()
        self._acknowledge(answer)
        self.tokens |= answer.tokens
        self.links += 1
        self._pauses.reset()
        self.ready.set()
        log.info("recording %s from position %d", self.config.stream, answer.position)
        sending = asyncio.create_task(self._send_audio(opened))
        try:
            while not isinstance(message := await opened.receive(), End):
                if isinstance(message, Stored):
                    self._acknowledge(message)
            if message.reason != "ended":
                raise Unavailable(message.reason, "the server ended the stream")
        finally:
            sending.cancel()

    async def _send_audio(self, opened: Link) -> None:
        try:
            while True:
                self._news.clear()
                while chunk := self.backlog.take(self._max_frames):
                    await opened.send(encode_audio(chunk.start + self._offset, chunk.pcm))
                if self._ended.done():
                    return await opened.send('{"type": "end"}')
                await self._news.wait()
        except LOSSES:
            pass  # whoever receives hears of it as well

    def _acknowledge(self, stored: Stored) -> None:
        self.position = stored.position
        self.backlog.acknowledge(min(stored.position - self._offset, self.backlog.end))
        self._arrived.set()

    def _request(self) -> str:
        access = {"open": True, **self.tokens} if self.config.open else self.tokens
        request: dict[str, Any] = {
            "type": "record",
            "encoding": self.format.encoding,
            "sample_rate": self.format.sample_rate,
            "channels": self.format.channels,
            "start": self.backlog.start + self._offset,
            "access": access,
        }
        if self.config.recognize is not None:
            request["recognize"] = self.config.recognize
        return json.dumps(request)


def open_source(config: Config) -> Source:
    if config.file == "-":
        format = Format(config.sample_rate or Format.sample_rate, config.channels, config.encoding)
        return Pipe(sys.stdin.buffer, format, block_ms=config.block_ms)
    if config.file:
        return File(config.file, block_ms=config.block_ms)
    return Microphone(
        config.device,
        sample_rate=config.sample_rate,
        channels=config.channels,
        encoding=config.encoding,
        block_ms=config.block_ms,
    )
