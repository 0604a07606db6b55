"""A recorder against a real uvicorn: what it sends arrives, once, whatever happens to its link."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.hub_client import LISTEN, TOKENS, hub_socket, ramp, recording, sound
from tests.live_server import LiveServer, live_server


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server() as running:
        yield running


def test_what_is_recorded_is_heard_to_the_sample(server: LiveServer) -> None:
    async def main() -> None:
        async with recording(server.port, "whole") as (recorder, answer):
            assert (answer["type"], answer["position"], answer["grace_s"]) == ("recording", 0, 60)
            assert {name: answer[name] for name in TOKENS} == TOKENS
            async with hub_socket(server.port, "whole/subscribe", LISTEN) as listener:
                assert (await listener.next())["type"] == "subscribed"
                for start in range(0, 48_000, 1_600):
                    await recorder.audio(start, ramp(start, 1_600))
                await recorder.send("end")
                stored = [m for m in await recorder.rest() if m["type"] != "binary"]
                heard = await listener.rest()
            assert [m["position"] for m in stored if m["type"] == "stored"][-1] == 48_000
            assert stored[-2:] == [
                {"type": "end", "position": 48_000, "reason": "ended"},
                {"type": "closed", "code": 1000},
            ]
            assert sound(heard) == ramp(0, 48_000)
            assert heard[-2]["type"] == "end" and heard[-1]["code"] == 1000

    asyncio.run(main())
