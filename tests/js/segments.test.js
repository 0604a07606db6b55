import assert from "node:assert/strict";
import { test } from "node:test";
import { Segments } from "../../static/js/speech/segments.js";

/** @param {number} segment @param {boolean} final @param {number} [end_ms] @returns {any} */
const result = (segment, final, end_ms = 0) => ({ type: "result", segment, revision: 0, final, start_ms: 0, end_ms, alternatives: [], stable: 0 });
/** @param {"speech_start" | "speech_end"} type @param {number} segment @param {number} at_ms @returns {any} */
const speech = (type, segment, at_ms) => ({ type, segment, at_ms });

test("segments count on over a new connection, and nothing is said twice", () => {
  const segments = new Segments();
  const pass = (/** @type {any} */ message) => {
    const passed = segments.receive(message);
    return passed && [passed.message.type, passed.message.segment, passed.settledMs];
  };
  const first = [speech("speech_start", 0, 100), speech("speech_end", 0, 900), speech("speech_start", 1, 1_500), result(1, false), result(0, true, 900)];
  assert.deepEqual(first.map(pass), [["speech_start", 0, 0], ["speech_end", 0, 0], ["speech_start", 1, 0], ["result", 1, 0], ["result", 0, 900]]);
  segments.reconnected();
  const second = [speech("speech_start", 0, 1_500), result(0, false), speech("speech_end", 0, 2_000), result(0, true, 2_000), speech("speech_start", 1, 3_000)];
  assert.deepEqual(second.map(pass), [null, ["result", 1, 0], ["speech_end", 1, 0], ["result", 1, 2_000], ["speech_start", 2, 0]]);
});

test("an utterance that failed is answered where its speech ended", () => {
  const segments = new Segments();
  segments.receive(speech("speech_end", 0, 700));
  const failure = { type: /** @type {const} */ ("failure"), segment: 0, code: "timeout", message: "" };
  assert.equal(segments.receive(failure)?.settledMs, 700);
  assert.equal(segments.receive(failure), null);
});
