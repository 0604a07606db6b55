"""Subscribers and publishers against a real uvicorn."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.hub_client import LISTEN, PUBLISH, RECORD, Peer, binary, hub_socket, parse, ramp, recording, sound
from tests.live_server import LiveServer, live_server


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server() as running:
        yield running


async def refused(port: int, path: str, token: str = "") -> tuple[str, int]:
    async with hub_socket(port, path, token) as peer:
        error, closed = await peer.rest()
        return error["code"], closed["code"]


async def held(recorder: Peer, listener: Peer, position: int) -> None:
    """Records up to a position and waits until a subscriber has it."""
    await recorder.audio(0, ramp(0, position))
    await listener.until("binary", end=position)


def test_tokens_open_what_they_are_for(server: LiveServer) -> None:
    async def main(port: int) -> None:
        async with recording(port, "talk"):
            assert await refused(port, "talk/subscribe") == ("token_needed", 4401)
            assert await refused(port, "talk/subscribe", "wrong-wrong-wrong") == ("not_found", 4404)
            assert await refused(port, "nothing/subscribe", LISTEN) == ("not_found", 4404)
            assert await refused(port, "talk/publish", LISTEN) == ("forbidden", 4403)
            for token, may_publish in ((LISTEN, False), (PUBLISH, True), (RECORD, True)):
                async with hub_socket(port, "talk/subscribe", token) as peer:
                    assert (await peer.next())["may_publish"] is may_publish

    asyncio.run(main(server.port))


def test_browsers_show_their_token_as_a_subprotocol(server: LiveServer) -> None:
    async def main(port: int) -> None:
        async with recording(port, "browser"):
            offered = ["audiosockets.v1", f"bearer.{LISTEN}"]
            async with hub_socket(port, "browser/subscribe", subprotocols=offered) as peer:
                assert (await peer.next())["type"] == "subscribed"
                assert peer.socket.subprotocol == "audiosockets.v1", "a token is never echoed"

    asyncio.run(main(server.port))


def test_what_a_processor_finds_reaches_everybody(server: LiveServer) -> None:
    async def main(port: int) -> None:
        async with (
            recording(port, "layers") as (recorder, _),
            hub_socket(port, "layers/subscribe?layers=*", LISTEN) as viewer,
            hub_socket(port, "layers/subscribe?layers=audio", PUBLISH) as processor,
            hub_socket(port, "layers/publish", PUBLISH) as publisher,
        ):
            assert "layers" not in await publisher.next()
            await viewer.next()
            await held(recorder, processor, 1_000)
            await processor.send("event", layer="level", start=0, end=1_000, data={"db": -12.5, "語": "音"})
            assert (await viewer.until("event"))[-1]["data"] == {"db": -12.5, "語": "音"}
            await publisher.socket.send(binary({"layer": "spectrum", "start": 0, "end": 1_000, "data": 64}, b"\1\2\3"))
            found = await viewer.next()
            assert (found["layer"], found["data"], found["payload"]) == ("spectrum", 64, b"\1\2\3")
            await recorder.send("end")
            assert [m["type"] for m in await publisher.rest()] == ["end", "closed"]

    asyncio.run(main(server.port))


@pytest.mark.parametrize(
    "layer, end, code",
    [("audio", 0, "protocol"), ("results", 0, "protocol"), ("level", 9_999_999, "protocol"), ("Level", 0, "protocol")],
)
def test_what_may_not_be_published_ends_that_processor_only(
    server: LiveServer, layer: str, end: int, code: str
) -> None:
    async def main(port: int) -> None:
        name = f"strict-{layer}"
        async with (
            recording(port, name) as (recorder, _),
            hub_socket(port, f"{name}/subscribe", LISTEN) as viewer,
            hub_socket(port, f"{name}/publish", PUBLISH) as publisher,
        ):
            await viewer.next()
            await publisher.send("event", layer=layer, start=0, end=end, data=1)
            _, error, closed = await publisher.rest()
            assert (error["code"], closed["code"]) == (code, 1008)
            await held(recorder, viewer, 500)

    asyncio.run(main(server.port))


def test_listening_is_not_publishing(server: LiveServer) -> None:
    async def main(port: int) -> None:
        async with recording(port, "quiet"), hub_socket(port, "quiet/subscribe", LISTEN) as viewer:
            await viewer.send("event", layer="level", start=0, end=0, data=1)
            _, error, closed = await viewer.rest()
            assert (error["code"], closed["code"]) == ("forbidden", 4403)

    asyncio.run(main(server.port))


def test_a_late_listener_gets_the_last_seconds(server: LiveServer) -> None:
    async def main(port: int) -> None:
        async with recording(port, "late") as (recorder, _):
            async with hub_socket(port, "late/subscribe", LISTEN) as first:
                await first.next()
                await held(recorder, first, 40_000)
            async with hub_socket(port, "late/subscribe?from=-1.5s", LISTEN) as late:
                assert (await late.next())["from"] == 16_000
                assert (await late.next())["payload"] == ramp(16_000, 24_000)
            async with hub_socket(port, "late/subscribe?from=39990", LISTEN) as back:
                await back.next()
                assert (await back.next())["payload"] == ramp(39_990, 10)

    asyncio.run(main(server.port))


@pytest.mark.parametrize("query", ["from=yesterday", "layers=..", "policy=x", "token=abc"])
def test_a_query_that_cannot_be_is_refused(server: LiveServer, query: str) -> None:
    async def main(port: int) -> None:
        async with recording(port, "query"):
            assert await refused(port, f"query/subscribe?{query}", LISTEN) == ("protocol", 1008)

    asyncio.run(main(server.port))


def test_who_would_rather_end_than_miss_anything_does() -> None:
    """The subscriber does not read while far more comes than its socket and the server's memory hold."""

    async def main(port: int) -> None:
        async with recording(port, "all") as (recorder, _):
            strict = "all/subscribe?policy=disconnect"
            async with hub_socket(port, strict, LISTEN, max_queue=1) as slow, hub_socket(port, strict, LISTEN) as good:
                await slow.next()
                await good.next()
                for at in range(0, 16_000_000, 400_000):
                    await recorder.audio(at, ramp(at, 400_000))
                    await good.until("binary", end=at + 400_000)
                heard = await slow.rest()
            await recorder.until("stored", position=16_000_000)
            *sounds, gap, error, closed = heard
            assert (gap["type"], gap["reason"], gap["start"]) == ("gap", "slow", sounds[-1]["end"])
            assert (error["code"], closed["code"]) == ("slow", 4408)
            assert sound(heard) == ramp(0, gap["start"])

    with live_server(stream_history_mb=2.0, stream_speed=1000.0) as server:
        asyncio.run(main(server.port))


