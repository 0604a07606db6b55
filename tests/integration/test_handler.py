"""Both forms of /ws against a real uvicorn, with a symbolic voice detector and recogniser."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from websockets.asyncio.client import connect

from audio import Draft, Utterance
from session.recorder import Recorder
from tests.fake_engine import spoken
from tests.live_server import SILENCE, LiveServer, dictate, finals, live_server


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(models={"en": "fake-en", "ja": "fake-ja"}) as running:
        yield running


def test_a_whole_conversation(server: LiveServer) -> None:
    audio = (SILENCE, spoken(1, 2), SILENCE, spoken(3), SILENCE)
    heard = asyncio.run(dictate(server.url, *audio, interim_results=True, lang="en-US"))
    kinds = [message["type"] for message in heard]
    assert kinds[0] == "ready" and kinds[-2:] == ["done", "closed"] and heard[-1]["code"] == 1000
    assert finals(heard) == ["w1 w2", "w3"]
    order = [(m["segment"], m["final"]) for m in heard if m["type"] == "result"]
    assert order == sorted(order) and (0, False) in order and (1, False) in order
    assert kinds.count("speech_start") == kinds.count("speech_end") == 2
    last = [m for m in heard if m["type"] == "progress"][-1]
    assert last["received_ms"] == last["settled_ms"] == sum(map(len, audio)) // 16


@pytest.mark.parametrize("chunk", [128, 513, 16_000])
def test_the_size_of_the_messages_does_not_matter(server: LiveServer, chunk: int) -> None:
    heard = asyncio.run(dictate(server.url, SILENCE, spoken(4, 5), chunk=chunk))
    assert finals(heard) == ["w4 w5"]


def test_integers_at_another_rate(server: LiveServer) -> None:
    async def main() -> list[str]:
        async with connect(server.url, subprotocols=["speech.v1"]) as socket:  # type: ignore[list-item]
            await socket.send(json.dumps({"type": "start", "encoding": "s16le", "sample_rate": 48_000}))
            audio = np.repeat(np.concatenate([SILENCE, spoken(20), SILENCE]), 3)
            await socket.send((audio * 32767).astype("<i2").tobytes())
            await socket.send('{"type": "stop"}')
            return finals([json.loads(message) async for message in socket])

    (text,) = asyncio.run(main())
    assert "w20" in text


def test_the_plain_form_says_only_the_text(server: LiveServer) -> None:
    async def main() -> list[str]:
        async with connect(server.url) as socket:
            for part in (SILENCE, spoken(6), SILENCE, spoken(7)):
                await socket.send(part.tobytes())
            await socket.send('{"type": "stop"}')
            return [str(message) async for message in socket]

    assert asyncio.run(main()) == ["w6", "w7"]


def test_a_session_speaks_the_language_it_asked_for(server: LiveServer) -> None:
    heard = asyncio.run(dictate(server.url, SILENCE, lang="ja-JP"))
    assert (heard[0]["lang"], heard[0]["model"]) == ("ja-JP", "fake-ja")


@pytest.mark.parametrize(
    "message, code, close",
    [
        ("hello", "protocol", 1008),
        ('{"type": "start", "sample_rate": 1}', "protocol", 1008),
        ('{"type": "start", "lang": "tlh"}', "language_not_supported", 1008),
        (b"\x00\x00\x00", "bad_audio", 1008),
        (np.array([np.nan], np.float32).tobytes(), "bad_audio", 1008),
        (b"\x00\x00\x00\x00", "protocol", 1008),
    ],
)
def test_what_is_wrong_is_said_before_the_close(
    server: LiveServer, message: str | bytes, code: str, close: int
) -> None:
    async def main() -> None:
        async with connect(server.url, subprotocols=["speech.v1"]) as socket:  # type: ignore[list-item]
            await socket.send(message)
            error = json.loads(await socket.recv())
            assert (error["type"], error["code"]) == ("error", code)
            await socket.wait_closed()
            assert socket.close_code == close

    asyncio.run(main())


def test_a_message_over_the_limit_closes_with_1009(server: LiveServer) -> None:
    async def main() -> None:
        async with connect(server.url, subprotocols=["speech.v1"]) as socket:  # type: ignore[list-item]
            await socket.send(bytes((1 << 20) + 4))
            await socket.wait_closed()
            assert socket.close_code == 1009

    asyncio.run(main())


def test_an_utterance_is_decoded_while_its_pause_lasts_and_not_again(server: LiveServer) -> None:
    server.backend.jobs.clear()
    heard = asyncio.run(dictate(server.url, SILENCE, spoken(1, 2, 3), SILENCE, interim_results=True))
    assert finals(heard) == ["w1 w2 w3"]
    assert [isinstance(job, Draft) and job.complete for job in server.backend.jobs].count(True) == 1
    assert all(isinstance(job, Draft) for job in server.backend.jobs)


def test_an_engine_that_is_slow_decodes_the_utterance_itself() -> None:
    with live_server() as server:
        server.backend.eager = False
        heard = asyncio.run(dictate(server.url, SILENCE, spoken(1, 2, 3), SILENCE, interim_results=True))
        assert finals(heard) == ["w1 w2 w3"]
        assert [isinstance(job, Draft) for job in server.backend.jobs].count(False) == 1


def test_without_interim_results_only_utterances_are_decoded(server: LiveServer) -> None:
    server.backend.jobs.clear()
    heard = asyncio.run(dictate(server.url, SILENCE, spoken(1, 2, 3), SILENCE))
    assert finals(heard) == ["w1 w2 w3"] and len(server.backend.jobs) == 1


def test_a_final_does_not_wait_for_its_draft() -> None:
    """A draft of the same speech hangs: the final, stopped by hand without a pause, comes all the same."""
    with live_server() as server:
        server.backend.hold_drafts = True
        heard = asyncio.run(dictate(server.url, SILENCE, spoken(1, 2, 3), interim_results=True))
        assert finals(heard) == ["w1 w2 w3"] and server.backend.active == 0


def test_a_result_does_not_wait_for_the_disk_and_the_last_recording_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, write = threading.Event(), Recorder._write

    def slowly(self: Recorder, session: str, lang: str, utterance: Utterance, text: str) -> None:
        disk.wait(60)
        write(self, session, lang, utterance, text)

    monkeypatch.setattr(Recorder, "_write", slowly)
    with live_server(save_audio=True, save_dir=str(tmp_path)) as server:
        heard = asyncio.run(dictate(server.url, SILENCE, spoken(1, 2), SILENCE, spoken(3)))
        assert finals(heard) == ["w1 w2", "w3"] and not list(tmp_path.iterdir())
        disk.set()  # the server waits for it when it stops
    said = [json.loads(path.read_text(encoding="utf-8"))["text"] for path in sorted(tmp_path.glob("*.json"))]
    assert said == ["w1 w2", "w3"] and len(list(tmp_path.glob("*.wav"))) == 2
