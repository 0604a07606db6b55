/** The page: the first user of SpeechRecognition. Wires the recogniser to the view; the only file that knows both. */

import { SpeechRecognition, SpeechRecognitionPhrase, listMicrophones } from "./speech-recognition.js";
import { siblingUrl, socketUrl } from "./speech/protocol.js";
import { History } from "./history.js";
import { pageLanguage, spokenLanguage, texts } from "./texts.js";
import { MEDIA_TYPES, fileOf, lineOf, plainText } from "./transcript.js";
import { View } from "./view.js";

/**
 * @typedef {import("./transcript.js").Line} Line
 * @typedef {import("./transcript.js").Format} Format
 * @typedef {import("./view.js").Phase} Phase
 */

/** @type {{models: {id: string, langs: string[]}[], default_lang: string, sample_rate_hz: number, sample_bits: number, saving: boolean}} */
const settings = JSON.parse(document.getElementById("settings")?.textContent ?? "{}");
const language = pageLanguage(navigator.languages);
document.documentElement.lang = language;
const view = new View(texts(language));
const history = new History(() => localStorage);

const BEHIND_MS = 2_000;
const ANSWER_TIMEOUT_MS = 3_000;
const ALTERNATIVES = 5;
const BOOST = 3; // of expected words: twenty times likelier; with more the bundled models put them where nobody said them

/** What is told of an error of the standard. @type {Record<string, string>} */
const PROBLEMS = {
  "language-not-supported": "language_not_supported",
  "service-not-allowed": "forbidden",
  "phrases-not-supported": "phrases_not_supported",
};

/** What is told of an utterance that failed. */
const FAILURES = ["overloaded", "timeout", "recognizer_failed"];

const recognition = new SpeechRecognition();
recognition.continuous = true;
recognition.interimResults = true;
recognition.maxAlternatives = ALTERNATIVES;
recognition.options = {
  noSpeechTimeoutMs: 0,
  encoding: /** @type {"s16le" | "f32le"} */ (settings.sample_bits === 16 ? "s16le" : "f32le"),
  sampleRate: settings.sample_rate_hz,
  token: () => new URLSearchParams(location.hash.slice(1)).get("token") ?? "",
  words: true,
};

/** @type {Line[]} */
let lines = history.wanted ? history.load() : [];
let beganMs = 0; // of the session, on the transcript's clock
let heard = false; // the microphone delivers
let stopping = false;
let connection = "connecting";
let met = false; // the server has answered in this session

/** @param {Phase} [phase] */
function showPhase(phase) {
  if (phase) return view.show(phase);
  if (stopping) return view.show(connection === "open" ? "draining" : "waiting");
  if (connection === "reconnecting") return view.show("reconnecting");
  if (!heard) return view.show("opening");
  view.show(connection === "open" ? "listening" : "connecting");
}

function start() {
  heard = stopping = met = false;
  connection = "connecting";
  beganMs = lines.at(-1)?.endMs ?? 0;
  const { language: lang, microphone, processing } = view.choices;
  const [echoCancellation, noiseSuppression, autoGainControl] = processing;
  recognition.lang = lang;
  recognition.phrases = phrases();
  recognition.options.deviceId = microphone;
  recognition.options.constraints = { echoCancellation, noiseSuppression, autoGainControl };
  view.showProblem(null);
  recognition.start();
  showPhase();
}

/** A second time, while the server is away, gives up what still waits for it. */
function stop() {
  if (stopping && connection === "open") return;
  if (stopping) recognition.abort();
  else recognition.stop();
  stopping = true;
  showPhase();
}

function phrases() {
  const wanted = view.phrases.value.split("\n").map((line) => line.trim()).filter(Boolean);
  return wanted.map((phrase) => new SpeechRecognitionPhrase(phrase, BOOST));
}

/** @param {SpeechRecognition} target @param {string} type @param {(detail: any) => void} handler of an event beyond the standard */
function on(target, type, handler) {
  target.addEventListener(type, (event) => handler(/** @type {CustomEvent} */ (event).detail));
}

