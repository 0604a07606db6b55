/**
 * All audio that the server has not settled, and how much of it has been sent: what a resume needs. Pure.
 *
 * Positions are samples since the session began, at the rate of the microphone; milliseconds exist on the wire only.
 */

/** @typedef {import("./protocol.js").Checkpoint} Checkpoint */

/** Audio sent before a checkpoint, for the server's resampler to settle in; a whole number of samples at every usual rate. */
const LEAD_IN_MS = 160;

export class Backlog {
  #rate;
  #bytes;
  #recycle;
  /** @type {{at: number, data: ArrayBuffer}[]} oldest first */
  #chunks = [];
  #captured = 0;
  #sent = 0;
  #settledMs = 0;
  #receivedMs = 0;
  #resumable = false;
  /** @type {Checkpoint} nothing is remembered of a session that begins */
  #checkpoint = { at_ms: 0, settled_ms: 0, state: "" };

  /**
   * @param {{sampleRate: number, sampleBytes: number, recycle?: (data: ArrayBuffer) => void}} format
   *   recycle takes back what is settled
   */
  constructor({ sampleRate, sampleBytes, recycle = () => {} }) {
    this.#rate = sampleRate;
    this.#bytes = sampleBytes;
    this.#recycle = recycle;
  }

  get capturedMs() {
    return Math.floor((this.#captured * 1000) / this.#rate);
  }

  get settledMs() {
    return this.#settledMs;
  }

  /** What the server says that it has received. */
  get receivedMs() {
    return this.#receivedMs;
  }

  /** Captured and not confirmed. */
  get lagMs() {
    return Math.max(0, this.capturedMs - this.#receivedMs);
  }

  /** Captured and not settled: all of it is kept. */
  get keptMs() {
    return Math.max(0, this.capturedMs - this.#settledMs);
  }

  get allSent() {
    return this.#sent === this.#captured;
  }

  /** @param {ArrayBuffer} data */
  push(data) {
    this.#chunks.push({ at: this.#captured, data });
    this.#captured += data.byteLength / this.#bytes;
  }

  /** @returns {ArrayBuffer | ArrayBufferView | null} the next piece to send */
  take() {
    if (this.allSent) return null;
    const { at, data } = /** @type {{at: number, data: ArrayBuffer}} */ (this.#chunks.findLast((one) => one.at <= this.#sent));
    const skipped = (this.#sent - at) * this.#bytes;
    this.#sent = at + data.byteLength / this.#bytes;
    return skipped ? new Uint8Array(data, skipped) : data;
  }

  /** @param {boolean} resumable the server gives checkpoints */
  ready(resumable) {
    this.#resumable = resumable;
  }

  /** @param {{received_ms: number, settled_ms: number, checkpoint?: Checkpoint | null}} progress */
  progress({ received_ms: receivedMs, settled_ms: settledMs, checkpoint }) {
    this.#receivedMs = Math.max(this.#receivedMs, receivedMs);
    if (checkpoint) this.#checkpoint = checkpoint;
    this.settle(settledMs);
  }

  /** Its answer has come: audio before this is never needed again. @param {number} ms */
  settle(ms) {
    this.#settledMs = Math.max(this.#settledMs, ms);
    const begin = this.#samples(this.#beginMs());
    while (this.#chunks[1] && this.#chunks[1].at <= begin) this.#recycle(/** @type {any} */ (this.#chunks.shift()).data);
  }

  /**
   * Begins again where a new connection has to begin.
   * @returns {{offset_ms?: number, checkpoint?: Checkpoint}} for its `start`
   */
  rewind() {
    const offset = this.#beginMs();
    this.#sent = Math.min(this.#captured, this.#samples(offset));
    this.#receivedMs = Math.min(this.#receivedMs, offset);
    if (!this.#settledMs) return {};
    if (!this.#resumable) return { offset_ms: offset };
    return { offset_ms: offset, checkpoint: { ...this.#checkpoint, settled_ms: this.#settledMs } };
  }

  #beginMs() {
    return this.#resumable ? Math.max(0, this.#checkpoint.at_ms - LEAD_IN_MS) : this.#settledMs;
  }

  /** @param {number} ms */
  #samples(ms) {
    return Math.round((ms * this.#rate) / 1000);
  }
}
