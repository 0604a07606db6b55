/** Samples to bytes and to a level. Pure. */

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

/**
 * How loud a batch is, 0..1, on a scale that follows the ear: -60 dB is 0, full scale is 1.
 * @param {Float32Array} samples
 * @returns {number}
 */
export function level(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibel = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
  return Math.max(0, Math.min(1, 1 + decibel / 60));
}
