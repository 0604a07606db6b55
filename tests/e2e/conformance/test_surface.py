"""C1 to C14: the classes as a page sees them, before anything is heard."""

from playwright.sync_api import Page

from tests.e2e.conformance.scripted import ScriptedServer, dictation

HANDLERS = [f"on{name}" for name in (
    "audiostart", "soundstart", "speechstart", "speechend", "soundend", "audioend",
    "result", "nomatch", "error", "start", "end",
)]  # fmt: skip


def test_c01_the_constructor(page: Page) -> None:
    assert page.evaluate("""() => ({
        without: thrown(() => api.SpeechRecognition()).type,
        target: new api.SpeechRecognition() instanceof EventTarget,
        lengths: [api.SpeechRecognition.length, api.SpeechRecognition.prototype.start.length],
    })""") == {"without": True, "target": True, "lengths": [0, 0]}


def test_c02_defaults(page: Page) -> None:
    assert page.evaluate("""() => {
      const { lang, continuous, interimResults, maxAlternatives, processLocally, phrases, grammars } = new api.SpeechRecognition();
      return [lang, continuous, interimResults, maxAlternatives, processLocally, Array.isArray(phrases), phrases.length, grammars.length];
    }""") == ["", False, False, 1, False, True, 0, 0]


def test_c03_event_handler_attributes(page: Page) -> None:
    seen = page.evaluate(
        """(names) => names.map((name) => {
      const r = new api.SpeechRecognition();
      const kept = (value) => ((r[name] = value), r[name]);
      const act = () => {}, object = { handleEvent() {} };
      return [r[name], kept(act) === act, kept(object) === object, kept(5), kept(act) === act, kept("x"), kept(null), kept(undefined)];
    })""",
        HANDLERS,
    )
    assert seen == [[None, True, True, None, True, None, None, None]] * 11


def test_c04_accessors_on_the_prototype_can_be_listed(page: Page) -> None:
    listed, accessors, methods = page.evaluate(
        """(names) => {
      const listed = [];
      for (const name in new api.SpeechRecognition()) listed.push(name);
      const own = (name) => Object.getOwnPropertyDescriptor(api.SpeechRecognition.prototype, name);
      return [listed, names.every((name) => own(name).get && own(name).set && own(name).enumerable),
              ["start", "stop", "abort"].every((name) => own(name).enumerable)];
    }""",
        [*HANDLERS, "lang", "continuous", "interimResults", "maxAlternatives", "processLocally", "phrases", "grammars"],
    )
    assert accessors and methods
    wanted = {*HANDLERS, "lang", "continuous", "interimResults", "maxAlternatives", "processLocally", "phrases"}
    assert wanted | {"grammars", "start", "stop", "abort"} <= set(listed)


def test_c05_the_order_of_handlers(page: Page) -> None:
    assert page.evaluate("""() => {
      const r = new api.SpeechRecognition(), seen = [];
      const fire = () => { seen.length = 0; r.dispatchEvent(new Event("start")); return seen.join(""); };
      const once = new AbortController();
      r.addEventListener("start", () => seen.push("a"));
      r.onstart = () => seen.push("1");
      r.addEventListener("start", () => seen.push("b"));
      const first = fire();
      r.onstart = function () { seen.push(this === r ? "2" : "?"); };
      const replaced = fire();
      r.onstart = null;
      r.onstart = () => seen.push("3");
      const moved = fire();
      r.addEventListener("start", () => seen.push("o"), { once: true });
      r.addEventListener("start", () => seen.push("s"), { signal: once.signal });
      const both = fire();
      once.abort();
      return [first, replaced, moved, both, fire()];
    }""") == ["a1b", "a2b", "ab3", "ab3os", "ab3"]


def test_c06_coercions(page: Page) -> None:
    assert page.evaluate("""() => {
      const set = (name, value) => { const r = new api.SpeechRecognition(); r[name] = value; return r[name]; };
      return [...[0, -1, "7", 2.9, NaN].map((value) => set("maxAlternatives", value)),
              ...[null, undefined, 5].map((value) => set("lang", value)),
              ...["x", 0, null].map((value) => set("continuous", value)),
              set("interimResults", 1), set("processLocally", "")];
    }""") == [0, 4_294_967_295, 7, 2, 0, "null", "undefined", "5", True, False, False, True, False]


