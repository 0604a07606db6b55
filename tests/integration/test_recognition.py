"""Recorded streams that are recognised beside their recording, by the same line as /ws."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from tests.fake_engine import spoken
from tests.hub_client import LISTEN, Message, Peer, hub_socket, recording, sound
from tests.integration.test_tap import SPEECH, transcripts
from tests.live_server import SILENCE, LiveServer, live_server


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(models={"en": "fake-en", "ja": "fake-ja"}) as running:
        yield running


SKIPPED = {"type": "gap", "reason": "slow"}


def pcm(audio: object) -> bytes:
    return (np.asarray(audio) * 32767).astype("<i2").tobytes()


async def record_all(recorder: Peer, audio: object, start: int = 0) -> None:
    data = pcm(audio)
    for at in range(0, len(data), 6_400):
        await recorder.audio(start + at // 2, data[at : at + 6_400])


def test_a_recording_is_recognised_as_a_session_would_be(server: LiveServer) -> None:
    async def main() -> None:
        async with recording(server.port, "talk", recognize="ja-JP") as (recorder, answer):
            assert answer["lang"] == "ja"
            async with hub_socket(server.port, "talk/subscribe", LISTEN) as listener:
                assert (await listener.next())["lang"] == "ja"
                await record_all(recorder, SPEECH)
                await recorder.send("end")
                assert (await recorder.rest())[-1]["code"] == 1000
                heard = await listener.rest()
        assert sound(heard) == pcm(SPEECH)
        assert transcripts(heard) == ["w1 w2", "w3"]
        assert any(m["type"] == "event" and m["data"].get("final") is False for m in heard), "interim results as well"
        assert heard[-2]["reason"] == "ended", "the end waits for the last word"

    asyncio.run(main())


def test_two_channels_are_mixed_for_the_recogniser_only(server: LiveServer) -> None:
    async def main() -> None:
        async with recording(server.port, "stereo", recognize="", channels=2) as (recorder, _):
            async with hub_socket(server.port, "stereo/subscribe", LISTEN) as listener:
                await listener.next()
                data = pcm(np.repeat(SPEECH, 2))
                for at in range(0, len(data), 6_400):
                    await recorder.audio(at // 4, data[at : at + 6_400])
                await recorder.send("end")
                await recorder.rest()
                heard = await listener.rest()
        assert sound(heard) == data and transcripts(heard) == ["w1 w2", "w3"]

    asyncio.run(main())


def test_behind_a_gap_a_new_session_keeps_the_streams_time(server: LiveServer) -> None:
    async def main() -> None:
        async with recording(server.port, "gap", recognize="") as (recorder, _):
            async with hub_socket(server.port, "gap/subscribe", LISTEN) as listener:
                await listener.next()
                await record_all(recorder, np.concatenate((SILENCE, spoken(1))))
                await record_all(recorder, np.concatenate((SILENCE, spoken(2), SILENCE)), start=160_000)
                await recorder.send("end")
                await recorder.rest()
                heard = await listener.rest()
        assert transcripts(heard) == ["w1", "w2"]
        first, second = (m for m in heard if m["type"] == "event" and m["data"].get("final"))
        assert first["end"] <= 20_800 and 170_000 < second["start"] < 176_000
        assert first["data"]["segment"] == second["data"]["segment"] == 0
        assert first["data"]["session"] != second["data"]["session"]

    asyncio.run(main())


def test_a_recogniser_that_hangs_delays_neither_the_recording_nor_the_listeners() -> None:
    async def main(server: LiveServer) -> list[Message]:
        async with recording(server.port, "hung", recognize="") as (recorder, _):
            async with hub_socket(server.port, "hung/subscribe", LISTEN) as listener:
                await listener.next()
                server.loop.call_soon_threadsafe(server.backend.gate.clear)
                words = np.concatenate([np.concatenate((SILENCE, spoken(n))) for n in range(1, 31)])
                await record_all(recorder, words[: 7 * 20_800])
                heard = await listener.until("binary", end=7 * 20_800)
                while heard[-1].get("data", {}).get("type") != "speech_end" or heard[-1]["data"]["segment"] < 4:
                    heard.append(await listener.next())  # until the queue of utterances is full
                for at in range(7 * 20_800, len(words), 20_800):  # all of it, while no final comes
                    await record_all(recorder, words[at : at + 20_800], start=at)
                    heard += await listener.until("binary", end=at + 20_800)
                assert not transcripts(heard)
                while (await recorder.until("stored"))[-1]["position"] < len(words) - 20_000:
                    pass
                server.loop.call_soon_threadsafe(server.backend.gate.set)
                while heard[-1].get("data") != SKIPPED:
                    heard.append(await listener.next())
                await record_all(recorder, np.concatenate((spoken(50), SILENCE)), start=len(words))
                await recorder.send("end")
                await recorder.rest()
                return heard + await listener.rest()

    with live_server(stream_history_s=10.0, stream_speed=1000.0) as server:
        heard = asyncio.run(main(server))
    assert not [m for m in heard if m["type"] == "gap"], "no listener missed anything"
    (gap,) = [m for m in heard if m.get("data") == SKIPPED]
    texts = transcripts(heard)
    assert texts[-1] == "w50" and texts[:-1] == [f"w{n}" for n in range(1, len(texts))], "in order, none twice"
    assert 20_800 * len(texts) > gap["start"] and gap["end"] == 20_800 * 30, "what was skipped is told"


def test_without_a_place_at_the_recogniser_a_recording_is_refused_or_made_without() -> None:
    async def main(server: LiveServer) -> None:
        server.backend.late = True
        async with recording(server.port, "late", recognize="") as (_, answer):
            assert answer["code"] == "too_many"
        async with recording(server.port, "late") as (_, answer):
            assert answer["type"] == "recording"

    with live_server() as server:
        asyncio.run(main(server))


def test_a_session_that_fails_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The voice detector raises once: what was heard is told to be missing, and later speech is recognised."""
    from hub import recognition
    from tests.fake_engine import FakeVad

    monkeypatch.setattr(recognition, "RETRY_S", 0.01)
    score, failures = FakeVad.score, [RuntimeError("secret detail")]

    def fail_once(self: FakeVad, *arguments: object) -> list[float]:
        if failures:
            raise failures.pop()
        return score(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeVad, "score", fail_once)

    async def main(server: LiveServer) -> None:
        async with recording(server.port, "failed", recognize="") as (recorder, _):
            async with hub_socket(server.port, "failed/subscribe?layers=results", LISTEN) as listener:
                await listener.next()
                await record_all(recorder, SILENCE)
                assert (await listener.until("event"))[-1]["data"] == {"type": "gap", "reason": "failed"}
                await record_all(recorder, np.concatenate((spoken(4), SILENCE)), start=16_000)
                await recorder.send("end")
                await recorder.rest()
                assert transcripts(await listener.rest()) == ["w4"]

    with live_server() as server:
        asyncio.run(main(server))