recognition.addEventListener("audiostart", () => {
  heard = true;
  showPhase();
});
recognition.addEventListener("audioend", () => {
  view.level.value = 0;
});
recognition.addEventListener("end", () => {
  view.showAway(null);
  view.showInterim("", "");
  showPhase("idle");
});
recognition.addEventListener("error", (event) => {
  const { error, message } = /** @type {import("./speech-recognition.js").SpeechRecognitionErrorEvent} */ (event);
  if (error !== "aborted") void explain(error, message);
});
on(recognition, "x-connection", ({ state, lagMs, keptMs }) => {
  connection = state;
  met ||= state === "open";
  if (state === "reconnecting") view.showAway("away", keptMs);
  else view.showAway(met && lagMs >= BEHIND_MS ? "behind" : null, lagMs);
  if (state !== "lost") showPhase();
});
on(recognition, "x-level", ({ peak }) => {
  view.level.value = Math.max(0, 1 + (20 * Math.log10(peak + 1e-6)) / 60); // -60 dB is 0, as the ear has it
});
on(recognition, "x-devices", ({ devices }) => view.showMicrophones(devices));
on(recognition, "x-failure", ({ code }) => {
  view.showInterim("", "");
  view.showProblem(FAILURES.includes(code) ? code : "recognizer_failed");
});
on(recognition, "x-result", (result) => {
  if (!result.isFinal) return view.showInterim(result.alternatives[0]?.transcript ?? "", recognition.lang);
  view.showInterim("", "");
  if (!result.alternatives.length) return;
  const line = lineOf(result, recognition.lang, beganMs);
  lines.push(line);
  show(line);
  remember();
});

/** @param {Line} line */
function show(line) {
  view.addFinal(line, (choice) => {
    line.chosen = choice;
    remember();
  });
}

/**
 * Tells people what an error means to them.
 * @param {string} error
 * @param {string} message
 */
async function explain(error, message) {
  if (error === "not-allowed") return view.showProblem(window.isSecureContext ? "refused" : "insecure");
  if (error === "audio-capture") return view.showProblem(heard ? "microphone_lost" : "no_microphone");
  if (PROBLEMS[error]) return view.showProblem(/** @type {string} */ (PROBLEMS[error]));
  if (connection === "lost") return view.showProblem("lost");
  if (message) return view.showProblem("server");
  view.showProblem((await answers()) ? "busy" : "unreachable");
}

/** A browser does not tell a refusal (503) from a dead server; asking for another answer does. */
async function answers() {
  try {
    const url = siblingUrl(socketUrl(new URL("./speech-recognition.js", import.meta.url).href), "healthz");
    return (await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })).ok;
  } catch {
    return false;
  }
}

function keep() {
  if (!history.save(lines, view.choices)) view.showProblem("full");
}

/** Not where another page of ours was told to forget. */
function remember() {
  if (history.wanted) keep();
}

function clear() {
  lines = [];
  view.clearFinals();
  remember();
}

async function copy() {
  try {
    await navigator.clipboard.writeText(plainText(lines));
    view.say("copied");
  } catch {
    view.say("uncopied");
  }
}

function download() {
  const format = /** @type {Format} */ (view.format.value);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([fileOf(lines, format)], { type: MEDIA_TYPES[format] }));
  link.download = `${document.title} ${new Date().toISOString().slice(0, 16).replace(":", "")}.${format}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function refreshMicrophones() {
  view.showMicrophones(await listMicrophones());
}

view.controls.addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
view.stop.addEventListener("click", stop);
view.clear.addEventListener("click", clear);
view.copy.addEventListener("click", () => void copy());
view.download.addEventListener("click", download);
view.phrases.addEventListener("change", () => {
  recognition.phrases = phrases();
});
view.keep.checked = history.wanted;
view.keep.disabled = !history.possible;
view.controls.addEventListener("change", ({ target }) => {
  if (target !== view.keep) remember();
  else if (view.keep.checked) keep();
  else history.forget();
});
navigator.mediaDevices?.addEventListener("devicechange", () => void refreshMicrophones());
view.saving.hidden = !settings.saving;
const langs = settings.models.flatMap((model) => model.langs);
view.showLanguages(settings.models, spokenLanguage(language, langs, settings.default_lang));
const chosen = history.wanted ? history.loadChoices() : null;
if (chosen) view.choose(chosen);
lines.forEach(show);
showPhase("idle");
if (!window.isSecureContext) view.showProblem("insecure");
void refreshMicrophones();