def test_c07_a_language_set_during_a_session_counts_from_the_next_start(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    told = page.evaluate(
        """async (url) => {
      const r = make(url, { lang: "en-GB" });
      for (const next of ["ja-JP", ""]) {
        const log = watch(r);
        r.onaudiostart = () => (r.lang = next);
        r.start();
        await log.ended;
      }
      return r.lang;
    }""",
        line.url,
    )
    assert told == ""
    assert [conversation.start["lang"] for conversation in line.conversations] == ["en-GB", "ja-JP"]


def test_c08_the_error_event(page: Page) -> None:
    assert page.evaluate("""() => {
      const bare = new api.SpeechRecognitionErrorEvent("error", { error: "network" });
      const full = new api.SpeechRecognitionErrorEvent("error", { error: "aborted", message: "m", bubbles: false });
      return [bare.type, bare.error, bare.message, bare.bubbles, bare.cancelable, bare instanceof Event,
              full.error, full.message];
    }""") == ["error", "network", "", False, False, True, "aborted", "m"]


def test_c09_the_result_event(page: Page) -> None:
    assert page.evaluate("""() => {
      const results = [];
      const bare = new api.SpeechRecognitionEvent("result", { results });
      const none = new api.SpeechRecognitionEvent("nomatch", { results: null, resultIndex: 3 });
      return [bare.resultIndex, bare.results === results, none.resultIndex, none.results, bare.bubbles, bare.cancelable,
              bare instanceof Event];
    }""") == [0, True, 3, None, False, False, True]


def test_c10_a_phrase(page: Page) -> None:
    assert page.evaluate("""() => {
      const phrase = (...words) => new api.SpeechRecognitionPhrase(...words);
      const failed = (...words) => { const error = thrown(() => phrase(...words)); return error && (error.type ? "TypeError" : error.dom && error.name); };
      const fixed = phrase("a b", 2);
      try { fixed.phrase = "c"; fixed.boost = 3; } catch {}
      return [phrase("x").boost, phrase("x", 0).boost, phrase("x", 10).boost, phrase("").phrase, fixed.phrase, fixed.boost,
              failed("x", -0.1), failed("x", 11), failed("x", NaN), failed(), failed("x", 5)];
    }""") == [1, 0, 10, "", "a b", 2, "SyntaxError", "SyntaxError", "TypeError", "TypeError", None]


def test_c11_the_list_of_phrases(page: Page) -> None:
    assert page.evaluate("""() => {
      const r = new api.SpeechRecognition(), list = r.phrases;
      const one = new api.SpeechRecognitionPhrase("one"), two = new api.SpeechRecognitionPhrase("two");
      r.phrases = [one];
      const assigned = r.phrases.length;
      r.phrases.push(two);
      r.phrases[1] = one;
      const texts = r.phrases.map((phrase) => phrase.phrase).join();
      const popped = r.phrases.pop() === one && r.phrases.length;
      r.phrases.length = 0;
      const bad = ["x", {}].flatMap((value) => [() => (r.phrases = [value]), () => r.phrases.push(value), () => (r.phrases[0] = value)]);
      return [assigned, texts, popped, r.phrases.length, r.phrases === list, bad.map((act) => thrown(act)?.type ?? false), r.phrases.length];
    }""") == [1, "one,one", 1, 0, True, [True] * 6, 0]


def test_c12_results_alternatives_and_their_lists(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world", others=(("yellow world", 0.4),)))
    assert page.evaluate("""async (url) => {
      const r = make(url, { maxAlternatives: 2 }), log = watch(r);
      r.start();
      await log.ended;
      const list = log.raw.find((event) => event.type === "result").results;
      const result = list[0], best = result[0];
      const fixed = (object, name) => { const before = object[name]; try { object[name] = "changed"; } catch {} return object[name] === before; };
      return [list.length, list.item(0) === result, list.item(1), list.item(-1), list[1] === undefined, Array.from(list).length,
              result.length, result.isFinal, result.item(1) === result[1], result.item(2), result.item(-1), result[2] === undefined,
              Array.from(result, (one) => one.transcript), typeof best.confidence,
              [[list, "length"], [list, 0], [result, "isFinal"], [result, "length"], [result, 0], [best, "transcript"], [best, "confidence"]]
                .every(([object, name]) => fixed(object, name))];
    }""", line.url) == [
        1, True, None, None, True, 1, 2, True, True, None, None, True, ["hello world", "yellow world"], "number", True,
    ]  # fmt: skip


def test_c13_names_and_the_globals_of_install(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    names, replaced, restored = page.evaluate(
        """async (url) => {
      const before = [window.SpeechRecognition, window.webkitSpeechRecognition];
      const r = make(url), log = watch(r);
      r.start();
      await log.ended;
      const event = log.raw.find((event) => event.type === "result");
      const error = new api.SpeechRecognitionErrorEvent("error", { error: "network" });
      const things = [r, event, error, event.results, event.results[0], event.results[0][0],
                      new api.SpeechRecognitionPhrase("x"), new api.SpeechGrammar(), new api.SpeechGrammarList()];
      const names = things.map((thing) => Object.prototype.toString.call(thing));
      const undo = api.install();
      const replaced = window.SpeechRecognition === api.SpeechRecognition && window.webkitSpeechRecognition === api.SpeechRecognition;
      undo();
      const restored = window.SpeechRecognition === before[0] && window.webkitSpeechRecognition === before[1];
      return [names, replaced, restored];
    }""",
        line.url,
    )
    kinds = ["", "Event", "ErrorEvent", "ResultList", "Result", "Alternative", "Phrase"]
    assert names == [f"[object SpeechRecognition{kind}]" for kind in kinds] + ["[object SpeechGrammar]", "[object SpeechGrammarList]"]  # fmt: skip
    assert replaced and restored


def test_c14_grammars_change_nothing(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    page.evaluate(
        """async (url) => {
      await session(url);
      const grammars = new api.SpeechGrammarList();
      grammars.addFromString("#JSGF V1.0; grammar g; public <g> = one | two;", 1);
      const length = grammars.length === 1 && grammars.item(0) === grammars[0];
      await session(url, { grammars });
      if (!length) throw new Error("the list does not hold its grammar");
    }""",
        line.url,
    )
    without, given = line.conversations
    assert without.commands == given.commands
