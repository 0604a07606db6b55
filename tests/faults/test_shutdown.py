"""SIGTERM to the real process with a live stream: the words in flight arrive, then the socket closes with 1012."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.fake_engine import spoken
from tests.live_server import SILENCE, finals, messages

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = """
import uvicorn
from recognizer.worker import LocalBackend
from settings import Settings
from speech_api import UVICORN, create_app
from tests.fake_engine import FakeEngine, FakeVad

backend = LocalBackend(FakeEngine, workers=1, max_waiting=8, timeout_s=20)
app = create_app(Settings(), {"en": backend}, FakeVad())

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], *backend.pids, flush=True)

Server(uvicorn.Config(app, port=0, **UVICORN)).run()
"""


@pytest.fixture
def process() -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """The server, its port and its worker's pid."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        port, worker = map(int, server.stdout.readline().split())
        try:
            yield server, port, worker
        finally:
            server.kill()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_sigterm_finishes_the_utterance_and_closes_with_1012(process: tuple[subprocess.Popen[str], int, int]) -> None:
    server, port, worker = process

    async def main() -> list[str]:
        async with connect(f"ws://127.0.0.1:{port}/ws", subprotocols=["speech.v1"]) as socket:  # type: ignore[list-item]
            await socket.send(json.dumps({"type": "start", "interim_results": True}))
            await socket.send(SILENCE.tobytes())
            await socket.send(spoken(7).tobytes())
            heard: list[dict[str, object]] = []
            async for message in messages(socket):
                heard.append(message)
                if heard[-1]["type"] == "speech_start":
                    server.send_signal(signal.SIGTERM)
            assert heard[-1]["type"] == "done" and socket.close_code == 1012
            return finals(heard)

    assert asyncio.run(main()) == ["w7"]
    server.wait(20)
    assert not alive(worker), "the worker ends with its server"


def test_a_killed_server_leaves_no_worker(process: tuple[subprocess.Popen[str], int, int]) -> None:
    server, _, worker = process
    descriptor = os.pidfd_open(worker)
    server.kill()
    server.wait(20)
    assert select.select([descriptor], [], [], 20)[0], "the worker outlives its server"
    os.close(descriptor)
