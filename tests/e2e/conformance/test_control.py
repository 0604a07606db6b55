"""C15 to C30: start, stop and abort, at every moment."""

import pytest
from playwright.sync_api import Page

from tests.e2e.conformance.scripted import Conversation, ScriptedServer, closes, dictation, endless, result

SILENT_ABORT = ["start", "audiostart", "audioend", "error", "end"]
FREE = "eventually(() => live.tracks() + live.contexts() + live.sockets() === 0, 2000)"


async def hasty(line: Conversation) -> None:
    """The final is under way already when the page hears the interim."""
    await line.ready()
    await line.speech()
    await line.say({"type": "speech_start", "segment": 0, "at_ms": 400}, result("hello", final=False))
    await line.say(result("too late", final=True, revision=1))
    await line.until(lambda: line.leaving)
    await line.goodbye()


def test_c15_start_changes_the_state_at_once(page: Page, server: ScriptedServer) -> None:
    line = server.line()
    assert page.evaluate(
        """async (url) => {
      const r = make(url), log = watch(r);
      const returned = r.start();
      const second = thrown(() => r.start());
      r.abort();
      await log.ended;
      return [returned === undefined, second.name];
    }""",
        line.url,
    ) == [True, "InvalidStateError"]


def test_c16_a_second_start_is_refused_and_changes_nothing(page: Page, server: ScriptedServer) -> None:
    line = server.line()
    error, types = page.evaluate(
        """async (url) => {
      const r = make(url), log = watch(r);
      let error;
      r.onspeechstart = () => (error = thrown(() => r.start()));
      r.start();
      await log.ended;
      return [error, log.types()];
    }""",
        line.url,
    )
    assert (error["name"], error["code"], error["dom"]) == ("InvalidStateError", 11, True)
    assert types.count("result") == 1 and types.count("end") == 1 and "error" not in types
    assert len(line.conversations) == 1


def test_c17_start_inside_handlers(page: Page, server: ScriptedServer) -> None:
    lines = [server.line(), server.line(closes(4401, at="start"))]
    told = page.evaluate(
        """async (urls) => {
      const seen = {};
      for (const url of urls) {
        const r = make(url, { interimResults: true }), log = watch(r);
        for (const type of TYPES.filter((type) => type !== "end"))
          r.addEventListener(type, () => (seen[type] = thrown(() => r.start())?.name));
        let again = 0;
        r.onend = () => again++ || r.start();
        r.start();
        await log.until("end", 2);
        await sleep(50);
        seen[url] = [again, log.types().filter((type) => type === "end").length];
      }
      return seen;
    }""",
        [line.url for line in lines],
    )
    for line in lines:
        assert told.pop(line.url) == [2, 2]
    assert set(told) == {"start", "audiostart", "soundstart", "speechstart", "speechend", "soundend", "audioend", "result", "error"}  # fmt: skip
    assert set(told.values()) == {"InvalidStateError"}


def test_c18_stop_and_abort_when_idle(page: Page, server: ScriptedServer) -> None:
    line = server.line()
    assert page.evaluate(
        """async (url) => {
      const r = make(url), log = watch(r);
      r.stop(), r.abort();
      await sleep(50);
      const before = log.events.length;
      r.start();
      await log.ended;
      const after = log.events.length;
      r.stop(), r.abort(), r.stop();
      await sleep(50);
      return [before, log.events.length - after];
    }""",
        line.url,
    ) == [0, 0]


def test_c19_twice_counts_once(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation())
    told = page.evaluate(
        """async (url) => {
      const counts = [];
      for (const name of ["stop", "abort"]) {
        const r = make(url, { continuous: true }), log = watch(r);
        r.onaudiostart = () => { r[name](); r[name](); };
        r.start();
        await log.ended;
        r[name]();
        await sleep(50);
        counts.push(log.types());
      }
      return counts;
    }""",
        line.url,
    )
    assert told == [["start", "audiostart", "audioend", "end"], SILENT_ABORT]


def test_c20_start_and_stop_in_one_task(page: Page, server: ScriptedServer) -> None:
    line = server.line()
    types, free = page.evaluate(
        f"""async (url) => {{
      const r = make(url), log = watch(r);
      r.start();
      r.stop();
      await log.ended;
      await sleep(300);
      return [log.types(), await {FREE}];
    }}""",
        line.url,
    )
    assert types == ["end"] and free
    assert not any(conversation.batches for conversation in line.conversations)


def test_c21_start_and_abort_in_one_task(page: Page, server: ScriptedServer) -> None:
    line = server.line()
    types, errors, free = page.evaluate(
        """async (url) => {
      const r = make(url), log = watch(r);
      r.start();
      r.abort();
      await log.ended;
      await sleep(300);
      return [log.types().filter((type) => type !== "start"), log.events.map((event) => event.error).filter(Boolean), live.tracks()];
    }""",
        line.url,
    )
    assert (types, errors, free) == (["error", "end"], ["aborted"], 0)


QUIET = """async ([url, name]) => {
  const { track } = play([0], 60);  // a live track that stays silent
  const r = make(url, { continuous: true, interimResults: true }), log = watch(r);
  r.start(track);
  await log.until("audiostart");
  await sleep(500);
  r[name]();
  await log.ended;
  await sleep(100);
  return [log.types(), log.events.map((event) => event.error).filter(Boolean)];
}"""


def test_c22_abort_in_silence(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation())
    assert page.evaluate(QUIET, [line.url, "abort"]) == [SILENT_ABORT, ["aborted"]]


def test_c23_stop_in_silence(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation())
    types, errors = page.evaluate(QUIET, [line.url, "stop"])
    assert [type for type in types if type != "nomatch"] == ["start", "audiostart", "audioend", "end"]
    assert types.count("nomatch") <= 1 and errors == []


