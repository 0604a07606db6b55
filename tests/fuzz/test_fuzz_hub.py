"""Whatever arrives at the streams, it is refused clearly, and a session beside it hears nothing of it."""

import asyncio
import contextlib
import json
import os
import random
import socket
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from hub.query import parse
from hub.stream import Stream
from hub.subscriber import Subscriber
from hub.wire import CLOSE_CODES, AudioHeader, Block, Event, Refusal, decode
from tests.fake_engine import spoken
from tests.hub_client import LISTEN, PUBLISH, Message, binary, hub_socket, ramp, recording, sound
from tests.hub_client import parse as parsed
from tests.live_server import SILENCE, LiveServer, dictate, finals, live_server
from tests.unit.test_subscriber import talk

CONNECTS = int(os.environ.get("HUB_CONNECTS", "1000"))  # 10000 for a long look
AT_ONCE = 50
FIELDS = ["type", "encoding", "sample_rate", "channels", "start", "end", "recognize", "access", "layer", "data", "open"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["audio", "s16le", "x"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner), max_leaves=8
)
RECORDS = st.fixed_dictionaries(
    {"type": st.just("record"), "encoding": st.sampled_from(["s16le", "f32le"]), "sample_rate": st.just(8_000)},
    optional={"start": VALUES, "access": VALUES, "channels": VALUES, "recognize": VALUES},
).map(json.dumps)
EVENTS = st.fixed_dictionaries(
    {"type": st.just("event"), "layer": st.sampled_from(["a", "b", "audio", "results"]), "start": st.integers(-1, 99)},
    optional={"end": st.integers(-1, 99), "data": VALUES},
).map(json.dumps)
HEADERS = st.fixed_dictionaries(
    {"layer": st.sampled_from(["audio", "a"]), "start": st.integers(-1, 99)}, optional={"end": st.integers(0, 99)}
)
BLOCKS = st.builds(binary, HEADERS | st.dictionaries(st.sampled_from(FIELDS), VALUES), st.binary(max_size=64))
MESSAGES = RECORDS | EVENTS | BLOCKS | st.text() | st.binary(max_size=100) | VALUES.map(json.dumps)


def take(subscriber: Subscriber) -> list[Message]:
    heard: list[Message] = []
    while (message := subscriber.next_message()) is not None:
        heard.append(parsed(message))
    return heard


@given(MESSAGES)
def test_decode_raises_nothing_else(message: str | bytes) -> None:
    with contextlib.suppress(Refusal):
        decode(message)


