import assert from "node:assert/strict";
import { test } from "node:test";
import { assign, makeOptions } from "../../static/js/speech/options.js";

test("what is set is kept, what is copied is a copy", () => {
  const defaults = makeOptions();
  const options = makeOptions(defaults);
  options.noSpeechTimeoutMs = 0;
  options.minSilenceMs = 300;
  options.minSilenceMs = undefined;
  assert.equal(options.noSpeechTimeoutMs, 0);
  assert.equal(defaults.noSpeechTimeoutMs, 8_000);
  assert.deepEqual({ ...options, noSpeechTimeoutMs: 8_000 }, { ...defaults });
});

for (const [name, value, kind, says] of /** @type {[string, any, any, RegExp][]} */ ([
  ["serverUrl", "https://host/ws", RangeError, /options.serverUrl .* ws:\/\//],
  ["serverUrl", "ws://", RangeError, /serverUrl/],
  ["serverUrl", 5, TypeError, /options.serverUrl must be a string/],
  ["token", {}, TypeError, /options.token must be a string or a function/],
  ["strictDevice", 1, TypeError, /options.strictDevice must be true or false/],
  ["constraints", null, TypeError, /options.constraints must be an object/],
  ["noSpeechTimeoutMs", -1, RangeError, /options.noSpeechTimeoutMs must be a whole number from 0 to 3600000, not -1/],
  ["noSpeechTimeoutMs", "8", TypeError, /options.noSpeechTimeoutMs must be a number/],
  ["minSilenceMs", 63, RangeError, /from 64 to 10000/],
  ["minSilenceMs", NaN, RangeError, /minSilenceMs/],
  ["encoding", "opus", RangeError, /"s16le" or "f32le", not "opus"/],
  ["sampleRate", 7_999, RangeError, /from 8000 to 192000/],
  ["connectTimeoutMs", 99, RangeError, /from 100 to 600000/],
  ["resumeLimitMs", 1.5, RangeError, /whole number/],
  ["stream", "x".repeat(65), RangeError, /1 to 64 characters/],
  ["stream", ".hidden", RangeError, /without a dot in front/],
  ["stream", "my stream", RangeError, /not "my stream"/],
  ["serverURL", "", TypeError, /options.serverURL is not known/],
  ["toString", "", TypeError, /not known/],
])) {
  test(`${name} refuses ${String(value).slice(0, 20)}`, () => {
    const options = /** @type {any} */ (makeOptions());
    const wanted = { name: kind.name, message: says };
    assert.throws(() => { options[name] = value; }, wanted);
    assert.throws(() => Object.defineProperty(options, name, { value }), wanted);
    assert.throws(() => assign(options, { words: true, [name]: value }), wanted);
    assert.equal(options.words, false, "all of it or nothing");
  });
}

test("an option cannot be deleted", () => {
  assert.throws(() => { delete (/** @type {any} */ (makeOptions()).words); }, TypeError);
});
