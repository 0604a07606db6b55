/**
 * Dictates `audio` (base64 of f32le, 16 kHz) once for each run, side by side, each through a track of its own;
 * `afterMs` into it `strike(run)` is called. Resolves with what the class told, what it sent and what its graph got.
 */
async ({ audio, runs }) => {
  window.keepSends = opened.witnesses = true;
  const context = new window.PlainAudioContext({ sampleRate: 16_000 });
  const base64 = (bytes) => {
    let text = "";
    for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
    return btoa(text);
  };
  const flatten = (sends) => {
    const audio = sends.filter((data) => typeof data !== "string");
    const all = new Uint8Array(audio.reduce((sum, part) => sum + part.length, 0));
    audio.reduce((at, part) => (all.set(part, at), at + part.length), 0);
    return { texts: sends.filter((data) => typeof data === "string").map((text) => JSON.parse(text)), audio: base64(all) };
  };
  const samples = new Float32Array(Uint8Array.from(atob(audio), (letter) => letter.charCodeAt(0)).buffer);
  const buffer = new AudioBuffer({ length: samples.length, sampleRate: 16_000 });
  buffer.copyToChannel(samples, 0);
  const waiting = new Set(runs.keys()); // a server that was never met is no server: nothing is struck before
  let allOpen;
  const open = new Promise((resolve) => (allOpen = resolve));
  const one = async ({ url, afterMs, options = {} }, run) => {
    const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(destination);
    const r = make(url, { continuous: true, interimResults: true }, options), log = watch(r), finals = [], states = [];
    r.addEventListener("x-result", ({ detail }) => detail.isFinal && finals.push(detail));
    r.addEventListener("x-connection", ({ detail }) => {
      states.push(detail);
      if (detail.state === "open") waiting.delete(run);
      if (!waiting.size) allOpen();
    });
    const played = new Promise((resolve) => (source.onended = resolve));
    r.start(destination.stream.getAudioTracks()[0]);
    const graph = opened.contexts.at(-1);
    await Promise.race([log.until("audiostart"), log.ended]);
    source.start(context.currentTime + 0.2);
    const struck = Promise.all([open, sleep(afterMs)]).then(() => strike(run));
    await Promise.race([Promise.all([played, struck]), log.ended]);
    await sleep(200);
    r.stop();
    await log.ended;
    const results = log.raw.findLast((event) => event.type === "result")?.results ?? [];
    const connections = opened.sockets.filter((socket) => socket.url === url).map((socket) => flatten(socket.sends));
    return {
      finals, connections, states,
      witnessed: base64(new Uint8Array(Float32Array.from(graph.witnessed).buffer)),
      shown: Array.from(results, (result) => result[0].transcript).join(""),
      events: log.events.map((event) => event.error ?? event.type),
    };
  };
  return Promise.all(runs.map(one));
}
