"""A real uvicorn in a thread, and a client that talks to it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from audio import Samples
from settings import Settings
from speech_api import UVICORN, create_app
from tests.fake_engine import FakeBackend, FakeVad
from tests.threaded_server import threaded_server

SILENCE = np.zeros(16_000, np.float32)


@dataclass
class LiveServer:
    port: int
    backend: FakeBackend
    loop: asyncio.AbstractEventLoop
    server: uvicorn.Server
    app: FastAPI

    def stop(self) -> None:
        self.server.should_exit = True

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def connections(self) -> int:
        """Tasks of the server that belong to a connection."""
        names = ("Handler._read", "Handler._recognize", "Service.connect", "Connection._read", "Streams.")
        return sum(any(name in repr(task.get_coro()) for name in names) for task in asyncio.all_tasks(self.loop))


@contextlib.contextmanager
def live_server(*, ping_interval_s: float | None = None, **changes: Any) -> Iterator[LiveServer]:
    settings = replace(Settings(), **changes)
    options = UVICORN if ping_interval_s is None else {**UVICORN, "ws_ping_interval": ping_interval_s}
    backend = FakeBackend()
    app = create_app(
        settings, {"en": backend, "ja": backend} if "ja" in settings.models else {"en": backend}, FakeVad()
    )
    with threaded_server(app, **options) as running:
        try:
            yield LiveServer(running.port, backend, running.loop, running.server, app)
        finally:
            if not running.loop.is_closed():
                running.loop.call_soon_threadsafe(backend.gate.set)


async def messages(socket: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    """Until the server closes, with whatever code."""
    with contextlib.suppress(ConnectionClosedError):
        async for message in socket:
            yield json.loads(message)


async def dictate(url: str, *parts: Samples, chunk: int = 1_280, **start: Any) -> list[dict[str, Any]]:
    """Start, audio, stop; returns every message of the server and its close code."""
    async with connect(url, subprotocols=["speech.v1"], max_size=None) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "start", **start}))
        data = np.concatenate(parts).astype(np.float32)
        for at in range(0, len(data), chunk):
            await socket.send(data[at : at + chunk].tobytes())
        await socket.send('{"type": "stop"}')
        heard = [message async for message in messages(socket)]
        return [*heard, {"type": "closed", "code": socket.close_code}]


def finals(heard: list[dict[str, Any]]) -> list[str]:
    results = [m for m in heard if m["type"] == "result" and m["final"] and m["alternatives"]]
    return [m["alternatives"][0]["transcript"] for m in results]
