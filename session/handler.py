"""Drives a Session over a WebSocket: the only file that awaits the network. One writer per socket."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from access import Refusal
from audio import SAMPLE_RATE, Draft, Utterance
from protocol import native, plain
from protocol.events import Checkpoint, ClientEvent, CloseCode, Error, ProtocolError, ServerEvent, Start
from recognizer.base import Backend, RecognizerError, Transcript
from session.jobs import Jobs
from session.recorder import Recorder
from session.session import Session, State
from session.tap import Tap
from vad.scorer import Scorer
from vad.silero import VadState

log = logging.getLogger("speech.session")
HEARTBEAT_S = 2  # a resuming client takes a longer silence for a dead connection
SEND_TIMEOUT_S = 30  # a client that reads nothing for so long is gone
NORMAL: CloseCode = 1000
INTERNAL: CloseCode = 1011
RESTARTING: CloseCode = 1012


class Handler:
    """One connection: `serve` runs it from accept to close, `drain` ends it early but loses no tail."""

    def __init__(
        self, websocket: WebSocket, session: Session, scorer: Scorer, backends: Mapping[str, Backend],
        recorder: Recorder | None = None, tap: Tap | None = None,
    ) -> None:  # fmt: skip
        self._websocket = websocket
        self._session = session
        self._scorer = scorer
        self._backends = backends
        self._recorder = recorder
        self._tap = tap or Tap()
        self._json = native.SUBPROTOCOL in websocket.scope["subprotocols"]
        self._vad = VadState()
        self._jobs = Jobs()
        self._early: tuple[object, Transcript] | None = None  # the newest complete draft
        self._drafted: tuple[int, Transcript | None] = (-1, None)  # the newest draft, and where it began
        self._changed = asyncio.Event()  # the session has events to send, or closed
        self._lock = asyncio.Lock()  # the session hears one message at a time
        self._close: tuple[CloseCode, str] = (NORMAL, "")

    async def serve(self) -> None:
        await self._websocket.accept(native.SUBPROTOCOL if self._json else None)
        log.info("session %s opened", self._session.id)
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [tasks.create_task(self._read()), tasks.create_task(self._recognize(tasks))]
                await self._write()
                for task in others:
                    task.cancel()
        finally:
            self._session.receive_disconnect()
            self._tap.close()
            log.info("session %s closed after %.1f s of audio", self._session.id, self._session.received / SAMPLE_RATE)

    async def drain(self) -> None:
        """The server is about to stop: what was heard is decoded, then the socket closes with 1012."""
        self._close = (RESTARTING, "the server restarts")
        async with self._lock:
            self._session.receive_shutdown()
            await self._digest()

    async def _read(self) -> None:
        try:
            async for message in self._messages():
                event = native.decode(message, self._session.encoding)
                if not self._json and self._session.state is State.OPENING and not isinstance(event, Start):
                    await self._receive(Start())
                await self._receive(event)
        except ProtocolError as error:
            self._end(error.code, str(error), error.close)
        except Exception:
            log.exception("session %s failed", self._session.id)
            self._end("internal", "the server failed; its log says why", INTERNAL)
        else:
            self._session.receive_disconnect()
        self._changed.set()

    async def _receive(self, event: ClientEvent) -> None:
        if isinstance(event, Start) and event.checkpoint is not None:
            self._vad = _vad_state(event.checkpoint)
        async with self._lock:
            self._session.receive_event(event)
            self._tap.hear(event)
            await self._digest()

    async def _digest(self) -> None:
        """Frames to probabilities, probabilities to jobs."""
        while frames := self._session.frames_to_score():
            self._session.receive_probabilities(await self._scorer.score(self._vad, frames))
            if self._session.intake.at_checkpoint:
                self._session.intake.add_checkpoint(self._vad.to_text())
        self._changed.set()
        for job in self._session.jobs_to_recognize():
            await self._jobs.put(job)

    async def _recognize(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            job = await self._jobs.get()
            try:
                transcript = await self._transcribe(job)
            except RecognizerError as error:
                self._session.receive_failure(job, error)
            else:
                self._session.receive_transcript(job, transcript)
                if self._recorder is not None and not isinstance(job, Draft):  # the result does not wait for a disk
                    saving = self._recorder.save(self._session.id, self._session.lang, job, transcript.text)
                    tasks.create_task(saving)
            self._changed.set()

    async def _transcribe(self, job: Utterance) -> Transcript:
        """An utterance that was decoded while its pause was waited for is not decoded again."""
        options = self._session.options
        what = (job.start, len(job.audio), options)
        if self._early is not None and self._early[0] == what:
            seconds, transcript = len(job.audio) / SAMPLE_RATE, self._early[1]
            log.info("utterance of %.2f s: decoded in %.3f s, while it paused", seconds, transcript.decode_seconds)
            return transcript
        backend = self._backends[self._session.lang]
        if not isinstance(job, Draft):
            return await backend.transcribe(job, options)
        if not (job.complete and backend.eager):
            return await self._draft(job, backend)
        transcript = await backend.transcribe(job, options)
        self._early = (what, transcript)
        return transcript

    async def _draft(self, job: Draft, backend: Backend) -> Transcript:
        """Given up when a final comes, which should not wait for it."""
        known = self._drafted[1] if self._drafted[0] == job.start else None
        asking = asyncio.ensure_future(backend.transcribe(job, self._session.options, known))
        final = asyncio.ensure_future(self._jobs.final_waits())
        try:
            await asyncio.wait((asking, final), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise RecognizerError("overloaded", "its final came first")
            transcript = await asking
        finally:
            asking.cancel()
            final.cancel()
        self._drafted = (job.start, transcript)
        return transcript

    async def _write(self) -> None:
        """Returns when the session is closed and everything was said."""
        while True:
            try:
                await asyncio.wait_for(self._changed.wait(), HEARTBEAT_S)
            except TimeoutError:
                self._session.receive_heartbeat()
            self._changed.clear()
            closed = self._session.state is State.CLOSED
            for event in self._session.events_to_send():
                if not await self._send(self._tap.say(event)):
                    return
            if closed:
                return await self._say_close()

    async def _send(self, event: ServerEvent) -> bool:
        """False when nobody listens any more."""
        text = native.encode(event) if self._json else plain.encode(event)
        if text is None:
            return True
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._websocket.send_text(text)
        except (WebSocketDisconnect, TimeoutError, RuntimeError):  # RuntimeError: starlette, after a close
            self._session.receive_disconnect()
            return False
        return True

    async def _say_close(self) -> None:
        if self._websocket.client_state is WebSocketState.CONNECTED:
            code, reason = self._close
            try:
                await self._websocket.close(code, reason[:120])
            except (WebSocketDisconnect, RuntimeError):
                pass  # the client was faster

    def _end(self, code: str, message: str, close: CloseCode) -> None:
        self._close = (close, message)
        self._session.receive_error(Error(code, message))

    async def _messages(self) -> AsyncIterator[str | bytes]:
        # Not iter_bytes(): it raises KeyError when the client sends text.
        while (message := await self._websocket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            yield text if text is not None else message["bytes"]


def _vad_state(checkpoint: Checkpoint) -> VadState:
    try:
        return VadState.from_text(checkpoint.state)
    except ValueError:
        raise ProtocolError("checkpoint.state is none that this server gave") from None


async def refuse(websocket: WebSocket, refusal: Refusal) -> None:
    """Accepts, to say why: a browser tells its page nothing about a handshake that failed."""
    spoken = native if native.SUBPROTOCOL in websocket.scope["subprotocols"] else plain
    await websocket.accept(native.SUBPROTOCOL if spoken is native else None)
    await websocket.send_text(spoken.encode(Error("not_allowed", refusal.message)) or "")
    await websocket.close(refusal.close, refusal.message[:120])