def test_c24_stop_in_the_middle_of_an_utterance(page: Page, server: ScriptedServer) -> None:
    line = server.line(endless(stopped="hello everybody"))
    types, text, tracks = page.evaluate(
        """async (url) => {
      const r = make(url), log = watch(r);
      let tracks;
      r.onaudioend = () => (tracks = live.tracks());
      r.start();
      await log.until("speechstart");
      r.stop();
      await log.ended;
      await sleep(200);
      return [log.types(), log.events.find((event) => event.type === "result").results[0].alternatives[0].transcript, tracks];
    }""",
        line.url,
    )
    assert text == "hello everybody" and tracks == 0, "the microphone is free before the final is there"
    assert types[-5:] == ["speechend", "soundend", "audioend", "result", "end"]
    sent = line.one.sent
    assert sent[-1] == {"type": "stop"}, "no audio after stop"


def test_c25_abort_in_the_middle_of_an_utterance(page: Page, server: ScriptedServer) -> None:
    line = server.line(hasty)
    types, after = page.evaluate(
        """async (url) => {
      const r = make(url, { interimResults: true }), log = watch(r);
      let before;
      r.onresult = () => { r.abort(); before = log.events.length; };
      r.start();
      await log.ended;
      await sleep(300);
      return [log.types(), log.types().slice(before)];
    }""",
        line.url,
    )
    assert after == ["speechend", "soundend", "audioend", "error", "end"]
    assert types.count("end") == types.count("result") == 1


def test_c26_abort_while_the_final_is_waited_for(page: Page, server: ScriptedServer) -> None:
    line = server.line(endless(stopped="too late"))
    types, errors, free = page.evaluate(
        f"""async (url) => {{
      const r = make(url), log = watch(r);
      r.start();
      r.onaudioend = () => r.abort();
      await log.until("speechstart");
      r.stop();
      await log.ended;
      await sleep(200);
      return [log.types().slice(log.types().indexOf("audioend")), log.events.map((event) => event.error).filter(Boolean), await {FREE}];
    }}""",
        line.url,
    )
    assert types == ["audioend", "error", "end"] and errors == ["aborted"] and free


def test_c27_five_sessions_in_a_row(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    types, most, free = page.evaluate(
        f"""async (url) => {{
      const r = make(url), log = watch(r);
      let sessions = 1;
      r.onend = () => sessions++ < 5 && r.start();
      r.start();
      await log.until("end", 5);
      return [log.types(), opened.most, await {FREE}];
    }}""",
        line.url,
    )
    one = ["start", "audiostart", "soundstart", "speechstart", "speechend", "soundend", "audioend", "result", "end"]
    ends = [at + 1 for at, type in enumerate(types) if type == "end"]
    assert [sorted(types[a:b]) for a, b in zip([0, *ends], ends, strict=False)] == [sorted(one)] * 5
    assert most["tracks"] == most["sockets"] == most["contexts"] == 1 and free
    assert len(line.conversations) == 5


def test_c28_several_recognisers_at_once(page: Page, server: ScriptedServer) -> None:
    together = server.line(dictation("hello world"))
    first, second = server.line(dictation("first")), server.line(dictation("second"))
    sound = [0.3 if n % 20 < 10 else -0.3 for n in range(8_000)]
    ends, texts = page.evaluate(
        """async ([url, urls, tone]) => {
      const ends = await Promise.all([1, 2, 3, 4].map(async () => (await session(url)).at(-1).type));
      const texts = await Promise.all(urls.map(async (url) => {
        const r = make(url), log = watch(r);
        r.start(play(tone, 0.3).track);
        await log.ended;
        return log.events.filter((event) => event.type === "result").map((event) => event.results[0].alternatives[0].transcript);
      }));
      return [ends, texts];
    }""",
        [together.url, [first.url, second.url], sound],
    )
    assert ends == ["end"] * 4
    assert texts == [["first"], ["second"]]


def test_c29_a_removed_frame(page: Page, server: ScriptedServer) -> None:
    assert page.evaluate("""async () => {
      const frame = document.createElement("iframe");
      const loaded = new Promise((resolve) => (frame.onload = resolve));
      frame.src = "/frame";
      document.body.append(frame);
      await loaded;
      await eventually(() => frame.contentWindow.document.documentElement.dataset.ready === "");
      const theirs = frame.contentWindow, r = new theirs.api.SpeechRecognition(), error = theirs.DOMException;
      frame.remove();
      try { r.start(); } catch (thrown) { return [thrown.name, thrown instanceof error]; }
      return null;
    }""") == ["InvalidStateError", True]


@pytest.mark.parametrize("way", ["event", "navigation"])
def test_c30_the_page_is_left(page: Page, server: ScriptedServer, way: str) -> None:
    """`pagehide` ends the session as abort does; a navigation closes the socket."""
    line = server.line(endless())
    page.evaluate(
        """async (url) => {
      window.r = make(url, { continuous: true }), window.log = watch(r);
      r.start();
      await log.until("speechstart");
    }""",
        line.url,
    )
    if way == "event":
        types, free = page.evaluate(f"""async () => {{
          window.dispatchEvent(new PageTransitionEvent("pagehide", {{ persisted: true }}));
          await log.ended;
          return [log.types(), await {FREE}];
        }}""")
        assert types[-5:] == ["speechend", "soundend", "audioend", "error", "end"] and free
    else:
        page.goto("about:blank")
    for _ in range(100):
        if line.open == 0:
            break
        page.wait_for_timeout(50)
    assert line.open == 0
