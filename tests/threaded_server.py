"""A real uvicorn in a thread of this process."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette

PATIENCE_S = 30.0


@dataclass(frozen=True)
class ThreadedServer:
    server: uvicorn.Server
    loop: asyncio.AbstractEventLoop
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@contextlib.contextmanager
def threaded_server(app: Starlette, door: socket.socket | None = None, **options: Any) -> Iterator[ThreadedServer]:
    """Listens on `door`, or on a free port; `options` are uvicorn's."""
    door = door or socket.create_server(("127.0.0.1", 0))
    started, loops = threading.Event(), list[asyncio.AbstractEventLoop]()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            loops.append(asyncio.get_running_loop())
            started.set()

    server = Server(uvicorn.Config(app, **options))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([door])))
    thread.start()
    if not started.wait(PATIENCE_S):
        raise AssertionError("the server does not start")
    try:
        yield ThreadedServer(server, loops[0], door.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
