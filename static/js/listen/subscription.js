/** The WebSocket of a subscriber that only reads: it comes back after every loss, with growing pauses. */

const SUBPROTOCOL = "audiosockets.v1";
const GONE = 1006; // as a browser calls a link that broke
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const TICK_MS = 5_000; // the server says that it is alive as often
const SILENT_TICKS = 4; // then the link is dead, and the browser has not noticed

/**
 * The subscription's address, from that of the page: /listen/name beside /streams/name.
 * @param {string} page
 * @param {string} stream
 * @param {number | null} from position to go on from
 * @param {string} id of the stream that was heard until there
 */
export function subscriptionUrl(page, stream, from, id) {
  const url = new URL(`../streams/${stream}/subscribe`, page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = `?layers=results,level,keyword&from=${from === null ? "-30s" : `${from}&id=${encodeURIComponent(id)}`}`;
  url.hash = "";
  return url.href;
}

/**
 * The token in the fragment of the page's address; empty where there is none that could be one.
 * @param {string} hash
 */
export function tokenOf(hash) {
  return /^#[\w.~-]{16,128}$/.test(hash) ? hash.slice(1) : "";
}

/**
 * Before attempt number `attempt`, counted from 0; up to half of it by chance, so that many pages do not come at once.
 * @param {number} attempt
 * @param {number} chance 0..1
 */
export function pauseMs(attempt, chance) {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + chance / 2);
}

export class Subscription {
  /**
   * @param {() => string} url asked before each attempt
   * @param {string} token
   * @param {{onMessage: (message: any) => void, onClose: (code: number) => boolean}} listener
   *   `onClose` says whether to come back
   */
  constructor(url, token, listener) {
    this.url = url;
    this.protocols = token ? [SUBPROTOCOL, `bearer.${token}`] : [SUBPROTOCOL];
    this.listener = listener;
    this.attempt = 0;
    this.silent = 0; // ticks since the last word
    /** @type {WebSocket | null} */
    this.socket = null; // until it is lost
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    setInterval(() => this.tick(), TICK_MS);
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    this.timer = undefined;
    const socket = new WebSocket(this.url(), this.protocols);
    this.socket = socket;
    this.silent = 0;
    socket.onmessage = ({ data }) => {
      this.silent = 0;
      if (typeof data !== "string") return; // a layer of ours in another form
      const message = JSON.parse(data);
      if (message.type === "subscribed") this.attempt = 0;
      this.listener.onMessage(message);
    };
    socket.onclose = ({ code }) => this.closed(code);
  }

  /** @param {number} code */
  closed(code) {
    this.socket = null;
    if (this.listener.onClose(code)) this.timer = setTimeout(() => this.open(), pauseMs(this.attempt++, Math.random()));
  }

  /** Ticks, not times: a page that slept has messages waiting. */
  tick() {
    if (!this.socket || ++this.silent < SILENT_TICKS) return;
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.closed(GONE);
  }

  /** The network is back, or somebody looks again: do not wait for the pause to end. */
  hurry() {
    if (!this.socket && this.timer) {
      this.attempt = 0;
      this.open();
    }
  }
}