@given(st.lists(st.tuples(st.sampled_from(["layers", "from", "policy", "x"]), st.text()), max_size=4))
def test_queries_raise_nothing_else(pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(Refusal):
        parse(pairs).since_in(talk())


@given(st.lists(MESSAGES, max_size=20))
def test_what_a_stream_takes_every_subscriber_can_read(messages: list[str | bytes]) -> None:
    stream: Stream = talk()
    subscriber = Subscriber(stream, None)
    stream.write(0, ramp(0, 50))
    for message in messages:
        with contextlib.suppress(Refusal):
            match decode(message):
                case Block(header=AudioHeader(start=start), payload=payload):
                    stream.write(start, payload)
                case Block(header=Event() as event, payload=payload):
                    stream.publish(event, payload)
                case Event() as event:
                    stream.publish(event)
    at = 0
    for heard in take(subscriber):
        assert json.dumps(heard, default=bytes.hex, allow_nan=False).encode()
        if heard["layer"] == "audio":
            assert heard["start"] == at
            at = heard["end"]
    assert at == stream.position


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(max_shared_streams=20, max_subscribers=20) as running:
        yield running


async def undisturbed(server: LiveServer, attack: Any) -> None:
    """A session and a recording with its listener live through the attack, and nothing of it is left afterwards."""
    speech = np.concatenate([np.concatenate((SILENCE, spoken(n))) for n in range(1, 6)] + [SILENCE]).astype(np.float32)
    alone = finals(await dictate(server.url, speech))
    async with recording(server.port, "talk") as (recorder, answer):
        assert answer["position"] == 0
        async with hub_socket(server.port, "talk/subscribe", LISTEN) as listener:
            await listener.next()
            attacking = asyncio.create_task(attack())
            rounds = 0
            while not attacking.done() or rounds < 2:
                assert finals(await dictate(server.url, speech)) == alone
                await recorder.audio(rounds * 4_000, ramp(rounds * 4_000, 4_000))
                rounds += 1
            await attacking
            await recorder.send("end")
            await recorder.rest()
            assert sound(await listener.rest()) == ramp(0, rounds * 4_000)
    async with asyncio.timeout(20):
        while server.connections():  # noqa: ASYNC110  # they are in another thread
            await asyncio.sleep(0.01)


def garbage(chance: random.Random) -> str | bytes:
    if chance.random() < 0.3:
        return chance.randbytes(chance.randint(0, 200))
    header: dict[str, Any] = {
        chance.choice(FIELDS): chance.choice([None, -1, 1 << 60, "x" * 600, [], {}]) for _ in range(3)
    }
    if chance.random() < 0.5:
        length = chance.choice([0, 1, 4097, 0xFFFFFFFF])
        return struct.pack("<I", length) + json.dumps(header).encode()
    return json.dumps({"type": chance.choice(["record", "event", "end", "start", "x"]), **header})


def test_garbage_is_refused_with_a_code_that_is_documented(server: LiveServer) -> None:
    paths = [("talk/publish", PUBLISH), ("talk/subscribe", PUBLISH), ("fuzz/record", "")]
    said: list[tuple[str, int]] = []

    async def one(chance: random.Random) -> None:
        path, token = chance.choice(paths)
        async with hub_socket(server.port, path, token) as peer:
            with contextlib.suppress(ConnectionClosed):
                for _ in range(5):
                    await peer.socket.send(garbage(chance))
            *_, error, closed = await peer.rest()
            said.append((error["code"], closed["code"]))

    async def attack() -> None:
        for number in range(100):
            await one(random.Random(number))

    asyncio.run(undisturbed(server, attack))
    assert len(said) == 100 and {code for code, _ in said} <= CLOSE_CODES.keys()
    assert all(CLOSE_CODES[code] == close for code, close in said)


def test_wrong_tokens_open_nothing(server: LiveServer) -> None:
    tokens = [
        "",
        "x" * 5_000,
        LISTEN[:-1],
        LISTEN.upper(),
        LISTEN + "x",
        "*",
        "' or 1=1",
        "é" * 20,
        "null",
        "Bearer " + LISTEN,
    ]
    said: set[str] = set()

    async def attack() -> None:
        for token in tokens:
            for action in ("subscribe", "publish"):
                async with hub_socket(server.port, f"talk/{action}", token) as peer:
                    *_, error, closed = await peer.rest()
                    assert CLOSE_CODES[error["code"]] == closed["code"]
                    said.add(error["code"])

    asyncio.run(undisturbed(server, attack))
    assert said == {"token_needed", "not_found"}


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../talk",
        "%2e%2e%2ftalk",
        "talk%00",
        "talk%2f",
        "talk;x",
        "talk\\",
        "x" * 60_000,
        "%ff%fe",
        "talk%20",
    ],
)
def test_path_tricks_lead_nowhere(server: LiveServer, path: str) -> None:
    async def attack() -> None:
        try:
            async with hub_socket(server.port, f"{path}/subscribe", LISTEN) as peer:
                error, closed = await peer.rest()
                assert (error["code"], closed["code"]) == ("protocol", 1008)
        except (InvalidHandshake, EOFError, OSError, ConnectionClosed):
            pass  # refused before the WebSocket opened

    asyncio.run(undisturbed(server, attack))


def test_quick_connects_disturb_nobody(server: LiveServer) -> None:
    """Half-open, aborted, refused and nonsensical connections, one after the other and many at a time."""
    limit = asyncio.Semaphore(AT_ONCE)
    upgrade = (
        "GET /streams/{path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: audiosockets.v1\r\n\r\n"
    )
    openings = [
        b"",
        b"\x16\x03\x01garbage" * 20,
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000,
        upgrade.format(path="talk/subscribe").encode(),
        upgrade.format(path="talk/publish").encode(),
        upgrade.format(path="quick/record").encode(),
        upgrade.format(path="talk/subscribe").encode() + b"\x82\xff" + b"\xff" * 40,
    ]
    answers: list[bytes] = []

    async def one(number: int) -> None:
        async with limit:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(openings[number % len(openings)])
                await writer.drain()
                if number % 3 == 0 and 3 <= number % len(openings) <= 5:
                    answers.append(await reader.readline())
                if number % 2:  # reset rather than close
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.close()
                await writer.wait_closed()
            except OSError:
                pass  # the server was faster

    async def attack() -> None:
        await asyncio.gather(*(one(number) for number in range(CONNECTS)))

    asyncio.run(undisturbed(server, attack))
    assert answers and all(answer.startswith(b"HTTP/1.1 101") for answer in answers if answer)
