"""A recorder against a real uvicorn: what it sends arrives, once, whatever happens to its link."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hub import recording as module
from tests.hub_client import LISTEN, PUBLISH, TOKENS, Message, binary, hub_socket, ramp, recording, sound
from tests.live_server import LiveServer, live_server


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(stream_grace_s=30) as running:
        yield running


def closed(code: int) -> Message:
    return {"type": "closed", "code": code}


def test_what_is_recorded_is_heard_to_the_sample(server: LiveServer) -> None:
    async def main() -> None:
        async with recording(server.port, "whole") as (recorder, answer):
            assert (answer["type"], answer["position"], answer["grace_s"]) == ("recording", 0, 30)
            assert {name: answer[name] for name in TOKENS} == TOKENS
            async with hub_socket(server.port, "whole/subscribe", LISTEN) as listener:
                assert (await listener.next())["type"] == "subscribed"
                for start in range(0, 48_000, 1_600):
                    await recorder.audio(start, ramp(start, 1_600))
                await recorder.send("end")
                said, heard = await recorder.rest(), await listener.rest()
            stored = [m["position"] for m in said if m["type"] == "stored"]
            assert stored == sorted(stored) and stored[-1] == 48_000 and len(stored) <= 4
            assert said[-2:] == [{"type": "end", "position": 48_000, "reason": "ended"}, closed(1000)]
            assert sound(heard) == ramp(0, 48_000)
            assert heard[-2:] == [{"type": "end", "position": 48_000, "reason": "ended"}, closed(1000)]

    asyncio.run(main())


def test_a_recorder_goes_on_after_a_lost_link(server: LiveServer) -> None:
    async def main() -> None:
        async with recording(server.port, "again", access={}) as (first, answer):
            tokens = {name: answer[name] for name in TOKENS}
            assert len(set(tokens.values())) == 3 and all(len(token) >= 16 for token in tokens.values())
            async with hub_socket(server.port, "again/subscribe", tokens["listen_token"]) as listener:
                await listener.next()
                await first.audio(0, ramp(0, 20_000))
                assert (await first.until("stored"))[-1]["position"] == 20_000
                await first.socket.close()
                heard = await listener.until("state", recorder="away")
                async with recording(server.port, "again", access=tokens) as (second, answer):
                    assert answer["position"] == 20_000
                    assert (await listener.next()) == {"type": "state", "recorder": "live"}
                    await second.audio(10_000, ramp(10_000, 20_000))
                    await second.audio(40_000, ramp(40_000, 1_000))
                    await second.send("end")
                    await second.rest()
                heard += await listener.rest()
        gap = {"type": "gap", "layer": "audio", "start": 30_000, "end": 40_000, "reason": "recorder"}
        assert gap in heard and sound(heard) == ramp(0, 30_000) + ramp(40_000, 1_000)

    asyncio.run(main())


def test_the_newest_link_takes_over_from_one_that_only_seems_open(server: LiveServer) -> None:
    async def main() -> None:
        async with recording(server.port, "over") as (first, _):
            await first.audio(0, ramp(0, 500))
            async with recording(server.port, "over") as (second, answer):
                assert answer["position"] == 500
                *_, error, end = await first.rest()
                assert (error["code"], end) == ("replaced", closed(4409))
                await second.audio(500, ramp(500, 500))
                await second.send("end")
                assert (await second.rest())[-2]["position"] == 1_000

    asyncio.run(main())


def test_a_server_that_forgot_the_stream_takes_it_up_where_the_recorder_is(server: LiveServer) -> None:
    async def main() -> None:
        async with recording(server.port, "forgotten", start=700) as (recorder, answer):
            assert answer["position"] == 700
            async with hub_socket(server.port, "forgotten/subscribe?from=0", LISTEN) as listener:
                assert (await listener.next())["from"] == 0
                assert (await listener.next())["reason"] == "history"
                await recorder.audio(650, ramp(650, 100))
                assert (await listener.next())["payload"] == ramp(700, 50)

    asyncio.run(main())


def test_a_stream_whose_recorder_stays_away_ends_as_lost() -> None:
    async def main(port: int) -> None:
        async with recording(port, "lost") as (recorder, _):
            async with hub_socket(port, "lost/subscribe", LISTEN) as listener:
                await listener.next()
                await recorder.audio(0, ramp(0, 100))
                await recorder.socket.close()
                heard = await listener.rest()
            assert heard[-2] == {"type": "end", "position": 100, "reason": "lost"}
        async with recording(port, "lost") as (recorder, answer):
            assert answer["position"] == 0, "its name is free again"

    with live_server(stream_grace_s=0) as server:
        asyncio.run(main(server.port))


def test_a_recorder_may_publish_what_it_knows(server: LiveServer) -> None:
    async def main() -> None:
        async with recording(server.port, "marked") as (recorder, _):
            async with hub_socket(server.port, "marked/subscribe?layers=mark", LISTEN) as listener:
                await listener.next()
                await recorder.audio(0, ramp(0, 100))
                await recorder.send("event", layer="mark", start=50, end=50, data="bell")
                assert (await listener.next())["data"] == "bell"

    asyncio.run(main())


@pytest.mark.parametrize(
    "message, code, close",
    [
        ("hello", "protocol", 1008),
        (json.dumps({"type": "end"}), "protocol", 1008),
        (binary({"layer": "audio", "start": 0}, b"\0\0"), "protocol", 1008),
        (json.dumps({"type": "record", "encoding": "s16le", "sample_rate": 1}), "protocol", 1008),
        (json.dumps({"type": "record", "encoding": "s16le", "sample_rate": 8000, "recognize": "tlh"}),
         "language_not_supported", 1008),
    ],
)  # fmt: skip
def test_what_is_wrong_at_the_beginning_is_said(
    server: LiveServer, message: str | bytes, code: str, close: int
) -> None:
    async def main() -> None:
        async with hub_socket(server.port, "wrong/record") as peer:
            await peer.socket.send(message)
            error, end = await peer.rest()
            assert (error["type"], error["code"], end) == ("error", code, closed(close))

    asyncio.run(main())


@pytest.mark.parametrize(
    "message, code",
    [
        (binary({"layer": "audio", "start": 0}, b"\0"), "bad_audio"),
        (binary({"layer": "audio", "start": 0}), "bad_audio"),
        (json.dumps({"type": "record", "encoding": "s16le", "sample_rate": 16_000}), "protocol"),
        (json.dumps({"type": "event", "layer": "results", "start": 0, "end": 0, "data": 1}), "protocol"),
    ],
)
def test_what_is_wrong_later_ends_the_link_but_not_the_stream(
    server: LiveServer, message: str | bytes, code: str
) -> None:
    async def main() -> None:
        name = f"later-{code}"
        async with recording(server.port, name) as (peer, _):
            await peer.audio(0, ramp(0, 100))
            await peer.socket.send(message)
            error, end = await peer.rest()
            assert (error["code"], end) == (code, closed(1008))
        async with recording(server.port, name) as (peer, answer):
            assert answer["position"] == 100
            await peer.send("end")
            await peer.rest()

    asyncio.run(main())


def test_a_name_in_use_and_a_format_that_changes_are_refused(server: LiveServer) -> None:
    async def refused(**fields: Any) -> tuple[str, int]:
        async with recording(server.port, "used", **fields) as (peer, answer):
            return answer["code"], (await peer.rest())[-1]["code"]

    async def main() -> None:
        async with recording(server.port, "used") as (recorder, _):
            assert await refused(access={}) == ("taken", 4409)
            assert await refused(access={"record_token": PUBLISH}) == ("taken", 4409)
            assert await refused(channels=2) == ("format", 4409)
            await recorder.audio(0, ramp(0, 100))
            await recorder.send("end")
            assert (await recorder.rest())[-1] == closed(1000), "it was not disturbed"

    asyncio.run(main())


def test_who_says_nothing_is_asked_to_go(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELLO_TIMEOUT_S", 0.05)

    async def main() -> None:
        async with hub_socket(server.port, "silent/record") as peer:
            error, end = await peer.rest()
            assert (error["code"], end) == ("timeout", closed(4408))

    asyncio.run(main())


def test_a_recorder_that_catches_up_is_held_to_its_speed_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BURST_S", 1)

    async def main(port: int) -> float:
        async with recording(port, "fast") as (recorder, _):
            began = time.monotonic()
            for start in range(0, 96_000, 16_000):  # six seconds: one at once, five at ten times real time
                await recorder.audio(start, ramp(start, 16_000))
            await recorder.send("end")
            assert (await recorder.rest())[-2]["position"] == 96_000
            return time.monotonic() - began

    with live_server(stream_speed=10.0) as server:
        assert asyncio.run(main(server.port)) > 0.45


def test_so_many_streams_and_no_more() -> None:
    async def main(port: int) -> None:
        async with recording(port, "one") as (first, _):
            async with recording(port, "two") as (second, answer):
                assert answer["code"] == "too_many" and (await second.rest())[-1] == closed(4429)
            await first.send("end")
            await first.rest()
        async with recording(port, "two") as (_, answer):
            assert answer["type"] == "recording"

    with live_server(max_shared_streams=1) as server:
        asyncio.run(main(server.port))


def test_little_audio_is_acknowledged_as_well(server: LiveServer) -> None:
    async def main(port: int) -> None:
        async with recording(port, "short-of-a-second") as (recorder, _):
            await recorder.audio(0, ramp(0, 500))
            assert (await recorder.until("stored"))[-1]["position"] == 500

    asyncio.run(main(server.port))
