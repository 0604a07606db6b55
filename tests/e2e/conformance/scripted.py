"""A server that follows scripts: each test has a line of its own, with a coroutine that says what a server would."""

import asyncio
import contextlib
import itertools
import json
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from audio import Samples
from speech_api import SECURITY_HEADERS
from tests.threaded_server import threaded_server

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
RECEIVE_BUFFER_BYTES = 32_768  # small, so that a page notices soon when nobody reads
LOUD = 0.05  # above this level a message holds speech
PAUSE_MS = 300  # of silence that end an utterance
PATIENCE_S = 30.0  # what takes longer does not come
PULSE_S = 1.0  # between two progress messages: a server that says nothing counts as gone
CSP = SECURITY_HEADERS["Content-Security-Policy"].replace(
    "frame-ancestors 'none'", "frame-ancestors 'self'; frame-src 'self'"
)
HEADERS = {**SECURITY_HEADERS, "Content-Security-Policy": CSP}  # the page's own, and it may hold itself in a frame
FEATURES = ["interim_results", "max_alternatives", "offset_ms", "words", "phrases"]
Message = dict[str, Any]
DONE: Message = {"type": "done"}


class Gone(Exception):
    """The page closed the connection."""


@dataclass
class Conversation:
    """One connection: what the page sent, in its order (texts as objects, audio as its length in bytes)."""

    websocket: WebSocket
    sent: list[Message | int] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    keeps: bool = True  # what it heard; otherwise it only counts
    heard_bytes: int = 0
    sounds: list[tuple[int, int]] = field(default_factory=list)  # runs of speech: their first and their last sample
    settled_ms: int = 0
    pulse: bool = True  # says progress
    closed: bool = False
    reads: asyncio.Event = field(default_factory=asyncio.Event)  # cleared: what the page sends is left in the network
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    answered: list[Message] = field(default_factory=list)

    @property
    def commands(self) -> list[Message]:
        return [item for item in self.sent if isinstance(item, dict)]

    @property
    def start(self) -> Message:
        assert isinstance(self.sent[0], dict), "audio before start"
        return self.sent[0]

    @property
    def batches(self) -> list[int]:
        return [item for item in self.sent if isinstance(item, int)]

    @property
    def samples(self) -> Samples:
        return decoded(bytes(self.audio), self.start["encoding"])

    @property
    def received(self) -> int:
        """Samples."""
        return self.heard_bytes // (2 if self.start["encoding"] == "s16le" else 4)

    def ms(self, samples: int) -> int:
        """On the stream's clock."""
        return int(self.start.get("offset_ms", 0)) + samples * 1000 // int(self.start["sample_rate"])

    # What a script waits for; each returns False when the page said `stop` or `abort` first.

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(lambda: self.closed or condition()), PATIENCE_S)
        if not condition():
            raise Gone

    def said(self, kind: str) -> bool:
        return any(command["type"] == kind for command in self.commands)

    @property
    def leaving(self) -> bool:
        return self.said("stop") or self.said("abort")

    async def speech(self, nth: int = 0) -> bool:
        """The nth run of sound begins."""
        await self.until(lambda: len(self.sounds) > nth or self.leaving)
        return len(self.sounds) > nth

    async def silence(self, nth: int = 0) -> bool:
        """The nth run of sound is over."""
        await self.until(lambda: self.paused(nth) or self.leaving)
        return self.paused(nth)

    def paused(self, nth: int) -> bool:
        return len(self.sounds) > nth + 1 or self.received - self.sounds[nth][1] > self.pause

    @property
    def pause(self) -> int:
        """Samples."""
        return PAUSE_MS * int(self.start["sample_rate"]) // 1000

    def hear(self, data: bytes) -> None:
        begin = self.received
        self.heard_bytes += len(data)
        if not self.keeps:
            return
        self.sent.append(len(data))
        self.audio += data
        loud = begin + np.flatnonzero(np.abs(decoded(data, self.start["encoding"])) > LOUD)
        for run in np.split(loud, np.flatnonzero(np.diff(loud) > self.pause) + 1):
            if len(run):
                goes_on = bool(self.sounds) and run[0] - self.sounds[-1][1] <= self.pause
                first = self.sounds.pop()[0] if goes_on else int(run[0])
                self.sounds.append((first, int(run[-1])))

    async def say(self, *messages: Message) -> None:
        for message in messages:
            await self.websocket.send_json(message)
            self.answered.append(message)
        async with self.changed:
            self.changed.notify_all()

    async def ready(self, **changes: Any) -> None:
        await self.until(lambda: self.said("start") or self.leaving)
        wish = self.start
        await self.say({
            "type": "ready", "session": "s", "stream": "s", "lang": wish.get("lang") or "en", "model": "m",
            "sample_rate": wish.get("sample_rate", 16_000), "features": FEATURES, "separator": " ", **changes,
        })  # fmt: skip

    async def settle(self, settled_ms: int) -> None:
        self.settled_ms = settled_ms
        received_ms = self.ms(self.received)
        times = {"received_ms": received_ms, "settled_ms": settled_ms, "lag_ms": received_ms - settled_ms}
        await self.say({"type": "progress", **times})

    async def beat(self) -> None:
        await self.until(lambda: bool(self.answered))
        while self.pulse:
            await asyncio.sleep(PULSE_S)
            await self.settle(self.settled_ms)

    async def goodbye(self, code: int = 1000) -> None:
        await self.say(DONE)
        await self.websocket.close(code)


