/** Wires the page of captions. The token is the fragment of the address, which browsers never send. */

import { EMPTY, closed, receive } from "./captions.js";
import { Subscription, subscriptionUrl, tokenOf } from "./subscription.js";
import { pageLanguage, texts } from "./texts.js";
import { View } from "./view.js";

const LEVEL_TIMEOUT_MS = 2_000;
const stream = document.body.dataset.stream ?? "";
const language = pageLanguage(navigator.languages);
document.documentElement.lang = language;
const view = new View(texts(language));
let state = EMPTY;
let painting = false;

/** At most once a frame, however many messages come. @param {import("./captions.js").State} next */
function change(next) {
  state = next;
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    view.show(state);
  });
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let silence;

/** A meter that nobody feeds any more falls to its rest. */
function expectLevel() {
  clearTimeout(silence);
  silence = setTimeout(() => change({ ...state, level: null }), LEVEL_TIMEOUT_MS);
}

const subscription = new Subscription(
  () => subscriptionUrl(location.href, stream, state.from, state.id),
  tokenOf(location.hash),
  {
    onMessage: (message) => {
      change(receive(state, message));
      if (message.layer === "level") expectLevel();
    },
    onClose: (code) => {
      change(closed(state, code));
      return state.phase !== "refused";
    },
  },
);

/** A phone whose screen goes dark shows no captions. */
async function stayAwake() {
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // the battery is low, or the browser does not want to
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "visible") return;
  subscription.hurry();
  void stayAwake();
});
window.addEventListener("online", () => subscription.hurry());
window.addEventListener("hashchange", () => location.reload());
view.show(state);
void stayAwake();
