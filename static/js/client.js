/**
 * The page's side of one conversation, as a pure state machine: events in, a new state and effects out.
 *
 * idle -> opening (the microphone) -> connecting (heard audio waits) -> listening -> draining (finals still come) -> idle
 * @typedef {"idle" | "opening" | "connecting" | "listening" | "draining"} Phase
 * @typedef {{phase: Phase, met: boolean, slow: boolean, interim: string, problem: string | null}} State
 *   met: the server has said `ready`; slow: audio waits in the browser
 * @typedef {import("./protocol.js").ServerMessage} ServerMessage
 * @typedef {import("./protocol.js").Result} Result
 * @typedef {{kind: "start"} | {kind: "stop"} | {kind: "heard"} | {kind: "unplugged"} | {kind: "slow", slow: boolean}
 *   | {kind: "message", message: ServerMessage} | {kind: "closed", code: number, reachable: boolean}
 *   | {kind: "problem", problem: string}} Event
 * @typedef {{kind: "open"} | {kind: "release"} | {kind: "finish"} | {kind: "close"} | {kind: "final", result: Result}} Effect
 * @typedef {{state: State, effects: Effect[]}} Step
 */

/** @type {State} */
export const IDLE = { phase: "idle", met: false, slow: false, interim: "", problem: null };

/** Which texts explain an error code of the server */
const PROBLEMS = new Set(["overloaded", "timeout", "recognizer_failed", "language_not_supported"]);

/**
 * @param {State} state
 * @param {Event} event
 * @returns {Step}
 */
export function step(state, event) {
  if (event.kind === "start") return state.phase === "idle" ? begin() : stay(state);
  if (event.kind === "problem") return end(state, event.problem);
  if (state.phase === "idle") return stay(state);
  switch (event.kind) {
    case "heard":
      return stay(state.phase === "opening" ? { ...state, phase: "connecting" } : state);
    case "stop":
      return stop(state, state.problem);
    case "unplugged":
      return stop(state, "microphone_lost");
    case "slow":
      return stay({ ...state, slow: event.slow });
    case "message":
      return hear(state, event.message);
    case "closed":
      return closed(state, event);
  }
}

/** @param {State} state @returns {Step} */
function stay(state) {
  return { state, effects: [] };
}

/** @returns {Step} */
function begin() {
  return { state: { ...IDLE, phase: "opening" }, effects: [{ kind: "open" }] };
}

/** @param {State} state @param {string | null} problem @returns {Step} */
function end(state, problem) {
  const effects = /** @type {Effect[]} */ (state.phase === "idle" ? [] : [{ kind: "release" }, { kind: "close" }]);
  return { state: { ...IDLE, problem }, effects };
}

/** What was heard is still recognised, even if the server has not answered yet.
 * @param {State} state @param {string | null} problem @returns {Step} */
function stop(state, problem) {
  if (state.phase === "opening") return end(state, problem);
  if (state.phase === "draining") return stay(state);
  return { state: { ...state, phase: "draining", problem }, effects: [{ kind: "finish" }] };
}

/** @param {State} state @param {ServerMessage} message @returns {Step} */
function hear(state, message) {
  switch (message.type) {
    case "ready":
      return stay({ ...state, met: true, phase: state.phase === "connecting" ? "listening" : state.phase });
    case "result": {
      const best = message.alternatives[0]?.transcript ?? "";
      if (!message.final) return stay({ ...state, interim: best });
      return { state: { ...state, interim: "" }, effects: best ? [{ kind: "final", result: message }] : [] };
    }
    case "failure":
      return stay({ ...state, interim: "", problem: known(message.code, "recognizer_failed") });
    case "error":
      return end(state, known(message.code, "server"));
    case "done": // the close follows; the server hears nothing any more
      return { state: { ...state, phase: "draining" }, effects: [{ kind: "release" }] };
    default:
      return stay(state);
  }
}

/** @param {State} state @param {{code: number, reachable: boolean}} close @returns {Step} */
function closed(state, { code, reachable }) {
  if (code === 1000) return end(state, state.problem);
  if (code === 1012) return end(state, "restarting");
  if (state.met) return end(state, "lost");
  return end(state, reachable ? "busy" : "unreachable");
}

/** @param {string} code @param {string} otherwise */
function known(code, otherwise) {
  return PROBLEMS.has(code) ? code : otherwise;
}
