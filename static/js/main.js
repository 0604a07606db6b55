/** Wires the parts together; the only file that knows all the others. */

import { IDLE, step } from "./client.js";
import { Connection } from "./connection.js";
import { Microphone, MicrophoneError, listMicrophones } from "./microphone.js";
import { level, toPcm16 } from "./pcm.js";
import { socketUrl } from "./protocol.js";
import { pageLanguage, texts } from "./texts.js";
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
      return void open();
    case "finish":
      return void finish();
    case "release":
      microphone?.release();
      microphone = null;
      return;
    case "close":
      connection?.close();
      connection = null;
      return;
    case "final":
      return view.addFinal(effect.result);
  }
}

/** The microphone first: without one there is nothing to connect for. */
async function open() {
  try {
    /** @type {Float32Array[]} */
    const early = [];
    let send = (/** @type {Float32Array} */ samples) => void early.push(samples);
    const opened = await Microphone.open({
      deviceId: view.microphone.value,
      wantedRate: settings.sample_rate_hz,
      onSamples: (samples) => send(samples),
      onLost: () => dispatch({ kind: "problem", problem: "microphone_lost" }),
    });
    if (state.phase !== "opening") return opened.release(); // stopped meanwhile
    microphone = opened;
    const line = connect(opened.sampleRate);
    connection = line;
    send = (samples) => {
      view.level.value = level(samples);
      line.send(encoding === "s16le" ? toPcm16(samples) : samples.buffer);
    };
    early.forEach(send);
    void refreshMicrophones(); // their names are known now
  } catch (error) {
    dispatch({ kind: "problem", problem: error instanceof MicrophoneError ? error.problem : "no_microphone" });
  }
}

/** @param {number} sampleRate */
function connect(sampleRate) {
  const line = new Connection(socketUrl(location.href), {
    onMessage: (message) => dispatch({ kind: "message", message }),
    onClose: (code) => dispatch({ kind: "closed", code }),
    onSlow: (slow) => view.showProblem(slow ? "slow" : state.problem),
  });
  line.start({ lang: view.language.value, encoding, sampleRate });
  return line;
}

async function finish() {
  await microphone?.finish();
  microphone = null;
  connection?.stop();
}

async function refreshMicrophones() {
  view.showMicrophones(await listMicrophones());
}

async function copy() {
  await navigator.clipboard.writeText(view.transcript());
  view.status.textContent = text("copied");
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
view.showLanguages(settings.langs, settings.langs.includes(language) ? language : settings.default_lang);
view.show(state);
void refreshMicrophones();
