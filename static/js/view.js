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
    this.status.textContent = this.text(state.phase);
    this.interim.textContent = state.interim;
    this.start.disabled = state.phase !== "idle";
    this.stop.disabled = state.phase !== "opening" && state.phase !== "listening";
    this.microphone.disabled = this.language.disabled = state.phase !== "idle";
    if (state.phase === "idle") this.level.value = 0;
    this.showProblem(state.problem);
  }

  /** @param {string | null} problem */
  showProblem(problem) {
    this.problem.hidden = !problem;
    this.problem.textContent = problem ? this.text(problem) : "";
  }

  /** @param {import("./protocol.js").Result} result */
  addFinal(result) {
    const time = document.createElement("time");
    time.textContent = clock(result.start_ms);
    time.title = `${(result.start_ms / 1000).toFixed(2)} – ${(result.end_ms / 1000).toFixed(2)} s`;
    const words = document.createElement("span");
    words.textContent = result.alternatives[0]?.transcript ?? "";
    const line = document.createElement("li");
    line.append(time, words);
    this.finals.append(line);
    this.copy.disabled = this.clear.disabled = false;
    line.scrollIntoView({ block: "nearest" });
  }

  clearFinals() {
    this.finals.replaceChildren();
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
    this.language.replaceChildren(...langs.map((lang) => new Option(this.text(`lang_${lang}`), lang)));
    this.language.value = chosen;
  }
}
