import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY, MAX_LINES, closed, receive } from "../../static/js/listen/captions.js";
import { pauseMs, subscriptionUrl, tokenOf } from "../../static/js/listen/subscription.js";
import { pageLanguage, texts } from "../../static/js/listen/texts.js";

const SUBSCRIBED = { type: "subscribed", recorder: "live", lang: "ja", sample_rate: 16_000, position: 32_000, from: 0, id: "i" };

/** @param {number} segment @param {string} transcript */
function result(segment, transcript, { final = true, session = "s", start = segment * 16_000 } = {}) {
  const alternatives = transcript ? [{ transcript, confidence: 0.9 }] : [];
  const data = { type: "result", session, segment, final, alternatives };
  return { type: "event", layer: "results", start, end: start + 16_000, data };
}

/** @param {any[]} messages @returns {import("../../static/js/listen/captions.js").State} */
const hear = (...messages) => messages.reduce(receive, receive(EMPTY, SUBSCRIBED));

test("finals become lines, the interim result is shown until its final comes", () => {
  const interim = hear(result(0, "こん", { final: false }));
  assert.equal(interim.interim, "こん");
  const state = receive(interim, result(0, "こんにちは"));
  assert.deepEqual([state.interim, state.lines], ["", [{ key: "s/0", start: 0, text: "こんにちは" }]]);
  assert.deepEqual([state.phase, state.lang, state.id, state.from], ["live", "ja", "i", 16_000]);
});

test("what comes again after a lost connection is shown once", () => {
  const state = hear(result(0, "one"), result(1, "two"));
  const again = [result(0, "one"), result(1, "tw", { final: false }), result(1, "two"), result(2, "three")];
  const next = again.reduce(receive, receive(closed(state, 1006), SUBSCRIBED));
  assert.deepEqual(next.lines.map(({ text }) => text), ["one", "two", "three"]);
  assert.equal(next.interim, "");
});

test("keywords that come again after a lost connection are counted once", () => {
  const word = (/** @type {number} */ end) => ({ type: "event", layer: "keyword", start: 0, end, data: { phrase: "go" } });
  const state = hear(result(0, "go go"), word(16_000), word(16_000), result(1, "go"), word(32_000));
  const again = [word(16_000), word(16_000), word(32_000), word(48_000)];
  const next = again.reduce(receive, receive(closed(state, 1006), SUBSCRIBED));
  assert.deepEqual([...next.keywords], [["go", 4]]);
});

test("segments of another session are other lines", () => {
  const state = hear(result(0, "one"), result(0, "two", { session: "t", start: 80_000 }));
  assert.deepEqual(state.lines.map(({ text, start }) => [text, start]), [["one", 0], ["two", 5]]);
});

test("a final without words is no line, a missing stretch is one without text", () => {
  const skipped = { type: "event", layer: "results", start: 16_000, end: 48_000, data: { type: "gap", reason: "slow" } };
  const missed = { type: "gap", layer: "results", start: 48_000, end: 64_000, reason: "slow", count: 3 };
  const history = { type: "gap", layer: "results", start: 0, end: 64_000, reason: "history" };
  const state = hear(history, result(0, ""), skipped, missed);
  assert.deepEqual(state.lines.map(({ start, text }) => [start, text]), [[1, ""], [3, ""]]);
});

test("level and keywords are shown when there are any, and garbage in them is not", () => {
  const layer = (/** @type {string} */ name, /** @type {any} */ data) => ({ type: "event", layer: name, start: 0, end: 0, data });
  assert.deepEqual([EMPTY.level, EMPTY.keywords.size], [null, 0]);
  const state = hear(layer("level", { rms_db: -20 }), layer("keyword", { phrase: "駅" }), layer("keyword", { phrase: "駅" }));
  assert.deepEqual([state.level, [...state.keywords]], [-20, [["駅", 2]]]);
  for (const data of [null, 5, "x", [], {}, { rms_db: "loud", phrase: 7 }]) {
    const next = [layer("level", data), layer("keyword", data), layer("results", data)].reduce(receive, state);
    assert.deepEqual([next.level, [...next.keywords], next.lines], [-20, [["駅", 2]], []]);
  }
  assert.equal(receive(state, { type: "new in some later version" }), state);
});

test("the page says how things stand", () => {
  const away = hear({ type: "state", recorder: "away" });
  assert.equal(away.phase, "away");
  assert.equal(receive(away, { type: "state", recorder: "live" }).phase, "live");
  const ended = hear({ type: "end", position: 5, reason: "ended" });
  assert.deepEqual([ended.phase, closed(ended, 1000).phase, closed(closed(ended, 1000), 4404).problem], ["ended", "ended", null]);
  assert.deepEqual([closed(EMPTY, 1006).problem, closed(EMPTY, 4404).problem], ["lost", "not_found"]);
  assert.deepEqual([closed(EMPTY, 4403).phase, closed(EMPTY, 4429).phase], ["refused", "waiting"]);
});

test("a stream that began anew is followed from its own beginning", () => {
  const state = hear(result(9, "old"));
  const anew = receive(state, { ...SUBSCRIBED, position: 100, from: 100 });
  assert.deepEqual([anew.from, anew.lines.length], [100, 1]);
});

test("a day of captions does not fill the memory", () => {
  const state = Array.from({ length: MAX_LINES + 10 }, (_, i) => result(i, `line ${i}`)).reduce(receive, hear());
  assert.deepEqual([state.lines.length, state.lines[0]?.text], [MAX_LINES, "line 10"]);
});

test("the address of the stream lies beside that of the page and holds no token", () => {
  const page = "https://host/speech/listen/talk#secret-secret-secret";
  assert.equal(
    subscriptionUrl(page, "talk", null, ""),
    "wss://host/speech/streams/talk/subscribe?layers=results,level,keyword&from=-30s",
  );
  assert.match(subscriptionUrl("http://host/listen/talk", "talk", 7, "a b"), /^ws:.*from=7&id=a%20b$/);
});

test("only what can be a token is taken for one", () => {
  assert.equal(tokenOf("#abcdefghijklmnop-._~1"), "abcdefghijklmnop-._~1");
  for (const hash of ["", "#", "#short", "#with space in the middle", "#" + "x".repeat(129), "#日本語日本語日本語日本語日本語"]) {
    assert.equal(tokenOf(hash), "");
  }
});

test("pauses grow, to a limit, and differ", () => {
  assert.deepEqual([pauseMs(0, 0), pauseMs(0, 1), pauseMs(1, 1), pauseMs(50, 1)], [250, 500, 1000, 15_000]);
});

test("the page speaks both languages, and every text is in both", () => {
  assert.deepEqual([pageLanguage(["fr", "ja-JP"]), pageLanguage(["en-GB", "ja"]), pageLanguage([])], ["ja", "en", "en"]);
  for (const name of ["live", "away", "ended", "lost", "not_found", "too_many", "token_needed", "forbidden", "protocol"]) {
    assert.notEqual(texts("en")(name), name);
    assert.notEqual(texts("ja")(name), texts("en")(name));
  }
});
