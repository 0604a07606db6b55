from collections import Counter

import pytest

from audiosockets import Block, Event, Gap, Refused
from audiosockets.config import Config
from audiosockets.subscription import Subscription
from tests.audiosockets.clients import TOKEN, Memory, Running, eventually, recording
from tests.audiosockets.conftest import RATE, noise_of
from tests.audiosockets.proxy import Proxy
from tests.fake_engine import spoken


class Counting(Memory):
    layer = "count"

    def process(self, block: Block) -> dict[str, int]:
        super().process(block)
        return {"blocks": len(self.blocks)}


def words(memory: Memory) -> list[str]:
    results = [each.data for each in memory.events if each.data.get("type") == "result"]
    return [each["alternatives"][0]["transcript"] for each in results if each["final"]]


def test_a_late_listener_may_ask_for_what_was_before(url: str, stream: str) -> None:
    with recording(url, stream) as (recorder, source):
        source.say(noise_of(2.0))
        eventually(lambda: recorder.position == 2 * RATE)
        running = Running(memory := Memory(url, stream, token=TOKEN, since="-0.5s"))
        eventually(lambda: memory.blocks)
        assert memory.streams[0].start == memory.blocks[0].start == 3 * RATE // 2
    running.join()
    assert memory.pcm == noise_of(2.0)[3 * RATE :]


