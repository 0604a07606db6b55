/**
 * What the page of captions knows of a stream: messages of audiosockets.v1 in, a state to show out. No DOM, no socket.
 *
 * @typedef {{key: string, start: number, text: string}} Line a final, or a hole where `text` is empty; start in seconds
 * @typedef {{phase: "connecting" | "live" | "away" | "ended" | "waiting" | "refused", problem: string | null,
 *   lang: string, lines: readonly Line[], interim: string, level: number | null,
 *   keywords: ReadonlyMap<string, number>, rate: number, id: string, from: number | null, spotted: number, counted: number}} State
 *   `from` is the position of the stream `id` to go on from after a lost connection, `spotted` the end of the newest keyword;
 *   keywords up to `counted` come again and are counted already
 * @typedef {{type: string, [field: string]: any}} Message
 */

export const MAX_LINES = 500;

/** @type {State} */
export const EMPTY = {
  phase: "connecting",
  problem: null,
  lang: "",
  lines: [],
  interim: "",
  level: null,
  keywords: new Map(),
  rate: 16_000,
  id: "",
  from: null,
  spotted: 0,
  counted: 0,
};

/** Close codes after which another attempt is of no use without another link. */
const HOPELESS = [1008, 4403];
const PROBLEMS = new Map([[4401, "token_needed"], [4403, "forbidden"], [4404, "not_found"], [4429, "too_many"], [1008, "protocol"]]);

/**
 * @param {State} state
 * @param {Message} message
 * @returns {State}
 */
export function receive(state, message) {
  switch (message.type) {
    case "subscribed":
      return subscribed(state, message);
    case "state":
      return { ...state, phase: message.recorder === "live" ? "live" : "away", interim: "", level: null };
    case "end":
      return { ...state, phase: "ended", interim: "", level: null, from: null };
    case "gap":
      return message.layer === "results" && message.reason === "slow" ? hole(state, message) : state;
    case "event":
      return found(state, message);
    default:
      return state;
  }
}

/**
 * The connection closed, with this code.
 * @param {State} state
 * @param {number} code
 * @returns {State}
 */
export function closed(state, code) {
  if (HOPELESS.includes(code)) return { ...state, phase: "refused", problem: PROBLEMS.get(code) ?? null, interim: "", level: null };
  const phase = state.phase === "ended" ? "ended" : "waiting";
  return { ...state, phase, problem: phase === "ended" ? null : PROBLEMS.get(code) ?? "lost", interim: "", level: null };
}

/**
 * A stream of the same name with an earlier position is another one: its lines begin anew.
 * @param {State} state @param {Message} message @returns {State}
 */
function subscribed(state, message) {
  const same = state.from !== null && message.position >= state.from && message.sample_rate === state.rate;
  const from = same ? state.from : message.from;
  const phase = message.recorder === "live" ? "live" : "away";
  const counted = same ? state.spotted : 0;
  const { id, lang, sample_rate: rate } = message;
  return { ...state, phase, problem: null, id, lang, rate, from, spotted: counted, counted };
}

/** @param {State} state @param {Message} message @returns {State} */
function found(state, message) {
  const data = message.data ?? {};
  if (message.layer === "level") return { ...state, level: Number.isFinite(data.rms_db) ? data.rms_db : state.level };
  if (message.layer === "keyword") return spotted(state, data, message.end);
  if (data.type === "gap") return hole(state, message);
  if (data.type !== "result") return state;
  const text = String(data.alternatives?.[0]?.transcript ?? "");
  if (!data.final) return { ...state, interim: known(state, message) ? state.interim : text };
  return { ...written(state, message, text), interim: "" };
}

/** @param {State} state @param {any} data @param {number} end @returns {State} */
function spotted(state, data, end) {
  if (typeof data.phrase !== "string" || !data.phrase || (state.counted && end <= state.counted)) return state;
  const keywords = new Map(state.keywords);
  keywords.set(data.phrase, (keywords.get(data.phrase) ?? 0) + 1);
  return { ...state, keywords, spotted: Math.max(state.spotted, end) };
}

/** @param {State} state @param {Message} message @returns {State} */
function hole(state, message) {
  return message.end > message.start ? written(state, message, "") : state;
}

/**
 * One line more, unless it is there already: after a lost connection some come again.
 * @param {State} state @param {Message} message @param {string} text @returns {State}
 */
function written(state, message, text) {
  const from = Math.max(state.from ?? 0, message.end);
  const empty = !text && message.type === "event" && message.data.type === "result"; // nothing was said
  if (empty || known(state, message)) return { ...state, from };
  const line = { key: key(message), start: message.start / state.rate, text };
  return { ...state, from, lines: [...state.lines, line].slice(-MAX_LINES) };
}

/** @param {State} state @param {Message} message */
function known(state, message) {
  const mine = key(message);
  return state.lines.some((line) => line.key === mine);
}

/** @param {Message} message */
function key({ start, data }) {
  return data?.type === "result" ? `${data.session}/${data.segment}` : `gap/${start}`;
}
