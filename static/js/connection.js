/** The WebSocket: audio waits here until it is open, so no first word is lost. */

import { STOP, SUBPROTOCOL, decode, encodeStart } from "./protocol.js";

/** Bytes that may wait in the browser before the user is told: two seconds of float audio. */
const HIGH_WATER_BYTES = 128_000;
const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 3_000;
const ABNORMAL = 1006;

export class Connection {
  /**
   * @param {string} url
   * @param {{onMessage: (message: import("./protocol.js").ServerMessage) => void, onSlow: (slow: boolean) => void,
   *   onClose: (code: number, reachable: boolean) => void}} listener
   */
  constructor(url, listener) {
    this.listener = listener;
    /** @type {(string | ArrayBufferLike)[]} */
    this.waiting = [];
    this.slow = false;
    this.ended = false;
    this.socket = new WebSocket(url, SUBPROTOCOL);
    this.socket.onopen = () => {
      clearTimeout(this.timer);
      this.flush();
    };
    this.socket.onmessage = (event) => listener.onMessage(decode(event.data));
    this.socket.onclose = (event) => void this.closed(event.code);
    this.timer = setTimeout(() => this.socket.close(), CONNECT_TIMEOUT_MS);
  }

  /** @param {{lang: string, encoding: "f32le" | "s16le", sampleRate: number}} wish */
  start(wish) {
    this.send(encodeStart(wish));
  }

  stop() {
    this.send(STOP);
  }

  /** @param {string | ArrayBufferLike} data */
  send(data) {
    this.waiting.push(data);
    if (this.socket.readyState === WebSocket.OPEN) this.flush();
  }

  flush() {
    const early = this.waiting.length > 1; // what was said while connecting is no slow network
    for (const data of this.waiting.splice(0)) this.socket.send(/** @type {ArrayBuffer} */ (data));
    const slow = !early && this.socket.bufferedAmount > HIGH_WATER_BYTES;
    if (slow !== this.slow) this.listener.onSlow(slow);
    this.slow = slow;
  }

  /**
   * A browser does not tell a refusal (503) from a dead server; asking for another answer does.
   * @param {number} code
   */
  async closed(code) {
    clearTimeout(this.timer);
    const reachable = code === ABNORMAL && (await answers());
    if (!this.ended) this.listener.onClose(code, reachable);
  }

  close() {
    this.ended = true;
    this.waiting.length = 0;
    this.socket.onmessage = this.socket.onopen = null;
    clearTimeout(this.timer);
    this.socket.close();
  }
}

/** Does the page's server answer at all? */
async function answers() {
  try {
    const url = new URL("healthz", location.href);
    return (await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })).ok;
  } catch {
    return false;
  }
}
