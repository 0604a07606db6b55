/** The transcript kept in this browser: only while the user asks for it. */

/** @typedef {import("./transcript.js").Line} Line */

const KEY = "speech.history";
const MAX_LINES = 5_000;

export class History {
  /** @type {Storage | null} */
  #storage = null;
  #room = MAX_LINES; // that fitted last

  /** @param {() => Storage} storage throws where the browser keeps nothing */
  constructor(storage) {
    try {
      this.#storage = storage();
    } catch {
      // then there is no history
    }
  }

  get possible() {
    return this.#storage !== null;
  }

  get wanted() {
    return typeof this.#storage?.getItem(KEY) === "string";
  }

  /** @returns {Line[]} */
  load() {
    try {
      const lines = JSON.parse(this.#storage?.getItem(KEY) ?? "[]");
      return Array.isArray(lines) ? lines.filter(isLine) : [];
    } catch {
      return [];
    }
  }

  /** The newest, as many as fit. @param {Line[]} lines @returns {boolean} false when the browser has room for none */
  save(lines) {
    for (let count = Math.min(lines.length, this.#room); ; count >>= 1) {
      try {
        this.#storage?.setItem(KEY, JSON.stringify(lines.slice(lines.length - count)));
        return this.possible;
      } catch {
        if (count <= 1) return false;
        this.#room = count >> 1;
      }
    }
  }

  forget() {
    this.#storage?.removeItem(KEY);
  }
}

/** @param {any} value what an older or a broken page may have left is not shown */
function isLine(value) {
  return Number.isFinite(value?.startMs) && Number.isFinite(value?.endMs) && Array.isArray(value.choices)
    && typeof value.choices[value.chosen]?.text === "string" && Array.isArray(value.choices[value.chosen].words);
}
