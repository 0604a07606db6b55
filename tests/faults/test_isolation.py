"""Subscribers that sleep, stop reading, are killed or send garbage: nobody else notices, nor does the recogniser."""

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.fake_engine import spoken
from tests.hub_client import LISTEN, PUBLISH, Message, Peer, hub_socket, recording, sound
from tests.integration.test_tap import session, speak, transcripts
from tests.live_server import SILENCE, live_server

ROOT = Path(__file__).resolve().parent.parent.parent
LISTENER = """
import asyncio, sys
from tests.hub_client import LISTEN, hub_socket

async def main():
    async with hub_socket(int(sys.argv[1]), f"{sys.argv[2]}/subscribe?layers=*", LISTEN) as peer:
        while True:
            await peer.next()
            print("heard", flush=True)

asyncio.run(main())
"""
SPEECH = np.concatenate([np.concatenate((SILENCE, spoken(n))) for n in range(1, 21)] + [SILENCE]).astype(np.float32)
WORDS = [f"w{n}" for n in range(1, 21)]


def closed(heard: list[Message]) -> int:
    code: int = heard[-1]["code"]
    return code


async def killed(port: int, name: str, alive: asyncio.Event) -> None:
    """A process that listens, and dies by SIGKILL."""
    command = [sys.executable, "-c", LISTENER, str(port), name]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    alive.set()
    for _ in range(3):
        await process.stdout.readline()
    process.kill()
    await process.wait()


async def sends_garbage(port: int, name: str) -> None:
    for number in range(50):
        async with hub_socket(port, f"{name}/publish", PUBLISH) as peer:
            await peer.socket.send(b"\xff" * number if number % 2 else '{"type": "event", "layer": 7}')
            assert closed(await peer.rest()) == 1008


async def misbehave(
    port: int, name: str, tasks: asyncio.TaskGroup, open_: contextlib.AsyncExitStack
) -> tuple[Peer, asyncio.Task[None]]:
    """One of each kind; returns the one that does not read yet, and the one that needs the stream until it is done."""
    alive = asyncio.Event()
    tasks.create_task(killed(port, name, alive))
    garbage = tasks.create_task(sends_garbage(port, name))
    sleeper = await open_.enter_async_context(hub_socket(port, f"{name}/subscribe", LISTEN, max_queue=1))
    await sleeper.next()
    stuck = await open_.enter_async_context(
        hub_socket(port, f"{name}/subscribe", LISTEN, max_queue=1, close_timeout=0.1)
    )
    await stuck.next()
    await alive.wait()
    return sleeper, garbage


def test_a_shared_session_among_bad_neighbours() -> None:
    async def main(port: int, url: str) -> None:
        access = {"access": {"listen_token": LISTEN, "publish_token": PUBLISH}, "stream": "talk"}
        async with (
            contextlib.AsyncExitStack() as open_,
            asyncio.TaskGroup() as tasks,
            session(url, **access, interim_results=True) as (speaker, _),
        ):
            good = [await open_.enter_async_context(hub_socket(port, "talk/subscribe", LISTEN)) for _ in range(4)]
            hearing = [tasks.create_task(peer.rest()) for peer in good]
            sleeper, garbage = await misbehave(port, "talk", tasks, open_)
            await speak(speaker, SPEECH)
            await garbage
            await speaker.send("stop")
            own = await speaker.rest()
            assert transcripts(own) == WORDS and closed(own) == 1000
            for heard in await asyncio.gather(*hearing):
                assert sound(heard) == SPEECH.tobytes() and transcripts(heard) == WORDS
                assert not [m for m in heard if m["type"] == "gap"] and closed(heard) == 1000
            late = await sleeper.rest()  # it wakes up, and still gets everything or is told
            assert transcripts(late) == WORDS and closed(late) == 1000

    with live_server() as server:
        asyncio.run(main(server.port, server.url))


def test_a_recording_among_bad_neighbours_is_whole_and_who_slept_is_told_what_it_missed() -> None:
    """Far more than sockets and ring hold, with a subscriber that sleeps through most of it."""
    total, block = 24_000_000, 400_000

    async def main(port: int) -> None:
        async with contextlib.AsyncExitStack() as open_, recording(port, "talk") as (recorder, _):
            good = [await open_.enter_async_context(hub_socket(port, "talk/subscribe", LISTEN)) for _ in range(4)]
            for peer in good:
                await peer.next()
            async with asyncio.TaskGroup() as tasks:
                sleeper = await open_.enter_async_context(hub_socket(port, "talk/subscribe", LISTEN, max_queue=1))
                await sleeper.next()
                tasks.create_task(sends_garbage(port, "talk"))
                pcm = bytes(2 * block)
                for at in range(0, total, block):
                    await recorder.audio(at, pcm)
                    for peer in good:
                        heard = await peer.until("binary", end=at + block)
                        assert [m["type"] for m in heard] == ["binary"]
            await recorder.until("stored", position=total)
            at, reasons = 0, set[str]()
            while at < total:
                message = await sleeper.next()
                assert message["start"] == at, "sound and gaps join"
                at = message["end"]
                reasons.add(message.get("reason", ""))
            assert reasons == {"", "slow"}

    with live_server(stream_history_mb=4.0, stream_speed=1000.0) as server:
        asyncio.run(main(server.port))
