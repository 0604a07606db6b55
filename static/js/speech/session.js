/** One session: microphone, connection and results, driven by the state machine. */

import { Backlog } from "./backlog.js";
import { Capture, CaptureFault } from "./capture.js";
import { listMicrophones } from "./devices.js";
import { SpeechRecognitionErrorEvent, SpeechRecognitionEvent } from "./events.js";
import { Link } from "./link.js";
import { begin, step } from "./machine.js";
import { SoundDetector, peakOf, toPcm16 } from "./pcm.js";
import { Results, wordOf } from "./results.js";

/**
 * @typedef {object} Config what the standard's attributes say when the session begins
 * @property {string} lang
 * @property {boolean} continuous
 * @property {boolean} interimResults
 * @property {number} maxAlternatives
 * @property {boolean} processLocally
 * @property {import("./protocol.js").Phrase[]} phrases
 */

export class Session {
  #state;
  #config;
  #options;
  #queue;
  #results;
  #capture;
  #track;
  /** @type {Link | null} */
  #link = null;
  #sound = new SoundDetector();
  #unheard = 0; // samples since the session began, while there was no speech
  #message = ""; // what the server says about the error
  /** @type {string[] | null} */
  #features = null; // of the server, once it is known
  #url;

  /**
   * Must be made in the user's gesture.
   * @param {{config: Config, options: import("./options.js").Options, url: string, track: MediaStreamTrack | null,
   *   queue: import("./queue.js").EventQueue}} parts
   */
  constructor({ config, options, url, track, queue }) {
    this.#config = config;
    this.#options = options;
    this.#url = url;
    this.#track = track;
    this.#queue = queue;
    this.#state = begin(config.continuous);
    this.#results = new Results(config);
    this.#capture = this.#makeCapture();
    queueMicrotask(() => void this.#begin());
  }

  stop() {
    this.#act({ kind: "stop" });
  }

  abort = () => {
    this.#act({ kind: "abort" });
  };

  /** @param {import("./protocol.js").Phrase[]} phrases */
  configure(phrases) {
    if (phrases.length && this.#features && !this.#features.includes("phrases")) this.#refusePhrases();
    else this.#link?.configure(phrases);
  }

  #refusePhrases() {
    this.#act({ kind: "problem", error: "phrases-not-supported" });
  }

  /** @returns {Capture | null} null: the page is not secure, there is no microphone for it */
  #makeCapture() {
    try {
      return new Capture(this.#options.sampleRate, {
        onBatch: (samples, missed) => this.#listen(samples, missed),
        onEnd: () => this.#act({ kind: "unplugged" }),
      });
    } catch (error) {
      if (error instanceof CaptureFault) return null;
      throw error;
    }
  }

  /** Socket and microphone side by side, so that neither waits for the other. */
  async #begin() {
    if (this.#state.phase !== "preparing") return;
    globalThis.addEventListener("pagehide", this.abort);
    if (this.#config.processLocally && !this.#options.treatServerAsLocal) {
      return this.#act({ kind: "problem", error: "service-not-allowed" });
    }
    if (!this.#capture) return this.#act({ kind: "refused" });
    this.#link = this.#connect(this.#capture);
    this.#link.open();
    if (!this.#config.phrases.length) await this.#openCapture(); // else when the server has said that it knows phrases
  }

  /** @param {Capture} capture */
  #connect(capture) {
    const { encoding, words, stream, minSilenceMs, token, connectTimeoutMs, resumeLimitMs } = this.#options;
    const { processLocally: _, ...config } = this.#config;
    const recycle = (/** @type {ArrayBuffer} */ data) => encoding === "f32le" && capture.recycle(data);
    const { sampleRate } = capture;
    const backlog = new Backlog({ sampleRate, sampleBytes: encoding === "s16le" ? 2 : 4, recycle });
    const wish = { ...config, encoding, sampleRate, words, stream, minSilenceMs, resumable: resumeLimitMs > 0 };
    const provider = typeof token === "function" ? token : () => token;
    return new Link({ url: this.#url, token: provider, wish, backlog, connectTimeoutMs, resumeLimitMs }, {
      onMessage: (message) => this.#receive(message),
      onState: () => this.#link && this.#queue.add(new CustomEvent("x-connection", { detail: this.#link.status })),
      onError: (error, message) => this.#fail(error, message),
    });
  }

  async #openCapture() {
    try {
      await this.#capture?.open(this.#options, this.#track, () => this.#act({ kind: "permitted" }));
      if (this.#state.phase !== "ending") void this.#showDevices();
    } catch (error) {
      const code = error instanceof CaptureFault ? error.code : "audio-capture";
      if (this.#state.phase !== "preparing") return this.#fail(code, "the microphone cannot be read");
      this.#act({ kind: code === "not-allowed" ? "refused" : "unavailable" });
    }
  }

  #showDevices = async () => {
    navigator.mediaDevices.removeEventListener("devicechange", this.#showDevices);
    const devices = await listMicrophones();
    if (this.#state.phase === "ending" || !this.#capture) return;
    navigator.mediaDevices.addEventListener("devicechange", this.#showDevices);
    this.#queue.add(new CustomEvent("x-devices", { detail: { devices, used: this.#capture.used } }));
  };

  /** @param {Float32Array<ArrayBuffer>} samples @param {number} missed frames before these */
  #listen(samples, missed) {
    if (!this.#link || !this.#capture) return;
    this.#act({ kind: "heard" });
    const rate = this.#capture.sampleRate;
    if (missed > 0) this.#link.miss((missed * 1000) / rate);
    if (this.#state.phase === "listening") this.#judge(samples, rate);
    if (this.#state.phase === "ending") return;
    if (this.#options.encoding === "f32le") return this.#link.push(samples.buffer);
    this.#link.push(toPcm16(samples));
    this.#capture.recycle(samples.buffer);
  }

  /** @param {Float32Array} samples @param {number} rate */
  #judge(samples, rate) {
    this.#queue.add(new CustomEvent("x-level", { detail: { peak: peakOf(samples) } }));
    const change = this.#sound.hear(samples);
    if (change) this.#act({ kind: change });
    if (this.#link?.isOpen) this.#unheard += samples.length;
    const limit = this.#options.noSpeechTimeoutMs;
    if (limit && this.#unheard * 1000 >= limit * rate) this.#act({ kind: "silent" });
  }

  /** @param {import("./protocol.js").ServerMessage} message */
  #receive(message) {
    switch (message.type) {
      case "ready":
        return this.#greeted(message);
      case "result":
        return this.#act({ kind: "result", result: message });
      case "failure":
        return this.#act({ kind: "failure", segment: message.segment, code: message.code });
      case "progress":
        return this.#showProgress();
      case "speech_start":
      case "speech_end":
      case "done":
        return this.#act({ kind: message.type });
    }
  }

  /** @param {import("./protocol.js").Ready} ready */
  #greeted({ separator, features }) {
    this.#results.separator = separator;
    this.#features = features;
    if (!this.#config.phrases.length) return;
    if (features.includes("phrases")) void this.#openCapture();
    else this.#refusePhrases();
  }

  #showProgress() {
    if (!this.#link || this.#state.phase === "ending") return;
    const { capturedMs, receivedMs, settledMs, lagMs } = this.#link.backlog;
    this.#queue.add(new CustomEvent("x-progress", { detail: { capturedMs, receivedMs, settledMs, lagMs } }));
  }

  /** @param {string} error @param {string} message */
  #fail(error, message) {
    this.#message = message;
    this.#act({ kind: "problem", error });
  }

  /** @param {import("./machine.js").Event} event */
  #act(event) {
    const { state, effects } = step(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#do(effect);
  }

  /** @param {import("./machine.js").Effect} effect */
  #do(effect) {
    switch (effect.kind) {
      case "emit":
        return this.#queue.add(new Event(effect.type));
      case "result":
        return this.#show(effect.result);
      case "failure":
        return this.#showFailure(effect);
      case "drain":
        return void this.#drain(effect.stop);
      case "release":
        return this.#release();
      case "forget":
        return this.#queue.forget("result", "nomatch", "x-result", "end");
      case "error":
        return this.#queue.add(new SpeechRecognitionErrorEvent("error", { error: effect.error, message: this.#message }));
      case "end":
        return this.#queue.add(new Event("end"));
    }
  }

  /** @param {import("./protocol.js").Result} result */
  #show(result) {
    this.#queue.add(new CustomEvent("x-result", { detail: detailOf(result) }));
    for (const update of this.#results.receive(result)) this.#queue.add(new SpeechRecognitionEvent("result", update));
    if (result.final && !result.alternatives.length) this.#queue.add(new SpeechRecognitionEvent("nomatch"));
  }

  /** @param {{segment: number, code: string}} failure */
  #showFailure({ segment, code }) {
    this.#queue.add(new CustomEvent("x-failure", { detail: { segment, code } }));
    for (const update of this.#results.forget(segment)) this.#queue.add(new SpeechRecognitionEvent("result", update));
  }

  /** @param {boolean} tell the server */
  async #drain(tell) {
    if (tell) await this.#capture?.finish();
    else this.#capture?.release();
    this.#link?.stop(tell);
  }

  #release() {
    globalThis.removeEventListener("pagehide", this.abort);
    navigator.mediaDevices?.removeEventListener("devicechange", this.#showDevices);
    this.#capture?.release();
    this.#link?.close();
  }
}

/** @param {import("./protocol.js").Result} result */
function detailOf({ segment, revision, final: isFinal, start_ms: startMs, end_ms: endMs, stable, alternatives }) {
  const shown = alternatives.map(({ transcript, confidence, words }) => ({ transcript, confidence, words: (words ?? []).map(wordOf) }));
  return { segment, revision, isFinal, startMs, endMs, stable, alternatives: shown };
}
