import assert from "node:assert/strict";
import { test } from "node:test";
import { Results } from "../../static/js/speech/results.js";

/** @param {number} segment @param {string | string[]} text @param {boolean} final @returns {any} */
function message(segment, text, final) {
  const texts = (Array.isArray(text) ? text : [text]).filter(Boolean);
  const alternatives = texts.map((transcript, i) => ({ transcript, confidence: 0.9 - i / 10, words: [] }));
  return { type: "result", segment, revision: 0, final, start_ms: 0, end_ms: 1, alternatives, stable: 0 };
}

/** @param {any[]} messages @param {{interimResults?: boolean, maxAlternatives?: number}} [wish] */
function run(messages, { interimResults = true, maxAlternatives = 1 } = {}) {
  const results = new Results({ interimResults, maxAlternatives });
  return messages.flatMap((one) => results.receive(one)).map(({ resultIndex, results: list }) =>
    [resultIndex, ...Array.from(list, (result) => `${result.item(0)?.transcript}${result.isFinal ? "." : ""}`)]);
}

test("an interim becomes a final, and the next follows with a space before it", () => {
  assert.deepEqual(run([message(0, "he", false), message(0, "hello", true), message(1, "wor", false), message(1, "world", true)]),
    [[0, "he"], [0, "hello."], [1, "hello.", " wor"], [1, "hello.", " world."]]);
});

test("a final that had no interim gets one: libraries count on it", () => {
  assert.deepEqual(run([message(0, "a", true), message(1, "b", true)]), [[0, "a"], [0, "a."], [1, "a.", " b"], [1, "a.", " b."]]);
  assert.deepEqual(run([message(0, "x", false), message(0, "a", true)], { interimResults: false }), [[0, "a."]]);
});

test("an interim of the next sentence may come before this one's final", () => {
  assert.deepEqual(run([message(0, "a", false), message(1, "b", false), message(0, "A", true), message(1, "", false)]),
    [[0, "a"], [1, "a", " b"], [0, "A.", " b"], [1, "A."]]);
});

test("an empty final takes its interim away", () => {
  assert.deepEqual(run([message(0, "a", false), message(0, "", true), message(1, "", true)]), [[0, "a"], [0]]);
});

test("alternatives are sorted, and no more than were asked for", () => {
  const results = new Results({ interimResults: false, maxAlternatives: 2 });
  const mixed = message(0, ["b", "c", "d"], true);
  mixed.alternatives.push({ transcript: "a", confidence: 0.99, words: [] });
  const [update] = results.receive(mixed);
  assert.deepEqual(Array.from(update?.results.item(0) ?? [], (one) => one.transcript), ["a", "b"]);
  assert.equal(update?.results.item(0)?.item(0)?.confidence, Math.fround(0.99));
  assert.equal(run([message(0, "a", true)], { maxAlternatives: 0, interimResults: false }).length, 1);
});

test("lists never change, finals stay the same objects", () => {
  const results = new Results({ interimResults: true, maxAlternatives: 1 });
  const lists = [message(0, "a", true), message(1, "b", false), message(1, "c", true)].flatMap((one) => results.receive(one)).map(({ results: list }) => /** @type {any} */ (list));
  assert.deepEqual(lists.map(({ length }) => length), [1, 1, 2, 2]);
  assert.equal(lists[1]?.[0], lists[3]?.[0]);
  assert.equal(lists[0]?.item(-1), null);
  assert.equal(lists[0]?.[1], undefined);
  assert.throws(() => { lists[0].length = 5; });
  assert.throws(() => { lists[0][0] = 5; });
});
