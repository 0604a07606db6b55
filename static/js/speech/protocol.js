/**
 * The wire format of /ws, subprotocol speech.v1: pure encoding, decoding and types.
 * @typedef {{text: string, start_ms: number, end_ms: number, confidence: number}} Word
 * @typedef {{transcript: string, confidence: number, words: Word[]}} Alternative
 * @typedef {{at_ms: number, settled_ms: number, state: string}} Checkpoint
 * @typedef {{type: "ready", session: string, stream: string, lang: string, model: string, sample_rate: number,
 *   features: string[], separator: string}} Ready
 * @typedef {{type: "speech_start" | "speech_end", segment: number, at_ms: number}} Speech
 * @typedef {{type: "result", segment: number, revision: number, final: boolean, start_ms: number, end_ms: number,
 *   alternatives: Alternative[], stable: number}} Result
 * @typedef {{type: "progress", received_ms: number, settled_ms: number, lag_ms: number, checkpoint?: Checkpoint | null}} Progress
 * @typedef {{type: "failure", segment: number, code: string, message: string}} Failure
 * @typedef {{type: "error", code: string, message: string}} ServerError
 * @typedef {{type: "done"}} Done
 * @typedef {Ready | Speech | Result | Progress | Failure | ServerError | Done} ServerMessage
 * @typedef {{phrase: string, boost: number}} Phrase
 * @typedef {{lang: string, encoding: "f32le" | "s16le", sampleRate: number, interimResults: boolean, continuous: boolean,
 *   maxAlternatives: number, words: boolean, phrases: Phrase[], minSilenceMs?: number, stream: string, resumable: boolean}} Wish
 */

export const SUBPROTOCOL = "speech.v1";
const MAX_ALTERNATIVES = 30;

/**
 * @param {Wish} wish
 * @param {{offset_ms?: number, checkpoint?: Checkpoint}} [resume]
 * @returns {string}
 */
export function encodeStart(wish, resume = {}) {
  const { lang, stream, phrases, words, minSilenceMs } = wish;
  return JSON.stringify({
    type: "start",
    ...(lang && { lang }),
    encoding: wish.encoding,
    sample_rate: wish.sampleRate,
    interim_results: wish.interimResults,
    continuous: wish.continuous,
    max_alternatives: Math.min(wish.maxAlternatives, MAX_ALTERNATIVES),
    ...(words && { words }),
    ...(phrases.length && { phrases }),
    ...(minSilenceMs !== undefined && { vad: { min_silence_ms: minSilenceMs } }),
    ...(stream && { stream }),
    ...(wish.resumable && { resumable: true }),
    ...resume,
  });
}

/** @param {Phrase[]} phrases */
export function encodePhrases(phrases) {
  return JSON.stringify({ type: "configure", phrases });
}

export const STOP = JSON.stringify({ type: "stop" });

export const NORMAL = 1000; // close code

/** @type {Record<string, string>} the server's code to the standard's */
const ERRORS = {
  language_not_supported: "language-not-supported",
  model_not_found: "service-not-allowed",
  not_allowed: "service-not-allowed",
};

/** @type {Record<number, string>} */
const CLOSES = { 1008: "network", 1009: "network", 4401: "service-not-allowed", 4403: "service-not-allowed" };

/** @param {string} code of the server's `error` @returns {string | undefined} undefined: the close that follows says more */
export function errorOf(code) {
  return ERRORS[code];
}

/** @param {number} code @returns {string | undefined} undefined: a new connection may do better */
export function errorOfClose(code) {
  return CLOSES[code];
}

/**
 * @param {string} text
 * @returns {ServerMessage}
 */
export function decode(text) {
  return JSON.parse(text);
}

/**
 * Where the server listens whose module lies at static/js/speech-recognition.js, whatever path it is served under.
 * @param {string} module
 * @returns {string}
 */
export function socketUrl(module) {
  const url = new URL("../../ws", module);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = url.hash = "";
  return url.href;
}

/** Another address of the server that listens at `socket`. @param {string} socket @param {string} path */
export function siblingUrl(socket, path) {
  const url = new URL(path, socket);
  url.protocol = url.protocol === "wss:" ? "https:" : "http:";
  return url.href;
}

/**
 * A browser can send no header with a WebSocket; a subprotocol is the one field that no log keeps.
 * @param {string} token
 */
export function subprotocols(token) {
  if (!token) return [SUBPROTOCOL];
  const bytes = String.fromCharCode(...new TextEncoder().encode(token));
  const base64url = btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return [SUBPROTOCOL, `token.${base64url}`];
}
