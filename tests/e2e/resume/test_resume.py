"""Twenty dictations, each with something killed at a random moment: not a word is lost or said twice, no time moves."""

import asyncio
import base64
import contextlib
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import sync_playwright
from websockets.asyncio.client import connect

from audio import SAMPLE_RATE, Samples
from tests.e2e.conformance.conftest import launched, opened
from tests.e2e.conformance.scripted import scripted_server
from tests.e2e.conftest import is_all_of
from tests.e2e.resume.proxy import Proxy, proxy_to
from tests.e2e.resume.service import Service, said
from tests.live_server import messages
from tests.served import MODEL
from tests.speech import RECORDING, read_recording

RECORDINGS = (RECORDING, RECORDING, RECORDING)
KINDS = ("connection cut", "connection half-open", "server killed", "worker killed", "server restarted")
OF_A_CONNECTION = KINDS[:2]  # the others strike a process
FIRST = int(os.environ.get("RESUME_FIRST_SEED", "0"))  # for a hunt
SEEDS = range(FIRST, FIRST + 20)
UTTERANCES = [range(n, n + 3) for n in range(0, 15, 3)]
PAUSE = np.zeros(SAMPLE_RATE * 7 // 10, np.float32)
SPEECH = np.concatenate([part for numbers in UTTERANCES for part in (said(list(numbers)), PAUSE)])
SPOKEN = {f"w{n}" for numbers in UTTERANCES for n in numbers}
DICTATE = (Path(__file__).parent / "dictate.js").read_text(encoding="utf-8")
Pcm = NDArray[np.int16]
Final = tuple[int, int, str]  # start and end in ms, text


def kind_of(seed: int) -> str:
    return KINDS[seed % len(KINDS)]


@dataclass
class Run:
    seed: int
    proxy: Proxy
    service: Service

    @property
    def kind(self) -> str:
        return kind_of(self.seed)

    @property
    def after_ms(self) -> float:
        return random.Random(self.seed).uniform(0.3, len(SPEECH) / SAMPLE_RATE) * 1000

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.proxy.port}/ws"

    def strike(self) -> None:
        act: Callable[[], None] = {
            "connection cut": self.proxy.cut,
            "connection half-open": self.proxy.freeze,
            "server killed": self.service.crash,
            "server restarted": self.service.restart,
            "worker killed": self.service.kill_worker,
        }[self.kind]
        act()


def kept_audio(connections: list[dict[str, Any]]) -> Pcm:
    """All samples that the page sent, each once, in their place. What was sent twice was the same both times."""
    stream = np.zeros(0, np.int16)
    for connection in connections:
        if not connection["texts"]:
            continue  # it never opened
        start = connection["texts"][0]
        assert (start["encoding"], start["sample_rate"]) == ("s16le", SAMPLE_RATE)
        at = start.get("offset_ms", 0) * SAMPLE_RATE // 1000
        part = np.frombuffer(base64.b64decode(connection["audio"]), np.int16)
        assert at <= len(stream), "a gap"
        again = min(len(part), len(stream) - at)
        assert np.array_equal(stream[at : at + again], part[:again]), "it was sent differently"
        stream = np.concatenate((stream, part[again:]))
    return stream


async def undisturbed(url: str, stream: Pcm, **start: Any) -> list[Final]:
    """What a client gets that sends the same samples over a connection that holds."""
    async with connect(url, subprotocols=["speech.v1"]) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "start", "encoding": "s16le", "interim_results": True, **start}))
        for at in range(0, len(stream), 1_280):
            await socket.send(stream[at : at + 1_280].tobytes())
        await socket.send('{"type": "stop"}')
        heard = [message async for message in messages(socket)]
    results = [m for m in heard if m["type"] == "result" and m["final"] and m["alternatives"]]
    return [(m["start_ms"], m["end_ms"], m["alternatives"][0]["transcript"]) for m in results]


def is_whole(stream: Pcm, told: dict[str, Any]) -> bool:
    """Whether all that the browser gave was sent. Of what is played it loses some itself where it has no time for it."""
    witnessed = np.frombuffer(base64.b64decode(told["witnessed"]), np.float32)
    return is_all_of((stream / 0x8000).astype(np.float32), witnessed)


