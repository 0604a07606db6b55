/** Posts every sample of its input: what a graph got from the microphone, whatever became of it afterwards. */

class Witness extends AudioWorkletProcessor {
  process([[channel]]) {
    if (channel) this.port.postMessage(channel.slice());
    return true;
  }
}

registerProcessor("witness", Witness);
