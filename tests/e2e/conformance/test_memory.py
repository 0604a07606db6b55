"""An hour of dictation at many times its speed: the page's memory stays flat, and nothing is open twice."""

from typing import Any

from playwright.sync_api import Page

from tests.e2e.conformance.scripted import Conversation, ScriptedServer, result

SESSIONS, MINUTES = 6, 10
SENTENCE_MS = 4_000
TEXT = "and this is one of the nine hundred sentences that somebody says within the hour"
FLAT_BYTES = 300_000  # a tenth of what the page has

# The microphone is real and so is everything behind it; only its batches do not come from the audio thread, which
# cannot be hurried, but as messages of its port.
HURRY = """async ([url, minutes]) => {
  if (!window.ports) {
    window.ports = [];
    const Native = AudioWorkletNode;
    window.AudioWorkletNode = class extends Native {
      constructor(...wish) { super(...wish); ports.push(this.port); }
    };
    const connect = AudioContext.prototype.createMediaStreamSource;
    AudioContext.prototype.createMediaStreamSource = function (stream) {
      const source = connect.call(this, stream);
      source.connect = (node) => node; // silent: see above
      return source;
    };
    window.finals = window.interims = window.most = 0;
    window.recognition = make(url, { continuous: true, interimResults: true }, { noSpeechTimeoutMs: 0 });
    recognition.addEventListener("x-connection", ({ detail }) => (most = Math.max(most, detail.keptMs)));
    recognition.onresult = ({ results, resultIndex }) => (results[resultIndex].isFinal ? finals++ : interims++);
  }
  const ended = new Promise((resolve) => (recognition.onend = resolve));
  recognition.start();
  await eventually(() => ports.length && ports.at(-1).onmessage);
  const port = ports.pop(), batches = (minutes * 60_000) / 80;
  for (let n = 0; n < batches; n++) {
    const samples = new Float32Array(1_280).fill(n % 50 < 40 ? 0.2 : 0);
    port.dispatchEvent(new MessageEvent("message", { data: { samples, frame: n * 1_280 } }));
    const socket = opened.sockets.at(-1);
    if (n % 20 === 19) do await sleep(0); while (socket.bufferedAmount > 60_000);
  }
  await eventually(() => finals % (minutes * 15) === 0 && finals, 20_000);
  const alive = live.sockets() * 100 + live.tracks() * 10 + live.contexts();
  recognition.stop();
  await ended;
  opened.sockets.length = opened.tracks.length = opened.contexts.length = opened.wishes.length = 0;
  return [finals, interims, alive, most];
}"""


async def hears(line: Conversation, ms: int) -> None:
    await line.until(lambda: line.ms(line.received) > ms or line.leaving)


async def talks_for_long(line: Conversation) -> None:
    """Every four seconds a sentence that grows and is final."""
    line.keeps = False
    await line.ready()
    for segment in range(MINUTES * 60_000 // SENTENCE_MS):
        begin, end = segment * SENTENCE_MS, segment * SENTENCE_MS + 3_000
        await hears(line, end)
        await line.say({"type": "speech_start", "segment": segment, "at_ms": begin})
        for n in range(6):
            await line.say(result(TEXT[: 12 * (n + 1)], final=False, segment=segment, revision=n, start_ms=begin))
        await line.say({"type": "speech_end", "segment": segment, "at_ms": end})
        await line.say(result(TEXT, final=True, segment=segment, revision=6, start_ms=begin, end_ms=end))
        await line.settle(end)
    await line.until(lambda: line.leaving)
    await line.goodbye()


def test_an_hour_of_dictation(page: Page, server: ScriptedServer) -> None:
    line = server.line(talks_for_long)
    tools = page.context.new_cdp_session(page)
    sizes: list[float] = []
    for session in range(SESSIONS):
        finals, interims, live, most = page.evaluate(HURRY, [line.url, MINUTES])
        assert finals == (session + 1) * MINUTES * 15 and interims >= finals
        assert live == 111, "one socket, one track, one context"
        tools.send("HeapProfiler.collectGarbage")
        usage: dict[str, Any] = tools.send("Runtime.getHeapUsage")
        sizes.append(usage["usedSize"] + usage.get("embedderHeapUsedSize", 0) + usage.get("backingStorageSize", 0))
    print("bytes after each session:", sizes, "most audio kept, ms:", most)
    assert page.evaluate("opened.most") == {"tracks": 1, "contexts": 1, "sockets": 1}, "at any time"
    assert max(sizes[1:]) - min(sizes[1:]) < FLAT_BYTES, sizes
