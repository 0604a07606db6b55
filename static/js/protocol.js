/**
 * The wire format of /ws, subprotocol speech.v1: pure encoding, decoding and types.
 * @typedef {{text: string, start_ms: number, end_ms: number, confidence: number}} Word
 * @typedef {{transcript: string, confidence: number, words: Word[]}} Alternative
 * @typedef {{type: "ready", session: string, lang: string, model: string, sample_rate: number, separator: string}} Ready
 * @typedef {{type: "speech_start" | "speech_end", segment: number, at_ms: number}} Speech
 * @typedef {{type: "result", segment: number, revision: number, final: boolean, start_ms: number, end_ms: number,
 *   alternatives: Alternative[], stable: number}} Result
 * @typedef {{type: "progress", received_ms: number, settled_ms: number, lag_ms: number}} Progress
 * @typedef {{type: "failure", segment: number, code: string, message: string}} Failure
 * @typedef {{type: "error", code: string, message: string}} ServerError
 * @typedef {{type: "done"}} Done
 * @typedef {Ready | Speech | Result | Progress | Failure | ServerError | Done} ServerMessage
 */

export const SUBPROTOCOL = "speech.v1";

/**
 * @param {{lang: string, encoding: "f32le" | "s16le", sampleRate: number}} wish
 * @returns {string}
 */
export function encodeStart({ lang, encoding, sampleRate }) {
  return JSON.stringify({ type: "start", lang, encoding, sample_rate: sampleRate, interim_results: true });
}

export const STOP = JSON.stringify({ type: "stop" });

/**
 * @param {string} text
 * @returns {ServerMessage}
 */
export function decode(text) {
  return JSON.parse(text);
}

/**
 * Where the page's own server listens, whatever path it is served under.
 * @param {string} page
 * @returns {string}
 */
export function socketUrl(page) {
  const url = new URL("ws", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = url.hash = "";
  return url.href;
}
