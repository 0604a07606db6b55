/** The WebSocket: audio waits here until the server is ready, so no first word is lost. */

import { STOP, SUBPROTOCOL, decode, encodeStart } from "./protocol.js";

/** Bytes that may wait in the browser before the user is told: two seconds of float audio. */
const HIGH_WATER_BYTES = 128_000;
const CONNECT_TIMEOUT_MS = 10_000;

export class Connection {
  /**
   * @param {string} url
   * @param {{onMessage: (message: import("./protocol.js").ServerMessage) => void, onClose: (code: number) => void,
   *   onSlow: (slow: boolean) => void}} listener
   */
  constructor(url, listener) {
    this.listener = listener;
    /** @type {(string | ArrayBufferLike)[]} */
    this.waiting = [];
    this.slow = false;
    this.socket = new WebSocket(url, SUBPROTOCOL);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.flush();
    this.socket.onmessage = (event) => listener.onMessage(decode(event.data));
    this.socket.onclose = (event) => {
      clearTimeout(this.timer);
      listener.onClose(event.code);
    };
    this.timer = setTimeout(() => {
      if (this.socket.readyState === WebSocket.CONNECTING) this.socket.close();
    }, CONNECT_TIMEOUT_MS);
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
    for (const data of this.waiting.splice(0)) this.socket.send(/** @type {ArrayBuffer} */ (data));
    const slow = this.socket.bufferedAmount > HIGH_WATER_BYTES;
    if (slow !== this.slow) this.listener.onSlow(slow);
    this.slow = slow;
  }

  close() {
    this.waiting.length = 0;
    this.socket.onmessage = this.socket.onclose = this.socket.onopen = null;
    clearTimeout(this.timer);
    this.socket.close();
  }
}
