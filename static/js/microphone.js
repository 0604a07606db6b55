/** getUserMedia, the AudioContext and the worklet: opens a microphone, releases it at once. */

export class MicrophoneError extends Error {
  /** @param {"insecure" | "refused" | "no_microphone" | "unreachable"} problem */
  constructor(problem) {
    super(problem);
    this.problem = problem;
  }
}

/** What a recogniser wants to hear: the voice as it is. */
const RAW = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

/** An audio thread that stalls must not keep the microphone on. */
const FLUSH_TIMEOUT_MS = 1_000;

/** @returns {Promise<{id: string, label: string}[]>} empty ids and labels before the permission */
export async function listMicrophones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((d) => d.kind === "audioinput").map((d) => ({ id: d.deviceId, label: d.label }));
}

export class Microphone {
  /**
   * @param {MediaStream} stream
   * @param {AudioContext} context
   * @param {AudioWorkletNode} node
   */
  constructor(stream, context, node) {
    this.stream = stream;
    this.context = context;
    this.node = node;
  }

  get sampleRate() {
    return this.context.sampleRate;
  }

  /**
   * @param {{deviceId: string, wantedRate: number, onSamples: (samples: Float32Array) => void, onLost: () => void}} options
   * @returns {Promise<Microphone>}
   */
  static async open({ deviceId, wantedRate, onSamples, onLost }) {
    if (!window.isSecureContext || !navigator.mediaDevices) throw new MicrophoneError("insecure");
    const context = makeContext(wantedRate);
    void context.resume().catch(() => {}); // Safari wants this in the click, before anything is awaited
    /** @type {MediaStream | undefined} */
    let stream;
    try {
      stream = await getStream(deviceId);
      const node = await listen(context, stream, onSamples, onLost);
      return new Microphone(stream, context, node);
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      await context.close();
      throw error;
    }
  }

  /** Posts what is left of the last batch, then lets the microphone go. */
  async finish() {
    if (this.context.state === "running") {
      await new Promise((resolve) => {
        setTimeout(resolve, FLUSH_TIMEOUT_MS);
        const deliver = this.node.port.onmessage;
        this.node.port.onmessage = (event) => (event.data ? deliver?.call(this.node.port, event) : resolve(null));
        this.node.port.postMessage("flush");
      });
    }
    this.release();
  }

  release() {
    this.node.port.onmessage = this.context.onstatechange = null;
    this.stream.getTracks().forEach((track) => track.stop());
    if (this.context.state !== "closed") void this.context.close();
  }
}

/**
 * Chromium resamples a microphone to the context's rate exactly. Other browsers throw or warp time: they run at
 * the device's own rate, and the server resamples.
 * @param {number} wantedRate
 */
function makeContext(wantedRate) {
  const chromium = "userAgentData" in navigator;
  return chromium ? new AudioContext({ sampleRate: wantedRate }) : new AudioContext();
}

/** @param {string} deviceId */
async function getStream(deviceId) {
  const audio = deviceId ? { ...RAW, deviceId: { exact: deviceId } } : RAW;
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    throw new MicrophoneError(name === "NotAllowedError" || name === "SecurityError" ? "refused" : "no_microphone");
  }
}

/**
 * @param {AudioContext} context
 * @param {MediaStream} stream
 * @param {(samples: Float32Array) => void} onSamples
 * @param {() => void} onLost
 */
async function listen(context, stream, onSamples, onLost) {
  try {
    await context.audioWorklet.addModule(new URL("./capture-worklet.js", import.meta.url));
  } catch {
    throw new MicrophoneError("unreachable"); // the module comes from the server
  }
  const node = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
  node.port.onmessage = (event) => onSamples(event.data);
  node.onprocessorerror = onLost;
  for (const track of stream.getAudioTracks()) track.onended = onLost;
  context.createMediaStreamSource(stream).connect(node);
  await context.resume();
  context.onstatechange = () => context.state !== "running" && onLost(); // a phone call took it
  return node;
}
