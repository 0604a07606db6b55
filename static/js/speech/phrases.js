/** Phrases to expect, the array that holds them, and the grammars that the standard keeps for old pages. Pure. */

import { enumerable, tag } from "./events.js";

const MAX_BOOST = 10;

export class SpeechRecognitionPhrase {
  #phrase;
  #boost;

  /** @param {string} phrase @param {number} [boost] natural logarithm of how many times likelier, 0..10 */
  constructor(phrase, boost = 1) {
    if (!arguments.length) throw new TypeError("SpeechRecognitionPhrase needs a phrase");
    const number = Math.fround(+boost);
    if (!Number.isFinite(number)) throw new TypeError("boost must be a finite number");
    if (number < 0 || number > MAX_BOOST) {
      throw new DOMException(`boost must be from 0 to ${MAX_BOOST}, not ${boost}`, "SyntaxError");
    }
    this.#phrase = `${phrase}`;
    this.#boost = number;
  }

  get phrase() {
    return this.#phrase;
  }

  get boost() {
    return this.#boost;
  }
}
enumerable(SpeechRecognitionPhrase, "phrase", "boost");
tag(SpeechRecognitionPhrase, "SpeechRecognitionPhrase");

/** @param {unknown} value @returns {SpeechRecognitionPhrase} */
function phraseOf(value) {
  if (value instanceof SpeechRecognitionPhrase) return value;
  throw new TypeError("phrases holds SpeechRecognitionPhrase objects only");
}

/**
 * An ObservableArray of WebIDL: an array without holes that takes phrases only.
 * @param {() => void} changed
 * @returns {SpeechRecognitionPhrase[]}
 */
export function observedPhrases(changed) {
  /** @param {SpeechRecognitionPhrase[]} array @param {string | symbol} name @param {any} value */
  const write = (array, name, value) => {
    if (name === "length") {
      if (value >>> 0 !== Number(value)) throw new RangeError("length must be a whole number");
      if (value > array.length) return false;
      array.length = value;
    } else {
      const index = typeof name === "string" && /^\d+$/.test(name) ? Number(name) : NaN;
      if (Number.isNaN(index)) return Reflect.set(array, name, value);
      if (index > array.length) return false;
      array[index] = phraseOf(value);
    }
    changed();
    return true;
  };
  return new Proxy(/** @type {SpeechRecognitionPhrase[]} */ ([]), {
    set: write,
    defineProperty: (array, name, descriptor) => "value" in descriptor && write(array, name, descriptor.value),
    deleteProperty: (array, name) => {
      if (typeof name !== "string" || !/^\d+$/.test(name)) return Reflect.deleteProperty(array, name);
      if (Number(name) !== array.length - 1) return !(name in array);
      return write(array, "length", array.length - 1);
    },
    preventExtensions: () => false,
  });
}

/** @param {SpeechRecognitionPhrase[]} phrases @param {Iterable<unknown>} wanted all of it, or nothing when one is wrong */
export function replacePhrases(phrases, wanted) {
  phrases.splice(0, phrases.length, ...Array.from(wanted, phraseOf));
}

/** Inert, like the grammars of today's browsers. */
export class SpeechGrammar {
  #src = "";
  #weight = 1;

  get src() {
    return this.#src;
  }

  set src(value) {
    this.#src = `${value}`;
  }

  get weight() {
    return this.#weight;
  }

  set weight(value) {
    this.#weight = Math.fround(value);
  }
}
enumerable(SpeechGrammar, "src", "weight");
tag(SpeechGrammar, "SpeechGrammar");

export class SpeechGrammarList {
  /** @type {SpeechGrammar[]} */
  #grammars = [];

  get length() {
    return this.#grammars.length;
  }

  /** @param {number} index */
  item(index) {
    return this.#grammars[index >>> 0] ?? null;
  }

  /** @param {string} src @param {number} [weight] */
  addFromURI(src, weight = 1) {
    const grammar = new SpeechGrammar();
    grammar.src = src;
    grammar.weight = weight;
    Object.defineProperty(this, this.#grammars.length, { value: grammar, enumerable: true });
    this.#grammars.push(grammar);
  }

  /** @param {string} text @param {number} [weight] */
  addFromString(text, weight = 1) {
    this.addFromURI(`data:application/xml,${encodeURIComponent(text)}`, weight);
  }

  [Symbol.iterator]() {
    return this.#grammars[Symbol.iterator]();
  }
}
enumerable(SpeechGrammarList, "length", "item", "addFromURI", "addFromString");
tag(SpeechGrammarList, "SpeechGrammarList");
