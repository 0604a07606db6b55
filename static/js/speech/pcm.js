/** Samples to bytes and to levels. Pure. */

/**
 * Float samples in [-1, 1] to little-endian 16-bit integers.
 * @param {Float32Array} samples
 * @returns {ArrayBuffer}
 */
export function toPcm16(samples) {
  const view = new DataView(new ArrayBuffer(samples.length * 2));
  samples.forEach((sample, i) => {
    const clipped = Math.max(-1, Math.min(1, sample));
    view.setInt16(i * 2, Math.round(clipped < 0 ? clipped * 0x8000 : clipped * 0x7fff), true);
  });
  return view.buffer;
}

/** @param {Float32Array} samples */
export function peakOf(samples) {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak;
}

/** @param {Float32Array} samples @returns {number} of the power; full scale is 0, digital silence -120 */
export function decibelOf(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
}

const QUIET_DB = -50; // no room is so quiet that this is a sound
const ABOVE_FLOOR_DB = 10;
const FLOOR_RISE_DB = 0.08; // a batch of 80 ms: what goes on for long is the room
const HANG_BATCHES = 6; // a pause between two syllables is no end

/** Where sound begins and ends, judged against the level of the room. */
export class SoundDetector {
  #floor = QUIET_DB - ABOVE_FLOOR_DB;
  #quiet = HANG_BATCHES;

  /**
   * @param {Float32Array} samples a batch of 80 ms
   * @returns {"sound" | "hush" | null} what changed
   */
  hear(samples) {
    const level = decibelOf(samples);
    const loud = level > Math.max(QUIET_DB, this.#floor + ABOVE_FLOOR_DB);
    this.#floor = Math.max(QUIET_DB - ABOVE_FLOOR_DB, Math.min(level, this.#floor + FLOOR_RISE_DB));
    const before = this.#quiet;
    this.#quiet = loud ? 0 : Math.min(HANG_BATCHES, before + 1);
    if (loud && before === HANG_BATCHES) return "sound";
    return !loud && before === HANG_BATCHES - 1 ? "hush" : null;
  }
}
