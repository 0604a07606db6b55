import assert from "node:assert/strict";
import { test } from "node:test";
import { IDLE, step } from "../../static/js/client.js";

/** @typedef {import("../../static/js/client.js").Event} Event */

/** @param {Event[]} events */
function run(...events) {
  let state = IDLE;
  /** @type {string[]} */
  const effects = [];
  for (const event of events) {
    const next = step(state, event);
    state = next.state;
    effects.push(...next.effects.map((effect) => effect.kind));
  }
  return { state, effects };
}

/** @type {Event} */
const START = { kind: "start" };
/** @type {Event} */
const STOP = { kind: "stop" };
/** @type {Event} */
const READY = { kind: "message", message: { type: "ready", session: "s", lang: "en", model: "m", sample_rate: 16000 } };
/** @type {Event} */
const DONE = { kind: "message", message: { type: "done" } };

/** @param {string} text @param {boolean} final @returns {Event} */
function result(text, final) {
  const alternatives = text ? [{ transcript: text, confidence: 0.9 }] : [];
  return { kind: "message", message: { type: "result", segment: 0, revision: 0, final, start_ms: 0, end_ms: 1, alternatives } };
}

test("a whole dictation", () => {
  const { state, effects } = run(START, READY, result("ye", false), result("yes", true), STOP, DONE, { kind: "closed", code: 1000 });
  assert.deepEqual(state, IDLE);
  assert.deepEqual(effects, ["open", "final", "finish", "release", "close"]);
});

test("the interim line shows the newest draft and empties with the final", () => {
  assert.equal(run(START, READY, result("ye", false)).state.interim, "ye");
  assert.equal(run(START, READY, result("ye", false), result("yes", true)).state.interim, "");
});

test("nothing said adds no line", () => {
  assert.deepEqual(run(START, READY, result("", true)).effects, ["open"]);
});

test("finals still come after stop", () => {
  const { state, effects } = run(START, READY, STOP, result("tail", true));
  assert.equal(state.phase, "draining");
  assert.deepEqual(effects, ["open", "finish", "final"]);
});

test("stop while connecting releases the microphone", () => {
  const { state, effects } = run(START, STOP);
  assert.equal(state.phase, "idle");
  assert.deepEqual(effects, ["open", "release", "close"]);
});

test("a second start is ignored", () => {
  assert.deepEqual(run(START, START).effects, ["open"]);
});

for (const [code, problem] of /** @type {[number, string][]} */ ([[1006, "lost"], [1012, "restarting"]])) {
  test(`close ${code} while listening is told as ${problem}`, () => {
    assert.equal(run(START, READY, { kind: "closed", code }).state.problem, problem);
  });
}

test("a refused connection is told as unreachable", () => {
  assert.equal(run(START, { kind: "closed", code: 1006 }).state.problem, "unreachable");
});

test("a failed sentence is told and the conversation goes on", () => {
  const { state } = run(START, READY, { kind: "message", message: { type: "failure", segment: 0, code: "overloaded", message: "" } });
  assert.deepEqual([state.phase, state.problem], ["listening", "overloaded"]);
});

test("an error ends the conversation", () => {
  const { state } = run(START, { kind: "message", message: { type: "error", code: "odd", message: "" } });
  assert.deepEqual([state.phase, state.problem], ["idle", "server"]);
});
