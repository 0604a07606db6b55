/**
 * One session of a recogniser as a pure state machine: an event in, the next state and effects out.
 *
 * preparing (permission and socket) -> starting (microphone open, no frame yet) -> listening -> draining (capture is
 * closed, results still come) -> ending (the last events are being dispatched)
 *
 * @typedef {"preparing" | "starting" | "listening" | "draining" | "ending"} Phase
 * @typedef {{phase: Phase, continuous: boolean, sound: boolean, speech: boolean, spoken: boolean, failed: string | null}} State
 *   sound, speech: soundstart, speechstart were said and not yet taken back; spoken: there was speech in this session;
 *   failed: the error that ends the session (when it is drained)
 * @typedef {import("./protocol.js").Result} Result
 * @typedef {{kind: "permitted" | "refused" | "unavailable" | "heard" | "sound" | "hush" | "silent" | "unplugged" | "stop" | "abort"
 *   | "speech_start" | "speech_end" | "done"} | {kind: "result", result: Result} | {kind: "failure", segment: number, code: string}
 *   | {kind: "problem", error: string}} Event
 * @typedef {{kind: "emit", type: string} | {kind: "result", result: Result} | {kind: "failure", segment: number, code: string}
 *   | {kind: "drain", stop: boolean} | {kind: "release"} | {kind: "forget"} | {kind: "error", error: string} | {kind: "end"}} Effect
 *   drain: close the capture (and tell the server); release: microphone and socket, at once; forget: results and `end`, if not yet dispatched
 * @typedef {{state: State, effects: Effect[]}} Step
 */

/** @param {boolean} continuous @returns {State} */
export function begin(continuous) {
  return { phase: "preparing", continuous, sound: false, speech: false, spoken: false, failed: null };
}

/** @param {State} state @param {Event} event @returns {Step} */
export function step(state, event) {
  if (state.phase === "ending") return event.kind === "abort" ? tooLate(state) : stay(state);
  switch (event.kind) {
    case "abort":
      return finish(state, "aborted", [{ kind: "forget" }]);
    case "problem":
      return finish(state, event.error);
    case "result":
      return hear(state, event.result);
    case "failure":
      return fail(state, event);
    case "done":
      return finish(state, state.failed);
  }
  switch (state.phase) {
    case "preparing":
      return prepare(state, event.kind);
    case "starting":
      return open(state, event.kind);
    case "listening":
      return listen(state, event.kind);
    case "draining":
      return stay(state);
  }
}

/** @param {State} state @param {Effect[]} effects @returns {Step} */
function stay(state, effects = []) {
  return { state, effects };
}

/** @param {State} state @param {string} kind @returns {Step} */
function prepare(state, kind) {
  switch (kind) {
    case "permitted":
      return stay({ ...state, phase: "starting" }, [emit("start")]);
    case "refused":
      return finish(state, "not-allowed");
    case "unavailable":
      return finish(state, "audio-capture", [emit("start")]);
    case "stop":
      return finish(state, null);
    default:
      return stay(state);
  }
}

/** @param {State} state @param {string} kind @returns {Step} */
function open(state, kind) {
  switch (kind) {
    case "heard":
      return stay({ ...state, phase: "listening" }, [emit("audiostart")]);
    case "unplugged":
      return finish(state, "audio-capture");
    case "stop":
      return finish(state, null);
    default:
      return stay(state);
  }
}

/** @param {State} state @param {string} kind @returns {Step} */
function listen(state, kind) {
  switch (kind) {
    case "sound":
      return state.sound ? stay(state) : stay({ ...state, sound: true }, [emit("soundstart")]);
    case "hush":
      return state.speech ? stay(state) : stay({ ...state, sound: false }, closing(state));
    case "speech_start":
      return speak(state);
    case "speech_end":
      return state.continuous ? stay(silenced(state), closing(state)) : drain(state, { stop: false });
    case "silent":
      return state.spoken ? stay(state) : finish(state, "no-speech");
    case "stop":
      return drain(state, { stop: true });
    case "unplugged":
      return drain({ ...state, failed: "audio-capture" }, { stop: true });
    default:
      return stay(state);
  }
}

/** @param {State} state @returns {Step} */
function speak(state) {
  if (state.speech) return stay(state);
  const sound = state.sound ? [] : [emit("soundstart")];
  return stay({ ...state, sound: true, speech: true, spoken: true }, [...sound, emit("speechstart")]);
}

/** What was heard is still recognised. @param {State} state @param {{stop: boolean}} how @returns {Step} */
function drain(state, { stop }) {
  const effects = [.../** @type {Effect[]} */ ([{ kind: "drain", stop }]), ...closing(state), emit("audioend")];
  return stay({ ...silenced(state), phase: "draining" }, effects);
}

/** @param {State} state @param {Result} result @returns {Step} */
function hear(state, result) {
  const shown = /** @type {Effect[]} */ ([{ kind: "result", result }]);
  if (!result.final || state.continuous) return stay(result.final ? { ...state, spoken: true } : state, shown);
  return finish(silenced(state), state.failed, [...ending(state), ...shown], false);
}

/** @param {State} state @param {{segment: number, code: string}} failure @returns {Step} */
function fail(state, { segment, code }) {
  const told = /** @type {Effect[]} */ ([{ kind: "failure", segment, code }]);
  return state.continuous ? stay(state, told) : finish(state, "network", told);
}

/**
 * The one way out: microphone and socket go first, `end` comes last.
 * @param {State} state @param {string | null} error @param {Effect[]} [before] @param {boolean} [audible] says audioend
 * @returns {Step}
 */
function finish(state, error, before = [], audible = true) {
  const last = /** @type {Effect[]} */ (error ? [{ kind: "error", error }] : []);
  const release = /** @type {Effect[]} */ ([{ kind: "release" }]);
  return stay({ ...silenced(state), phase: "ending", failed: error }, [
    ...release, ...before, ...(audible ? ending(state) : []), ...last, { kind: "end" },
  ]);
}

/** Aborted while the last events wait to be dispatched: no result comes after the call. @param {State} state @returns {Step} */
function tooLate(state) {
  if (state.failed) return stay(state, [{ kind: "forget" }, { kind: "end" }]);
  return stay({ ...state, failed: "aborted" }, [{ kind: "forget" }, { kind: "error", error: "aborted" }, { kind: "end" }]);
}

/** The events that close what is open. @param {State} state @returns {Effect[]} */
function ending(state) {
  return state.phase === "listening" ? [...closing(state), emit("audioend")] : [];
}

/** @param {State} state @returns {Effect[]} */
function closing(state) {
  return [...(state.speech ? [emit("speechend")] : []), ...(state.sound ? [emit("soundend")] : [])];
}

/** @param {State} state @returns {State} */
function silenced(state) {
  return { ...state, sound: false, speech: false };
}

/** @param {string} type @returns {Effect} */
function emit(type) {
  return { kind: "emit", type };
}
