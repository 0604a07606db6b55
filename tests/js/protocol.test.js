import assert from "node:assert/strict";
import { test } from "node:test";
import { SoundDetector, decibelOf, peakOf, toPcm16 } from "../../static/js/speech/pcm.js";
import { encodeStart, siblingUrl, socketUrl, subprotocols } from "../../static/js/speech/protocol.js";
import { pageLanguage, spokenLanguage, texts } from "../../static/js/texts.js";

/** @type {import("../../static/js/speech/protocol.js").Wish} */
const WISH = {
  lang: "ja", encoding: "s16le", sampleRate: 48000, interimResults: true, continuous: false, maxAlternatives: 99,
  words: false, phrases: [], stream: "", resumable: false,
};

test("the socket follows the module", () => {
  assert.equal(socketUrl("http://127.0.0.1:8000/static/js/speech-recognition.js"), "ws://127.0.0.1:8000/ws");
  assert.equal(socketUrl("https://host/speech/static/js/speech-recognition.js?v=1#b"), "wss://host/speech/ws");
  assert.equal(siblingUrl("wss://host/speech/ws", "v1/models"), "https://host/speech/v1/models");
});

test("start says what was wished, and nothing else", () => {
  const start = { type: "start", encoding: "s16le", sample_rate: 48000, interim_results: true, continuous: false, max_alternatives: 30 };
  assert.deepEqual(JSON.parse(encodeStart(WISH)), { ...start, lang: "ja" });
  assert.deepEqual(JSON.parse(encodeStart({ ...WISH, lang: "" })), start);
  const phrases = [{ phrase: "a", boost: 2 }];
  const rich = { ...WISH, words: true, phrases, minSilenceMs: 300, stream: "s", resumable: true };
  assert.deepEqual(JSON.parse(encodeStart(rich, { offset_ms: 640 })), {
    ...start, lang: "ja", words: true, phrases, vad: { min_silence_ms: 300 }, stream: "s", resumable: true, offset_ms: 640,
  });
});

test("a token becomes a subprotocol, whatever letters it has", () => {
  assert.deepEqual(subprotocols(""), ["speech.v1"]);
  assert.deepEqual(subprotocols("secret"), ["speech.v1", "token.c2VjcmV0"]);
  assert.deepEqual(subprotocols("秘密??>"), ["speech.v1", "token.56eY5a-GPz8-"]);
});

test("integers are little-endian and clipped", () => {
  const bytes = new Int16Array(toPcm16(Float32Array.of(0, 1, -1, 2, -0.5)));
  assert.deepEqual([...bytes], [0, 32767, -32768, 32767, -16384]);
});

test("levels run from silence to full scale", () => {
  assert.equal(Math.round(decibelOf(new Float32Array(100))), -120);
  assert.equal(Math.round(decibelOf(new Float32Array(100).fill(1))), 0);
  assert.equal(peakOf(Float32Array.of(0.1, -0.5)), 0.5);
});

test("sound begins with the first loud batch and ends after a hang of half a second", () => {
  const detector = new SoundDetector();
  const batch = (/** @type {number} */ level) => detector.hear(new Float32Array(1280).fill(level));
  assert.deepEqual([0, 0, 0.1, 0.1, 0, 0.1].map(batch), [null, null, "sound", null, null, null]);
  assert.deepEqual(Array.from({ length: 7 }, () => batch(0)), [null, null, null, null, null, "hush", null]);
});

test("a noisy room is no sound, a voice above it is", () => {
  const detector = new SoundDetector();
  const batch = (/** @type {number} */ level) => detector.hear(new Float32Array(1280).fill(level));
  const changes = Array.from({ length: 1_000 }, () => batch(0.02)).filter(Boolean);
  assert.deepEqual(changes, ["sound", "hush"], "what goes on for long is the room");
  assert.equal(batch(0.2), "sound");
});

test("digital silence never is a sound", () => {
  const detector = new SoundDetector();
  for (let i = 0; i < 200; i += 1) assert.equal(detector.hear(new Float32Array(1280)), null);
});

test("the page speaks the browser's language, and hears it where the server does", () => {
  assert.equal(pageLanguage(["fr-FR", "ja-JP", "en"]), "ja");
  assert.equal(pageLanguage(["en-GB", "ja"]), "en");
  assert.equal(pageLanguage(["fr"]), "en");
  assert.equal(spokenLanguage("ja", ["en", "ja-JP"], "en"), "ja-JP");
  assert.equal(spokenLanguage("ja", ["en"], "en"), "en");
  assert.equal(texts("ja")("start"), "開始");
});
