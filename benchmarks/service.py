"""The real service as a process of its own, and clients that speak to it in real time."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

from audio import SAMPLE_RATE, Samples

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 120.0  # a slow machine loads the model in less
BATCH = SAMPLE_RATE * 80 // 1000  # what the page sends at a time
LAG_PERIOD_S = 0.01


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def served(command: list[str], port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `command` until /readyz on `port` says yes; ends it with SIGTERM."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
    try:
        wait_until_ready(process, port)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        time.sleep(0.1)
    raise AssertionError(f"the service is not ready (exit code {process.poll()})")


@contextlib.contextmanager
def running_service(lags: Path | None = None, **environment: str) -> Iterator[str]:
    """Yields its WebSocket URL; the lags of its event loop are in the file `lags` afterwards, seconds."""
    port = free_port()
    program = "import speech_api; speech_api.main()"
    if lags is not None:
        program = f"from benchmarks.service import serve; serve({str(lags)!r})"
    environment = {"SPEECH_PORT": str(port), "SPEECH_LOG_LEVEL": "WARNING", **environment}
    with served([sys.executable, "-c", program], port, **environment):
        yield f"ws://127.0.0.1:{port}/ws"


def serve(lags: str) -> None:
    """`speech_api.main` with a task beside it that notes how late the event loop wakes it."""
    import uvicorn

    from speech_api import UVICORN, app

    noted: list[float] = []
    write = Path(lags).write_text

    async def watch() -> None:
        while True:
            due = time.monotonic() + LAG_PERIOD_S
            await asyncio.sleep(LAG_PERIOD_S)
            noted.append(time.monotonic() - due)

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            self.watching = asyncio.create_task(watch())

        async def shutdown(self, sockets: Any = None) -> None:
            self.watching.cancel()
            write(json.dumps(noted))  # here: run() ends by raising SIGTERM once more
            await super().shutdown(sockets)

    Server(uvicorn.Config(app, port=int(os.environ["SPEECH_PORT"]), **UVICORN)).run()


@dataclass
class Heard:
    """What one client was told, with the moment of each message on the clock of its audio, in ms."""

    sent_ms: float = 0.0
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    @property
    def received_ms(self) -> int:
        return max((m["received_ms"] for _, m in self.messages if m["type"] == "progress"), default=0)


async def speak(url: str, audio: Samples, *, pace: float = 1.0, delay_s: float = 0.0) -> Heard:
    """Sends `audio` at `pace` times real time in the batches of the page; listens until the close."""
    heard = Heard(len(audio) * 1000 / SAMPLE_RATE)
    await asyncio.sleep(delay_s)
    async with connect(url, subprotocols=["speech.v1"], open_timeout=60) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "start", "interim_results": True}))
        began = time.monotonic()

        async def listen() -> None:
            async for message in socket:
                heard.messages.append(((time.monotonic() - began) * 1000 * pace, json.loads(message)))

        listening = asyncio.create_task(listen())
        for at in range(0, len(audio), BATCH):
            batch = audio[at : at + BATCH]
            due = began + (at + len(batch)) / SAMPLE_RATE / pace  # a microphone hands over what is complete
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await socket.send(batch.astype(np.float32).tobytes())
        await socket.send('{"type": "stop"}')
        await listening
    return heard
