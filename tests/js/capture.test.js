import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

const SOURCE = readFileSync(new URL("../../static/js/capture-worklet.js", import.meta.url), "utf8");

/**
 * The processor in a world like the audio thread's; `posted` collects what it posts.
 * @param {number} sampleRate
 */
function capture(sampleRate) {
  /** @type {{message: Float32Array | null, transfer: ArrayBuffer[]}[]} */
  const posted = [];
  const port = {
    onmessage: () => {},
    postMessage: (/** @type {Float32Array | null} */ message, /** @type {ArrayBuffer[]} */ transfer = []) =>
      void posted.push({ message, transfer }),
  };
  /** @type {any} */
  let Processor;
  runInNewContext(SOURCE, {
    sampleRate,
    Float32Array,
    AudioWorkletProcessor: class { port = port; },
    registerProcessor: (/** @type {string} */ _, /** @type {any} */ found) => { Processor = found; },
  });
  return { processor: new Processor(), posted, flush: () => port.onmessage() };
}

/** @param {number} first @param {number} length */
function ramp(first, length) {
  return Float32Array.from({ length }, (_, i) => (first + i) / 100_000);
}

for (const [rate, size] of /** @type {[number, number][]} */ ([[16_000, 1280], [44_100, 3528], [48_000, 3840]])) {
  test(`80 ms batches at ${rate} Hz, and every sample in its place`, () => {
    const { processor, posted, flush } = capture(rate);
    for (let at = 0; at < 9_984; at += 128) assert.equal(processor.process([[ramp(at, 128)]]), true);
    flush();
    const batches = posted.flatMap(({ message }) => (message ? [message] : []));
    assert.deepEqual(batches.slice(0, -1).map((batch) => batch.length), Array(Math.floor(9_984 / size)).fill(size));
    assert.equal(batches.at(-1)?.length, 9_984 % size);
    assert.deepEqual(batches.flatMap((batch) => [...batch]), [...ramp(0, 9_984)]);
    assert.ok(posted.every(({ message, transfer }) => !message || transfer[0] === message.buffer), "buffers are transferred");
    assert.equal(posted.at(-1)?.message, null);
  });
}

test("nothing is posted after the flush", () => {
  const { processor, posted, flush } = capture(16_000);
  flush();
  assert.equal(processor.process([[ramp(0, 128)]]), false);
  assert.deepEqual(posted.map(({ message }) => message), [null]);
});
