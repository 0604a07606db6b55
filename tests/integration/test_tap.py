"""Sessions of /ws as live streams: shared when their client asks, or everybody's on a trusted network."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect

from audio import Samples
from tests.fake_engine import spoken
from tests.hub_client import LISTEN, TOKENS, Message, Peer, hub_socket, recording, sound
from tests.live_server import SILENCE, LiveServer, live_server

SPEECH = np.concatenate((SILENCE, spoken(1, 2), SILENCE, spoken(3), SILENCE)).astype(np.float32)


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server() as running:
        yield running


@asynccontextmanager
async def session(url: str, **start: Any) -> AsyncIterator[tuple[Peer, Message]]:
    """A client of /ws that has sent `start`, and what it was answered."""
    async with connect(url, subprotocols=["speech.v1"], max_size=None) as socket:  # type: ignore[list-item]
        peer = Peer(socket)
        await peer.send("start", **start)
        yield peer, await peer.next()


async def speak(peer: Peer, audio: Samples) -> None:
    for at in range(0, len(audio), 1_280):
        await peer.socket.send(audio[at : at + 1_280].tobytes())


def transcripts(heard: list[Message]) -> list[str]:
    """Of the finals, in a subscriber's or in a session's messages."""
    events = [m["data"] if m["type"] == "event" else m for m in heard]
    finals = [e for e in events if e["type"] == "result" and e["final"] and e["alternatives"]]
    return [e["alternatives"][0]["transcript"] for e in finals]


def test_a_shared_session_is_heard_and_read_by_others(server: LiveServer) -> None:
    async def main() -> None:
        async with session(server.url, stream="talk", access=TOKENS, interim_results=True) as (speaker, ready):
            assert ready["stream"] == "talk" and {name: ready[name] for name in TOKENS} == TOKENS
            async with hub_socket(server.port, "talk/subscribe", LISTEN) as listener:
                greeting = await listener.next()
                assert (greeting["encoding"], greeting["sample_rate"], greeting["lang"]) == ("f32le", 16_000, "en")
                await speak(speaker, SPEECH)
                await speaker.send("stop")
                own, heard = await speaker.rest(), await listener.rest()
            assert sound(heard) == SPEECH.tobytes()
            assert transcripts(heard) == transcripts(own) == ["w1 w2", "w3"]
            shared = [m["data"] for m in heard if m["type"] == "event"]
            assert {d.pop("session") for d in shared} == {ready["session"]}
            assert shared == [m for m in own if m["type"] in ("speech_start", "speech_end", "result")]
            for m in heard:
                if m["type"] == "event" and m["data"]["type"] == "result":
                    assert (m["start"], m["end"]) == (m["data"]["start_ms"] * 16, m["data"]["end_ms"] * 16)
            assert heard[-2] == {"type": "end", "position": len(SPEECH), "reason": "ended"}

    asyncio.run(main())


def test_who_does_not_ask_is_not_shared(server: LiveServer) -> None:
    async def main() -> None:
        async with session(server.url, stream="mine") as (speaker, ready):
            assert ready["stream"] == "mine" and "listen_token" not in ready
            await speak(speaker, SPEECH)
            async with hub_socket(server.port, "mine/subscribe", LISTEN) as listener:
                assert (await listener.next())["code"] == "not_found"
            await speaker.send("stop")
            assert transcripts(await speaker.rest()) == ["w1 w2", "w3"]

    asyncio.run(main())


def test_sixteen_bit_audio_is_shared_as_it_came(server: LiveServer) -> None:
    async def main() -> None:
        start = {"encoding": "s16le", "sample_rate": 48_000, "offset_ms": 1_000, "access": TOKENS, "stream": "wide"}
        async with session(server.url, **start) as (speaker, _):
            async with hub_socket(server.port, "wide/subscribe", LISTEN) as listener:
                assert (await listener.next())["position"] == 48_000
                pcm = (np.repeat(SPEECH, 3) * 32767).astype("<i2").tobytes()
                for at in range(0, len(pcm), 9_600):
                    await speaker.socket.send(pcm[at : at + 9_600])
                await speaker.send("stop")
                await speaker.rest()
                heard = await listener.rest()
        assert sound(heard) == pcm
        finals = [m for m in heard if m["type"] == "event" and m["data"].get("final")]
        assert finals and all(m["start"] == m["data"]["start_ms"] * 48 > 48_000 for m in finals)

    asyncio.run(main())


def test_a_client_that_resumes_continues_its_stream(server: LiveServer) -> None:
    async def main() -> None:
        start = {"stream": "resumed", "access": TOKENS}
        half = len(SPEECH) // 2
        async with hub_socket(server.port, "none/subscribe", LISTEN):
            pass
        async with session(server.url, **start) as (first, _):
            async with hub_socket(server.port, "resumed/subscribe", LISTEN) as listener:
                await listener.next()
                await speak(first, SPEECH[:half])
                heard = await listener.until("binary", end=half)
                first.socket.transport.abort()  # no goodbye
                heard += await listener.until("state", recorder="away")
                settled_ms = 500
                async with session(server.url, **start, offset_ms=settled_ms) as (second, _):
                    await speak(second, SPEECH[settled_ms * 16 :])
                    await second.send("stop")
                    assert transcripts(await second.rest()) == ["w1 w2", "w3"]
                heard += await listener.rest()
        assert sound(heard) == SPEECH.tobytes() and not [m for m in heard if m["type"] == "gap"]

    asyncio.run(main())


def test_a_name_in_use_ends_the_session(server: LiveServer) -> None:
    async def main() -> None:
        async with recording(server.port, "used"):
            async with session(server.url, stream="used", access={}) as (speaker, first):
                heard = [first, *await speaker.rest()]
                assert heard[-2]["code"] == "taken" and heard[-1]["code"] == 1008

    asyncio.run(main())


@pytest.mark.parametrize("start, word", [({"stream": "../x"}, "stream"), ({"access": {"open": 1}}, "access.open")])
def test_a_wrong_wish_names_its_field(server: LiveServer, start: dict[str, Any], word: str) -> None:
    async def main() -> None:
        async with session(server.url, **start) as (_, error):
            assert error["code"] == "protocol" and word in error["message"]

    asyncio.run(main())


def test_an_utterance_that_fails_is_told_where_it_was(server: LiveServer) -> None:
    async def main() -> None:
        async with session(server.url, stream="failing", access=TOKENS) as (speaker, _):
            async with hub_socket(server.port, "failing/subscribe?layers=results", LISTEN) as listener:
                await listener.next()
                await speak(speaker, np.concatenate((SILENCE, spoken(90), SILENCE)).astype(np.float32))
                await speaker.send("stop")
                await speaker.rest()
                heard = await listener.rest()
        (failure,) = [m for m in heard if m["type"] == "event" and m["data"]["type"] == "failure"]
        assert 0 < failure["start"] < 16_000 + 4_800 <= failure["end"] and "secret" not in json.dumps(failure)

    asyncio.run(main())


def test_on_a_trusted_network_every_session_is_shared() -> None:
    async def main(server: LiveServer) -> None:
        async with session(server.url) as (speaker, ready):
            async with hub_socket(server.port, f"{ready['stream']}/subscribe") as listener:
                assert (await listener.next())["may_publish"]
                await speak(speaker, SPEECH)
                await speaker.send("stop")
                assert transcripts(await listener.rest()) == transcripts(await speaker.rest()) == ["w1 w2", "w3"]
        async with recording(server.port, "used"), session(server.url, stream="used") as (speaker, ready):
            assert "listen_token" not in ready, "it did not ask to be shared, so it is served all the same"
            await speaker.send("stop")
            assert (await speaker.rest())[-1]["code"] == 1000

    with live_server(streams_open=True) as server:
        asyncio.run(main(server))


def test_a_plain_client_on_a_trusted_network_is_shared_as_well() -> None:
    async def main(server: LiveServer) -> None:
        async with connect(server.url) as plain:
            await plain.send(SPEECH[:16_000].tobytes())
            await plain.ping()
            (name,) = server_streams(server)
            async with hub_socket(server.port, f"{name}/subscribe?from=0") as listener:
                await listener.next()
                await plain.send(SPEECH[16_000:].tobytes())
                await plain.send('{"type": "stop"}')
                assert [m async for m in plain] == ["w1 w2", "w3"]
                heard = await listener.rest()
                assert transcripts(heard) == ["w1 w2", "w3"] and sound(heard) == SPEECH.tobytes()

    with live_server(streams_open=True) as server:
        asyncio.run(main(server))


def server_streams(server: LiveServer) -> list[str]:
    from tests.integration.test_routes import names

    return names(server.port)