def test_after_a_lost_link_it_goes_on_at_the_next_sample(url: str, stream: str, proxy: Proxy) -> None:
    pcm = noise_of(3.0)
    with recording(url, stream) as (_, source):
        running = Running(memory := Memory(proxy.url, stream, token=TOKEN, layers=("audio",)))
        eventually(lambda: memory.streams)
        for n in range(6):
            source.say(pcm[n * RATE : (n + 1) * RATE])
            eventually(lambda end: memory.blocks and memory.blocks[-1].end == end, (n + 1) * RATE // 2)
            if n < 5:
                proxy.cut()
    running.join()
    assert memory.pcm == pcm
    assert proxy.connections >= 6
    assert len(memory.streams) == 1  # to the processor it is one stream


def test_results_of_the_time_without_a_link_come_afterwards_and_once(url: str, stream: str, proxy: Proxy) -> None:
    """They belong to audio that was heard before the link was lost."""

    def say(source: object, *numbers: int) -> None:
        for number in numbers:
            speech = (spoken(number) * 32767).astype("<i2").tobytes()
            source.say(speech + bytes(2 * RATE))  # type: ignore[attr-defined]

    with recording(url, stream, recognize="en") as (_, source):
        whole = Running(undisturbed := Memory(url, stream, token=TOKEN))
        running = Running(memory := Memory(proxy.url, stream, token=TOKEN))
        eventually(lambda: memory.streams and undisturbed.streams)
        say(source, 1, 2)
        eventually(lambda: words(memory) == ["w1", "w2"])
        end = memory.blocks[-1].end
        proxy.cut(stay_down=True)
        say(source, 3)
        eventually(lambda: words(undisturbed) == ["w1", "w2", "w3"])
        proxy.up()
        eventually(lambda: words(memory) == ["w1", "w2", "w3"])
        assert memory.blocks[-1].end > end
    running.join()
    whole.join()
    assert [each.data for each in memory.events] == [each.data for each in undisturbed.events]
    assert memory.pcm == undisturbed.pcm


def test_gaps_in_audio_are_told_once() -> None:
    subscription = Subscription(Config(), ("audio", "level"))
    assert subscription._news_in(Gap("audio", 0, 10, "history")) == Gap("audio", 0, 10, "history")
    assert subscription._news_in(Gap("audio", 5, 10, "history")) is None
    assert subscription._news_in(Gap("audio", 5, 20, "history")) == Gap("audio", 10, 20, "history")


def test_gaps_in_other_layers_are_always_told() -> None:
    """They end before the audio that was already heard; only what an earlier connection heard is not missing."""
    subscription = Subscription(Config(), ("audio", "level"))
    subscription._next = 1000
    slow, history = Gap("level", 5, 20, "slow", 3), Gap("level", 5, 20, "history")
    assert [subscription._news_in(gap) for gap in (slow, history)] == [slow, history]
    subscription._known = 10
    assert subscription._news_in(slow) == slow
    assert subscription._news_in(history) == Gap("level", 10, 20, "history")
    subscription._known = 20
    assert subscription._news_in(history) is None


def test_two_events_that_are_alike_are_two() -> None:
    subscription = Subscription(Config(), ("keyword",))
    twice = [Event("keyword", 1, 2, {"phrase": "help"}) for _ in range(2)]
    assert [subscription._news_in(event) for event in twice] == twice
    subscription._replayed = Counter(subscription._heard)  # a new connection
    assert [subscription._news_in(event) for event in (*twice, twice[0])] == [None, None, twice[0]]


def test_published_events_reach_everybody_also_across_a_lost_link(url: str, stream: str, proxy: Proxy) -> None:
    with recording(url, stream) as (_, source):
        counter = Counting(proxy.url, stream, token=TOKEN)
        running = Running(counter)
        listening = Running(memory := Memory(url, stream, token=TOKEN, layers=("count",)))
        eventually(lambda: counter.streams and memory.streams)
        for n in range(5):
            source.say(noise_of(0.1))
            eventually(lambda count: len(memory.events) == count, n + 1)
            if n < 4:
                proxy.cut()
    running.join()
    listening.join()
    assert [each.data["blocks"] for each in memory.events] == [1, 2, 3, 4, 5]
    assert [each.end for each in memory.events] == [n * RATE // 10 for n in range(1, 6)]


def test_a_listen_token_does_not_publish(url: str, stream: str) -> None:
    with recording(url, stream, listen_token="only-for-listening") as (_, _source):
        with pytest.raises(Refused, match="publish token"):
            Memory(url, stream, token="only-for-listening", layer="count").run()
        with pytest.raises(Refused, match="token_needed"):
            Memory(url, stream, token="").run()


def test_a_listener_may_come_before_its_stream(url: str, stream: str) -> None:
    running = Running(memory := Memory(url, stream, token=TOKEN))
    eventually(lambda: memory._subscription and memory._subscription._pauses._next_s > 0.25)
    with recording(url, stream) as (_, source):
        source.say(noise_of(0.1))
        eventually(lambda: memory.blocks)
    running.join()


def test_the_end_of_a_stream_reaches_who_was_cut_off(url: str, stream: str, proxy: Proxy) -> None:
    pcm = noise_of(1.0)
    running = Running(memory := Memory(proxy.url, stream, token=TOKEN, layers=("audio", "count")))
    others = [
        Running(Counting(url, stream, token=TOKEN)),
        Running(near := Memory(url, stream, token=TOKEN, layers=("count",))),
    ]
    with recording(url, stream) as (_, source):
        source.say(pcm[:RATE])
        eventually(lambda: memory.blocks and memory.events)
        proxy.cut(stay_down=True)
        source.say(pcm[RATE:])
        eventually(lambda: len(near.events) == 2)
    proxy.up()
    for each in (running, *others):
        each.join()
    assert (memory.pcm, memory.gaps, memory.closed) == (pcm, [], 1)
    assert [each.end for each in memory.events] == [RATE // 2, RATE]


def test_a_stream_that_ended_while_the_link_was_lost_is_given_up(url: str, stream: str, proxy: Proxy) -> None:
    memory = Memory(proxy.url, stream, token=TOKEN)
    running = Running(memory)
    with recording(url, stream) as (_, source):
        source.say(noise_of(0.1))
        eventually(lambda: memory.blocks)
        assert memory._subscription is not None
        memory._subscription._missing_s = 0.0
        proxy.cut(stay_down=True)
    proxy.up()
    running.join()
    assert memory.closed == 1


def test_it_may_wait_for_the_next_stream_of_the_name(url: str, stream: str) -> None:
    memory = Memory(url, stream, token=TOKEN, again=True)
    running = Running(memory)
    for n in (1, 2):
        with recording(url, stream) as (_, source):
            source.say(noise_of(0.1, seed=n))
            eventually(lambda count: len(memory.blocks) == count, n)
    eventually(lambda: memory.closed == 2)
    memory.stop()
    running.join()
    assert [block.start for block in memory.blocks] == [0, 0]
    assert len(memory.streams) == 2
