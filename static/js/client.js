/**
 * The page's side of one conversation, as a pure state machine: events in, a new state and effects out.
 *
 * idle -> opening (microphone and socket) -> listening -> draining (stopped, finals still come) -> idle
 * @typedef {"idle" | "opening" | "listening" | "draining"} Phase
 * @typedef {{phase: Phase, interim: string, problem: string | null}} State
 * @typedef {import("./protocol.js").ServerMessage} ServerMessage
 * @typedef {import("./protocol.js").Result} Result
 * @typedef {{kind: "start"} | {kind: "stop"} | {kind: "message", message: ServerMessage}
 *   | {kind: "closed", code: number} | {kind: "problem", problem: string}} Event
 * @typedef {{kind: "open"} | {kind: "release"} | {kind: "finish"} | {kind: "close"} | {kind: "final", result: Result}} Effect
 */

/** @type {State} */
export const IDLE = { phase: "idle", interim: "", problem: null };

/** Which texts explain an error code of the server; what is not listed is `server`. */
const PROBLEMS = new Set(["overloaded", "timeout", "recognizer_failed", "language_not_supported"]);

/**
 * @param {State} state
 * @param {Event} event
 * @returns {{state: State, effects: Effect[]}}
 */
export function step(state, event) {
  switch (event.kind) {
    case "start":
      return state.phase === "idle" ? { state: { ...IDLE, phase: "opening" }, effects: [{ kind: "open" }] } : stay(state);
    case "stop":
      return stop(state);
    case "message":
      return hear(state, event.message);
    case "closed":
      return closed(state, event.code);
    case "problem":
      return end(state, event.problem);
  }
}

/** @param {State} state @returns {{state: State, effects: Effect[]}} */
function stay(state) {
  return { state, effects: [] };
}

/** @param {State} state @param {string | null} problem @returns {{state: State, effects: Effect[]}} */
function end(state, problem) {
  return { state: { phase: "idle", interim: "", problem }, effects: [{ kind: "release" }, { kind: "close" }] };
}

/** @param {State} state @returns {{state: State, effects: Effect[]}} */
function stop(state) {
  if (state.phase === "opening") return end(state, null);
  if (state.phase !== "listening") return stay(state);
  return { state: { ...state, phase: "draining" }, effects: [{ kind: "finish" }] };
}

/** @param {State} state @param {ServerMessage} message @returns {{state: State, effects: Effect[]}} */
function hear(state, message) {
  if (state.phase === "idle") return stay(state);
  switch (message.type) {
    case "ready":
      return stay({ ...state, phase: state.phase === "opening" ? "listening" : state.phase });
    case "result": {
      const best = message.alternatives[0]?.transcript ?? "";
      if (!message.final) return stay({ ...state, interim: best });
      return { state: { ...state, interim: "" }, effects: best ? [{ kind: "final", result: message }] : [] };
    }
    case "failure":
      return stay({ ...state, interim: "", problem: known(message.code) });
    case "error":
      return end(state, known(message.code));
    case "done":
      return stay({ ...state, phase: "draining" });
    default:
      return stay(state);
  }
}

/** @param {State} state @param {number} code @returns {{state: State, effects: Effect[]}} */
function closed(state, code) {
  if (state.phase === "idle") return stay(state);
  if (code === 1000) return end(state, state.problem);
  if (code === 1012) return end(state, "restarting");
  return end(state, state.phase === "opening" ? "unreachable" : "lost");
}

/** @param {string} code */
function known(code) {
  return PROBLEMS.has(code) ? code : "server";
}
