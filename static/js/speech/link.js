/** The connection to the server, as one unbroken stream: what breaks is joined again, without a lost or a second word. */

import { NORMAL, STOP, decode, encodePhrases, encodeStart, errorOf, errorOfClose, subprotocols } from "./protocol.js";
import { Segments } from "./segments.js";

/**
 * @typedef {import("./protocol.js").ServerMessage} ServerMessage
 * @typedef {"connecting" | "open" | "reconnecting" | "lost"} ConnectionState
 * @typedef {object} Listener
 * @property {(message: ServerMessage) => void} onMessage segments count on over all connections; nothing comes twice
 * @property {(state: ConnectionState) => void} onState at every change, and about once a second while away or behind
 * @property {(error: string, message: string) => void} onError the end, with the standard's name for it
 */

const TICK_MS = 1_000;
const SILENT_TICKS = 8; // a server that says nothing for so long is gone: it has a heartbeat of 2 s
const BEHIND_MS = 2_000;
const HIGH_WATER_S = 2; // of audio in the browser's own queue; more waits in the backlog
const PUMP_MS = 100; // a socket does not say when its queue has room
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 8_000;
const PENDING_MS = 300_000; // what a healthy server may have unsettled at the very most
export class Link {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ConnectionState} */
  #state = "connecting";
  #met = false; // the server has said `ready` at least once
  #ready = false; // on this connection
  #ended = false;
  #retries = 0;
  #silent = 0; // ticks since the server's last word
  #stopping = false;
  #stopSent = false; // on this connection
  #stuckMs = 0; // captured when audio last moved on
  #awaySince = 0;
  #behind = false;
  #lostMs = 0;
  #fault = "";
  #segments = new Segments();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #pumping;

  /**
   * @param {{url: string, token: () => string | Promise<string>, wish: import("./protocol.js").Wish,
   *   backlog: import("./backlog.js").Backlog, connectTimeoutMs: number, resumeLimitMs: number}} options
   * @param {Listener} listener
   */
  constructor({ url, token, wish, backlog, connectTimeoutMs, resumeLimitMs }, listener) {
    this.url = url;
    this.token = token;
    this.wish = wish;
    this.backlog = backlog;
    this.connectTimeoutMs = connectTimeoutMs;
    this.resumeLimitMs = resumeLimitMs;
    this.listener = listener;
  }

  get isOpen() {
    return this.#ready;
  }

  /** For `x-connection`. */
  get status() {
    const { lagMs, keptMs } = this.backlog;
    return { state: this.#state, lagMs, keptMs, lostMs: this.#lostMs };
  }

  open() {
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    globalThis.addEventListener("online", this.#hurry);
    this.#tell("connecting");
    void this.#connect();
  }

  /** @param {ArrayBuffer} data audio */
  push(data) {
    if (this.#ended) return;
    this.backlog.push(data);
    this.#pump();
    this.#checkLimit();
  }

  /** @param {number} ms of audio that the browser never delivered */
  miss(ms) {
    this.#lostMs += ms;
  }

  /** @param {import("./protocol.js").Phrase[]} phrases */
  configure(phrases) {
    this.wish.phrases = phrases;
    if (this.#ready) this.#socket?.send(encodePhrases(phrases));
  }

  /** No audio comes any more. @param {boolean} tell the server; not when it is the one who ended the listening */
  stop(tell) {
    this.#stopping = true;
    this.#stopSent = !tell;
    this.#pump();
  }

  close() {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#ticking);
    globalThis.removeEventListener("online", this.#hurry);
    this.#drop();
  }

  async #connect() {
    this.#timer = setTimeout(() => this.#closed(0), this.connectTimeoutMs);
    const timer = this.#timer;
    try {
      const token = await this.token();
      if (this.#ended || timer !== this.#timer) return;
      const socket = (this.#socket = new WebSocket(this.url, subprotocols(`${token ?? ""}`)));
      socket.onopen = () => this.#opened(socket);
      socket.onmessage = ({ data }) => this.#hear(decode(data));
      socket.onclose = ({ code }) => this.#closed(code);
    } catch (error) {
      if (this.#ended || timer !== this.#timer) return;
      console.warn("SpeechRecognition: no connection:", error); // no token, or ws:// on a page of https
      this.#closed(0);
    }
  }

  /** @param {WebSocket} socket */
  #opened(socket) {
    socket.send(encodeStart(this.wish, this.backlog.rewind()));
    this.#segments.reconnected();
    this.#stopSent = false;
    this.#pumping = setInterval(() => this.#pump(), PUMP_MS);
    this.#pump();
  }

  /** @param {ServerMessage} message */
  #hear(message) {
    this.#silent = 0;
    switch (message.type) {
      case "ready":
        return this.#greeted(message);
      case "error":
        return this.#refused(message);
      case "progress":
        this.backlog.progress(message);
        this.#moved();
        this.listener.onMessage(message);
        return this.#pump();
      case "done":
        return this.listener.onMessage(message);
      default:
        return this.#relay(message);
    }
  }

  /** @param {import("./protocol.js").Ready} ready */
  #greeted(ready) {
    clearTimeout(this.#timer);
    this.backlog.ready(ready.features.includes("checkpoints"));
    this.#ready = true;
    this.#moved();
    this.#tell("open");
    if (!this.#met) this.listener.onMessage(ready);
    this.#met = true;
  }

  /** @param {import("./segments.js").Message} message */
  #relay(message) {
    const passed = this.#segments.receive(message);
    if (!passed) return;
    if (passed.settledMs) {
      this.backlog.settle(passed.settledMs);
      this.#retries = 0;
    }
    this.listener.onMessage(passed.message);
  }

  /** @param {import("./protocol.js").ServerError} error */
  #refused({ code, message }) {
    this.#fault = message;
    const error = errorOf(code);
    if (error) this.#fail(error, message);
  }

  /** @param {number} code of the close; 0: we gave it up */
  #closed(code) {
    this.#drop();
    if (this.#ended) return;
    if (code === NORMAL && this.#met) return this.listener.onMessage({ type: "done" });
    const error = errorOfClose(code) ?? (this.#met && this.resumeLimitMs ? null : "network");
    if (error) return this.#fail(error, this.#fault);
    if (this.#state === "open") this.#awaySince = performance.now();
    this.#tell("reconnecting");
    const delay = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#retries++) * (0.5 + Math.random());
    this.#timer = setTimeout(() => void this.#connect(), delay);
  }

  /** The network is back: no need to wait. */
  #hurry = () => {
    if (this.#state !== "reconnecting" || this.#socket) return;
    clearTimeout(this.#timer);
    void this.#connect();
  };

  /** Lets go of the socket, whatever state it is in. */
  #drop() {
    clearTimeout(this.#timer);
    clearInterval(this.#pumping);
    this.#ready = false;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(NORMAL);
  }

  #pump() {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    const { sampleRate, encoding } = this.wish;
    const highWater = HIGH_WATER_S * sampleRate * (encoding === "s16le" ? 2 : 4);
    while (socket.bufferedAmount < highWater) {
      const data = this.backlog.take();
      if (!data) break;
      socket.send(/** @type {ArrayBuffer} */ (data));
      this.#moved();
    }
    if (this.#stopping && !this.#stopSent && this.backlog.allSent) {
      this.#stopSent = true;
      socket.send(STOP);
    }
  }

  #moved() {
    this.#stuckMs = this.backlog.capturedMs;
  }

  #tick() {
    if (this.#ready && ++this.#silent >= SILENT_TICKS) return this.#closed(0);
    const behind = this.#state !== "open" || this.backlog.lagMs >= BEHIND_MS;
    if (behind || this.#behind) this.listener.onState(this.#state);
    this.#behind = behind;
    if (this.#state === "reconnecting" && performance.now() - this.#awaySince > this.resumeLimitMs) this.#lose();
    else this.#checkLimit();
  }

  #checkLimit() {
    if (!this.#met || !this.resumeLimitMs) return;
    const { capturedMs, keptMs } = this.backlog;
    if (capturedMs - this.#stuckMs > this.resumeLimitMs || keptMs > this.resumeLimitMs + PENDING_MS) this.#lose();
  }

  #lose() {
    this.#lostMs += this.backlog.keptMs;
    this.#tell("lost");
    this.#fail("network", `${Math.round(this.#lostMs / 1000)} s of audio are lost`);
  }

  /** @param {string} error @param {string} message */
  #fail(error, message) {
    if (this.#ended) return;
    this.close();
    this.listener.onError(error, message);
  }

  /** @param {ConnectionState} state */
  #tell(state) {
    this.#state = state;
    this.#silent = 0;
    this.listener.onState(state);
  }
}
