/** The event and result classes of the standard. Ours, because the browser's own cannot be constructed with our results. */

/** @param {Function} target @param {string[]} names makes accessors enumerable, as a browser's own are */
export function enumerable(target, ...names) {
  for (const name of names) Object.defineProperty(target.prototype, name, { enumerable: true });
}

/** @param {Function} target @param {string} name what Object.prototype.toString says */
export function tag(target, name) {
  Object.defineProperty(target.prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** @typedef {{text: string, startMs: number, endMs: number, confidence: number}} Word */

export class SpeechRecognitionAlternative {
  #transcript;
  #confidence;

  /** @param {string} transcript @param {number} confidence */
  constructor(transcript, confidence) {
    this.#transcript = transcript;
    this.#confidence = Math.fround(confidence);
  }

  get transcript() {
    return this.#transcript;
  }

  get confidence() {
    return this.#confidence;
  }
}
enumerable(SpeechRecognitionAlternative, "transcript", "confidence");
tag(SpeechRecognitionAlternative, "SpeechRecognitionAlternative");

/** @template T @abstract */
class FrozenList {
  #items;

  /** @param {readonly T[]} items */
  constructor(items) {
    this.#items = items;
    items.forEach((item, i) => Object.defineProperty(this, i, { value: item, enumerable: true }));
  }

  get length() {
    return this.#items.length;
  }

  /** @param {number} index @returns {T | null} */
  item(index) {
    if (!arguments.length) throw new TypeError("item() needs an index");
    return this.#items[index >>> 0] ?? null;
  }

  [Symbol.iterator]() {
    return this.#items[Symbol.iterator]();
  }
}
enumerable(FrozenList, "length", "item");

/** @extends {FrozenList<SpeechRecognitionAlternative>} */
export class SpeechRecognitionResult extends FrozenList {
  #final;
  #about;

  /**
   * @param {readonly SpeechRecognitionAlternative[]} alternatives
   * @param {boolean} isFinal
   * @param {{startMs?: number, endMs?: number, words?: readonly Word[]}} [about]
   */
  constructor(alternatives, isFinal, about = {}) {
    super(alternatives);
    this.#final = isFinal;
    this.#about = about;
    Object.freeze(this);
  }

  get isFinal() {
    return this.#final;
  }

  /** Not of the standard, like the next two: milliseconds since the session began. */
  get startMs() {
    return this.#about.startMs;
  }

  get endMs() {
    return this.#about.endMs;
  }

  get words() {
    return this.#about.words;
  }
}
enumerable(SpeechRecognitionResult, "isFinal", "startMs", "endMs", "words");
tag(SpeechRecognitionResult, "SpeechRecognitionResult");

/** @extends {FrozenList<SpeechRecognitionResult>} */
export class SpeechRecognitionResultList extends FrozenList {
  /** @param {readonly SpeechRecognitionResult[]} results */
  constructor(results) {
    super(results);
    Object.freeze(this);
  }
}
tag(SpeechRecognitionResultList, "SpeechRecognitionResultList");

export class SpeechRecognitionEvent extends Event {
  #resultIndex;
  #results;

  /**
   * @param {string} type
   * @param {EventInit & {resultIndex?: number, results?: SpeechRecognitionResultList | null}} [init]
   */
  constructor(type, init = {}) {
    super(type, init);
    this.#resultIndex = (init.resultIndex ?? 0) >>> 0;
    this.#results = init.results ?? null;
  }

  get resultIndex() {
    return this.#resultIndex;
  }

  get results() {
    return this.#results;
  }
}
enumerable(SpeechRecognitionEvent, "resultIndex", "results");
tag(SpeechRecognitionEvent, "SpeechRecognitionEvent");

export class SpeechRecognitionErrorEvent extends Event {
  #error;
  #message;

  /**
   * @param {string} type
   * @param {EventInit & {error?: string, message?: string}} [init]
   */
  constructor(type, init = {}) {
    super(type, init);
    this.#error = `${init.error ?? ""}`;
    this.#message = `${init.message ?? ""}`;
  }

  get error() {
    return this.#error;
  }

  get message() {
    return this.#message;
  }
}
enumerable(SpeechRecognitionErrorEvent, "error", "message");
tag(SpeechRecognitionErrorEvent, "SpeechRecognitionErrorEvent");
