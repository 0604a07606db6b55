/** From the server's results to the lists that the standard's events show. Pure. */

import { SpeechRecognitionAlternative, SpeechRecognitionResult, SpeechRecognitionResultList } from "./events.js";

/**
 * @typedef {import("./protocol.js").Result} Message
 * @typedef {{resultIndex: number, results: SpeechRecognitionResultList}} Update
 */

/** The results of one session: all finals, then what is interim now. */
export class Results {
  /** What belongs between two results, so that joined they are proper text. */
  separator = " ";
  /** @type {SpeechRecognitionResult[]} */
  #finals = [];
  /** @type {Map<number, Message>} by segment */
  #interims = new Map();
  #maxAlternatives;
  #withInterims;

  /** @param {{maxAlternatives: number, interimResults: boolean}} wish */
  constructor({ maxAlternatives, interimResults }) {
    this.#maxAlternatives = Math.max(1, maxAlternatives);
    this.#withInterims = interimResults;
  }

  /**
   * @param {Message} message
   * @returns {Update[]} one for each event to be dispatched
   */
  receive(message) {
    if (!message.final) return this.#withInterims ? this.#interim(message) : [];
    if (!message.alternatives.length) return this.forget(message.segment);
    const shown = this.#withInterims && !this.#interims.has(message.segment) ? this.#interim(message) : [];
    this.#interims.delete(message.segment);
    this.#finals.push(this.#result(message, this.#finals.length, true));
    return [...shown, this.#update(this.#finals.length - 1)];
  }

  /** @param {number} segment that got no final @returns {Update[]} */
  forget(segment) {
    const index = this.#indexOf(segment);
    return this.#interims.delete(segment) ? [this.#update(index)] : [];
  }

  /** @param {Message} message @returns {Update[]} */
  #interim(message) {
    if (!message.alternatives.length) return this.forget(message.segment);
    this.#interims.set(message.segment, message);
    return [this.#update(this.#indexOf(message.segment))];
  }

  /** @param {number} segment */
  #indexOf(segment) {
    return this.#finals.length + [...this.#interims.keys()].filter((other) => other < segment).length;
  }

  /** @param {number} resultIndex @returns {Update} */
  #update(resultIndex) {
    const interims = [...this.#interims.values()].sort((a, b) => a.segment - b.segment);
    const drafts = interims.map((message, i) => this.#result(message, this.#finals.length + i, false));
    return { resultIndex, results: new SpeechRecognitionResultList([...this.#finals, ...drafts]) };
  }

  /** @param {Message} message @param {number} index @param {boolean} isFinal */
  #result({ alternatives, start_ms: startMs, end_ms: endMs }, index, isFinal) {
    const lead = index ? this.separator : "";
    const sorted = [...alternatives].sort((a, b) => b.confidence - a.confidence).slice(0, this.#maxAlternatives);
    const best = sorted.map(({ transcript, confidence }) => new SpeechRecognitionAlternative(lead + transcript, confidence));
    const words = sorted[0]?.words?.length ? Object.freeze(sorted[0].words.map(wordOf)) : undefined;
    return new SpeechRecognitionResult(best, isFinal, { startMs, endMs, words });
  }
}

/** @param {import("./protocol.js").Word} word */
export function wordOf({ text, start_ms: startMs, end_ms: endMs, confidence }) {
  return Object.freeze({ text, startMs, endMs, confidence });
}
