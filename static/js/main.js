/** Wires the parts together; the only file that knows all the others. */

import { IDLE, step } from "./client.js";
import { Connection } from "./connection.js";
import { Microphone, MicrophoneError, listMicrophones } from "./microphone.js";
import { level, toPcm16 } from "./pcm.js";
import { socketUrl } from "./protocol.js";
import { pageLanguage, spokenLanguage, texts } from "./texts.js";
import { View } from "./view.js";

/** @type {{langs: string[], default_lang: string, sample_rate_hz: number, sample_bits: number, saving: boolean}} */
const settings = JSON.parse(document.getElementById("settings")?.textContent ?? "{}");
const language = pageLanguage(navigator.languages);
document.documentElement.lang = language;
const text = texts(language);
const view = new View(text);
/** @type {"f32le" | "s16le"} */
const encoding = settings.sample_bits === 16 ? "s16le" : "f32le";

let state = IDLE;
let attempt = 0; // a microphone that was asked for before the last Start is not wanted any more
/** @type {Microphone | null} */
let microphone = null;
/** @type {Connection | null} */
let connection = null;

/** @param {import("./client.js").Event} event */
function dispatch(event) {
  const next = step(state, event);
  state = next.state;
  view.show(state);
  for (const effect of next.effects) act(effect);
}

/** @param {import("./client.js").Effect} effect */
function act(effect) {
  switch (effect.kind) {
    case "open":
      return void open(++attempt);
    case "finish":
      return void finish();
    case "release":
      microphone?.release();
      microphone = null;
      return;
    case "close":
      attempt += 1;
      connection?.close();
      connection = null;
      return;
    case "final":
      return view.addFinal(effect.result);
  }
}

/**
 * The microphone first: without one there is nothing to connect for.
 * @param {number} mine
 */
async function open(mine) {
  /** @type {Float32Array[]} */
  const early = [];
  let send = (/** @type {Float32Array} */ samples) => void early.push(samples);
  try {
    const opened = await Microphone.open({
      deviceId: view.microphone.value,
      wantedRate: settings.sample_rate_hz,
      onSamples: (samples) => send(samples),
      onLost: () => mine === attempt && dispatch({ kind: "unplugged" }),
    });
    if (mine !== attempt) return opened.release();
    microphone = opened;
    const line = connect(opened.sampleRate);
    connection = line;
    send = (samples) => {
      view.level.value = level(samples);
      line.send(encoding === "s16le" ? toPcm16(samples) : samples.buffer);
    };
    early.forEach(send);
    dispatch({ kind: "heard" });
    void refreshMicrophones(); // their names are known now
  } catch (error) {
    if (mine !== attempt) return;
    dispatch({ kind: "problem", problem: error instanceof MicrophoneError ? error.problem : "no_microphone" });
  }
}

/** @param {number} sampleRate */
function connect(sampleRate) {
  const line = new Connection(socketUrl(location.href), {
    onMessage: (message) => dispatch({ kind: "message", message }),
    onClose: (code, reachable) => dispatch({ kind: "closed", code, reachable }),
    onSlow: (slow) => dispatch({ kind: "slow", slow }),
  });
  line.start({ lang: view.language.value, encoding, sampleRate });
  return line;
}

async function finish() {
  const [voice, line] = [microphone, connection];
  microphone = null;
  await voice?.finish();
  view.level.value = 0;
  line?.stop();
}

async function refreshMicrophones() {
  view.showMicrophones(await listMicrophones());
}

async function copy() {
  try {
    await navigator.clipboard.writeText(view.transcript());
    view.say("copied");
  } catch {
    view.say("uncopied");
  }
}

view.controls.addEventListener("submit", (event) => {
  event.preventDefault();
  dispatch({ kind: "start" });
});
view.stop.addEventListener("click", () => dispatch({ kind: "stop" }));
view.clear.addEventListener("click", () => view.clearFinals());
view.copy.addEventListener("click", () => void copy());
window.addEventListener("pagehide", () => dispatch({ kind: "problem", problem: "lost" }));
navigator.mediaDevices?.addEventListener("devicechange", () => void refreshMicrophones());
view.saving.hidden = !settings.saving;
view.showLanguages(settings.langs, spokenLanguage(language, settings.langs, settings.default_lang));
view.show(state);
if (!window.isSecureContext) dispatch({ kind: "problem", problem: "insecure" });
void refreshMicrophones();
