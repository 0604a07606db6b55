"""C61 to C65: tracks of the page's own, and the choice of the microphone."""

import numpy as np
from playwright.sync_api import Page, Playwright

from audio import SAMPLE_RATE
from tests.e2e.conformance.conftest import launched, opened, silence, tone
from tests.e2e.conformance.scripted import ScriptedServer, dictation
from tests.e2e.conftest import is_all_of


def test_c61_a_track_of_the_pages_own(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    sound = np.concatenate((tone(0.5), silence(0.2)))
    types, wishes, state, witnessed = page.evaluate(
        """async ([url, samples]) => {
      opened.witnesses = true;
      const { track } = play(samples, 0.3);
      const r = make(url), log = watch(r);
      r.start(track);
      await log.ended;
      await sleep(200);
      return [log.types(), opened.wishes.length, track.readyState, opened.contexts[0].witnessed];
    }""",
        [line.url, sound.tolist()],
    )
    assert "result" in types and wishes == 0 and state == "live"
    assert is_all_of(line.one.samples, np.array(witnessed, np.float32))
    assert np.count_nonzero(np.abs(line.one.samples) > 0.1) > SAMPLE_RATE // 4


def test_c62_what_is_no_live_audio_track(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    errors, types = page.evaluate(
        """async (url) => {
      const ended = play([0]).track;
      ended.stop();
      const video = document.createElement("canvas");
      video.getContext("2d");
      const picture = video.captureStream().getVideoTracks()[0];
      const r = make(url), log = watch(r);
      const errors = [ended, picture].map((track) => thrown(() => r.start(track)).name);
      const kinds = [{}, null, undefined, "x"].map((track) => thrown(() => r.start(track)).type);
      r.start();
      await log.ended;
      return [[...errors, ...kinds], log.types()];
    }""",
        line.url,
    )
    assert errors == ["InvalidStateError"] * 2 + [True] * 4
    assert types.count("start") == 1 and "result" in types


def test_c63_the_chosen_microphone(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    wishes, labels, known = page.evaluate(
        """async (url) => {
      await session(url);
      const known = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "audioinput");
      const [one, other] = known.slice(-2);
      const r = make(url, {}, { deviceId: one.deviceId });
      const labels = [];
      for (const next of [other.deviceId, ""]) {
        const log = watch(r);
        r.onaudiostart = () => { labels.push(opened.tracks.at(-1).label); r.options.deviceId = next; };
        r.start();
        await log.ended;
      }
      return [opened.wishes.map((wish) => wish.audio.deviceId ?? null), labels, [one, other].map((d) => [d.deviceId, d.label])];
    }""",
        line.url,
    )
    ids, names = [device for device, _ in known], [label for _, label in known]
    assert wishes == [None, {"exact": ids[0]}, {"exact": ids[1]}]
    assert labels == names


def test_c64_the_list_of_microphones(playwright: Playwright, server: ScriptedServer) -> None:
    line = server.line(dictation())
    with launched(playwright, asking="") as browser, opened(browser, server.url) as page:
        before = page.evaluate("api.listMicrophones()")
        page.context.grant_permissions(["microphone"])
        after, used, refreshed = page.evaluate(
            """async (url) => {
              const told = [];
              const r = make(url, { continuous: true }), log = watch(r);
              r.addEventListener("x-devices", ({ detail }) => told.push(detail));
              r.start();
              await log.until("audiostart");
              await eventually(() => told.length === 1);
              navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
              const refreshed = await eventually(() => told.length === 2);
              r.stop();
              await log.ended;
              return [await api.listMicrophones(), told[0].used, refreshed];
            }""",
            line.url,
        )
    assert before and all(device["id"] == device["label"] == "" for device in before)
    assert len(after) == 3 and all(device["id"] and device["label"] for device in after)
    assert used in after and refreshed


def test_c65_a_muted_track_sends_zeros(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation())
    types, seconds = page.evaluate(
        """async (url) => {
      const tone = Float32Array.from({ length: 160000 }, (_, n) => (n % 20 < 10 ? 0.3 : -0.3));
      const { track } = play(tone);
      track.enabled = false;
      const r = make(url, { continuous: true }, { noSpeechTimeoutMs: 1500 }), log = watch(r);
      r.start(track);
      await log.ended;
      return [log.events.map((event) => event.error ?? event.type), opened.contexts.length];
    }""",
        line.url,
    )
    assert types == ["start", "audiostart", "audioend", "no-speech", "end"]
    assert line.one.received > SAMPLE_RATE and not line.one.samples.any()
