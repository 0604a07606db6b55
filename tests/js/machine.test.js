/** The state machine: which events a page sees, in which order (webaudio.github.io/web-speech-api, and Chrome). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, step } from "../../static/js/speech/machine.js";

/** @typedef {import("../../static/js/speech/machine.js").Event} Event */
/** @typedef {import("../../static/js/speech/machine.js").Effect} Effect */

/** @param {string} text @param {boolean} final @returns {Event} */
function result(text, final) {
  const alternatives = text ? [{ transcript: text, confidence: 0.9, words: [] }] : [];
  return { kind: "result", result: { type: "result", segment: 0, revision: 0, final, start_ms: 0, end_ms: 1, alternatives, stable: 0 } };
}

/** @param {string} kind @returns {Event} */
const simple = (kind) => /** @type {Event} */ ({ kind });

/** What the page sees and what is done, in order. @param {boolean} continuous @param {(string | Event)[]} events */
function run(continuous, ...events) {
  let state = begin(continuous);
  const seen = events.flatMap((event) => {
    const next = step(state, typeof event === "string" ? simple(event) : event);
    state = next.state;
    return next.effects.map(name);
  });
  return { state, seen };
}

/** @param {Effect} effect */
function name(effect) {
  switch (effect.kind) {
    case "emit": return effect.type;
    case "result": return effect.result.final ? "FINAL" : "interim";
    case "drain": return effect.stop ? "drain+stop" : "drain";
    case "error": return `error:${effect.error}`;
    default: return effect.kind;
  }
}

const OPEN = ["permitted", "heard"];
const SPOKEN = [...OPEN, "sound", "speech_start", result("a", false)];

for (const [what, continuous, events, wanted] of /** @type {[string, boolean, (string | Event)[], string[]][]} */ ([
  ["one utterance", false, [...SPOKEN, "speech_end", result("a", true)],
    ["start", "audiostart", "soundstart", "speechstart", "interim", "drain", "speechend", "soundend", "audioend", "release", "FINAL", "end"]],
  ["dictation", true, [...SPOKEN, "speech_end", result("a", true), "stop", "done"],
    ["start", "audiostart", "soundstart", "speechstart", "interim", "speechend", "soundend", "FINAL", "drain+stop", "audioend", "release", "end"]],
  ["silence", true, [...OPEN, "silent"], ["start", "audiostart", "release", "audioend", "error:no-speech", "end"]],
  ["speech forbids no-speech", true, [...SPOKEN, "speech_end", "silent"],
    ["start", "audiostart", "soundstart", "speechstart", "interim", "speechend", "soundend"]],
  ["noise alone", false, [...OPEN, "sound", "hush", "sound", "stop", "done"],
    ["start", "audiostart", "soundstart", "soundend", "soundstart", "drain+stop", "soundend", "audioend", "release", "end"]],
  ["speech that the microphone's level did not show", true, [...OPEN, "speech_start", "hush", "speech_end"],
    ["start", "audiostart", "soundstart", "speechstart", "speechend", "soundend"]],
  ["stop before speech", true, [...OPEN, "stop", "stop", "done"], ["start", "audiostart", "drain+stop", "audioend", "release", "end"]],
  ["stop in speech", true, [...SPOKEN, "stop", result("a", true), "done"],
    ["start", "audiostart", "soundstart", "speechstart", "interim", "drain+stop", "speechend", "soundend", "audioend", "FINAL", "release", "end"]],
  ["stop before the permission", true, ["stop"], ["release", "end"]],
  ["stop before the first frame", true, ["permitted", "stop"], ["start", "release", "end"]],
  ["abort before the permission", true, ["abort"], ["release", "forget", "error:aborted", "end"]],
  ["abort in silence", true, [...OPEN, "abort"], ["start", "audiostart", "release", "forget", "audioend", "error:aborted", "end"]],
  ["abort in speech", true, [...SPOKEN, "abort", result("late", true)],
    ["start", "audiostart", "soundstart", "speechstart", "interim", "release", "forget", "speechend", "soundend", "audioend", "error:aborted", "end"]],
  ["abort after stop", true, [...SPOKEN, "stop", "abort", result("late", true)],
    ["start", "audiostart", "soundstart", "speechstart", "interim", "drain+stop", "speechend", "soundend", "audioend", "release", "forget", "error:aborted", "end"]],
  ["abort while the last events wait", false, [...OPEN, result("a", true), "abort", "abort"],
    ["start", "audiostart", "release", "audioend", "FINAL", "end", "forget", "error:aborted", "end", "forget", "end"]],
  ["refused", true, ["refused"], ["release", "error:not-allowed", "end"]],
  ["no microphone", true, ["unavailable"], ["release", "start", "error:audio-capture", "end"]],
  ["taken away: its tail is still recognised", true, [...SPOKEN, "unplugged", result("a", true), "done"],
    ["start", "audiostart", "soundstart", "speechstart", "interim", "drain+stop", "speechend", "soundend", "audioend", "FINAL", "release", "error:audio-capture", "end"]],
  ["the server is gone", true, [...OPEN, { kind: "problem", error: "network" }],
    ["start", "audiostart", "release", "audioend", "error:network", "end"]],
  ["a failed sentence in a dictation", true, [...OPEN, { kind: "failure", segment: 0, code: "timeout" }], ["start", "audiostart", "failure"]],
  ["a failed sentence that was the only one", false, [...OPEN, { kind: "failure", segment: 0, code: "timeout" }],
    ["start", "audiostart", "release", "failure", "audioend", "error:network", "end"]],
])) {
  test(what, () => assert.deepEqual(run(continuous, ...events).seen, wanted));
}

