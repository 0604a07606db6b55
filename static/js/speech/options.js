/** The options beyond the standard: their defaults, and an object that refuses every wrong value. Pure. */

/**
 * @typedef {object} Options
 * @property {string} serverUrl the server's /ws; "" is the server that the module came from
 * @property {string | (() => string | Promise<string>)} token
 * @property {string} deviceId "" is the browser's default microphone
 * @property {string} deviceLabel used when deviceId is not there
 * @property {boolean} strictDevice
 * @property {MediaTrackConstraints} constraints
 * @property {number} noSpeechTimeoutMs of captured audio; 0 = never
 * @property {number | undefined} minSilenceMs undefined is the server's own
 * @property {"s16le" | "f32le"} encoding
 * @property {number} sampleRate Hz, asked of Chromium
 * @property {number} connectTimeoutMs until the server's `ready`
 * @property {number} resumeLimitMs of kept audio; 0 = never resume
 * @property {boolean} treatServerAsLocal
 * @property {boolean} words
 * @property {string} stream
 */

/** @type {Options} */
const DEFAULTS = {
  serverUrl: "",
  token: "",
  deviceId: "",
  deviceLabel: "",
  strictDevice: false,
  constraints: Object.freeze({ echoCancellation: false, noiseSuppression: false, autoGainControl: false }),
  noSpeechTimeoutMs: 8_000,
  minSilenceMs: undefined,
  encoding: "s16le",
  sampleRate: 16_000,
  connectTimeoutMs: 10_000,
  resumeLimitMs: 300_000,
  treatServerAsLocal: false,
  words: false,
  stream: "",
};

/** @type {Record<string, (name: string, value: any) => unknown>} each returns what is stored, or throws */
const CHECKS = {
  serverUrl: socketUrl,
  token: (name, value) => (typeof value === "function" ? value : text(name, value, "a string or a function")),
  deviceId: text,
  deviceLabel: text,
  strictDevice: flag,
  constraints: (name, value) => Object.freeze({ ...object(name, value) }),
  noSpeechTimeoutMs: range(0, 3_600_000),
  minSilenceMs: (name, value) => (value === undefined ? value : range(64, 10_000)(name, value)),
  encoding: choice("s16le", "f32le"),
  sampleRate: range(8_000, 192_000),
  connectTimeoutMs: range(100, 600_000),
  resumeLimitMs: range(0, 3_600_000),
  treatServerAsLocal: flag,
  words: flag,
  stream: streamName,
};

/** @param {string} name @param {unknown} value */
function text(name, value, kind = "a string") {
  if (typeof value !== "string") throw new TypeError(`options.${name} must be ${kind}`);
  return value;
}

/** @param {string} name @param {unknown} value */
function flag(name, value) {
  if (typeof value !== "boolean") throw new TypeError(`options.${name} must be true or false`);
  return value;
}

/** @param {string} name @param {unknown} value */
function object(name, value) {
  if (typeof value !== "object" || value === null) throw new TypeError(`options.${name} must be an object`);
  return value;
}

/** @param {number} low @param {number} high @returns {(name: string, value: unknown) => number} */
function range(low, high) {
  return (name, value) => {
    if (typeof value !== "number") throw new TypeError(`options.${name} must be a number`);
    const inside = Number.isInteger(value) && value >= low && value <= high;
    if (!inside) throw new RangeError(`options.${name} must be a whole number from ${low} to ${high}, not ${value}`);
    return value;
  };
}

/** @param {string[]} allowed */
function choice(...allowed) {
  return (/** @type {string} */ name, /** @type {unknown} */ value) => {
    if (allowed.includes(text(name, value))) return value;
    throw new RangeError(`options.${name} must be ${allowed.map((one) => `"${one}"`).join(" or ")}, not "${value}"`);
  };
}

/** @param {string} name @param {unknown} value */
function socketUrl(name, value) {
  const url = text(name, value);
  if (url === "" || (/^wss?:\/\//i.test(url) && URL.canParse(url))) return url;
  throw new RangeError(`options.${name} must be "" or a URL that begins with ws:// or wss://, not "${url}"`);
}

/** @param {string} name @param {unknown} value */
function streamName(name, value) {
  const stream = text(name, value);
  if (stream === "" || /^(?!\.)[\w.-]{1,64}$/.test(stream)) return stream;
  throw new RangeError(`options.${name} must be "" or 1 to 64 characters A-Z a-z 0-9 . _ - without a dot in front, not "${stream}"`);
}

/** @param {string | symbol} name @param {unknown} value */
function checked(name, value) {
  const check = typeof name === "string" && Object.hasOwn(CHECKS, name) ? CHECKS[name] : undefined;
  if (!check) throw new TypeError(`options.${String(name)} is not known`);
  return check(String(name), value);
}

/** @type {ProxyHandler<Options>} */
const GUARD = {
  set(target, name, value) {
    return Reflect.set(target, name, checked(name, value));
  },
  defineProperty(target, name, descriptor) {
    if (!("value" in descriptor)) throw new TypeError(`options.${String(name)} must be a value`);
    return Reflect.set(target, name, checked(name, descriptor.value));
  },
  deleteProperty(_, name) {
    throw new TypeError(`options.${String(name)} cannot be deleted`);
  },
};

/**
 * @param {Partial<Options>} [from] what differs from the defaults
 * @returns {Options}
 */
export function makeOptions(from = {}) {
  return assign(new Proxy({ ...DEFAULTS }, GUARD), from);
}

/**
 * All of `from`, or nothing when one of its values is wrong.
 * @param {Options} options
 * @param {unknown} from
 */
export function assign(options, from) {
  const wanted = Object.entries(/** @type {object} */ (object("options", from)));
  for (const [name, value] of wanted) checked(name, value);
  return Object.assign(options, from);
}
