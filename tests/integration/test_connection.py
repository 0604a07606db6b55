"""What all sockets of the hub share: who takes nothing is let go, who fails is told no secret, a stop says so."""

import asyncio

import pytest

from hub import connection
from hub.stream import Stream
from tests.hub_client import LISTEN, hub_socket, ramp, recording, sound
from tests.live_server import live_server

BLOCK = 400_000  # samples


async def flood(recorder: object, count: int) -> None:
    for at in range(0, count * BLOCK, BLOCK):
        await recorder.audio(at, ramp(at, BLOCK))  # type: ignore[attr-defined]


def test_who_takes_nothing_from_its_socket_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SEND_TIMEOUT_S", 0.2)

    async def main(port: int) -> None:
        async with recording(port, "stuck") as (recorder, _):
            async with hub_socket(port, "stuck/subscribe", LISTEN, max_queue=1, close_timeout=1) as stuck:
                await stuck.next()
                await flood(recorder, 40)
                async with asyncio.timeout(20):
                    while True:
                        async with hub_socket(port, "stuck/subscribe", LISTEN) as other:
                            if (await other.next())["type"] == "subscribed":
                                break
            await recorder.until("stored", position=40 * BLOCK)

    with live_server(stream_speed=1000.0, max_subscribers=1, stream_history_mb=2.0) as server:
        asyncio.run(main(server.port))


def test_a_fault_of_ours_ends_one_connection_and_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    async def main(port: int) -> None:
        async with recording(port, "fault") as (recorder, _):
            with monkeypatch.context() as patch:
                patch.setattr(Stream, "write", fail)
                await recorder.audio(0, ramp(0, 100))
                error, closed = await recorder.rest()
            assert (error["code"], closed["code"]) == ("internal", 1011) and "secret" not in error["message"]
        async with recording(port, "fault") as (recorder, answer):
            assert answer["position"] == 0
            await recorder.send("end")
            await recorder.rest()

    with live_server() as server:
        asyncio.run(main(server.port))


def test_a_server_that_stops_says_so_after_everything_else() -> None:
    async def main() -> None:
        with live_server() as server:
            async with recording(server.port, "stopped") as (recorder, _):
                async with hub_socket(server.port, "stopped/subscribe", LISTEN) as listener:
                    await listener.next()
                    await recorder.audio(0, ramp(0, 100))
                    await listener.until("binary", end=100)
                    service = server.app.state.service
                    drained = asyncio.run_coroutine_threadsafe(service.drain(), server.loop)
                    heard, said = await listener.rest(), await recorder.rest()
                    await asyncio.wrap_future(drained)
            end = {"type": "end", "position": 100, "reason": "stopped"}
            assert heard == [end, {"type": "closed", "code": 1012}]
            assert said == [{"type": "stored", "position": 100}, end, {"type": "closed", "code": 1012}]
            assert sound(heard) == b""

    asyncio.run(main())
