/** Microphone (or a given track), AudioContext and worklet: batches of samples, or the reason why there are none. */

import { openMicrophone } from "./devices.js";

/**
 * @typedef {"not-allowed" | "audio-capture" | "network"} CaptureError as the standard names them
 * @typedef {object} Listener
 * @property {(samples: Float32Array<ArrayBuffer>, missed: number) => void} onBatch missed: frames that the browser lost before these
 * @property {() => void} onEnd the microphone was taken away
 */

export class CaptureFault extends Error {
  /** @param {CaptureError} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

const WORKLET = new URL("./capture-worklet.js", import.meta.url);
const WATCH_MS = 500;
const STALLED_TICKS = 3; // without a batch, then the context is woken or made anew
const DEAD_TICKS = 20; // then it is given up
const FLUSH_MS = 100;
const FLUSH_TICKS = 30; // without a batch: an audio thread that is late is waited for, a dead one is not

export class Capture {
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** @type {MediaStream | null} */
  #stream = null;
  #owned = true; // a track that the caller gave is the caller's to stop
  #released = false;
  #ticks = 0;
  #nextFrame = -1;
  #rate;
  #listener;
  /** @type {AudioContext} */
  #context;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #watch;

  /**
   * Made in the user's gesture, before anything is awaited: Safari wants the context there.
   * @param {number} sampleRate wanted
   * @param {Listener} listener
   */
  constructor(sampleRate, listener) {
    if (!globalThis.isSecureContext || !navigator.mediaDevices) throw new CaptureFault("not-allowed");
    this.#listener = listener;
    this.#rate = sampleRate;
    this.#context = this.#makeContext();
  }

  get sampleRate() {
    return this.#context.sampleRate;
  }

  /** @returns {{id: string, label: string}} the microphone in use */
  get used() {
    const track = this.#stream?.getAudioTracks()[0];
    return { id: track?.getSettings().deviceId ?? "", label: track?.label ?? "" };
  }

