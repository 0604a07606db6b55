"""C66 to C71: what is heard is what was said, sample by sample, whatever the machine does meanwhile."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, Playwright

from audio import SAMPLE_RATE, Samples
from tests.e2e.conformance.conftest import launched, opened, silence
from tests.e2e.conformance.scripted import Conversation, Line, ScriptedServer
from tests.e2e.conftest import BATCH, is_all_of, resemblance


def melody(rate: int) -> Samples:
    """A second in which each moment is unlike every other one: a sweep from 200 Hz to 2 kHz."""
    time = np.arange(rate) / rate
    return (0.3 * np.sin(2 * np.pi * (200 * time + 900 * time**2))).astype(np.float32)


def pad(audio: Samples, rate: int) -> Samples:
    return np.concatenate((np.zeros(rate // 2, np.float32), audio, np.zeros(rate // 2, np.float32)))


MELODY = melody(SAMPLE_RATE)
MICROPHONE = pad(MELODY, SAMPLE_RATE)


async def listens(line: Conversation) -> None:
    await line.ready()
    while not line.leaving:
        await line.until(lambda: line.ms(line.received) > line.settled_ms + 250 or line.leaving)
        await line.settle(line.ms(line.received))
    await line.goodbye()


LISTEN = """async ([url, stallMs, options]) => {
  opened.witnesses = true;
  const r = make(url, { continuous: true }, options), log = watch(r);
  r.start();
  const context = () => opened.contexts.at(-1);
  await eventually(() => context()?.currentTime > 0.6);
  for (const end = performance.now() + stallMs; performance.now() < end; );
  await eventually(() => context().currentTime > 2);
  r.stop();
  await log.ended;
  return context().witnessed;
}"""


def listen(page: Page, server: ScriptedServer, *, stall_ms: int = 0, **options: Any) -> Conversation:
    """What arrived."""
    line = server.line(listens)
    witnessed = page.evaluate(LISTEN, [line.url, stall_ms, options])
    assert is_all_of(line.one.samples, np.array(witnessed, np.float32))
    assert resemblance(line.one.samples, MELODY) > 0.995
    return line.one


def test_c66_the_sound_arrives_as_it_was(page: Page, server: ScriptedServer) -> None:
    heard = listen(page, server)
    size = BATCH * 2
    assert heard.batches[:-1] == [size] * (len(heard.batches) - 1) and 0 < heard.batches[-1] <= size


def test_c66_thirty_two_bits(page: Page, server: ScriptedServer) -> None:
    heard = listen(page, server, encoding="f32le")
    assert heard.start["encoding"] == "f32le" and heard.batches[0] == BATCH * 4


@pytest.mark.parametrize("rate, channels", [(48_000, 1), (48_000, 2)])
def test_c67_other_files(playwright: Playwright, server: ScriptedServer, rate: int, channels: int) -> None:
    audio = pad(melody(rate), rate)
    wide = np.stack([audio] * channels, axis=1) if channels > 1 else audio
    with launched(playwright, audio=wide, rate=rate) as browser, opened(browser, server.url) as page:
        listen(page, server)


def test_c68_a_main_thread_that_stalls_loses_nothing(page: Page, server: ScriptedServer) -> None:
    heard = listen(page, server, stall_ms=2_000)
    milliseconds = [size // 2 / SAMPLE_RATE * 1000 for size in heard.batches]
    assert all(60 <= ms <= 120 for ms in milliseconds[:-1])


def test_c69_a_server_that_stops_reading(page: Page, server: ScriptedServer) -> None:
    """What the network does not take waits in the page, not in the browser's socket; later all of it arrives, once."""

    async def stalls(line: Conversation) -> None:
        await line.ready()
        line.reads.clear()
        await asyncio.to_thread(again.wait)
        line.reads.set()
        await listens(line)

    again = threading.Event()
    line = server.line(stalls)
    most = page.evaluate(
        """async (url) => {
          const rate = 192000;
          const samples = Float32Array.from({ length: rate * 30 }, (_, n) => Math.fround((n % 65536) / 131072));
          const { track } = play(samples, 0.2, rate);
          window.r = make(url, { continuous: true }, { sampleRate: rate, encoding: "f32le" }), window.log = watch(r);
          r.start(track);
          await log.until("audiostart");
          const waiting = () => Math.max(...opened.sockets.map((socket) => socket.bufferedAmount));
          await eventually(() => waiting() > 500_000, 30_000);  // after 4 MB that the connection's own buffers hold
          const context = opened.contexts.at(-1), since = context.currentTime;
          let most = 0;
          await eventually(() => ((most = Math.max(most, waiting())), context.currentTime > since + 3), 30_000);
          return most;
        }""",
        line.url,
    )
    again.set()
    seconds = page.evaluate(
        """async () => {
          await sleep(500);
          const context = opened.contexts.at(-1), seconds = context.currentTime - context.joined;
          r.stop();
          await log.ended;
          return seconds;
        }"""
    )
    assert 500_000 < most <= 2_000_000, "two seconds, then no more"
    assert line.one.received / 192_000 == pytest.approx(seconds, abs=1.0)
    steps = np.diff(line.one.samples[line.one.samples > 0])
    edges = line.one.received // 65_536
    assert np.count_nonzero((steps < 0) | (steps > 0.01)) < edges + 20, "the ramp is whole, but for its own edges"


def test_c70_a_suspended_context_is_noticed(page: Page, server: ScriptedServer) -> None:
    line = server.line(listens)
    events = page.evaluate(
        """async (url) => {
      const r = make(url, { continuous: true }), log = watch(r);
      r.start();
      await log.until("audiostart");
      await eventually(() => opened.contexts.at(-1).currentTime > 0.5);
      await opened.contexts.at(-1).suspend();
      await sleep(1000);
      const resumed = await eventually(() => opened.contexts.at(-1).state === "running" || log.types().includes("end"), 8000);
      if (!resumed) throw new Error("nobody noticed");
      const before = opened.contexts.at(-1).currentTime;
      await eventually(() => opened.contexts.at(-1).currentTime > before + 0.3 || log.types().includes("end"), 3000);
      r.stop();
      await log.ended;
      return log.events.map((event) => event.error ?? event.type);
    }""",
        line.url,
    )
    assert events[-1] == "end" and events.count("audiostart") == events.count("audioend") == 1
    assert [event for event in events if event not in ("start", "audiostart", "soundstart", "soundend", "audioend", "end")] in ([], ["audio-capture"])  # fmt: skip


def test_c71_an_insecure_page(playwright: Playwright, server: ScriptedServer) -> None:
    rules = "--host-resolver-rules=MAP mic.example 127.0.0.1"
    insecure = server.url.replace("127.0.0.1", "mic.example")
    trusted = f"--unsafely-treat-insecure-origin-as-secure={insecure.rstrip('/')}"
    for flags, wanted in (([], ["not-allowed", "end"]), ([trusted], None)):
        line: Line = server.line()
        with launched(playwright, rules, *flags, audio=np.concatenate((MICROPHONE, silence(1)))) as browser:
            with opened(browser, insecure) as page:
                events = page.evaluate("(url) => session(url)", line.url)
        told = [event.get("error", event["type"]) for event in events]
        assert told == wanted if wanted else "result" in told
