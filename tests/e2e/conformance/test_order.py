"""C31 to C37: which events come, in which order, when, and of which kind."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conformance.conftest import opened
from tests.e2e.conformance.scripted import ScriptedServer, dictation
from tests.e2e.conftest import PATIENCE_MS

LIFECYCLE = ["start", "audiostart", "soundstart", "speechstart", "speechend", "soundend", "audioend", "end"]
Event = dict[str, Any]


@pytest.fixture(scope="module")
def once(browser: Browser, server: ScriptedServer) -> list[Event]:
    """The events of one session of one utterance with interim results."""
    line = server.line(dictation("hello world"))
    with opened(browser, server.url) as page:
        events: list[Event] = page.evaluate("(url) => session(url, { interimResults: true })", line.url)
    return events


@pytest.fixture(scope="module")
def twice(browser: Browser, server: ScriptedServer) -> list[Event]:
    """The events of a continuous session of two utterances, stopped after the second."""
    line = server.line(dictation("hello world", "good morning"))
    wish = {"continuous": True, "interimResults": True, "stopAfter": 2}
    with opened(browser, server.url) as page:
        events: list[Event] = page.evaluate("([url, wish]) => session(url, wish)", [line.url, wish])
    return events


def types(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]


def test_c31_one_utterance(once: list[Event]) -> None:
    seen = types(once)
    assert [type for type in seen if type != "result"] == LIFECYCLE
    first, last = seen.index("result"), len(seen) - 1 - seen[::-1].index("result")
    assert seen[first - 1] == "speechstart" and seen.count("result") >= 2
    assert seen[last + 1 :] == ["end"], "the final comes after the capture has closed"


def test_c32_two_utterances(twice: list[Event]) -> None:
    seen = types(twice)
    for type in ("start", "audiostart", "audioend", "end"):
        assert seen.count(type) == 1
    speech = [type for type in seen if type in ("speechstart", "speechend")]
    assert speech == ["speechstart", "speechend"] * (len(speech) // 2) and speech
    sound = [type for type in seen if type in ("soundstart", "soundend")]
    assert sound == ["soundstart", "soundend"] * (len(sound) // 2) and sound


def test_c33_classes_and_targets(once: list[Event]) -> None:
    kinds = {"result": "[object SpeechRecognitionEvent]"}
    for event in once:
        assert event["kind"] == kinds.get(event["type"], "[object Event]")
        assert event["targets"]


def test_c33_the_class_of_an_error(page: Page, server: ScriptedServer) -> None:
    events = page.evaluate(
        """async (url) => {
      const r = make(url), log = watch(r);
      r.onstart = () => r.abort();
      r.start();
      await log.ended;
      return log.events;
    }""",
        server.line().url,
    )
    error = next(event for event in events if event["type"] == "error")
    assert error["kind"] == "[object SpeechRecognitionErrorEvent]" and error["targets"]


def test_c34_audiostart_comes_with_the_first_frame_and_soundstart_with_the_sound(
    page: Page, server: ScriptedServer
) -> None:
    """The sound of a track begins at a moment that the page knows."""
    tone = [0.3 if n % 20 < 10 else -0.3 for n in range(8_000)]
    line = server.line(dictation("hello world"))
    early, late_ms, silent = page.evaluate(
        """async ([url, tone]) => {
      const { track, context } = play(tone, 1);
      const r = make(url), log = watch(r);
      let early = 0, sounded;
      r.onaudiostart = () => (early = Number(opened.contexts.at(-1).currentTime === 0));
      r.onsoundstart = () => (sounded = context.currentTime);
      r.start(track);
      await log.ended;
      return [early, (sounded - 1) * 1000, log.types().indexOf("soundstart")];
    }""",
        [line.url, tone],
    )
    assert early == 0, "no frame can have come yet"
    assert 0 < late_ms <= 300


def test_c34_silence_makes_no_sound_events(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation())
    seen = page.evaluate(
        """async (url) => {
      const { track } = play([0], 60);
      const r = make(url), log = watch(r);
      r.start(track);
      await log.until("audiostart");
      await sleep(1500);
      r.stop();
      await log.ended;
      return log.types();
    }""",
        line.url,
    )
    assert "soundstart" not in seen and "audiostart" in seen


def test_c35_nothing_is_dispatched_inside_a_call(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation())
    assert (
        page.evaluate(
            """async (url) => {
      const inside = [];
      for (const name of ["stop", "abort"]) {
        for (const moment of ["start", "audiostart", null]) {
          const r = make(url, { continuous: true }), log = watch(r);
          const call = (name) => {
            const before = log.events.length;
            r[name]();
            inside.push(log.events.length - before);
          };
          call("start");
          if (moment) await log.until(moment);
          call(name);
          await log.ended;
        }
      }
      return inside;
    }""",
            line.url,
        )
        == [0] * 12
    )


def test_c36_a_handler_that_throws_stops_nothing(browser: Browser, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    with opened(browser, server.url, complain=False) as page:
        seen = page.evaluate(
            """async (url) => {
          const r = make(url);
          for (const type of TYPES) r["on" + type] = () => { throw new Error("the page's own fault"); };
          const log = watch(r);
          r.start();
          await log.ended;
          return log.types();
        }""",
            line.url,
        )
    assert sorted(seen) == sorted([*LIFECYCLE, "result"])


def test_c37_time_stamps(twice: list[Event]) -> None:
    stamps = [event["timeStamp"] for event in twice]
    assert stamps == sorted(stamps)
    assert all(abs(event["at"] - event["timeStamp"]) < PATIENCE_MS for event in twice), "one clock"
