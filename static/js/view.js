/** The DOM, and nothing but the DOM. Text goes in as textContent only. */

import { UNSURE, clock, pieces, shown } from "./transcript.js";

/**
 * @typedef {import("./transcript.js").Line} Line
 * @typedef {import("./history.js").Choices} Choices
 * @typedef {"idle" | "opening" | "connecting" | "listening" | "reconnecting" | "draining" | "waiting"} Phase
 *   draining: results still come; waiting: for a server that is away
 */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {string} text
 * @param {string} [className]
 */
function make(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

/** Who has scrolled further up than this is reading, and is not pulled down. */
const FOLLOW_PX = 60;

/** A screen reader would say an unchanged text again. @param {HTMLElement} where @param {string} text */
function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/** One of two buttons; the keyboard's place goes with it. @param {HTMLButtonElement} yes @param {HTMLButtonElement} no */
function enable(yes, no) {
  yes.disabled = false;
  if (document.activeElement === no) yes.focus();
  no.disabled = true;
}

export class View {
  #wanted = ""; // microphone: it may not be listed yet, or come back

  /** @param {(name: string) => string} text */
  constructor(text) {
    this.text = text;
    this.controls = element("controls", HTMLFormElement);
    this.microphone = element("microphone", HTMLSelectElement);
    this.language = element("language", HTMLSelectElement);
    this.phrases = element("phrases", HTMLTextAreaElement);
    this.keep = element("keep", HTMLInputElement);
    this.processing = ["echoCancellation", "noiseSuppression", "autoGainControl"].map((id) => element(id, HTMLInputElement));
    this.start = element("start", HTMLButtonElement);
    this.stop = element("stop", HTMLButtonElement);
    this.copy = element("copy", HTMLButtonElement);
    this.clear = element("clear", HTMLButtonElement);
    this.format = element("format", HTMLSelectElement);
    this.download = element("download", HTMLButtonElement);
    this.level = element("level", HTMLMeterElement);
    this.status = element("status", HTMLParagraphElement);
    this.problem = element("problem", HTMLParagraphElement);
    this.away = element("away", HTMLParagraphElement);
    this.saving = element("saving", HTMLParagraphElement);
    this.transcript = element("transcript", HTMLDivElement);
    this.finals = element("finals", HTMLOListElement);
    this.interim = element("interim", HTMLParagraphElement);
    for (const label of document.querySelectorAll("[data-text]")) {
      label.textContent = text(label.getAttribute("data-text") ?? "");
    }
    this.format.setAttribute("aria-label", text("format"));
    this.microphone.addEventListener("change", () => {
      this.#wanted = this.microphone.value;
    });
  }

  /** @returns {Choices} */
  get choices() {
    const processing = this.processing.map(({ checked }) => checked);
    return { language: this.language.value, microphone: this.#wanted, phrases: this.phrases.value, processing };
  }

  /** As it was chosen on an earlier visit. @param {Choices} choices */
  choose({ language, microphone, phrases, processing }) {
    this.#wanted = microphone;
    this.phrases.value = phrases;
    if ([...this.language.options].some(({ value }) => value === language)) this.language.value = language;
    for (const [i, box] of this.processing.entries()) box.checked = processing[i] === true;
  }

  /** @param {Phase} phase */
  show(phase) {
    const idle = phase === "idle";
    this.say(phase);
    for (const choice of [this.microphone, this.language, ...this.processing]) choice.disabled = !idle;
    enable(idle ? this.start : this.stop, idle ? this.stop : this.start);
    setText(this.stop, this.text(phase === "waiting" ? "give_up" : "stop"));
    this.stop.ariaDisabled = String(phase === "draining"); // not `disabled`: the keyboard would lose its place
    if (idle) this.level.value = 0;
  }

  /** @param {string} name of the text for the status line */
  say(name) {
    setText(this.status, this.text(name));
  }

  /** @param {string | null} problem */
  showProblem(problem) {
    this.problem.hidden = !problem;
    setText(this.problem, problem ? this.text(problem) : "");
  }

  /** Not announced: it changes every second. @param {"away" | "behind" | null} name @param {number} [ms] */
  showAway(name, ms = 0) {
    this.away.hidden = !name;
    setText(this.away, name ? `${this.text(name)} ${Math.round(ms / 1000)}` : "");
  }

  /** @param {string} text @param {string} lang */
  showInterim(text, lang) {
    const following = this.#following();
    this.interim.replaceChildren(...(text ? [make("span", ""), make("span", text)] : []));
    this.interim.lang = lang;
    if (following) this.#follow();
  }

  /**
   * @param {Line} line
   * @param {(choice: number) => void} choose one of the alternatives
   */
  addFinal(line, choose) {
    const following = this.#following();
    const item = document.createElement("li");
    item.lang = line.lang;
    const time = make("time", clock(line.startMs));
    time.dateTime = `PT${(line.startMs / 1000).toFixed(2)}S`;
    time.title = `${(line.startMs / 1000).toFixed(2)} – ${(line.endMs / 1000).toFixed(2)} s`;
    const words = make("span", "", "words");
    const about = make("div", "", "about");
    about.lang = document.documentElement.lang;
    item.append(time, words, about);
    this.#fill(line, words, about, choose);
    this.finals.append(item);
    this.#enableFiles(true);
    if (following) this.#follow();
  }

  /** @param {Line} line @param {HTMLElement} words @param {HTMLElement} about @param {(choice: number) => void} choose */
  #fill(line, words, about, choose) {
    const best = shown(line);
    words.replaceChildren(...pieces(best).map(({ text, unsure }) => (unsure ? make("mark", text) : document.createTextNode(text))));
    const percent = `${Math.round(best.confidence * 100)} %`;
    const unsure = best.confidence < UNSURE;
    about.replaceChildren(make("span", `${this.text(unsure ? "unsure" : "confidence")} ${percent}`, unsure ? "unsure" : ""));
    if (line.choices.length < 2) return;
    const list = document.createElement("div");
    line.choices.forEach((choice, i) => {
      const button = make("button", choice.text);
      button.type = "button";
      button.lang = line.lang;
      button.ariaPressed = String(i === line.chosen);
      button.addEventListener("click", () => {
        choose(i);
        this.#fill(line, words, about, choose);
        about.querySelector("details")?.setAttribute("open", "");
        about.querySelectorAll("button")[i]?.focus();
      });
      list.append(button);
    });
    const more = document.createElement("details");
    more.append(make("summary", this.text("alternatives")), list);
    about.append(more);
  }

  clearFinals() {
    this.finals.replaceChildren();
    (this.start.disabled ? this.stop : this.start).focus();
    this.#enableFiles(false);
  }

  /** @param {boolean} any there is something to copy, clear or download */
  #enableFiles(any) {
    for (const control of [this.copy, this.clear, this.format, this.download]) control.disabled = !any;
  }

  #following() {
    const { scrollTop, clientHeight, scrollHeight } = this.transcript;
    return scrollTop + clientHeight >= scrollHeight - FOLLOW_PX;
  }

  #follow() {
    this.transcript.scrollTop = this.transcript.scrollHeight;
  }

  /** @param {{id: string, label: string}[]} microphones */
  showMicrophones(microphones) {
    const named = microphones.filter(({ id }) => id && id !== "default");
    const options = [new Option(this.text("standard"), "")];
    named.forEach(({ id, label }, i) => options.push(new Option(label || `${this.text("unnamed")} ${i + 1}`, id)));
    this.microphone.replaceChildren(...options);
    if (named.some(({ id }) => id === this.#wanted)) this.microphone.value = this.#wanted;
  }

  /** @param {{id: string, langs: string[]}[]} models @param {string} chosen language */
  showLanguages(models, chosen) {
    const names = new Intl.DisplayNames([document.documentElement.lang], { type: "language" });
    const options = models.flatMap(({ id, langs }) => langs.map((lang) => new Option(`${names.of(lang)} – ${nameOf(id)}`, lang)));
    this.language.replaceChildren(...options);
    this.language.value = chosen;
  }
}

/** A model's name without where it comes from. @param {string} id */
function nameOf(id) {
  return id.split(/[/:]/).pop()?.replace(/\.zip$/, "") || id;
}
