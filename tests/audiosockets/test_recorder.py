import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audiosockets import ConfigError, File, Format, Gap, Pipe, Recorder, Refused
from audiosockets.recorder import open_source
from tests.audiosockets.clients import TOKEN, Live, Memory, Running, eventually, recording
from tests.audiosockets.conftest import RATE, noise_of
from tests.audiosockets.proxy import Proxy
from tests.live_server import live_server


def test_a_file_arrives_sample_for_sample(url: str, stream: str, noise: bytes, wav: Callable[..., Path]) -> None:
    recorder = Recorder(url, stream, File(wav(noise, channels=2), speed=20), token=TOKEN)
    running = Running(recorder)
    assert recorder.ready.wait(10)
    memory = Memory(url, stream, token=TOKEN)
    memory.run()
    running.join()
    assert memory.pcm == noise
    assert memory.streams[0].format == Format(RATE, 2, "s16le")
    assert recorder.position == len(noise) // 4
    assert not memory.gaps


def test_the_server_makes_the_tokens_that_are_not_named(url: str, stream: str) -> None:
    with recording(url, stream, token="") as (recorder, _):
        assert recorder.tokens.keys() == {"listen_token", "publish_token", "record_token"}
        tokens = dict(recorder.tokens)
        with pytest.raises(Refused, match="taken"):
            Recorder(url, stream, Live()).run()
    with recording(url, stream, **tokens) as (again, _):
        assert again.tokens == tokens


def test_what_was_recorded_while_the_network_was_away_is_sent_after_it(url: str, stream: str, proxy: Proxy) -> None:
    pcm = noise_of(3.0)
    parts = [pcm[at : at + RATE] for at in range(0, len(pcm), RATE)]  # of half a second
    with recording(proxy.url, stream) as (recorder, source):
        running = Running(memory := Memory(url, stream, token=TOKEN))
        eventually(lambda: memory.streams)
        for part in parts[:2]:
            source.say(part)
        eventually(lambda: recorder.position == RATE)
        proxy.cut(stay_down=True)
        for part in parts[2:5]:
            source.say(part)
        eventually(lambda: len(recorder.backlog) == 3 * RATE // 2)
        proxy.up()
        source.say(parts[5])
        eventually(lambda: recorder.position == 3 * RATE)
        assert recorder.links == 2
    running.join()
    assert memory.pcm == pcm
    assert not memory.gaps


def test_what_no_buffer_holds_is_a_gap_that_is_told(url: str, stream: str, proxy: Proxy) -> None:
    with recording(proxy.url, stream, buffer_s=1.0) as (recorder, source):
        running = Running(memory := Memory(url, stream, token=TOKEN))
        eventually(lambda: memory.streams)
        source.say(noise_of(1.0))
        eventually(lambda: recorder.position == RATE)
        proxy.cut(stay_down=True)
        source.say(noise_of(2.5))
        eventually(lambda: recorder.backlog.dropped == 1.5 * RATE)
        proxy.up()
        eventually(lambda: recorder.position == 3.5 * RATE)
    running.join()
    assert memory.gaps == [Gap("audio", RATE, 5 * RATE // 2, "recorder")]
    assert b"".join(block.pcm for block in memory.blocks) == noise_of(1.0) + noise_of(2.5)[3 * RATE :]


def test_a_connection_that_is_cut_again_and_again_loses_nothing(url: str, stream: str, proxy: Proxy) -> None:
    pcm, block = noise_of(4.0), 2 * RATE // 10
    with recording(proxy.url, stream) as (recorder, source):
        running = Running(memory := Memory(url, stream, token=TOKEN))
        eventually(lambda: memory.streams)
        for at in range(0, len(pcm), block):
            source.say(pcm[at : at + block])
            if at // block % 10 == 5:
                proxy.cut()
                links = recorder.links
                eventually(lambda before: recorder.links > before, links)
    running.join()
    assert recorder.links >= 5
    assert memory.pcm == pcm


def test_a_server_that_is_restarted_goes_on_at_the_position(stream: str) -> None:
    with live_server() as first:
        proxy = Proxy(first.port)
        proxy.__enter__()
        source = Live()
        recorder = Recorder(proxy.url, stream, source, token=TOKEN)
        running = Running(recorder)
        source.say(noise_of(1.0))  # the server says what it holds once a second
        eventually(lambda: recorder.position == RATE)
    source.say(noise_of(0.5, seed=1))
    with live_server() as second:
        proxy._target_port = second.port
        eventually(lambda: recorder.links == 2)
        memory = Memory(proxy.url, stream, token=TOKEN)
        hearing = Running(memory)
        eventually(lambda: memory.streams)
        source.close()
        running.join()
        hearing.join()
    proxy.__exit__(None, None, None)
    assert memory.blocks[0].start == RATE  # what came before had arrived at the first server
    assert memory.pcm == noise_of(0.5, seed=1)


def test_a_recorder_that_is_started_again_goes_on_where_the_stream_is(url: str, stream: str) -> None:
    first = Recorder(url, stream, source := Live(), token=TOKEN)
    running = Running(first)
    source.say(noise_of(1.0))
    eventually(lambda: first.position == RATE)
    running.abandon()
    with recording(url, stream) as (_, source):
        running = Running(memory := Memory(url, stream, token=TOKEN))
        source.say(noise_of(1.0, seed=1))
        eventually(lambda: memory.blocks and memory.blocks[-1].end == 2 * RATE)
    running.join()
    assert memory.pcm == noise_of(1.0) + noise_of(1.0, seed=1)


def test_a_source_that_can_wait_is_read_no_faster_than_it_is_sent(url: str, stream: str) -> None:
    read = 0

    class Counting(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            nonlocal read
            data = super().read(size)
            read += len(data)
            return data

    pcm = noise_of(30.0)
    recorder = Recorder(url, stream, Pipe(Counting(pcm)), token=TOKEN, buffer_s=2.0)
    running = Running(recorder)
    assert recorder.ready.wait(10)
    memory = Memory(url, stream, token=TOKEN)
    memory.run()
    running.join()
    assert recorder.backlog.dropped == 0
    assert memory.pcm == pcm
    assert read == len(pcm)


def test_what_the_source_raises_is_raised_after_what_it_gave_was_sent(url: str, stream: str) -> None:
    class Breaking(Live):
        def blocks(self) -> Iterator[bytes]:
            yield noise_of(1.0)
            raise ValueError("the microphone was pulled out")

    recorder = Recorder(url, stream, Breaking(), token=TOKEN)
    with pytest.raises(ValueError, match="pulled out"):
        recorder.run()
    assert recorder.position == RATE


def test_a_refusal_ends_the_recorder_and_its_source(url: str, stream: str) -> None:
    source = Live()
    with pytest.raises(Refused, match="sample_rate|token"):
        Recorder(url, stream, source, record_token="short").run()
    assert list(source.blocks()) == []


def test_no_thread_is_left_behind(url: str, stream: str) -> None:
    before = threading.active_count()
    with recording(url, stream) as (_, source):
        source.say(noise_of(0.1))
    eventually(lambda: threading.active_count() <= before)


def test_sources_by_configuration(wav: Callable[..., Path], noise: bytes) -> None:
    from audiosockets import Config

    assert open_source(Config(file=str(wav(noise)))).live
    pipe = open_source(Config(file="-", sample_rate=44_100, channels=2, encoding="f32le"))
    assert pipe.format == Format(44_100, 2, "f32le")
    with pytest.raises(ConfigError):
        Config(buffer_s=0)
