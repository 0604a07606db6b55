"""Recorders and processors for benchmarks of live streams: each group is a process of its own.

All of them read the same clock (CLOCK_MONOTONIC), so that a block's age can be told wherever it arrives.
"""

import asyncio
import contextlib
import os
import queue
import random
import signal
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from audiosockets import Block, Event, Format, Gap, Processor, Recorder, Stream
from audiosockets.config import Config
from benchmarks import threaded_server

LONG_S = 10.0  # that one processor sleeps over each block
KILLED_AFTER_S = 22.0  # while audio flows
BLOCK_MS = 80  # in the recordings of `record_many`
HARDWARE_BLOCKS = 8  # that the simulated sound card holds; one more is lost


class SoundCard:
    """A live source that loses a block when nobody fetches it in time, as a sound card does."""

    live = True

    def __init__(self, format: Format, seconds: float, block_ms: int, began: float, seed: int = 0) -> None:
        """`began` is on the clock, in the future: block n is complete n + 1 blocks later."""
        self.speech = b""  # PCM to play instead of noise
        self.format = format
        self.block = format.frames(block_ms / 1000)
        self.count = round(seconds * 1000 / block_ms)
        self.began = began
        self.lost = 0
        self.end = 0  # position after the block that was fetched last
        noise = np.random.default_rng(seed).normal(0, 3000, self.block * format.channels)
        self._pcm = noise.astype("<i2").tobytes()
        self._closed = False

    @property
    def seconds(self) -> float:
        return self.count * self.block / self.format.sample_rate

    def blocks(self) -> Iterator[bytes]:
        self._blocks = queue.Queue[int | None](HARDWARE_BLOCKS)
        threading.Thread(target=self._run, daemon=True).start()
        while (number := self._blocks.get()) is not None:
            self.end = (number + 1) * self.block
            yield self.pcm(number)

    def close(self) -> None:
        self._closed = True

    def pcm(self, number: int) -> bytes:
        """Every block of noise differs from every other, so that a checksum tells a lost one."""
        if self.speech:
            size = self.block * self.format.frame_bytes
            return self.speech[number * size : (number + 1) * size].ljust(size, b"\0")
        return number.to_bytes(4, "little") + self._pcm[4:]

    def _run(self) -> None:
        for number in range(self.count):
            due = self.began + (number + 1) * self.block / self.format.sample_rate
            time.sleep(max(0.0, due - time.monotonic()))
            if self._closed:
                break
            try:
                self._blocks.put_nowait(number)
            except queue.Full:
                self.lost += 1
        self._blocks.put(None)


@dataclass
class Recorded:
    stream: str
    began: float
    blocks: int
    frames: int
    lost: int  # blocks
    checksum: int
    cpu_s: float


@dataclass
class Heard:
    """What one processor got: the end of each block, frames, and when it was done with it, on the clock."""

    stream: str = ""
    joined: int = 0  # position when it came; what it gets of the time before is old
    ends: list[int] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    frames: int = 0
    missed: int = 0  # frames in gaps
    checksum: int = 0

    def note(self, start: int, end: int) -> None:
        self.frames += end - start  # a block may come joined with others
        self.ends.append(end)
        self.done.append(time.monotonic())


def checksum_of(card: SoundCard) -> int:
    checksum = 0
    for number in range(card.count):
        checksum = zlib.crc32(card.pcm(number), checksum)
    return checksum


def warm_up() -> None:
    """A new process imports this module for it; the wait leaves work for the next one."""
    time.sleep(1.0)


def record(url: str, stream: str, card: SoundCard, recognize: str | None = None) -> Recorded:
    recorder = Recorder(url, stream, card, token=token_of(stream), recognize=recognize)
    recorder.run()
    lost = card.lost + recorder.backlog.dropped // card.block
    return Recorded(
        stream, card.began, card.count, card.count * card.block, lost, checksum_of(card), time.process_time()
    )


def record_many(url: str, streams: list[str], seconds: float, format: Format, began: float) -> list[Recorded]:
    """Each in a thread."""
    cards = [SoundCard(format, seconds, BLOCK_MS, began, seed) for seed in range(len(streams))]
    with ThreadPoolExecutor(len(streams)) as executor:
        return list(executor.map(partial(record, url), streams, cards))


def captions(url: str, stream: str) -> list[str]:
    """The final results, until the stream ends."""

    async def listen() -> list[str]:
        messages = Processor(url, stream, token=token_of(stream), layers=("results",))
        results = [m.data async for m in messages if isinstance(m, Event) and m.data["type"] == "result"]
        return [each["alternatives"][0]["transcript"] for each in results if each["final"] and each["alternatives"]]

    return asyncio.run(listen())


def token_of(stream: str) -> str:
    """Of its recorder, its publishers and its listeners alike."""
    return (stream + "-" * 16)[:40].ljust(16, "-")


