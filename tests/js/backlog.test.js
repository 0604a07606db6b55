import assert from "node:assert/strict";
import { test } from "node:test";
import { Backlog } from "../../static/js/speech/backlog.js";

const BATCH = 80; // ms

/** A backlog at 16 kHz, s16le, that has heard this many batches, each filled with its number. @param {number} count */
function heard(count) {
  /** @type {ArrayBuffer[]} */
  const recycled = [];
  const backlog = new Backlog({ sampleRate: 16_000, sampleBytes: 2, recycle: (data) => void recycled.push(data) });
  for (let i = 0; i < count; i += 1) backlog.push(new Int16Array(16 * BATCH).fill(i).buffer);
  return { backlog, recycled };
}

/** All that waits to be sent. @param {Backlog} backlog @returns {number[]} sample by sample */
function sent(backlog) {
  const samples = [];
  for (let data = backlog.take(); data; data = backlog.take()) {
    const bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
    samples.push(...new Int16Array(bytes.slice().buffer));
  }
  return samples;
}

/** @param {number} fromMs @param {number} toMs */
function stretch(fromMs, toMs) {
  return Array.from({ length: (toMs - fromMs) * 16 }, (_, i) => Math.floor((fromMs * 16 + i) / (16 * BATCH)));
}

test("what was captured is sent once, in its order", () => {
  const { backlog } = heard(3);
  assert.deepEqual(sent(backlog), stretch(0, 240));
  assert.equal(backlog.allSent, true);
  assert.equal(backlog.take(), null);
  assert.deepEqual([backlog.capturedMs, backlog.keptMs, backlog.lagMs], [240, 240, 240]);
});

test("before anything is settled a resume begins at the beginning", () => {
  const { backlog } = heard(3);
  sent(backlog);
  assert.deepEqual(backlog.rewind(), {});
  assert.deepEqual(sent(backlog), stretch(0, 240));
});

test("without checkpoints it begins where all is settled", () => {
  const { backlog, recycled } = heard(20);
  sent(backlog);
  backlog.progress({ received_ms: 1_600, settled_ms: 992, checkpoint: null });
  assert.equal(recycled.length, 12, "992 ms are 12 whole batches");
  assert.deepEqual(backlog.rewind(), { offset_ms: 992 });
  assert.deepEqual(sent(backlog), stretch(992, 1_600));
});

test("with them, 160 ms before the newest, which is handed back with what is settled now", () => {
  const { backlog, recycled } = heard(30);
  backlog.ready(true);
  sent(backlog);
  backlog.progress({ received_ms: 2_400, settled_ms: 1_824, checkpoint: { at_ms: 1_600, settled_ms: 1_824, state: "S" } });
  backlog.settle(2_016); // its final came
  assert.equal(recycled.length, 18);
  assert.deepEqual([backlog.lagMs, backlog.keptMs], [0, 384]);
  assert.deepEqual(backlog.rewind(), { offset_ms: 1_440, checkpoint: { at_ms: 1_600, settled_ms: 2_016, state: "S" } });
  assert.deepEqual(sent(backlog), stretch(1_440, 2_400));
  assert.equal(backlog.lagMs, 960, "the new connection has confirmed nothing");
});

test("the first checkpoint is the beginning", () => {
  const { backlog } = heard(10);
  backlog.ready(true);
  sent(backlog);
  backlog.progress({ received_ms: 800, settled_ms: 640, checkpoint: null });
  assert.deepEqual(backlog.rewind(), { offset_ms: 0, checkpoint: { at_ms: 0, settled_ms: 640, state: "" } });
});

test("what was captured while away follows", () => {
  const { backlog } = heard(2);
  sent(backlog);
  backlog.settle(80);
  backlog.push(new Int16Array(16 * BATCH).fill(2).buffer);
  assert.deepEqual(backlog.rewind(), { offset_ms: 80 });
  assert.deepEqual(sent(backlog), stretch(80, 240));
});

test("an hour leaves nothing behind but what is not settled", () => {
  let kept = 0;
  const backlog = new Backlog({ sampleRate: 100, sampleBytes: 2, recycle: () => void (kept -= 1) });
  backlog.ready(true);
  let most = 0;
  for (let ms = BATCH; ms <= 3_600_000; ms += BATCH) {
    backlog.push(new ArrayBuffer(16));
    kept += 1;
    if (ms % 800 === 0) backlog.progress({ received_ms: ms, settled_ms: ms - 400, checkpoint: { at_ms: ms - 800, settled_ms: ms - 400, state: "" } });
    most = Math.max(most, kept);
  }
  assert.equal(backlog.capturedMs, 3_600_000);
  assert.ok(most <= (800 + 800 + 160) / BATCH + 1, `${most} batches`);
});
