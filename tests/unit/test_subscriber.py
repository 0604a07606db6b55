"""What a subscriber is told, in which order, and what it is told to be missing."""

import random

import pytest

from hub.stream import Depth, Stream
from hub.subscriber import Missed, Subscriber
from hub.wire import Event, Format
from tests.hub_client import Message, parse, ramp, sound
from tests.unit.test_stream import KEYS

BOTH = frozenset({"audio", "results"})


def talk(depth: Depth | None = None) -> Stream:
    return Stream("talk", Format("s16le", 8_000), KEYS, depth or Depth())


def speak(stream: Stream, count: int = 800) -> None:
    stream.write(stream.position, ramp(stream.position, count))


def take(subscriber: Subscriber) -> list[Message]:
    heard: list[Message] = []
    while (message := subscriber.next_message()) is not None:
        heard.append(parse(message))
    return heard


def kinds(messages: list[Message]) -> list[str]:
    return [m.get("layer", "") if m["type"] in ("binary", "event") else m["type"] for m in messages]


def test_messages_of_all_layers_come_in_the_order_they_were_made() -> None:
    stream = talk()
    everything, some = Subscriber(stream, None), Subscriber(stream, BOTH)
    speak(stream)
    stream.publish_result(0, 800, {"type": "result"})
    speak(stream)
    stream.publish(Event("level", 800, 1600, 1))
    speak(stream)
    assert kinds(take(everything)) == ["audio", "results", "audio", "level", "audio"]
    assert kinds(take(some)) == ["audio", "results", "audio", "audio"]
    assert take(everything) == []


def test_the_greeting_says_what_is_there_and_where_the_audio_begins() -> None:
    stream = talk()
    speak(stream)
    speak(stream)
    greeting = parse(Subscriber(stream, BOTH, 1000).greeting("subscribed", may_publish=False))
    assert greeting == {
        "type": "subscribed", "stream": "talk", "encoding": "s16le", "sample_rate": 8_000, "channels": 1,
        "position": 1600, "recorder": "away", "lang": "", "may_publish": False, "layers": ["audio", "results"],
        "from": 1000, "id": "",
    }  # fmt: skip
    assert "from" not in parse(Subscriber(stream, frozenset()).greeting("publishing", may_publish=True))


def test_a_late_subscriber_gets_history_from_its_very_sample() -> None:
    stream = talk()
    stream.publish_result(0, 0, {"n": 0})
    speak(stream)
    stream.publish_result(0, 800, {"n": 1})
    speak(stream)
    stream.publish_result(800, 1600, {"n": 2})
    heard = take(Subscriber(stream, BOTH, 1000))
    assert kinds(heard) == ["audio", "results"]
    assert heard[0]["start"] == 1000 and sound(heard) == ramp(1000, 600) and heard[1]["data"] == {"n": 2}
    assert take(Subscriber(stream, BOTH)) == []


def test_more_history_than_there_is_is_a_gap() -> None:
    stream = talk(Depth(history_s=20))
    for _ in range(300):
        speak(stream)
    subscriber = Subscriber(stream, frozenset({"audio"}), 0)
    first, *heard = take(subscriber)
    assert subscriber.at == 240_000 - 160_000
    assert first == {"type": "gap", "layer": "audio", "start": 0, "end": 80_000, "reason": "history"}
    assert sound(heard) == ramp(80_000, 160_000)


def test_without_history_nothing_of_the_past_is_replayed() -> None:
    stream = talk(Depth(history_s=0))
    speak(stream)
    heard = take(Subscriber(stream, BOTH, 0))
    assert [(m["layer"], m["start"], m["end"], m["reason"]) for m in heard] == [
        ("audio", 0, 800, "history"),
        ("results", 0, 800, "history"),
    ]


def test_who_is_slow_learns_what_was_missed_and_goes_on() -> None:
    stream = talk(Depth(history_s=1))
    slow = Subscriber(stream, None)
    for number in range(1100):
        speak(stream, 80)
        stream.publish(Event("level", stream.position - 80, stream.position, number))
    heard = take(slow)
    gaps = {m["layer"]: m for m in heard if m["type"] == "gap"}
    assert gaps["audio"] == {"type": "gap", "layer": "audio", "start": 0, "end": 8_000, "reason": "slow"}
    assert gaps["level"] == {
        "type": "gap", "layer": "level", "start": 0, "end": 8_000, "reason": "slow", "count": 100,
    }  # fmt: skip
    assert sound(heard) == ramp(8_000, 80_000)
    assert [m["data"] for m in heard if m["type"] == "event"] == list(range(100, 1100))


def test_who_wants_all_or_nothing_gets_nothing_more() -> None:
    stream = talk(Depth(history_s=1))
    strict = Subscriber(stream, BOTH, policy="disconnect")
    for _ in range(200):
        speak(stream)
    with pytest.raises(Missed) as error:
        take(strict)
    assert parse(error.value.gap)["end"] == 80_000 and error.value.close == 4408


def test_what_the_recorder_left_out_is_no_reason_to_disconnect() -> None:
    stream = talk()
    strict = Subscriber(stream, BOTH, policy="disconnect")
    speak(stream)
    stream.write(2_000, ramp(2_000, 800))
    gap = {"type": "gap", "layer": "audio", "start": 800, "end": 2_000, "reason": "recorder"}
    assert take(strict)[1] == gap


def test_the_recorder_going_and_coming_is_told() -> None:
    stream = talk()
    link = stream.attach()
    subscriber = Subscriber(stream, BOTH)
    assert take(subscriber) == []
    stream.leave(link)
    assert take(subscriber) == [{"type": "state", "recorder": "away"}]
    stream.leave(stream.attach())
    assert take(subscriber) == []
    stream.attach()
    assert take(subscriber) == [{"type": "state", "recorder": "live"}]


def test_the_end_comes_after_everything_else() -> None:
    stream = talk()
    subscriber = Subscriber(stream, BOTH)
    speak(stream)
    stream.finish("ended")
    assert kinds(take(subscriber)) == ["audio"] and not subscriber.ended
    stream.publish_result(0, 800, {})
    stream.end("ended")
    heard = take(subscriber)
    assert kinds(heard) == ["results", "end"] and subscriber.ended
    assert heard[-1] == {"type": "end", "position": 800, "reason": "ended"}


@pytest.mark.parametrize("seed", range(20))
def test_of_many_subscribers_each_gets_everything_or_is_told(seed: int) -> None:
    """Whatever the speeds: sound and gaps of each one join without overlap, and the fast ones miss nothing."""
    chance = random.Random(seed)
    stream = talk(Depth(history_s=1))
    subscribers = [Subscriber(stream, BOTH) for _ in range(5)]
    heard: list[list[Message]] = [[] for _ in subscribers]
    for _ in range(600):
        speak(stream, chance.randint(1, 800))
        for number, subscriber in enumerate(subscribers):
            if chance.random() < (1, 1, 0.3, 0.01, 0.001)[number]:
                heard[number] += take(subscriber)
    for number, subscriber in enumerate(subscribers):
        heard[number] += take(subscriber)
        at = 0
        for message in heard[number]:
            assert message["start"] == at
            at = message["end"]
            if message["type"] == "binary":
                assert message["payload"] == ramp(message["start"], message["end"] - message["start"])
        assert at == stream.position
    assert all(message["type"] == "binary" for number in (0, 1) for message in heard[number])