def test_so_many_subscribers_and_no_more() -> None:
    async def main(port: int) -> None:
        async with recording(port, "full"):
            async with hub_socket(port, "full/subscribe", LISTEN) as first:
                await first.next()
                assert await refused(port, "full/subscribe", LISTEN) == ("too_many", 4429)
            async with asyncio.timeout(10):
                while await first_kind(port) != "subscribed":
                    pass

    async def first_kind(port: int) -> str:
        async with hub_socket(port, "full/subscribe", LISTEN) as peer:
            return str((await peer.next())["type"])

    with live_server(max_subscribers=1) as server:
        asyncio.run(main(server.port))


def test_a_listener_is_told_that_its_link_lives_and_a_publisher_is_not(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr("hub.subscription.ALIVE_S", 0.05)

    async def main(port: int) -> None:
        async with (
            recording(port, "still") as (recorder, _),
            hub_socket(port, "still/subscribe", LISTEN) as listener,
            hub_socket(port, "still/publish", PUBLISH) as publisher,
        ):
            await held(recorder, listener, 800)
            for _ in range(3):
                message = parse(await asyncio.wait_for(listener.socket.recv(), 20))
                assert message == {"type": "alive", "position": 800}
            await recorder.send("end")
            assert [message["type"] for message in await publisher.rest()] == ["publishing", "end", "closed"]
            assert [message["type"] for message in await listener.rest()] == ["end", "closed"]

    asyncio.run(main(server.port))
