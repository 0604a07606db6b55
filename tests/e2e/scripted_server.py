"""The page, served by a WebSocket that follows a script: what the real server does only on a bad day."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.websockets import WebSocket

from audio import Samples
from speech_api import SECURITY_HEADERS
from tests.threaded_server import threaded_server

ROOT = Path(__file__).resolve().parents[2]
LOUD = 0.05  # a batch above this level is speech
SETTINGS: dict[str, Any] = {
    "title": "Dictation", "version": "0", "models": [{"id": "m", "langs": ["en", "ja"]}], "default_lang": "en",
    "sample_rate_hz": 16_000, "sample_bits": 32, "saving": False,
}  # fmt: skip
READY = {
    "type": "ready", "session": "s", "stream": "", "lang": "en", "model": "m",
    "sample_rate": 16_000, "features": [], "separator": " ",
}  # fmt: skip
DONE = {"type": "done"}

# What the server says when it hears `start`, the first `speech`, the first `silence` after it, `stop`;
# a number closes the connection with that code.
Script = Mapping[str, list[dict[str, Any] | int]]


def result(text: str, *, final: bool, segment: int = 0, start_ms: int = 500, end_ms: int = 1_500) -> dict[str, Any]:
    alternatives = [{"transcript": text, "confidence": 0.9, "words": []}] if text else []
    return {
        "type": "result", "segment": segment, "revision": int(final), "final": final,
        "start_ms": start_ms, "end_ms": end_ms, "alternatives": alternatives, "stable": 0,
    }  # fmt: skip


DICTATION: Script = {
    "start": [READY],
    "speech": [{"type": "speech_start", "segment": 0, "at_ms": 500}, result("hello", final=False)],
    "silence": [{"type": "speech_end", "segment": 0, "at_ms": 1_500}, result("hello world", final=True)],
    "stop": [DONE, 1000],
}


@dataclass
class Conversation:
    """What the page sent, in its order: JSON texts and the lengths of its batches in bytes."""

    sent: list[dict[str, Any] | int] = field(default_factory=list)
    audio: bytes = b""

    @property
    def start(self) -> dict[str, Any]:
        assert isinstance(self.sent[0], dict), "audio before start"
        return self.sent[0]

    @property
    def batches(self) -> list[int]:
        return [item for item in self.sent if isinstance(item, int)]

    @property
    def samples(self) -> Samples:
        return np.frombuffer(self.audio, np.float32)


class ScriptedServer:
    """Counts what it hears; waits for `gate` before it accepts."""

    def __init__(self, script: Script, settings: dict[str, Any], refuse: bool) -> None:
        self.script = script
        self.settings = {**SETTINGS, **settings}
        self.refuse = refuse
        self.conversations: list[Conversation] = []
        self.paths: list[str] = []
        self.subprotocols: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.gate_again = False  # close the gate behind each that comes in
        self.pace_s = 0.0  # between two messages of a script
        self.url = ""
        self._templates = Jinja2Templates(directory=ROOT / "templates")

    def routes(self) -> list[BaseRoute]:
        static = Mount("/static", StaticFiles(directory=ROOT / "static"))
        own: list[BaseRoute] = [Route("/", self.page), Route("/healthz", self.healthz), static]
        own.append(WebSocketRoute("/ws", self.talk))
        return [*own, Mount("/speech", routes=own)]

    async def page(self, request: Request) -> Response:
        response = self._templates.TemplateResponse(request, "index.html", {"settings": self.settings})
        response.headers.update(SECURITY_HEADERS)
        return response

    async def healthz(self, _: Request) -> Response:
        return PlainTextResponse("alive")

    async def talk(self, websocket: WebSocket) -> None:
        self.paths.append(websocket.url.path)
        self.subprotocols.append(list(websocket.scope["subprotocols"]))
        if self.refuse:
            return await websocket.send_denial_response(PlainTextResponse("too busy", 503))
        await asyncio.to_thread(self.gate.wait)
        if self.gate_again:
            self.gate.clear()
        await websocket.accept("speech.v1")
        conversation = Conversation()
        self.conversations.append(conversation)
        told = set[str]()
        while (message := await websocket.receive())["type"] == "websocket.receive":
            cue = self._listen(conversation, message)
            if cue in told or (cue == "silence" and "speech" not in told):
                continue
            told.add(cue)
            if not await _say(websocket, self.script.get(cue, []), self.pace_s):
                return

    def _listen(self, conversation: Conversation, message: Mapping[str, Any]) -> str:
        if (text := message.get("text")) is not None:
            command: dict[str, Any] = json.loads(text)
            conversation.sent.append(command)
            return str(command["type"])
        data: bytes = message["bytes"]
        conversation.sent.append(len(data))
        conversation.audio += data
        kind = np.int16 if conversation.start["encoding"] == "s16le" else np.float32
        peak = np.abs(np.frombuffer(data, kind)).max() / (32_768 if kind is np.int16 else 1)
        return "speech" if peak > LOUD else "silence"


async def _say(websocket: WebSocket, lines: list[dict[str, Any] | int], pace_s: float) -> bool:
    """False after a close."""
    for line in lines:
        if isinstance(line, int):
            await websocket.close(line)
            return False
        await websocket.send_json(line)
        await asyncio.sleep(pace_s)
    return True


@contextlib.contextmanager
def scripted_server(script: Script = DICTATION, *, refuse: bool = False, **settings: Any) -> Iterator[ScriptedServer]:
    scripted = ScriptedServer(script, settings, refuse)
    options: dict[str, Any] = {"ws": "websockets-sansio", "log_config": None}
    with threaded_server(Starlette(routes=scripted.routes()), **options) as running:
        scripted.url = running.url
        try:
            yield scripted
        finally:
            scripted.gate.set()
