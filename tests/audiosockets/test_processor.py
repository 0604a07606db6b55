import asyncio
import threading
import time

import pytest

from audiosockets import Block, End, Event, Processor, Stream
from tests.audiosockets.clients import TOKEN, Memory, Running, eventually, recording
from tests.audiosockets.conftest import RATE, noise_of


def test_it_may_be_iterated(url: str, stream: str) -> None:
    heard = list[object]()

    async def hear() -> None:
        async for message in Processor(url, stream, token=TOKEN, since="0"):
            heard.append(message)

    with recording(url, stream) as (_, source):
        thread = threading.Thread(target=lambda: asyncio.run(hear()), daemon=True)
        thread.start()
        eventually(lambda: heard)
        source.say(noise_of(1.0))
    thread.join(30)
    first, block, last = heard
    assert isinstance(first, Stream) and isinstance(block, Block)
    assert block.pcm == noise_of(1.0)
    assert isinstance(last, End) and last.reason == "ended"


def test_methods_may_be_async(url: str, stream: str) -> None:
    class Async(Memory):
        layer = "sum"

        async def process(self, block: Block) -> float:
            await asyncio.sleep(0)
            self.blocks.append(block)
            return float(block.samples.sum())

    with recording(url, stream) as (_, source):
        processor = Async(url, stream, token=TOKEN)
        running = Running(processor)
        listening = Running(memory := Memory(url, stream, token=TOKEN, layers=("sum",)))
        eventually(lambda: processor.streams and memory.streams)
        source.say(noise_of(0.1))
        eventually(lambda: memory.events)
    running.join()
    listening.join()
    assert memory.events[0].data == pytest.approx(processor.blocks[0].samples.sum())


def test_what_a_method_raises_ends_it_and_it_is_closed(url: str, stream: str) -> None:
    class Broken(Memory):
        def process(self, block: Block) -> None:
            raise ZeroDivisionError

    with recording(url, stream) as (_, source):
        source.say(noise_of(0.1))
        processor = Broken(url, stream, token=TOKEN)
        with pytest.raises(ZeroDivisionError):
            processor.run()
    assert processor.closed == 1


def test_stop_ends_it_from_anywhere(url: str, stream: str) -> None:
    with recording(url, stream):
        running = Running(memory := Memory(url, stream, token=TOKEN))
        eventually(lambda: memory.streams)
        memory.stop()
        running.join()
    assert memory.closed == 1


def test_publish_reaches_other_layers_and_carries_bytes(url: str, stream: str) -> None:
    with recording(url, stream) as (_, source):
        running = Running(memory := Memory(url, stream, token=TOKEN, layers=("audio", "mel")))
        eventually(lambda: memory.streams)
        source.say(noise_of(0.1))
        eventually(lambda: memory.blocks)
        memory.publish({"bands": 2}, 0, 100, layer="mel", payload=b"\0\1")
        eventually(lambda: memory.events)
        with pytest.raises(ValueError, match="mel"):
            memory.publish(object(), 0, 100, layer="mel")
    running.join()
    event = memory.events[0]
    assert (event.layer, event.start, event.end, event.data, event.payload) == ("mel", 0, 100, {"bands": 2}, b"\0\1")


def test_one_that_sleeps_loses_its_own_audio_and_is_told_which(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 48 kHz the server holds fifteen seconds of this stream; the others lose nothing."""
    from tests.live_server import live_server

    class Sleeper(Memory):
        awake = False

        def process(self, block: Block) -> None:
            super().process(block)
            eventually(lambda: type(self).awake)

    def heard(listener: Running) -> int:
        blocks = listener.runs.blocks  # type: ignore[union-attr]
        return blocks[-1].end if blocks else 0

    monkeypatch.setattr("hub.connection.SEND_TIMEOUT_S", 600)  # on a slow machine it sleeps for longer than 30 s
    with live_server(stream_speed=1000.0, stream_history_s=10.0) as server:
        url = f"http://127.0.0.1:{server.port}"
        with recording(url, stream) as (_, source):
            slow = Running(sleeper := Sleeper(url, stream, token=TOKEN))
            others = [Running(Memory(url, stream, token=TOKEN)) for _ in range(3)]
            eventually(lambda: sleeper.streams and all(each.runs.streams for each in others))  # type: ignore[union-attr]
            seconds = 600  # more than the sockets between them can hold
            for n in range(seconds):
                source.say(noise_of(1.0, seed=n))
                eventually(lambda: all(heard(each) >= n * RATE for each in others))  # noqa: B023  # before the next
            eventually(lambda: all(heard(each) == seconds * RATE for each in others))
            Sleeper.awake = True
        slow.join()
        for each in others:
            each.join()
    expected = b"".join(noise_of(1.0, seed=n) for n in range(seconds))
    for each in others:
        assert isinstance(each.runs, Memory)
        assert each.runs.pcm == expected and not each.runs.gaps
    assert sleeper.gaps and {gap.reason for gap in sleeper.gaps} == {"slow"}
    position = 0
    parts = [(part.start, part.end) for part in sleeper.blocks] + [(part.start, part.end) for part in sleeper.gaps]
    for start, end in sorted(parts):
        assert start == position
        position = end
    assert position == seconds * RATE


def test_options_are_attributes() -> None:
    class Mine(Processor):
        threshold = 3

    assert Mine.options()["threshold"] == 3
    assert "process" not in Mine.options()
    assert Mine("http://host", threshold=4).threshold == 4
    with pytest.raises(TypeError, match="Mine has no option speed; it has layers, .*threshold"):
        Mine("http://host", speed=4)
    with pytest.raises(ValueError, match="does not run"):
        Mine("http://host").publish(1, 0, 0)
    Mine("http://host").stop()  # nothing to end


def test_an_answer_of_none_is_no_message(url: str, stream: str) -> None:
    class Rare(Memory):
        layer = "rare"

        def process_event(self, event: Event) -> None:
            super().process_event(event)

        def process(self, block: Block) -> int | None:
            return 1 if block.start == 0 else None

    with recording(url, stream) as (_, source):
        running = Running(rare := Rare(url, stream, token=TOKEN, layers=("audio", "rare")))
        eventually(lambda: rare.streams)
        for _ in range(3):
            source.say(noise_of(0.1))
            time.sleep(0)
        eventually(lambda: rare.events)
    running.join()
    assert [event.data for event in rare.events] == [1]
