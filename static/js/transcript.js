/**
 * What was said, as lines on one clock, and the files made of it. Pure.
 * @typedef {{text: string, startMs: number, endMs: number, confidence: number}} Word
 * @typedef {{text: string, confidence: number, words: Word[]}} Choice
 * @typedef {{startMs: number, endMs: number, lang: string, choices: Choice[], chosen: number}} Line
 * @typedef {"txt" | "srt" | "vtt" | "json"} Format
 */

/** Below this the page says that it is unsure. */
export const UNSURE = 0.5;

/** @type {Record<Format, string>} */
export const MEDIA_TYPES = { txt: "text/plain", srt: "application/x-subrip", vtt: "text/vtt", json: "application/json" };

/** @param {Line} line @returns {Choice} */
export function shown(line) {
  return /** @type {Choice} */ (line.choices[line.chosen]);
}

/**
 * A line of the server's final result.
 * @param {{startMs: number, endMs: number, alternatives: {transcript: string, confidence: number, words: Word[]}[]}} result
 * @param {string} lang
 * @param {number} beganMs where the session of the result begins on the transcript's clock
 * @returns {Line}
 */
export function lineOf({ startMs, endMs, alternatives }, lang, beganMs) {
  const moved = (/** @type {Word} */ word) => ({ ...word, startMs: word.startMs + beganMs, endMs: word.endMs + beganMs });
  const choices = alternatives.map(({ transcript, confidence, words }) => ({ text: transcript, confidence, words: words.map(moved) }));
  return { startMs: startMs + beganMs, endMs: endMs + beganMs, lang, choices, chosen: 0 };
}

/**
 * The text in pieces, so that unsure words can be marked; joined they are the text again.
 * @param {Choice} choice
 * @returns {{text: string, unsure: boolean}[]}
 */
export function pieces({ text, words }) {
  const found = [];
  let [told, at] = [0, 0]; // what is in a piece; what was searched
  for (const word of words) {
    const begin = text.indexOf(word.text, at);
    if (begin < 0) continue;
    at = begin + word.text.length;
    if (word.confidence >= UNSURE) continue;
    if (begin > told) found.push({ text: text.slice(told, begin), unsure: false });
    found.push({ text: word.text, unsure: true });
    told = at;
  }
  if (told < text.length) found.push({ text: text.slice(told), unsure: false });
  return found;
}

/** @param {number} ms @param {string} point between seconds and milliseconds */
function stamp(ms, point) {
  const two = (/** @type {number} */ n) => String(Math.floor(n)).padStart(2, "0");
  const rest = String(Math.floor(ms % 1000)).padStart(3, "0");
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}${point}${rest}`;
}

/** @param {Line[]} lines @param {string} point */
function cues(lines, point) {
  return lines.map((line, i) => {
    const text = point === "." ? escapeVtt(shown(line).text) : shown(line).text;
    return `${i + 1}\n${stamp(line.startMs, point)} --> ${stamp(line.endMs, point)}\n${text}\n`;
  });
}

/** @param {string} text */
function escapeVtt(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** @param {Line[]} lines */
export function plainText(lines) {
  return lines.map((line) => shown(line).text).join("\n");
}

/** @param {Line[]} lines @param {Format} format @returns {string} the content of the file */
export function fileOf(lines, format) {
  switch (format) {
    case "txt":
      return `${plainText(lines)}\n`;
    case "srt":
      return cues(lines, ",").join("\n");
    case "vtt":
      return `WEBVTT\n\n${cues(lines, ".").join("\n")}`;
    case "json":
      return `${JSON.stringify(lines.map(({ startMs, endMs, lang, choices, chosen }) => ({ startMs, endMs, lang, ...choices[chosen], choices })), null, 2)}\n`;
  }
}

/** @param {number} ms @returns {string} for people: minutes and seconds, hours when there are any */
export function clock(ms) {
  const full = stamp(ms, ".").slice(0, 8);
  return full.startsWith("00:") ? full.slice(3) : full.replace(/^0/, "");
}