def finals(told: dict[str, Any]) -> list[Final]:
    return [(f["startMs"], f["endMs"], f["alternatives"][0]["transcript"]) for f in told["finals"] if f["alternatives"]]


@pytest.fixture(scope="module")
def runs() -> Iterator[list[Run]]:
    """A server that is killed or restarted strikes all of its runs; a worker may not strike one utterance twice."""
    with contextlib.ExitStack() as stack:
        services: dict[str, Service] = {}
        for seed in SEEDS:
            if (name := name_of_service(seed)) not in services:
                services[name] = Service()
        for service in services.values():
            stack.callback(service.stop)
            service.wait()
        chosen = [services[name_of_service(seed)] for seed in SEEDS]
        yield [
            Run(seed, stack.enter_context(proxy_to(service.port)), service)
            for seed, service in zip(SEEDS, chosen, strict=True)
        ]


def name_of_service(seed: int) -> str:
    kind = kind_of(seed)
    if kind in OF_A_CONNECTION:
        return "steady"
    return f"{kind} {seed}" if kind == "worker killed" else kind


def dictated(runs: list[Run], audio: Samples) -> list[dict[str, Any]]:
    """What each run's page says, all of them beside each other."""
    with scripted_server() as pages, sync_playwright() as playwright, launched(playwright) as browser:
        with opened(browser, pages.url, complain=False) as page:
            page.expose_function("strike", lambda number: runs[number].strike())
            wish = [{"url": run.url, "afterMs": run.after_ms} for run in runs]
            sound = base64.b64encode(audio.astype(np.float32).tobytes()).decode()
            answers: list[dict[str, Any]] = page.evaluate(DICTATE, {"audio": sound, "runs": wish})
    return answers


@pytest.fixture(scope="module")
def told(runs: list[Run]) -> list[dict[str, Any]]:
    return dictated(runs, SPEECH)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_or_said_twice(runs: list[Run], told: list[dict[str, Any]], seed: int) -> None:
    run, answer = runs[seed - FIRST], told[seed - FIRST]
    assert answer["events"].count("end") == 1 and not {"network", "aborted"} & set(answer["events"])
    assert run.kind == "worker killed" or run.proxy.connections > 1, "nothing was struck"
    stream = kept_audio(answer["connections"])
    assert is_whole(stream, answer)
    heard = asyncio.run(undisturbed(runs[0].service.url, stream))
    assert finals(answer) == heard
    assert answer["shown"] == " ".join(text for _, _, text in heard)
    assert len(SPOKEN & set(answer["shown"].split())) > len(SPOKEN) // 2, "next to nothing was heard"


@pytest.mark.model
def test_nothing_is_lost_with_the_bundled_model(speech_fixtures: Path) -> None:
    """Two runs on human speech: the connection is cut, the server is killed."""
    if not MODEL.exists():
        pytest.skip(f"{MODEL.name} is not in models/")
    audio = np.concatenate([read_recording(speech_fixtures, name) for name in RECORDINGS])
    program, models = "import speech_api; speech_api.main()", f'{{"en": "bundled:{MODEL.stem}"}}'
    settings = {"SPEECH_ALLOWED_ORIGINS": "*", "SPEECH_WORKERS": "1", "SPEECH_MODELS": models}
    with contextlib.ExitStack() as stack:
        runs = []
        for seed in (0, 2):
            service = Service(sys.executable, "-c", program, **settings)
            stack.callback(service.stop)
            service.wait()
            runs.append(Run(seed, stack.enter_context(proxy_to(service.port)), service))
        answers = dictated(runs, audio)
        for run, answer in zip(runs, answers, strict=True):
            assert run.proxy.connections > 1, "nothing was struck"
            run.service.wait()
            stream = kept_audio(answer["connections"])
            assert is_whole(stream, answer)
            heard = asyncio.run(undisturbed(run.service.url, stream))
            assert len(heard) >= len(RECORDINGS)
            assert finals(answer) == heard
