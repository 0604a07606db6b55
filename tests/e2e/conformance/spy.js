/** Runs before the page's own code: remembers every track, context and socket. Nothing is replaced by a double. */
{
  const opened = { wishes: [], tracks: [], contexts: [], sockets: [], most: { tracks: 0, contexts: 0, sockets: 0 } };
  opened.witnesses = false; // then each context keeps in `witnessed` what its microphone gives to its graph
  const live = {
    tracks: () => opened.tracks.filter((track) => track.readyState === "live").length,
    contexts: () => opened.contexts.filter((context) => context.state !== "closed").length,
    sockets: () => opened.sockets.filter((socket) => socket.readyState < WebSocket.CLOSING).length,
  };
  /** @param {"tracks" | "contexts" | "sockets"} kind */
  const note = (kind, thing) => {
    opened[kind].push(thing);
    opened.most[kind] = Math.max(opened.most[kind], live[kind]());
    return thing;
  };
  window.opened = opened;
  window.live = live;
  if (navigator.mediaDevices) {
    const media = navigator.mediaDevices;
    const getUserMedia = media.getUserMedia.bind(media);
    media.getUserMedia = async (wish) => {
      opened.wishes.push(wish);
      const stream = await getUserMedia(wish);
      for (const track of stream.getTracks()) note("tracks", track);
      return stream;
    };
  }
  const bytes = (data) =>
    ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
  const { AudioContext, WebSocket } = window;
  window.PlainAudioContext = AudioContext; // for the tests' own sounds
  window.AudioContext = class extends AudioContext {
    constructor(...wish) {
      note("contexts", super(...wish) ?? this);
      const add = this.audioWorklet?.addModule.bind(this.audioWorklet);
      if (opened.witnesses) this.audioWorklet.addModule = async (url) => void (await add("/witness.js"), await add(url));
    }
    createMediaStreamSource(stream) {
      const source = super.createMediaStreamSource(stream);
      this.joined = this.currentTime;
      if (opened.witnesses) {
        this.witnessed = [];
        const witness = new AudioWorkletNode(this, "witness", { numberOfOutputs: 0 });
        witness.port.onmessage = ({ data }) => this.witnessed.push(...data);
        source.connect(witness);
      }
      return source;
    }
  };
  window.WebSocket = class extends WebSocket {
    sends = []; // with window.keepSends, what was sent
    since = performance.now();
    constructor(...wish) {
      note("sockets", super(...wish) ?? this);
    }
    send(data) {
      if (window.keepSends) this.sends.push(typeof data === "string" ? data : bytes(data).slice());
      super.send(data);
    }
  };
}