async def process(url: str, stream: str, work_s: float, *, checked: bool = False) -> Heard:
    """A healthy processor; its work is waiting, as for a device or another machine."""
    heard = Heard(stream)
    async for message in Processor(url, stream, token=token_of(stream), since="0"):
        if isinstance(message, Stream):
            heard.joined = message.position
        elif isinstance(message, Block):
            if work_s:
                await asyncio.sleep(work_s)
            heard.note(message.start, message.end)
            if checked:
                heard.checksum = zlib.crc32(message.pcm, heard.checksum)
        elif isinstance(message, Gap):
            heard.missed += message.end - message.start
    return heard


def process_many(url: str, streams: list[str], work_s: float, checked: bool = False) -> list[Heard]:
    async def all_of_them() -> list[Heard]:
        return await asyncio.gather(*(process(url, stream, work_s, checked=checked) for stream in streams))

    return asyncio.run(all_of_them())


# The same over the threaded server


def record_threaded(port: int, card: SoundCard) -> Recorded:
    """Gives up when the server does not confirm a block in time; what it could not send is lost."""
    sent = 0
    with threaded_server.connect(port) as connection, contextlib.suppress(OSError, EOFError):
        connection.settimeout(LONG_S)
        for pcm in card.blocks():
            data = np.frombuffer(pcm, "<i2").reshape(-1, card.format.channels)
            message = {"node": "recorder", "data": data, "fs": card.format.sample_rate, "end": card.end}
            threaded_server.send(connection, message)
            threaded_server.read(connection, len(threaded_server.ACKNOWLEDGED))
            sent += 1
    card.close()
    return Recorded("", card.began, card.count, card.count * card.block, card.count - sent, 0, time.process_time())


def process_threaded(port: int, name: str, work_s: float) -> Heard:
    """Until the server ends."""
    heard = Heard()
    with threaded_server.connect(port) as connection, contextlib.suppress(OSError, EOFError):
        threaded_server.send(connection, {"node": "processor", "name": name})
        threaded_server.read(connection, len(threaded_server.WELCOME))
        while True:
            message = threaded_server.receive(connection)
            time.sleep(work_s)
            heard.note(message["end"] - len(message["data"]), message["end"])
    return heard


def process_many_threaded(port: int, names: list[str], work_s: float) -> list[Heard]:
    heard: list[Heard] = [Heard()] * len(names)

    def run(n: int) -> None:
        heard[n] = process_threaded(port, names[n], work_s)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return heard


def record_and_process(card: SoundCard, processors: int, work_s: float) -> tuple[Recorded, list[Heard]]:
    """No network at all: the loop that fetches the blocks also processes them."""
    heard = [Heard() for _ in range(processors)]
    for _ in card.blocks():
        for each in heard:
            time.sleep(work_s)
            each.note(card.end - card.block, card.end)
    return Recorded("", card.began, card.count, card.count * card.block, card.lost, 0, time.process_time()), heard


# Those that misbehave, each in a process of its own until that is killed


def sleep_long(url: str, stream: str) -> None:
    class Sleeper(Processor):
        def process(self, block: Block) -> None:
            time.sleep(LONG_S)

        def process_gap(self, gap: Gap) -> None:
            pass

    Sleeper(url, stream, token=token_of(stream)).run()


def read_nothing(url: str, stream: str) -> None:
    async def hold() -> None:
        async with _raw(url, stream):
            await asyncio.Event().wait()

    asyncio.run(hold())


def send_garbage(url: str, stream: str) -> None:
    noise = random.Random(0)

    async def pester() -> None:
        while True:
            with contextlib.suppress(OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                async with _raw(url, stream) as link:
                    await link.send(noise.randbytes(noise.choice((0, 3, 100, 100_000))))
                    await link.send('{"type": "event", "layer": "../etc", "start": -1}' + "\0" * noise.randrange(1000))
                    await link.wait_closed()
            await asyncio.sleep(0.05)

    asyncio.run(pester())


def be_killed(url: str, stream: str) -> None:
    threading.Timer(KILLED_AFTER_S, os.kill, (os.getpid(), signal.SIGKILL)).start()
    process_many(url, [stream], 0.0)


def _raw(url: str, stream: str) -> Any:
    """A subscriber whose system takes in very little before it is read."""
    config = Config.of(url, stream=stream, token=token_of(stream))
    address = urlsplit(config.url("/"))
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((address.hostname, address.port))
    connection.setblocking(False)
    return connect(
        config.stream_url("subscribe"),
        sock=connection,
        subprotocols=["audiosockets.v1"],  # type: ignore[list-item]
        additional_headers=config.headers,
        max_queue=1,
    )


def misbehave_threaded(port: int, how: str) -> None:
    """The same four for the threaded server."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    if how == "send_garbage":
        connection.sendall(random.Random(0).randbytes(10_000))
    else:
        threaded_server.send(connection, {"node": "processor", "name": how})
        threaded_server.read(connection, len(threaded_server.WELCOME))
    if how == "be_killed":
        threading.Timer(KILLED_AFTER_S, os.kill, (os.getpid(), signal.SIGKILL)).start()
    while how in ("be_killed", "sleep_long"):
        threaded_server.receive(connection)
        time.sleep(LONG_S if how == "sleep_long" else 0)
    threading.Event().wait()


MISBEHAVIOURS = (sleep_long, read_nothing, send_garbage, be_killed)
