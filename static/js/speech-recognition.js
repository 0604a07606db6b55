/** The Web Speech API on our own server, for any page: see docs/speech-recognition.md. */

import { defineHandlers } from "./speech/handlers.js";
import { listMicrophones } from "./speech/devices.js";
import { SpeechRecognitionErrorEvent, SpeechRecognitionEvent, enumerable, tag } from "./speech/events.js";
import { checkedWish, serverHas } from "./speech/languages.js";
import { assign, makeOptions } from "./speech/options.js";
import { SpeechGrammar, SpeechGrammarList, SpeechRecognitionPhrase, observedPhrases, replacePhrases } from "./speech/phrases.js";
import { socketUrl } from "./speech/protocol.js";
import { EventQueue } from "./speech/queue.js";
import { Session } from "./speech/session.js";

export { SpeechGrammar, SpeechGrammarList, SpeechRecognitionErrorEvent, SpeechRecognitionEvent, SpeechRecognitionPhrase, listMicrophones };

/** @typedef {import("./speech/options.js").Options} Options */

const OWN_SERVER = socketUrl(import.meta.url);
const EVENTS = /** @type {const} */ ([
  "audiostart", "soundstart", "speechstart", "speechend", "soundend", "audioend", "result", "nomatch", "error", "start", "end",
]);

export class SpeechRecognition extends EventTarget {
  static #defaults = makeOptions();

  #lang = "";
  #continuous = false;
  #interimResults = false;
  #maxAlternatives = 1;
  #processLocally = false;
  #grammars = new SpeechGrammarList();
  #phrases = observedPhrases(() => this.#phrasesChanged());
  #options = makeOptions(SpeechRecognition.defaults);
  #phrasesDirty = false;
  /** @type {Session | null} */
  #session = null;
  #queue = new EventQueue(this, ({ type }) => {
    if (type === "end") this.#session = null; // a handler of `end` may start again
  });

  /** Not of the standard: the options that every new object starts with. @returns {Options} */
  static get defaults() {
    return SpeechRecognition.#defaults;
  }

  /** @param {Partial<Options>} value the fields that change */
  static set defaults(value) {
    assign(SpeechRecognition.#defaults, value);
  }

  get lang() {
    return this.#lang;
  }

  set lang(value) {
    this.#lang = `${value}`;
  }

  get continuous() {
    return this.#continuous;
  }

  set continuous(value) {
    this.#continuous = Boolean(value);
  }

  get interimResults() {
    return this.#interimResults;
  }

  set interimResults(value) {
    this.#interimResults = Boolean(value);
  }

  get maxAlternatives() {
    return this.#maxAlternatives;
  }

  set maxAlternatives(value) {
    this.#maxAlternatives = value >>> 0;
  }

  get processLocally() {
    return this.#processLocally;
  }

  set processLocally(value) {
    this.#processLocally = Boolean(value);
  }

  /** Kept for old pages; has no effect. */
  get grammars() {
    return this.#grammars;
  }

  set grammars(value) {
    if (typeof value !== "object" || value === null) throw new TypeError("grammars must be a SpeechGrammarList");
    this.#grammars = value;
  }

  get phrases() {
    return this.#phrases;
  }

  set phrases(value) {
    replacePhrases(this.#phrases, value);
  }

  /** Not of the standard. @returns {Options} */
  get options() {
    return this.#options;
  }

  /** @param {Partial<Options>} value the fields that change */
  set options(value) {
    assign(this.#options, value);
  }

  start() {
    const track = arguments.length ? checkedTrack(arguments[0]) : null;
    if (document.defaultView === null) throw new DOMException("the page is gone", "InvalidStateError");
    if (this.#session) throw new DOMException("recognition has already started", "InvalidStateError");
    const config = {
      lang: this.#lang || document.documentElement.lang,
      continuous: this.#continuous,
      interimResults: this.#interimResults,
      maxAlternatives: this.#maxAlternatives,
      processLocally: this.#processLocally,
      phrases: this.#phrasesToSend(),
    };
    const options = makeOptions(this.#options);
    this.#session = new Session({ config, options, url: serverOf(options), track, queue: this.#queue });
  }

  stop() {
    this.#session?.stop();
  }

  abort() {
    this.#session?.abort();
  }

  /**
   * @param {{langs: string[], processLocally?: boolean, quality?: string}} wish
   * @returns {Promise<"available" | "unavailable">}
   */
  static async available(wish) {
    const { langs, processLocally } = checkedWish(wish);
    const { defaults } = SpeechRecognition;
    if (processLocally && !defaults.treatServerAsLocal) return "unavailable";
    return (await serverHas(serverOf(defaults), langs)) ? "available" : "unavailable";
  }

  /**
   * Nothing is ever installed in the browser: true when the server counts as local and has the languages.
   * @param {{langs: string[], processLocally?: boolean, quality?: string}} wish
   * @returns {Promise<boolean>}
   */
  static async install(wish) {
    const { langs } = checkedWish(wish);
    const { defaults } = SpeechRecognition;
    return defaults.treatServerAsLocal && (await serverHas(serverOf(defaults), langs));
  }

  #phrasesToSend() {
    return this.#phrases.filter(({ phrase }) => phrase).map(({ phrase, boost }) => ({ phrase, boost }));
  }

  /** All changes of one task are sent together. */
  #phrasesChanged() {
    if (this.#phrasesDirty || !this.#session) return;
    this.#phrasesDirty = true;
    queueMicrotask(() => {
      this.#phrasesDirty = false;
      this.#session?.configure(this.#phrasesToSend());
    });
  }
}

const ATTRIBUTES = ["grammars", "lang", "continuous", "interimResults", "maxAlternatives", "processLocally", "phrases", "options"];
enumerable(SpeechRecognition, ...ATTRIBUTES, "start", "stop", "abort");
defineHandlers(SpeechRecognition, EVENTS);
tag(SpeechRecognition, "SpeechRecognition");

/** @param {unknown} track @returns {MediaStreamTrack} */
function checkedTrack(track) {
  if (!(track instanceof MediaStreamTrack)) throw new TypeError("start() takes a MediaStreamTrack, or nothing");
  if (track.kind !== "audio") throw new DOMException("the track holds no audio", "InvalidStateError");
  if (track.readyState !== "live") throw new DOMException("the track has ended", "InvalidStateError");
  return track;
}

/** @param {Options} options */
function serverOf({ serverUrl }) {
  return serverUrl || OWN_SERVER;
}

const CLASSES = { SpeechRecognition, SpeechRecognitionEvent, SpeechRecognitionErrorEvent, SpeechRecognitionPhrase, SpeechGrammar, SpeechGrammarList };

/**
 * Puts our classes in place of the browser's, under both spellings.
 * @param {Partial<Options>} [options] for SpeechRecognition.defaults
 * @returns {() => void} restores every global and the defaults
 */
export function install(options = {}) {
  const before = { ...SpeechRecognition.defaults };
  assign(SpeechRecognition.defaults, options);
  const undone = Object.entries(CLASSES).flatMap(([name, value]) => [replace(name, value), replace(`webkit${name}`, value)]);
  return () => {
    for (const undo of undone.splice(0)) undo();
    assign(SpeechRecognition.defaults, before);
  };
}

/** @param {string} name @param {unknown} value @returns {() => void} */
function replace(name, value) {
  const before = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  return () => {
    if (before) Object.defineProperty(globalThis, name, before);
    else Reflect.deleteProperty(globalThis, name);
  };
}
