import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../../static/js/history.js";
import { clock, fileOf, lineOf, pieces, plainText } from "../../static/js/transcript.js";

/** @param {string} text @param {[string, number][]} [words] word and confidence */
function alternative(text, words = []) {
  return { transcript: text, confidence: 0.9, words: words.map(([word, confidence]) => ({ text: word, startMs: 10, endMs: 20, confidence })) };
}

const LINES = [
  lineOf({ startMs: 500, endMs: 1_500, alternatives: [alternative("a < b & c"), alternative("other")] }, "en", 0),
  lineOf({ startMs: 250, endMs: 3_601_250, alternatives: [alternative("はい", [["はい", 0.4]])] }, "ja", 1_500),
];

const CHOICES = { language: "ja", microphone: "m1", phrases: "さくら", processing: [false, true, false] };

test("a later session goes on where the one before ended", () => {
  assert.deepEqual([LINES[1]?.startMs, LINES[1]?.endMs, LINES[1]?.choices[0]?.words[0]?.startMs], [1_750, 3_602_750, 1_510]);
});

test("text, subtitles and JSON", () => {
  assert.equal(fileOf(LINES, "txt"), "a < b & c\nはい\n");
  assert.equal(fileOf(LINES, "srt"), "1\n00:00:00,500 --> 00:00:01,500\na < b & c\n\n2\n00:00:01,750 --> 01:00:02,750\nはい\n");
  assert.equal(fileOf(LINES, "vtt"),
    "WEBVTT\n\n1\n00:00:00.500 --> 00:00:01.500\na &lt; b &amp; c\n\n2\n00:00:01.750 --> 01:00:02.750\nはい\n");
  const [first, second] = JSON.parse(fileOf(LINES, "json"));
  assert.deepEqual([first.text, first.confidence, first.lang, first.choices.length, second.words[0].text], ["a < b & c", 0.9, "en", 2, "はい"]);
});

test("what was chosen is what is copied", () => {
  const line = { .../** @type {any} */ (LINES[0]), chosen: 1 };
  assert.equal(plainText([line]), "other");
});

for (const [text, words, wanted] of /** @type {[string, [string, number][], string[]][]} */ ([
  ["one two two", [["one", 0.9], ["two", 0.2], ["two", 0.8]], ["one ", "[two]", " two"]],
  ["はいどうぞ", [["は", 0.1], ["い", 0.9], ["ど", 0.3]], ["[は]", "い", "[ど]", "うぞ"]],
  ["nine in a row", [["nine", 0.9], ["in", 0.1], ["a", 0.9], ["row", 0.9]], ["nine ", "[in]", " a row"]],
  ["a", [["b", 0.1]], ["a"]],
  ["", [], []],
])) {
  test(`unsure words of "${text}" are marked`, () => {
    const found = pieces({ text, confidence: 1, words: alternative(text, words).words });
    assert.deepEqual(found.map((piece) => (piece.unsure ? `[${piece.text}]` : piece.text)), wanted);
    assert.equal(found.map((piece) => piece.text).join(""), text);
  });
}

test("times for people", () => {
  assert.deepEqual([0, 61_500, 3_600_000, 36_000_000].map(clock), ["00:00", "01:01", "1:00:00", "10:00:00"]);
});

test("the history is kept only while it is wanted, and broken ones are not shown", () => {
  /** @type {Map<string, string>} */
  const store = new Map();
  const storage = /** @type {any} */ ({
    getItem: (/** @type {string} */ key) => store.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => store.set(key, value),
    removeItem: (/** @type {string} */ key) => store.delete(key),
  });
  const history = new History(() => storage);
  assert.equal(history.wanted, false);
  assert.ok(history.save(LINES, CHOICES) && history.wanted);
  assert.deepEqual([history.load(), history.loadChoices()], [LINES, CHOICES]);
  store.set("speech.history", '[{"startMs": 1}, 5]');
  assert.deepEqual(history.load(), []);
  store.set("speech.history", "{");
  assert.deepEqual(history.load(), []);
  for (const broken of ["{", "null", "[]", '{"language": "ja"}']) {
    store.set("speech.choices", broken);
    assert.equal(history.loadChoices(), null);
  }
  history.forget();
  assert.equal(store.size, 0);
  const none = new History(() => { throw new Error("SecurityError"); });
  assert.deepEqual([none.possible, none.wanted, none.load(), none.loadChoices(), none.save(LINES, CHOICES)], [false, false, [], null, false]);
});

test("of a history that does not fit the newest lines are kept", () => {
  let [kept, room] = ["", 0];
  const setItem = (/** @type {string} */ key, /** @type {string} */ value) => {
    if (value.length > room) throw new Error("QuotaExceededError");
    if (key === "speech.history") kept = value;
  };
  const history = new History(() => /** @type {any} */ ({ setItem, getItem: () => kept }));
  const lines = Array.from({ length: 100 }, (_, n) => ({ ...LINES[0], startMs: n }));
  room = JSON.stringify(lines.slice(-30)).length;
  assert.ok(history.save(/** @type {any} */ (lines), CHOICES));
  assert.deepEqual(history.load(), lines.slice(-25));
  room = 1;
  assert.equal(history.save(/** @type {any} */ (lines), CHOICES), false);
  assert.deepEqual(history.load(), lines.slice(-25));
});
