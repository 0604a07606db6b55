/** The DOM, and nothing but the DOM. Text goes in as textContent only. */

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

/** @param {number} ms */
export function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

/** Who has scrolled further up than this is reading, and is not pulled down. */
const FOLLOW_PX = 120;

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
  /** @param {(name: string) => string} text */
  constructor(text) {
    this.text = text;
    this.controls = element("controls", HTMLFormElement);
    this.microphone = element("microphone", HTMLSelectElement);
    this.language = element("language", HTMLSelectElement);
    this.start = element("start", HTMLButtonElement);
    this.stop = element("stop", HTMLButtonElement);
    this.copy = element("copy", HTMLButtonElement);
    this.clear = element("clear", HTMLButtonElement);
    this.level = element("level", HTMLMeterElement);
    this.status = element("status", HTMLParagraphElement);
    this.problem = element("problem", HTMLParagraphElement);
    this.saving = element("saving", HTMLParagraphElement);
    this.finals = element("finals", HTMLOListElement);
    this.interim = element("interim", HTMLParagraphElement);
    for (const label of document.querySelectorAll("[data-text]")) {
      label.textContent = text(label.getAttribute("data-text") ?? "");
    }
  }

  /** @param {import("./client.js").State} state */
  show(state) {
    const idle = state.phase === "idle";
    this.say(state.phase);
    setText(this.interim, state.interim);
    this.microphone.disabled = this.language.disabled = !idle;
    enable(idle ? this.start : this.stop, idle ? this.stop : this.start);
    this.stop.ariaDisabled = String(state.phase === "draining"); // not `disabled`: the keyboard would lose its place
    if (idle) this.level.value = 0;
    this.showProblem(state.problem ?? (state.slow ? "slow" : null));
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

  /** @param {import("./protocol.js").Result} result */
  addFinal(result) {
    const time = document.createElement("time");
    time.textContent = clock(result.start_ms);
    time.dateTime = `PT${(result.start_ms / 1000).toFixed(2)}S`;
    time.title = `${(result.start_ms / 1000).toFixed(2)} – ${(result.end_ms / 1000).toFixed(2)} s`;
    const words = document.createElement("span");
    words.textContent = result.alternatives[0]?.transcript ?? "";
    const line = document.createElement("li");
    line.append(time, words);
    const reading = window.innerHeight + window.scrollY < document.documentElement.scrollHeight - FOLLOW_PX;
    this.finals.append(line);
    this.copy.disabled = this.clear.disabled = false;
    if (!reading) this.interim.scrollIntoView({ block: "nearest" });
  }

  clearFinals() {
    this.finals.replaceChildren();
    (this.start.disabled ? this.stop : this.start).focus();
    this.copy.disabled = this.clear.disabled = true;
  }

  /** @returns {string} the words alone, a line an utterance */
  transcript() {
    return [...this.finals.querySelectorAll("span")].map((words) => words.textContent).join("\n");
  }

  /** @param {{id: string, label: string}[]} microphones */
  showMicrophones(microphones) {
    const chosen = this.microphone.value;
    const named = microphones.filter(({ id }) => id && id !== "default");
    const options = [new Option(this.text("standard"), "")];
    named.forEach(({ id, label }, i) => options.push(new Option(label || `${this.text("unnamed")} ${i + 1}`, id)));
    this.microphone.replaceChildren(...options);
    if (named.some(({ id }) => id === chosen)) this.microphone.value = chosen;
  }

  /** @param {string[]} langs @param {string} chosen */
  showLanguages(langs, chosen) {
    const names = new Intl.DisplayNames([document.documentElement.lang], { type: "language" });
    this.language.replaceChildren(...langs.map((lang) => new Option(names.of(lang), lang)));
    this.language.value = chosen;
  }
}
