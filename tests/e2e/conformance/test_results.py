"""C38 to C50: what results say, and what they never take back."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conformance.conftest import opened
from tests.e2e.conformance.scripted import Conversation, Script, ScriptedServer, dictation, result

Event = dict[str, Any]
START = {"type": "speech_start", "segment": 0, "at_ms": 400}
END = {"type": "speech_end", "segment": 0, "at_ms": 1_000}


def says(*messages: dict[str, Any]) -> Script:
    """At the first sound, all of this."""

    async def script(line: Conversation) -> None:
        await line.ready()
        if await line.speech():
            await line.say(START, *messages)
        await line.until(lambda: line.leaving or not line.start.get("continuous", True))
        await line.goodbye()

    return script


def session(page: Page, url: str, **wish: Any) -> list[Event]:
    events: list[Event] = page.evaluate("([url, wish]) => session(url, wish)", [url, wish])
    return events


def results(events: list[Event]) -> list[Event]:
    return [event for event in events if event["type"] == "result"]


def finals(event: Event) -> list[Any]:
    return [entry for entry in event["results"] if entry["final"]]


@pytest.fixture(scope="module")
def twice(browser: Browser, server: ScriptedServer) -> list[Event]:
    """The result events of two utterances with many interims, as they were when they came; the last one is `end`."""
    line = server.line(dictation("hello world", "good morning everybody", interims=4))
    with opened(browser, server.url) as page:
        events = session(page, line.url, continuous=True, interimResults=True, stopAfter=2)
    assert events[-1]["type"] == "end"
    return results(events)


def test_c38_invariants_of_every_event(twice: list[Event]) -> None:
    before: list[Any] = []
    for event in twice:
        now, index = event["results"], event["resultIndex"]
        assert index <= len(now)
        assert now[:index] == before[:index]
        states = [entry["final"] for entry in now]
        assert states == sorted(states, reverse=True), "no interim before a final"
        assert [entry for entry in now if entry["final"]][: len(finals({"results": before}))] == finals(
            {"results": before}
        )
        before = now


def test_c39_finals_only_grow_and_no_interim_is_left(twice: list[Event]) -> None:
    known = 0
    for event in twice:
        assert event["resultIndex"] >= known
        assert len(finals(event)) >= known
        known = len(finals(event))
    assert known == 2 and len(twice[-1]["results"]) == 2


def test_c40_not_continuous_ends_after_one_final(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world", "good morning"))
    events = session(page, line.url)
    assert sum(len(finals(event)) for event in results(events)) == 1
    assert line.one.start["continuous"] is False


def test_c41_continuous_goes_on(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world", "good morning"))
    count, active = page.evaluate(
        """async (url) => {
      const r = make(url, { continuous: true }), log = watch(r);
      r.start();
      await log.until("result", 2);
      await sleep(500);
      const active = thrown(() => r.start())?.name;
      const count = log.raw.findLast((event) => event.type === "result").results.length;
      r.stop();
      await log.ended;
      return [count, active];
    }""",
        line.url,
    )
    assert (count, active) == (2, "InvalidStateError")


def test_c42_interim_results_only_when_wished(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    without, given = session(page, line.url), session(page, line.url, interimResults=True)
    assert all(entry["final"] for event in results(without) for entry in event["results"])
    assert [entry["final"] for event in results(given) for entry in event["results"]][0] is False
    assert finals(results(given)[-1])


def test_c42_an_interim_precedes_each_final_whatever_the_server_does(page: Page, server: ScriptedServer) -> None:
    """react-speech-recognition drops the second of two events that hold only finals."""
    line = server.line(dictation("hello world", "good morning", interims=0))
    events = results(session(page, line.url, continuous=True, interimResults=True, stopAfter=2))
    kinds = [[entry["final"] for entry in event["results"][event["resultIndex"] :]] for event in events]
    assert kinds == [[False], [True]] * 2


def test_c43_no_more_alternatives_than_wished(page: Page, server: ScriptedServer) -> None:
    five = result("a", final=True, confidence=0.9, others=(("b", 0.7), ("c", 0.5), ("d", 0.3), ("e", 0.1)))
    line = server.line(says(five))
    (three,) = results(session(page, line.url, maxAlternatives=3, continuous=True, stopAfter=1))
    alternatives = three["results"][0]["alternatives"]
    assert [one["transcript"] for one in alternatives] == ["a", "b", "c"]
    (one,) = results(session(page, line.url, continuous=True, stopAfter=1))
    assert [best["transcript"] for best in one["results"][0]["alternatives"]] == ["a"]
    assert line.conversations[0].start["max_alternatives"] == 3


def test_c44_confidence(page: Page, server: ScriptedServer, twice: list[Event]) -> None:
    sure = [best["confidence"] for event in twice for entry in event["results"] for best in entry["alternatives"]]
    assert all(0 <= value <= 1 and value == float(np.float32(value)) for value in sure)
    assert all(entry["alternatives"][0]["confidence"] > 0 for event in twice for entry in finals(event))
    line = server.line(dictation("hello", confidence=0.1))
    assert finals(results(session(page, line.url))[-1])[0]["alternatives"][0]["confidence"] == float(np.float32(0.1))


def test_c45_results_join_to_proper_text(page: Page, server: ScriptedServer, twice: list[Event]) -> None:
    text = "".join(entry["alternatives"][0]["transcript"] for entry in twice[-1]["results"])
    assert text == "hello world good morning everybody"
    for event in twice:
        joined = "".join(entry["alternatives"][0]["transcript"] for entry in event["results"])
        assert joined == " ".join(joined.split())


def test_c45_japanese_is_joined_without_spaces(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("こんにちは", "世界", separator=""))
    events = results(session(page, line.url, continuous=True, lang="ja", stopAfter=2))
    assert "".join(entry["alternatives"][0]["transcript"] for entry in events[-1]["results"]) == "こんにちは世界"


def test_c46_a_withdrawn_interim_leaves_the_list(page: Page, server: ScriptedServer) -> None:
    line = server.line(says(result("hello", final=False), result("", final=False, revision=1), END,
                            result("world", final=True, segment=1)))  # fmt: skip
    events = results(session(page, line.url, interimResults=True, continuous=True, stopAfter=1))
    lengths = [(event["resultIndex"], len(event["results"])) for event in events]
    assert lengths[:2] == [(0, 1), (0, 0)]
    assert [entry["alternatives"][0]["transcript"] for entry in events[-1]["results"]] == ["world"]


def test_c46_a_segment_without_words_takes_its_interim_along(page: Page, server: ScriptedServer) -> None:
    line = server.line(
        says(result("hello", final=False), END, result("", final=True), result("world", final=True, segment=1))
    )
    events = results(session(page, line.url, interimResults=True, continuous=True, stopAfter=1))
    assert [len(event["results"]) for event in events][:2] == [1, 0]
    assert [entry["alternatives"][0]["transcript"] for entry in events[-1]["results"]] == ["world"]


def test_c47_older_lists_stay_as_they_were(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world", "good morning", interims=3))
    assert page.evaluate(
        """async (url) => {
      const r = make(url, { continuous: true, interimResults: true }), log = watch(r);
      r.start();
      await eventually(() => log.raw.at(-1)?.results?.length === 2 && log.raw.at(-1).results[1].isFinal);
      r.stop();
      await log.ended;
      const results = log.events.map((event, at) => [event, log.raw[at]]).filter(([event]) => event.type === "result");
      return [results.length > 4, results.every(([told, raw]) => JSON.stringify(told.results) === JSON.stringify(plain(raw.results)))];
    }""",
        line.url,
    ) == [True, True]


def test_c48_the_next_session_begins_empty(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    assert page.evaluate(
        """async (url) => {
      const r = make(url, { interimResults: true }), log = watch(r);
      r.onend = () => log.types().filter((type) => type === "end").length < 2 && r.start();
      r.start();
      await log.until("end", 2);
      const second = log.events.slice(log.types().indexOf("end") + 1).filter((event) => event.type === "result");
      return [second.length > 1, second.every((event) => event.resultIndex === 0 && event.results.length === 1)];
    }""",
        line.url,
    ) == [True, True]


@pytest.mark.parametrize("continuous", [False, True])
def test_c49_a_final_without_words_is_no_result(page: Page, server: ScriptedServer, continuous: bool) -> None:
    line = server.line(says(END, result("", final=True)) if not continuous
                       else says(END, result("", final=True), {**START, "segment": 1}, result("next", final=True, segment=1)))  # fmt: skip
    events = session(page, line.url, continuous=continuous, stopAfter=int(continuous))
    texts = [entry["alternatives"][0]["transcript"] for event in results(events) for entry in event["results"]]
    assert texts == (["next"] if continuous else [])
    assert [event["type"] for event in events if event["type"] in ("error", "end")] == ["end"]


def test_c50_nomatch(page: Page, server: ScriptedServer) -> None:
    line = server.line(says(END, result("", final=True)))
    events = page.evaluate(
        """async (url) => {
      const r = make(url), log = watch(r);
      r.start();
      await log.ended;
      return log.raw.map((event) => [event.type, event instanceof api.SpeechRecognitionEvent,
        event.type === "nomatch" && (event.results === null || event.results.length >= 0)]);
    }""",
        line.url,
    )
    matches = [event for event in events if event[0] == "nomatch"]
    assert matches in ([], [["nomatch", True, True]])
    assert [type for type, *_ in events if type == "error"] == []
