from typing import Any

import pytest

from audiosockets import Event
from audiosockets.processors.keyword import Keyword, count
from tests.audiosockets.clients import TOKEN, Memory, Running, eventually, recording
from tests.fake_engine import spoken


@pytest.mark.parametrize(
    "phrase, text, times",
    [
        ("help", "Help! I need help.", 2),
        ("help", "helpful", 0),
        ("emergency exit", "the Emergency,  exit", 1),
        ("café", "Un CAFÉ", 1),
        ("火事", "火事だ、火事だ", 2),
        ("ヘルプ", "ﾍﾙﾌﾟしてください", 1),
        ("非常 口", "非常口はこちら", 1),
        ("help", "", 0),
    ],
)
def test_counting(phrase: str, text: str, times: int) -> None:
    assert count(phrase, text) == times


def result(segment: int, transcript: str, *, final: bool = False, stable: int = 0) -> Event:
    alternatives = [{"transcript": transcript, "confidence": 0.9}] if transcript else []
    data = {"type": "result", "session": "s", "segment": segment, "final": final, "stable": stable}
    return Event("results", 0, 10, {**data, "alternatives": alternatives})


def spotted(*events: Event) -> list[tuple[str, bool]]:
    found = list[tuple[str, bool]]()

    class Spotter(Keyword):
        def publish(self, data: Any, *_: object, **__: object) -> None:
            found.append((data["phrase"], data["final"]))

    spotter = Spotter("http://nowhere", phrases=["help", "火事"])
    spotter._segment, spotter._told = None, {}
    for event in events:
        spotter.process_event(event)
    return found


def test_a_phrase_is_told_once_and_as_soon_as_it_is_stable() -> None:
    interim = result(0, "help me", stable=4)
    assert spotted(interim, interim, result(0, "help me please", final=True)) == [("help", False)]
    assert spotted(result(0, "help", stable=0), result(0, "held", final=True)) == []
    assert spotted(result(0, "help", final=True), result(1, "help", final=True)) == [("help", True)] * 2
    assert spotted(result(0, "help 火事 help", final=True)) == [("help", True), ("help", True), ("火事", True)]
    assert spotted(result(0, "", final=True), Event("results", 0, 1, {"type": "speech_start", "segment": 0})) == []


def test_stable_counts_utf_16_as_the_server_does() -> None:
    assert spotted(result(0, "🔥火事だ", stable=4)) == [("火事", False)]
    assert spotted(result(0, "🔥火事だ", stable=3)) == []


def test_it_hears_what_the_recogniser_hears(url: str, stream: str, capsys: pytest.CaptureFixture[str]) -> None:
    with recording(url, stream, recognize="en") as (_, source):
        spotter = Running(processor := Keyword(url, stream, token=TOKEN, phrases=["w7"]))
        listening = Running(memory := Memory(url, stream, token=TOKEN, layers=("keyword",)))
        eventually(lambda: processor.stream and memory.streams)
        source.say((spoken(3, 7) * 32767).astype("<i2").tobytes() + bytes(32_000))
        eventually(lambda: memory.events)
    spotter.join()
    listening.join()
    assert memory.events[0].data["phrase"] == "w7"
    assert "w7: " in capsys.readouterr().out


def test_words_to_look_for_are_needed(url: str, stream: str) -> None:
    with recording(url, stream), pytest.raises(ValueError, match="phrases"):
        Keyword(url, stream, token=TOKEN, phrases=["!"]).run()
