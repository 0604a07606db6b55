/** Collects 80 ms of the first channel and posts them; a short last batch answers `flush`. */

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate * 0.08);
    this.batch = new Float32Array(this.size);
    this.filled = 0;
    this.running = true;
    this.port.onmessage = () => {
      this.running = false;
      this.post();
      this.port.postMessage(null);
    };
  }

  post() {
    const part = this.batch.subarray(0, this.filled).slice();
    if (part.length) this.port.postMessage(part, [part.buffer]);
    this.filled = 0;
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channel = inputs[0]?.[0];
    if (!channel || !this.running) return this.running;
    for (let at = 0; at < channel.length; ) {
      const count = Math.min(channel.length - at, this.size - this.filled);
      this.batch.set(channel.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      if (this.filled === this.size) this.post();
    }
    return true;
  }
}

registerProcessor("capture", Capture);