Script = Callable[[Conversation], Awaitable[None]]


def result(
    text: str,
    *,
    final: bool,
    segment: int = 0,
    start_ms: int = 500,
    end_ms: int = 1_500,
    revision: int | None = None,
    confidence: float = 0.9,
    others: tuple[tuple[str, float], ...] = (),
) -> Message:
    """`others` are further alternatives with their confidence."""
    known = [(text, confidence), *others] if text else []
    return {
        "type": "result",
        "segment": segment,
        "revision": int(final) if revision is None else revision,
        "final": final,
        "start_ms": start_ms,
        "end_ms": end_ms,
        "stable": len(text) if final else 0,
        "alternatives": [{"transcript": t, "confidence": c, "words": []} for t, c in known],
    }


def dictation(*texts: str, interims: int = 2, separator: str = " ", **result_changes: Any) -> Script:
    """Hears utterances as the real server does: each run of sound is the next of `texts`, however late it comes."""

    async def script(line: Conversation) -> None:
        await line.ready(separator=separator)
        for segment, text in enumerate(texts):
            if not await line.speech(segment):
                break
            start_ms = line.ms(line.sounds[segment][0])
            await line.say({"type": "speech_start", "segment": segment, "at_ms": start_ms})
            for n in range(interims if line.start.get("interim_results") else 0):
                part = text[: max(1, len(text) * (n + 1) // (interims + 1))].strip()
                await line.say(result(part, final=False, segment=segment, revision=n, start_ms=start_ms))
            paused = await line.silence(segment)
            end_ms = line.ms(line.sounds[segment][1])
            await line.say({"type": "speech_end", "segment": segment, "at_ms": end_ms})
            times: dict[str, Any] = {"start_ms": start_ms, "end_ms": end_ms}
            await line.say(result(text, final=True, segment=segment, revision=interims, **times, **result_changes))
            await line.settle(end_ms)
            if not paused or not line.start.get("continuous", True):
                return await line.goodbye()
        await line.until(lambda: line.leaving)
        await line.goodbye()

    return script


def endless(*, stopped: str = "") -> Script:
    """Hears speech that does not pause; a final only after `stop`, if there is a text for it."""

    async def script(line: Conversation) -> None:
        await line.ready()
        if await line.speech():
            await line.say({"type": "speech_start", "segment": 0, "at_ms": 400}, result("hello", final=False))
        await line.until(lambda: line.leaving)
        if stopped:
            await line.say(result(stopped, final=True))
        await line.goodbye()

    return script


def in_turn(*scripts: Script) -> Script:
    """The first connection follows the first of them, the second the second."""
    waiting = iter(scripts)

    async def script(line: Conversation) -> None:
        await next(waiting)(line)

    return script


def closes(code: int, *, at: str, error: str = "") -> Script:
    """Ends the conversation at `start` or at the first `speech`."""

    async def script(line: Conversation) -> None:
        if at == "start":
            await line.until(lambda: line.said("start"))
        else:
            await line.ready()
            await line.speech()
            await line.say({"type": "speech_start", "segment": 0, "at_ms": 400})
        if error:
            await line.say({"type": "error", "code": error, "message": "m"})
        await line.websocket.close(code)

    return script


@dataclass
class Line:
    """An address of its own with its script. `conversations` are the connections that came to it."""

    url: str
    script: Script
    refuse: int = 0  # an HTTP status instead of a conversation
    conversations: list[Conversation] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)  # closed: a connection waits before its acceptance

    @property
    def one(self) -> Conversation:
        (only,) = self.conversations
        return only

    @property
    def open(self) -> int:
        return sum(not conversation.closed for conversation in self.conversations)


class Cached(StaticFiles):
    """A page loads eighteen modules: the next one has them already."""

    def file_response(self, *wish: Any, **more: Any) -> Response:
        response = super().file_response(*wish, **more)
        response.headers["Cache-Control"] = "max-age=600"
        return response


class ScriptedServer:
    def __init__(self) -> None:
        self.url = ""
        self.lines: dict[str, Line] = {}
        self.faults: list[BaseException] = []  # what went wrong in a script
        self._numbers = itertools.count()

    def line(self, script: Script | None = None, *, refuse: int = 0) -> Line:
        name = f"line{next(self._numbers)}"
        line = Line(f"{self.url.replace('http', 'ws')}{name}/ws", script or dictation("hello world"), refuse)
        line.gate.set()
        self.lines[name] = line
        return line

    def release(self) -> None:
        for line in self.lines.values():
            line.gate.set()

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.page),
            Route("/frame", self.page),
            Mount("/static", Cached(directory=ROOT / "static")),
            WebSocketRoute("/{name}/ws", self.talk),
            Route("/{name}/v1/models", self.models),
            Route("/{name}.js", self.module),
        ]

    async def page(self, _: Request) -> Response:
        return FileResponse(HERE / "page.html", headers=HEADERS)

    async def module(self, request: Request) -> Response:
        return FileResponse(HERE / f"{request.path_params['name']}.js", headers=HEADERS)

    async def models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "m", "langs": ["en", "ja"], "default_lang": True}]})

    async def talk(self, websocket: WebSocket) -> None:
        line = self.lines[websocket.path_params["name"]]
        if line.refuse:
            return await websocket.send_denial_response(PlainTextResponse("no", line.refuse))
        await asyncio.to_thread(line.gate.wait)
        conversation = Conversation(websocket)
        conversation.reads.set()
        line.conversations.append(conversation)
        offered = websocket.scope["subprotocols"]
        await websocket.accept("speech.v1" if "speech.v1" in offered else None)
        listening = asyncio.create_task(_listen(conversation))
        beating = asyncio.create_task(conversation.beat())
        try:
            await line.script(conversation)
        except (Gone, WebSocketDisconnect, RuntimeError):
            pass  # RuntimeError: starlette, when something is said after a close
        except Exception as fault:
            self.faults.append(fault)
        beating.cancel()
        await asyncio.wait({beating, listening})


