/** The DOM of the page of captions, and nothing else. Text goes in as textContent only. */

/** Who has scrolled further up than this is reading, and is not pulled down. */
const FOLLOW_PX = 160;
const SIZES = [0.75, 1, 1.35, 1.8, 2.4];

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

/** @param {number} seconds */
export function clock(seconds) {
  const two = (/** @type {number} */ n) => String(Math.floor(n)).padStart(2, "0");
  const rest = `${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds >= 3600 ? `${Math.floor(seconds / 3600)}:${rest}` : rest;
}

/** A screen reader would say an unchanged text again. @param {HTMLElement} where @param {string} text */
function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

export class View {
  /** @param {(name: string) => string} text */
  constructor(text) {
    this.text = text;
    this.status = element("status", HTMLParagraphElement);
    this.lines = element("lines", HTMLOListElement);
    this.interim = element("interim", HTMLParagraphElement);
    this.empty = element("empty", HTMLParagraphElement);
    this.level = element("level", HTMLMeterElement);
    this.levelLabel = element("level-label", HTMLLabelElement);
    this.keywords = element("keywords", HTMLUListElement);
    this.keywordsSection = element("keywords-section", HTMLElement);
    this.newest = element("newest", HTMLButtonElement);
    this.smaller = element("smaller", HTMLButtonElement);
    this.larger = element("larger", HTMLButtonElement);
    /** @type {Map<string, HTMLLIElement>} */
    this.shown = new Map();
    this.size = 1;
    for (const each of document.querySelectorAll("[data-text]")) each.textContent = text(each.getAttribute("data-text") ?? "");
    for (const each of document.querySelectorAll("[data-label]")) each.ariaLabel = text(each.getAttribute("data-label") ?? "");
    this.smaller.addEventListener("click", () => this.resize(this.size - 1));
    this.larger.addEventListener("click", () => this.resize(this.size + 1));
    this.newest.addEventListener("click", () => this.follow());
    window.addEventListener("scroll", () => (this.newest.hidden = this.following()), { passive: true });
    this.resize(this.size);
  }

  /** @param {import("./captions.js").State} state */
  show(state) {
    const following = this.following();
    setText(this.status, this.text(state.problem ?? state.phase));
    this.status.dataset.phase = state.phase;
    this.lines.lang = this.interim.lang = state.lang;
    this.showLines(state.lines);
    setText(this.interim, state.interim);
    this.empty.hidden = state.lines.length > 0 || Boolean(state.interim);
    if (state.level !== null) this.levelLabel.hidden = false;
    this.level.value = state.level ?? this.level.min;
    this.showKeywords(state.keywords);
    if (following) this.follow();
    else this.newest.hidden = false;
  }

  /** @param {readonly import("./captions.js").Line[]} lines */
  showLines(lines) {
    const keys = new Set(lines.map(({ key }) => key));
    for (const [key, line] of this.shown) {
      if (keys.has(key)) break; // the oldest go first
      line.remove();
      this.shown.delete(key);
    }
    for (const line of lines) if (!this.shown.has(line.key)) this.lines.append(this.line(line));
  }

  /** @param {import("./captions.js").Line} line */
  line({ key, start, text }) {
    const time = document.createElement("time");
    time.textContent = clock(start);
    time.dateTime = `PT${start.toFixed(2)}S`;
    const words = document.createElement("span");
    words.textContent = text || this.text("missing");
    words.classList.toggle("missing", !text);
    const item = document.createElement("li");
    item.append(time, words);
    this.shown.set(key, item);
    return item;
  }

  /** @param {ReadonlyMap<string, number>} keywords */
  showKeywords(keywords) {
    this.keywordsSection.hidden = keywords.size === 0;
    for (const [index, [phrase, count]] of [...keywords].entries()) {
      const item = this.keywords.children[index] ?? this.keywords.appendChild(keyword(phrase));
      const number = item.querySelector("b");
      if (number) setText(number, String(count));
    }
  }

  /** @param {number} size */
  resize(size) {
    this.size = Math.min(SIZES.length - 1, Math.max(0, size));
    document.body.style.setProperty("--size", String(SIZES[this.size]));
    this.smaller.disabled = this.size === 0;
    this.larger.disabled = this.size === SIZES.length - 1;
  }

  following() {
    return window.innerHeight + window.scrollY > document.documentElement.scrollHeight - FOLLOW_PX;
  }

  follow() {
    this.newest.hidden = true;
    window.scrollTo({ top: document.documentElement.scrollHeight });
  }
}

/** @param {string} phrase */
function keyword(phrase) {
  const item = document.createElement("li");
  item.append(phrase, document.createElement("b"));
  return item;
}
