import assert from "node:assert/strict";
import { test } from "node:test";
import { level, toPcm16 } from "../../static/js/pcm.js";
import { encodeStart, socketUrl } from "../../static/js/protocol.js";
import { pageLanguage, texts } from "../../static/js/texts.js";

test("the socket follows the page", () => {
  assert.equal(socketUrl("http://127.0.0.1:8000/"), "ws://127.0.0.1:8000/ws");
  assert.equal(socketUrl("https://host/speech/?a=1#b"), "wss://host/speech/ws");
});

test("start says what the audio is", () => {
  assert.deepEqual(JSON.parse(encodeStart({ lang: "ja", encoding: "s16le", sampleRate: 48000 })), {
    type: "start", lang: "ja", encoding: "s16le", sample_rate: 48000, interim_results: true,
  });
});

test("integers are little-endian and clipped", () => {
  const bytes = new Int16Array(toPcm16(Float32Array.of(0, 1, -1, 2, -0.5)));
  assert.deepEqual([...bytes], [0, 32767, -32768, 32767, -16384]);
});

test("the level runs from silence to full scale", () => {
  assert.equal(level(new Float32Array(100)), 0);
  assert.equal(level(new Float32Array(100).fill(1)), 1);
  assert.ok(level(new Float32Array(0)) === 0);
});

test("the page speaks the browser's language", () => {
  assert.equal(pageLanguage(["fr-FR", "ja-JP", "en"]), "ja");
  assert.equal(pageLanguage(["en-GB", "ja"]), "en");
  assert.equal(pageLanguage(["fr"]), "en");
  assert.equal(texts("ja")("start"), "開始");
});