  /**
   * @param {import("./options.js").Options} options
   * @param {MediaStreamTrack | null} track
   * @param {() => void} onPermitted as soon as the user has said yes
   */
  async open(options, track, onPermitted) {
    const loading = loadWorklet(this.#context);
    loading.catch(() => {}); // reported below, when the permission is settled
    this.#owned = !track;
    const stream = track ? new MediaStream([track]) : await permitted(openMicrophone(options));
    if (this.#released) return stop(stream, this.#owned);
    this.#stream = stream;
    onPermitted();
    for (const one of stream.getAudioTracks()) one.addEventListener("ended", this.#onEnded);
    await loading;
    if (this.#released) return;
    this.#connect();
    this.#watch = setInterval(() => this.#check(), WATCH_MS);
    document.addEventListener("visibilitychange", this.#wake);
  }

  /** Gives a buffer back to the audio thread. @param {ArrayBuffer} buffer */
  recycle(buffer) {
    this.#node?.port.postMessage(buffer, [buffer]);
  }

  /** The microphone goes at once; what the audio thread still holds is delivered. */
  async finish() {
    this.#silence();
    if (this.#node && this.#context.state === "running") await this.#flush(this.#node.port);
    this.release();
  }

  release() {
    if (this.#released) return;
    this.#released = true;
    this.#silence();
    this.#disconnect();
  }

  #silence() {
    clearInterval(this.#watch);
    document.removeEventListener("visibilitychange", this.#wake);
    this.#context.onstatechange = null;
    for (const track of this.#stream?.getAudioTracks() ?? []) track.removeEventListener("ended", this.#onEnded);
    if (this.#stream) stop(this.#stream, this.#owned);
  }

  #onEnded = () => this.#listener.onEnd();

  /**
   * Chromium resamples a microphone to the context's rate exactly. Other browsers throw or warp time: they run at
   * the device's own rate, and the server resamples.
   */
  #makeContext() {
    const chromium = "userAgentData" in navigator;
    const context = chromium ? new AudioContext({ sampleRate: this.#rate }) : new AudioContext();
    if (!context.audioWorklet) throw new CaptureFault("not-allowed");
    context.resume().catch(() => {}); // the watch sees to it
    return context;
  }

  #connect() {
    const options = { numberOfOutputs: 0, channelCount: 1, channelCountMode: /** @type {const} */ ("explicit") };
    const node = new AudioWorkletNode(this.#context, "speech-capture", options);
    node.port.onmessage = ({ data }) => this.#deliver(data);
    this.#context.createMediaStreamSource(/** @type {MediaStream} */ (this.#stream)).connect(node);
    this.#context.onstatechange = this.#wake;
    this.#node = node;
    this.#ticks = 0;
    this.#nextFrame = -1;
  }

  #disconnect() {
    if (this.#node) this.#node.port.onmessage = null;
    this.#node?.disconnect();
    this.#context.onstatechange = null;
    if (this.#context.state !== "closed") this.#context.close().catch(() => {});
  }

  /** @param {{samples: Float32Array<ArrayBuffer>, frame: number}} batch */
  #deliver({ samples, frame }) {
    const missed = this.#nextFrame < 0 ? 0 : frame - this.#nextFrame;
    this.#nextFrame = frame + samples.length;
    this.#ticks = 0;
    this.#listener.onBatch(samples, missed);
  }

  /** @param {MessagePort} port */
  async #flush(port) {
    let ticks = 0;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    let watch;
    await new Promise((resolve) => {
      watch = setInterval(() => ++ticks >= FLUSH_TICKS && resolve(null), FLUSH_MS);
      port.onmessage = ({ data }) => {
        if (!data) return resolve(null);
        ticks = 0;
        this.#deliver(data);
      };
      port.postMessage("flush");
    });
    clearInterval(watch);
  }

  /** Ticks, not times: a page that was blocked has batches waiting, and is not taken for a dead microphone. */
  #check() {
    this.#ticks += 1;
    if (this.#ticks >= DEAD_TICKS) this.#listener.onEnd();
    else if (this.#ticks >= STALLED_TICKS) this.#revive();
  }

  /** After a locked screen or another page's turn. */
  #wake = () => {
    if (this.#context.state === "suspended") this.#context.resume().catch(() => {});
  };

  #revive() {
    if (this.#context.state === "suspended") return this.#wake();
    if (/** @type {string} */ (this.#context.state) === "interrupted") return; // a phone call: iOS wakes it, or nobody
    if (this.#ticks % STALLED_TICKS === 0) void this.#rebuild(); // frozen: Safari after an interruption
  }

  async #rebuild() {
    this.#disconnect();
    const before = this.#context.sampleRate;
    const context = (this.#context = this.#makeContext());
    if (context.sampleRate !== before) return this.#listener.onEnd(); // one stream has one rate
    try {
      await loadWorklet(context);
      if (!this.#released && context === this.#context) this.#connect();
    } catch {
      // the next ticks try again
    }
  }
}

/** @param {MediaStream} stream @param {boolean} owned */
function stop(stream, owned) {
  if (owned) for (const track of stream.getTracks()) track.stop();
}

/** @param {Promise<MediaStream>} asking */
async function permitted(asking) {
  try {
    return await asking;
  } catch (error) {
    const name = error instanceof Error ? error.name : "";
    throw new CaptureFault(name === "NotAllowedError" || name === "SecurityError" ? "not-allowed" : "audio-capture");
  }
}

/** A page whose policy allows the worklet from a Blob only still gets it. @param {AudioContext} context */
async function loadWorklet(context) {
  try {
    await context.audioWorklet.addModule(WORKLET);
  } catch {
    const url = await blobUrl();
    try {
      await context.audioWorklet.addModule(url);
    } catch {
      throw new CaptureFault("network");
    } finally {
      URL.revokeObjectURL(url);
    }
  }
}

async function blobUrl() {
  try {
    const answer = await fetch(WORKLET);
    if (answer.ok) return URL.createObjectURL(new Blob([await answer.text()], { type: "text/javascript" }));
  } catch {
    // the same fault as an answer that is none
  }
  throw new CaptureFault("network");
}
