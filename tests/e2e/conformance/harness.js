/** What the tests call inside the page. `api` is the module as a web page imports it. */

import * as api from "/static/js/speech-recognition.js";

const LIFECYCLE = ["start", "audiostart", "soundstart", "speechstart", "speechend", "soundend", "audioend", "end"];
const TYPES = [...LIFECYCLE, "result", "nomatch", "error"];

/** A recogniser that talks to the scripted line `url`; attributes and options by their names. */
function make(url, attributes = {}, options = {}) {
  const recognition = new api.SpeechRecognition();
  Object.assign(recognition.options, { serverUrl: url }, options);
  return Object.assign(recognition, attributes);
}

const plain = (results) =>
  results && Array.from(results, (result) => ({
    final: result.isFinal,
    alternatives: Array.from(result, ({ transcript, confidence }) => ({ transcript, confidence })),
  }));

function describe(event, recognition) {
  const told = { type: event.type, at: performance.now(), timeStamp: event.timeStamp };
  told.kind = Object.prototype.toString.call(event);
  told.targets = event.target === recognition && event.currentTarget === recognition;
  if (event.type === "error") Object.assign(told, { error: event.error, message: event.message });
  if (event.type === "result") Object.assign(told, { resultIndex: event.resultIndex, results: plain(event.results) });
  return told;
}

/** Writes every event down. `until(type, n)` resolves at the n-th event of that type, `ended` at the first `end`. */
function watch(recognition) {
  const log = { events: [], raw: [], waiting: [] };
  const count = (type) => log.events.filter((event) => event.type === type).length;
  for (const type of TYPES) {
    recognition.addEventListener(type, (event) => {
      log.events.push(describe(event, recognition));
      log.raw.push(event);
      log.waiting = log.waiting.filter(({ type, n, resolve }) => count(type) < n || void resolve());
    });
  }
  log.until = (type, n = 1) =>
    new Promise((resolve) => (count(type) >= n ? resolve() : log.waiting.push({ type, n, resolve })));
  log.ended = log.until("end");
  log.types = () => log.events.map((event) => event.type);
  return log;
}

/** One whole session; `attributes.stopAfter` finals it is stopped. */
async function session(url, { stopAfter = 0, ...attributes } = {}, options = {}) {
  const recognition = make(url, attributes, options);
  const log = watch(recognition);
  let finals = 0;
  recognition.addEventListener("result", (event) => {
    if (event.results[event.resultIndex]?.isFinal && ++finals === stopAfter) recognition.stop();
  });
  recognition.start();
  await log.ended;
  return log.events;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function eventually(condition, ms = 10_000) {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(5)) if (condition()) return true;
  return false;
}

/** The name and the code of what is thrown. */
function thrown(act) {
  try {
    act();
  } catch (error) {
    return { name: error.name, code: error.code ?? null, dom: error instanceof DOMException, type: error instanceof TypeError };
  }
  return null;
}

/** A track that plays `samples` at 16 kHz once, `delay` seconds from now. */
function play(samples, delay = 0, rate = 16_000) {
  const context = new window.PlainAudioContext({ sampleRate: rate });
  const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  const buffer = new AudioBuffer({ length: samples.length, sampleRate: rate });
  buffer.copyToChannel(Float32Array.from(samples), 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(destination);
  source.start(context.currentTime + delay);
  return { track: destination.stream.getAudioTracks()[0], context, source };
}

Object.assign(window, { api, LIFECYCLE, TYPES, make, watch, session, sleep, eventually, thrown, play, plain });
document.documentElement.dataset.ready = "";
