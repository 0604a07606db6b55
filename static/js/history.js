/** The transcript, and what was chosen on the page, kept in this browser: only while the user asks for it. */

/**
 * @typedef {import("./transcript.js").Line} Line
 * @typedef {{language: string, microphone: string, phrases: string, processing: boolean[]}} Choices
 */

const KEY = "speech.history";
const CHOICES = "speech.choices";
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
    const lines = this.#read(KEY);
    return Array.isArray(lines) ? lines.filter(isLine) : [];
  }

  /** @returns {Choices | null} */
  loadChoices() {
    const choices = this.#read(CHOICES);
    return isChoices(choices) ? choices : null;
  }

  /** @param {string} key */
  #read(key) {
    try {
      return JSON.parse(this.#storage?.getItem(key) ?? "null");
    } catch {
      return null;
    }
  }

  /**
   * The newest lines, as many as fit.
   * @param {Line[]} lines
   * @param {Choices} choices
   * @returns {boolean} false when the browser has room for none
   */
  save(lines, choices) {
    for (let count = Math.min(lines.length, this.#room); ; count >>= 1) {
      try {
        this.#storage?.setItem(CHOICES, JSON.stringify(choices));
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
    this.#storage?.removeItem(CHOICES);
  }
}

/** @param {any} value */
function isChoices(value) {
  return ["language", "microphone", "phrases"].every((name) => typeof value?.[name] === "string") && Array.isArray(value.processing);
}

/** @param {any} value what an older or a broken page may have left is not shown */
function isLine(value) {
  return Number.isFinite(value?.startMs) && Number.isFinite(value?.endMs) && Array.isArray(value.choices)
    && typeof value.choices[value.chosen]?.text === "string" && Array.isArray(value.choices[value.chosen].words);
}
