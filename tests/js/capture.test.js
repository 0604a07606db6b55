import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

const SOURCE = readFileSync(new URL("../../static/js/speech/capture-worklet.js", import.meta.url), "utf8");

/**
 * The processor in a world like the audio thread's; `posted` collects what it posts.
 * @param {number} sampleRate
 */
function capture(sampleRate) {
  /** @type {{message: {samples: Float32Array, frame: number} | null, transfer: ArrayBuffer[]}[]} */
  const posted = [];
  const port = {
    onmessage: (/** @type {{data: unknown}} */ _) => {},
    postMessage: (/** @type {{samples: Float32Array, frame: number} | null} */ message, /** @type {ArrayBuffer[]} */ transfer = []) =>
      void posted.push({ message, transfer }),
  };
  /** @type {any} */
  let Processor;
  const world = {
    sampleRate,
    currentFrame: 0,
    Float32Array,
    ArrayBuffer,
    AudioWorkletProcessor: class { port = port; },
    registerProcessor: (/** @type {string} */ _, /** @type {any} */ found) => { Processor = found; },
  };
  runInNewContext(SOURCE, world);
  const processor = new Processor();
  const hear = (/** @type {number} */ frame, /** @type {Float32Array} */ samples) => {
    world.currentFrame = frame;
    return processor.process([[samples]]);
  };
  return { hear, posted, flush: () => port.onmessage({ data: "flush" }), giveBack: (/** @type {ArrayBuffer} */ data) => port.onmessage({ data }) };
}

/** @param {number} first @param {number} length */
function ramp(first, length) {
  return Float32Array.from({ length }, (_, i) => (first + i) / 100_000);
}

for (const [rate, size] of /** @type {[number, number][]} */ ([[16_000, 1280], [44_100, 3528], [48_000, 3840]])) {
  test(`80 ms batches at ${rate} Hz, and every sample in its place`, () => {
    const { hear, posted, flush } = capture(rate);
    for (let at = 0; at < 9_984; at += 128) assert.equal(hear(at, ramp(at, 128)), true);
    flush();
    const messages = posted.flatMap(({ message }) => (message ? [message] : []));
    const batches = messages.map(({ samples }) => samples);
    messages.forEach(({ frame }, i) => assert.equal(frame, i * size));
    assert.deepEqual(batches.slice(0, -1).map((batch) => batch.length), Array(Math.floor(9_984 / size)).fill(size));
    assert.equal(batches.at(-1)?.length, 9_984 % size);
    assert.deepEqual(batches.flatMap((batch) => [...batch]), [...ramp(0, 9_984)]);
    assert.ok(posted.every(({ message, transfer }) => !message || transfer[0] === message.samples.buffer), "buffers are transferred");
    assert.equal(posted.at(-1)?.message, null);
  });
}

test("nothing is posted after the flush", () => {
  const { hear, posted, flush } = capture(16_000);
  flush();
  assert.equal(hear(0, ramp(0, 128)), false);
  assert.deepEqual(posted.map(({ message }) => message), [null]);
});

test("a buffer that comes back is used again, one of another size is not", () => {
  const { hear, posted, giveBack } = capture(16_000);
  const [mine, other] = [new ArrayBuffer(1280 * 4), new ArrayBuffer(4)];
  giveBack(other);
  giveBack(mine);
  for (let at = 0; at < 2 * 1280; at += 128) hear(at, ramp(at, 128));
  assert.equal(posted[1]?.message?.samples.buffer, mine);
});
