/**
 * Collects 80 ms of the first channel and posts them with the frame they begin at; a short last batch answers `flush`.
 * Buffers that come back are used again: the audio thread makes no garbage.
 */

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate * 0.08);
    this.batch = new Float32Array(this.size);
    this.filled = 0;
    this.next = 0; // the frame after the last one collected
    this.running = true;
    /** @type {ArrayBuffer[]} */
    this.spare = [];
    this.port.onmessage = ({ data }) => (data instanceof ArrayBuffer ? this.keep(data) : this.finish());
  }

  /** @param {ArrayBuffer} buffer */
  keep(buffer) {
    if (buffer.byteLength === this.size * 4 && this.spare.length < 16) this.spare.push(buffer);
  }

  finish() {
    this.running = false;
    if (this.filled) this.post(this.batch.slice(0, this.filled), this.next - this.filled);
    this.port.postMessage(null);
  }

  /** @param {Float32Array<ArrayBuffer>} samples @param {number} frame */
  post(samples, frame) {
    this.port.postMessage({ samples, frame }, [samples.buffer]);
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channel = inputs[0]?.[0];
    if (!channel || !this.running) return this.running;
    this.next = currentFrame + channel.length;
    for (let at = 0; at < channel.length; ) {
      const count = Math.min(channel.length - at, this.size - this.filled);
      this.batch.set(channel.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      if (this.filled < this.size) continue;
      this.post(this.batch, currentFrame + at - this.size);
      this.batch = new Float32Array(this.spare.pop() ?? new ArrayBuffer(this.size * 4));
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("speech-capture", Capture);
