"""A stream's own rules: positions, trimming, gaps, layers, links."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.history import Gap, Item, Reader
from hub.keys import Keys
from hub.stream import MAX_LAYERS, MIN_RING_S, Depth, Stream, cut, describe
from hub.wire import Event, Format, Refusal, payload_of
from tests.hub_client import parse, ramp

KEYS = Keys("listen", "publish", "record")


def stream(format: Format | None = None, depth: Depth | None = None, start: int = 0) -> Stream:
    return Stream("talk", format or Format("s16le", 8_000), KEYS, depth or Depth(), start=start)


def contents(what: Stream) -> list[Item | Gap]:
    reader = Reader.at(what.audio, 0)
    return [reader.read() for _ in iter(lambda: reader.waiting, False)]


def sound(what: Stream) -> bytes:
    return b"".join(bytes(payload_of(i.message)) for i in contents(what) if isinstance(i, Item))  # type: ignore[arg-type]


def test_overlap_is_trimmed_and_a_jump_is_a_gap() -> None:
    talk = stream(start=100)
    assert talk.write(90, ramp(90, 20)) == 10 and talk.position == 110
    assert talk.write(80, ramp(80, 20)) == 0
    assert talk.write(120, ramp(120, 10)) == 10 and talk.position == 130
    first, second, gap, third = contents(talk)
    assert first == Gap(0, 100, "history") and gap == Gap(110, 120, "recorder")
    assert [(i.start, i.end) for i in (second, third)] == [(100, 110), (120, 130)]
    assert sound(talk) == ramp(100, 10) + ramp(120, 10)


@given(st.lists(st.tuples(st.integers(-30, 5), st.integers(1, 40)), max_size=30))
def test_whatever_is_sent_again_each_sample_is_held_once(sends: list[tuple[int, int]]) -> None:
    talk = stream()
    for back, count in sends:
        start = max(0, talk.position + back)
        talk.write(start, ramp(start, count))
    at = 0
    for what in contents(talk):
        assert what.start == at
        at = what.end
        if isinstance(what, Item):
            assert isinstance(what.message, bytes) and payload_of(what.message) == ramp(
                what.start, what.end - what.start
            )
    assert at == talk.position


def test_samples_of_all_channels_stay_together() -> None:
    talk = stream(Format("f32le", 48_000, 2))
    samples = np.arange(20, dtype="<f4").reshape(10, 2)
    assert talk.write(0, samples.tobytes()) == 10 and talk.position == 10
    assert talk.write(5, samples[5:].tobytes() + samples[:2].tobytes()) == 2
    assert sound(talk) == samples.tobytes() + samples[:2].tobytes()


@pytest.mark.parametrize("pcm", [b"", b"\0", b"\0\0\0", np.array([1, np.nan], "<f4").tobytes()])
def test_audio_that_is_none_is_refused(pcm: bytes) -> None:
    talk = stream(Format("f32le", 16_000))
    with pytest.raises(Refusal) as error:
        talk.write(0, pcm)
    assert error.value.code == "bad_audio" and talk.position == 0


def test_a_position_stays_what_javascript_can_count() -> None:
    with pytest.raises(Refusal, match="start"):
        stream().write((1 << 53) - 2, ramp(0, 2))


def test_processors_publish_about_what_was_heard() -> None:
    talk = stream()
    talk.write(0, ramp(0, 100))
    talk.publish(Event("level", 0, 100, {"db": -20.5}))
    talk.publish(Event("spectrum", 0, 100), b"\1\2")
    level, spectrum = (parse(Reader(talk.layers[name], 0, 0).read().message) for name in ("level", "spectrum"))  # type: ignore[union-attr]
    assert level == {"type": "event", "layer": "level", "start": 0, "end": 100, "data": {"db": -20.5}}
    assert spectrum == {"type": "binary", "layer": "spectrum", "start": 0, "end": 100, "payload": b"\1\2"}
    for wrong in (Event("audio", 0, 1), Event("results", 0, 1), Event("level", 0, 101)):
        with pytest.raises(Refusal) as error:
            talk.publish(wrong)
        assert error.value.code == "protocol"


def test_layers_are_bounded_in_number_and_memory() -> None:
    talk = stream()
    for number in range(MAX_LAYERS - 2):
        talk.publish(Event(f"layer{number}", 0, 0))
    with pytest.raises(Refusal) as error:
        talk.publish(Event("more", 0, 0))
    assert error.value.code == "too_many"
    for _ in range(3000):
        talk.publish(Event("layer0", 0, 0), bytes(5000))
    ring = talk.layers["layer0"]
    assert ring.next == 3001 and ring.next - ring.first < 210


def test_a_flood_in_one_layer_takes_nothing_from_the_others() -> None:
    talk = stream()
    talk.write(0, ramp(0, 100))
    talk.publish_result(0, 100, {"type": "result"})
    for _ in range(5000):
        talk.publish(Event("flood", 0, 0), bytes(5000))
    assert talk.audio.first == talk.layers["results"].first == 0


@pytest.mark.parametrize("history_s, held_s", [(0, MIN_RING_S), (30, 30)])
def test_audio_is_held_for_the_history_but_long_enough_for_those_who_listen(history_s: float, held_s: float) -> None:
    talk = stream(depth=Depth(history_s))
    for start in range(0, 400_000, 800):
        talk.write(start, ramp(start, 800))
    held = contents(talk)[1:]
    assert held[-1].end - held[0].start == held_s * 8_000


def test_an_audio_message_can_be_cut_to_the_sample() -> None:
    talk = stream(Format("s16le", 8_000, 2))
    talk.write(10, ramp(0, 40))
    item = contents(talk)[-1]
    assert isinstance(item, Item)
    message = parse(cut(item, 15, talk.format))
    assert (message["start"], message["end"], message["payload"]) == (15, 30, ramp(10, 30))


def test_the_newest_link_is_the_recorder() -> None:
    talk, dropped = stream(), list[str]()
    first = talk.attach(lambda: dropped.append("first"))
    second = talk.attach(lambda: dropped.append("second"))
    assert dropped == ["first"] and talk.holds(second) and not talk.holds(first)
    assert not talk.leave(first) and describe(talk)["recorder"] == "live"
    assert talk.leave(second) and describe(talk)["recorder"] == "away" and talk.abandoned_since(second)
    third = talk.attach()
    assert dropped == ["first"] and not talk.abandoned_since(second) and talk.holds(third)


def test_a_stream_ends_once() -> None:
    talk = stream()
    link = talk.attach()
    talk.finish("lost")
    talk.end("ended")
    assert (talk.finished, talk.ended) == ("lost", "lost") and not talk.holds(link)


def test_everybody_is_woken_and_nobody_asked() -> None:
    class Ear:
        woken = 0

        def wake(self) -> None:
            self.woken += 1

    talk, subscriber, recognizer = stream(), Ear(), Ear()
    talk.subscribers.add(subscriber)
    talk.recognizer = recognizer
    talk.write(0, ramp(0, 1))
    talk.publish(Event("level", 0, 0))
    assert subscriber.woken == recognizer.woken == 2
