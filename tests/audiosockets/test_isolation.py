"""Sixteen processors of which four misbehave: the other twelve, the recorder and the recogniser do not notice."""

import contextlib
import json
import multiprocessing
import urllib.request
from collections.abc import Callable, Iterator

from benchmarks.hub_clients import process_many, read_nothing, send_garbage, sleep_long, token_of
from tests.audiosockets.clients import Memory, Running, eventually, recording
from tests.audiosockets.conftest import RATE, noise_of
from tests.fake_engine import spoken
from tests.live_server import live_server

HEALTHY = 12
STREAM = "isolation"
UTTERANCES = [(spoken(n, n + 1) * 32767).astype("<i2").tobytes() + bytes(2 * RATE) for n in range(1, 9)]
SECONDS_AFTER = 240  # of noise: more than goes into the sockets of one that reads nothing


@contextlib.contextmanager
def misbehaving(url: str) -> Iterator[Callable[[], None]]:
    """One sleeps, one reads nothing, one sends garbage, and one is killed when the caller says so."""
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=each, args=(url, STREAM)) for each in (sleep_long, read_nothing, send_garbage)]
    others.append(context.Process(target=process_many, args=(url, [STREAM], 0.0)))
    for other in others:
        other.start()
    eventually(lambda: subscribers(url) >= 3)  # the one that sends garbage comes and goes
    try:
        yield others[-1].kill
    finally:
        for other in others:
            other.kill()
            other.join()


def subscribers(url: str) -> int:
    request = urllib.request.Request(f"{url}/streams", headers={"Authorization": f"Bearer {token_of(STREAM)}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: int = json.load(answer)["streams"][0]["subscribers"]
        return found


def session(*, disturbed: bool) -> tuple[list[Memory], list[tuple[str, int, int]]]:
    """What the healthy processors got, and the final results."""
    with live_server(stream_speed=1000.0) as server:
        url = f"http://127.0.0.1:{server.port}"
        with recording(url, STREAM, token=token_of(STREAM), recognize="en") as (recorder, source):
            healthy = [Memory(url, STREAM, token=token_of(STREAM)) for _ in range(HEALTHY)]
            hearing = [Running(each) for each in healthy]
            eventually(lambda: all(each.streams for each in healthy))
            with misbehaving(url) if disturbed else contextlib.nullcontext(lambda: None) as kill_one:
                for utterance in UTTERANCES[:4]:
                    source.say(utterance)
                eventually(lambda: len(finals(healthy[0])) >= 2)
                kill_one()
                for utterance in UTTERANCES[4:]:
                    source.say(utterance)
                eventually(lambda: len(finals(healthy[0])) == len(UTTERANCES))
                for n in range(SECONDS_AFTER):
                    source.say(noise_of(1.0, seed=n))
                end = len(b"".join(UTTERANCES)) // 2 + SECONDS_AFTER * RATE
                eventually(lambda: all(each.blocks[-1].end == end for each in healthy))
        for each in hearing:
            each.join()
    assert recorder.backlog.dropped == 0
    return healthy, finals(healthy[0])


def finals(memory: Memory) -> list[tuple[str, int, int]]:
    results = [event.data for event in memory.events if event.data["type"] == "result" and event.data["final"]]
    said = [(each["alternatives"], each["start_ms"], each["end_ms"]) for each in results if each["alternatives"]]
    return [(alternatives[0]["transcript"], start, end) for alternatives, start, end in said][: len(UTTERANCES)]


def test_four_bad_processors_disturb_nobody() -> None:
    alone, expected = session(disturbed=False)
    beside, written = session(disturbed=True)
    assert [text for text, _, _ in expected] == [f"w{n} w{n + 1}" for n in range(1, 9)]
    assert written == expected
    sent = b"".join(UTTERANCES) + b"".join(noise_of(1.0, seed=n) for n in range(SECONDS_AFTER))
    for memory in (*alone, *beside):
        assert memory.pcm == sent
        assert not memory.gaps
