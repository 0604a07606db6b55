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
const READY = { kind: "message", message: { type: "ready", session: "s", lang: "en", model: "m", sample_rate: 16000, separator: " " } };
/** @type {Event} */
const HEARD = { kind: "heard" };
/** @type {Event} */
const DONE = { kind: "message", message: { type: "done" } };

/** @param {number} code @param {boolean} reachable @returns {Event} */
function closed(code, reachable = false) {
  return { kind: "closed", code, reachable };
}

/** @param {string} text @param {boolean} final @returns {Event} */
function result(text, final) {
  const alternatives = text ? [{ transcript: text, confidence: 0.9, words: [] }] : [];
  const times = { start_ms: 0, end_ms: 1, stable: 0 };
  return { kind: "message", message: { type: "result", segment: 0, revision: 0, final, ...times, alternatives } };
}

test("a whole dictation", () => {
  const { state, effects } = run(START, HEARD, READY, result("ye", false), result("yes", true), STOP, DONE, closed(1000));
  assert.deepEqual(state, IDLE);
  assert.deepEqual(effects, ["open", "final", "finish", "release", "release", "close"]);
});

test("the interim line shows the newest draft and empties with the final", () => {
  assert.equal(run(START, HEARD, READY, result("ye", false)).state.interim, "ye");
  assert.equal(run(START, HEARD, READY, result("ye", false), result("yes", true)).state.interim, "");
});

test("nothing said adds no line", () => {
  assert.deepEqual(run(START, HEARD, READY, result("", true)).effects, ["open"]);
});

test("finals still come after stop", () => {
  const { state, effects } = run(START, HEARD, READY, STOP, result("tail", true));
  assert.equal(state.phase, "draining");
  assert.deepEqual(effects, ["open", "finish", "final"]);
});

test("stop before the microphone is there gives it up", () => {
  const { state, effects } = run(START, STOP);
  assert.equal(state.phase, "idle");
  assert.deepEqual(effects, ["open", "release", "close"]);
});

test("stop while connecting still recognises what was heard", () => {
  const { state, effects } = run(START, HEARD, STOP, READY, result("early", true), DONE, closed(1000));
  assert.deepEqual(state, IDLE);
  assert.deepEqual(effects, ["open", "finish", "final", "release", "release", "close"]);
});

test("an unplugged microphone ends the conversation but not its tail", () => {
  const { state, effects } = run(START, HEARD, READY, { kind: "unplugged" }, result("tail", true));
  assert.deepEqual([state.phase, state.problem], ["draining", "microphone_lost"]);
  assert.deepEqual(effects, ["open", "finish", "final"]);
});

test("a goodbye that nobody asked for releases the microphone", () => {
  assert.deepEqual(run(START, HEARD, READY, DONE).effects, ["open", "release"]);
});

test("a second start is ignored", () => {
  assert.deepEqual(run(START, START).effects, ["open"]);
});

for (const [code, problem] of /** @type {[number, string][]} */ ([[1006, "lost"], [1012, "restarting"]])) {
  test(`close ${code} while listening is told as ${problem}`, () => {
    assert.equal(run(START, HEARD, READY, closed(code)).state.problem, problem);
  });
}

test("a server that answers but refuses is busy; one that does not is out of reach", () => {
  assert.equal(run(START, HEARD, closed(1006, true)).state.problem, "busy");
  assert.equal(run(START, HEARD, closed(1006)).state.problem, "unreachable");
  assert.equal(run(START, HEARD, STOP, closed(1006, true)).state.problem, "busy");
});

test("slow is a state of its own, over when the network recovers", () => {
  const slow = run(START, HEARD, READY, { kind: "slow", slow: true }, result("a", false));
  assert.deepEqual([slow.state.slow, slow.state.problem], [true, null]);
  assert.equal(step(slow.state, { kind: "slow", slow: false }).state.slow, false);
});

test("events of an ended conversation change nothing", () => {
  assert.deepEqual(run(HEARD, READY, { kind: "unplugged" }, closed(1006), STOP), { state: IDLE, effects: [] });
});

test("a failed sentence is told and the conversation goes on", () => {
  const { state } = run(START, HEARD, READY, { kind: "message", message: { type: "failure", segment: 0, code: "overloaded", message: "" } });
  assert.deepEqual([state.phase, state.problem], ["listening", "overloaded"]);
});

test("an error ends the conversation", () => {
  const { state } = run(START, { kind: "message", message: { type: "error", code: "odd", message: "" } });
  assert.deepEqual([state.phase, state.problem], ["idle", "server"]);
});