async def _listen(conversation: Conversation) -> None:
    socket = conversation.websocket
    await conversation.reads.wait()
    while (message := await socket.receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is not None:
            conversation.sent.append(json.loads(text))
        else:
            conversation.hear(message["bytes"])
        await _tell(conversation)
        await conversation.reads.wait()
    conversation.closed = True
    await _tell(conversation)


async def _tell(conversation: Conversation) -> None:
    async with conversation.changed:
        conversation.changed.notify_all()


def decoded(data: bytes, encoding: str) -> Samples:
    if encoding == "s16le":
        return (np.frombuffer(data, np.int16) / 32_768).astype(np.float32)
    return np.frombuffer(data, np.float32)


@contextlib.contextmanager
def scripted_server(routes: Sequence[BaseRoute] = ()) -> Iterator[ScriptedServer]:
    """`routes` come before its own."""
    scripted = ScriptedServer()
    quiet: dict[str, Any] = {
        "log_config": None,
        "log_level": logging.CRITICAL,
        "timeout_graceful_shutdown": 1,
        "ws": "websockets-sansio",
        "ws_per_message_deflate": False,
    }
    door = socket.create_server(("127.0.0.1", 0))
    door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    with threaded_server(Starlette(routes=[*routes, *scripted.routes()]), door, **quiet) as running:
        scripted.url = running.url
        try:
            yield scripted
        finally:
            scripted.release()