/** A small generator, so that each run tries the same dialogues. @param {number} seed */
function randoms(seed) {
  return () => (seed = (seed * 1_664_525 + 1_013_904_223) >>> 0) / 2 ** 32;
}

const KINDS = /** @type {const} */ (["permitted", "refused", "unavailable", "heard", "sound", "hush", "silent", "unplugged", "stop", "abort",
  "speech_start", "speech_end", "done"]);

test("whatever happens: pairs are closed in their order, one error at most, and `end` is last", () => {
  for (let seed = 1; seed <= 3_000; seed += 1) {
    const random = randoms(seed);
    const length = 4 + Math.floor(random() * 20);
    const events = [...(random() < 0.8 ? OPEN : []), ...Array.from({ length }, () => {
      if (random() < 0.2) return result(random() < 0.8 ? "a" : "", random() < 0.5);
      return simple(KINDS[Math.floor(random() * KINDS.length)] ?? "done");
    }), simple("done")];
    const { state, seen } = run(random() < 0.5, ...events);
    assert.equal(state.phase, "ending");
    // An abort while the last events wait takes `end` back and puts a new one last.
    const told = seen.filter((one, i) => one !== "end" || !seen.slice(i).includes("forget"));
    assert.equal(told.indexOf("end"), told.lastIndexOf("end"), seen.join());
    assert.ok(told.filter((one) => one.startsWith("error")).length <= 1, seen.join());
    for (const [open, close] of [["audiostart", "audioend"], ["soundstart", "soundend"], ["speechstart", "speechend"]]) {
      const marks = seen.filter((one) => one === open || one === close);
      assert.ok(marks.length % 2 === 0 && marks.every((one, i) => one === (i % 2 ? close : open)), seen.join());
    }
    for (const inner of ["soundstart", "speechstart"]) {
      if (seen.includes(inner)) assert.ok(seen.indexOf("audiostart") < seen.indexOf(inner), seen.join());
    }
    if (seen.includes("audiostart")) assert.ok(seen.indexOf("start") < seen.indexOf("audiostart"), seen.join());
  }
});
