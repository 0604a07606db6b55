"""What the client sees, what the log says, and that nothing is left behind: tasks, jobs, sockets."""

import asyncio
import json
import os
import socket as sockets
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.fake_engine import RAISE, spoken
from tests.live_server import SILENCE, LiveServer, dictate, finals, live_server, messages

PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server() as running:
        yield running


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def assert_nothing_left(server: LiveServer) -> None:
    eventually(lambda: server.connections() == 0, "tasks of a connection are left")
    eventually(lambda: server.backend.active == 0, "a job of a vanished client is left")


def talk(server: LiveServer) -> connect:
    return connect(server.url, subprotocols=["speech.v1"])  # type: ignore[list-item]


async def begin(socket: ClientConnection, *parts: np.ndarray, **start: object) -> None:
    await socket.send(json.dumps({"type": "start", **start}))
    for part in parts:
        await socket.send(part.tobytes())


async def decoding(server: LiveServer) -> None:
    """Returns once an utterance is being decoded."""
    await asyncio.to_thread(eventually, lambda: server.backend.active > 0, "nothing is decoded")


async def vanish(socket: ClientConnection) -> None:
    """Gone without a word, as when a machine loses its power."""
    socket.transport.abort()
    await socket.wait_closed()


def test_a_client_that_hangs_up_mid_speech(server: LiveServer) -> None:
    async def main() -> None:
        async with talk(server) as socket:
            await begin(socket, SILENCE, spoken(1))
            await socket.recv()
            await vanish(socket)

    asyncio.run(main())
    assert_nothing_left(server)


@pytest.mark.parametrize("stop", [False, True], ids=["during a decode", "while draining"])
def test_a_client_that_hangs_up_while_its_utterance_is_decoded(server: LiveServer, stop: bool) -> None:
    server.loop.call_soon_threadsafe(server.backend.gate.clear)

    async def main() -> None:
        async with talk(server) as socket:
            await begin(socket, SILENCE, spoken(1), SILENCE)
            if stop:
                await socket.send('{"type": "stop"}')
            await decoding(server)
            await vanish(socket)

    asyncio.run(main())
    assert_nothing_left(server)
    server.loop.call_soon_threadsafe(server.backend.gate.set)
    assert finals(asyncio.run(dictate(server.url, SILENCE, spoken(2)))) == ["w2"], "others are served"


def test_a_failing_utterance_is_told_and_the_next_one_is_heard(server: LiveServer) -> None:
    heard = asyncio.run(dictate(server.url, SILENCE, spoken(RAISE), SILENCE, spoken(5)))
    (failure,) = [m for m in heard if m["type"] == "failure"]
    assert failure["code"] == "recognizer_failed" and "secret" not in failure["message"]
    assert finals(heard) == ["w5"]


def test_a_second_start_is_refused(server: LiveServer) -> None:
    async def main() -> list[dict[str, object]]:
        async with talk(server) as socket:
            await begin(socket)
            await begin(socket)
            heard = [message async for message in messages(socket)]
            assert socket.close_code == 1008
            return heard

    error = asyncio.run(main())[-1]
    assert (error["code"], error["message"]) == ("protocol", "start while streaming")
    assert_nothing_left(server)


def test_a_sender_at_many_times_real_time_is_slowed_and_loses_nothing(server: LiveServer) -> None:
    """Forty utterances at once against a recogniser that does not answer: the server stops reading."""
    server.loop.call_soon_threadsafe(server.backend.gate.clear)
    words = [1 + n % 80 for n in range(40)]
    audio = np.concatenate([part for n in words for part in (spoken(n), SILENCE)])

    async def main() -> list[dict[str, object]]:
        async with talk(server) as socket:
            await begin(socket)

            async def send() -> None:
                for at in range(0, len(audio), 16_000):
                    await socket.send(audio[at : at + 16_000].tobytes())
                await socket.send('{"type": "stop"}')

            sending = asyncio.create_task(send())
            await decoding(server)
            server.loop.call_soon_threadsafe(server.backend.gate.set)
            heard = [message async for message in messages(socket)]
            await sending
            return heard

    assert finals(asyncio.run(main())) == [f"w{n}" for n in words]
    assert_nothing_left(server)


def test_a_reader_that_stops_reading_does_not_disturb_others(server: LiveServer) -> None:
    async def main() -> None:
        async with talk(server) as stuck:
            raw = stuck.transport.get_extra_info("socket")
            raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 1024)
            stuck.transport.pause_reading()
            await begin(stuck, *([SILENCE] * 20))
            assert finals(await dictate(server.url, SILENCE, spoken(3))) == ["w3"]
            await vanish(stuck)

    asyncio.run(main())
    assert_nothing_left(server)


def test_many_quick_connections_leave_no_descriptor(server: LiveServer) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def main() -> None:
        for _ in range(50):
            async with talk(server) as socket:
                await begin(socket, SILENCE)
                await vanish(socket)

    asyncio.run(main())
    before = descriptors()
    asyncio.run(main())
    assert_nothing_left(server)
    eventually(lambda: descriptors() <= before, "descriptors are left")


def test_back_pressure_is_not_taken_for_a_dead_client() -> None:
    """While the server does not read, the client's pongs wait behind its audio."""
    words = list(range(1, 13))

    async def main(server: LiveServer) -> list[dict[str, object]]:
        async with talk(server) as socket:
            await begin(socket)
            for word in words:
                await socket.send(np.concatenate((spoken(word), SILENCE)).tobytes())
            await socket.send('{"type": "stop"}')
            await decoding(server)
            await asyncio.sleep(0.5)  # ten pings
            server.loop.call_soon_threadsafe(server.backend.gate.set)
            return [message async for message in messages(socket)]

    with live_server(ping_interval_s=0.05) as server:
        server.loop.call_soon_threadsafe(server.backend.gate.clear)
        assert finals(asyncio.run(main(server))) == [f"w{word}" for word in words]
