"""The page against a scripted server: what goes over the wire, and what a person is told on a bad day."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from audio import SAMPLE_RATE, Samples
from tests.e2e.conftest import Browse
from tests.e2e.scripted_server import DICTATION, DONE, READY, Script, ScriptedServer, result, scripted_server

LIMIT_MS = 1_000
STOP: Script = {"stop": [DONE, 1000]}
BATCH_BYTES = 1_280 * 4  # 80 ms of f32le
BEFORE_S = 3.0  # of sound that the page has before it may connect, or before it is stopped
MOMENT_S = 1.5  # on a starved machine the processor begins this long after its source
FAKE_UI = "--use-fake-ui-for-media-stream"
WATCH = """
window.tracks = []; window.contexts = []; window.wishes = [];
const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wish) => {
  window.wishes.push(wish);
  const stream = await original(wish);
  window.tracks.push(...stream.getTracks());
  return stream;
};
window.AudioContext = class extends AudioContext {
  constructor(...a) { super(...a); window.contexts.push(this); }
  createMediaStreamSource(stream) { this.joined = this.currentTime; return super.createMediaStreamSource(stream); }
};
window.heard = () => (contexts[0]?.joined === undefined ? 0 : contexts[0].currentTime - contexts[0].joined);
"""


def tone(seconds: float) -> Samples:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


SILENCE = np.zeros(SAMPLE_RATE, np.float32)
SPEECH = np.concatenate((tone(1.0), SILENCE))
LONG_SPEECH = np.concatenate((tone(4.0), SILENCE))


@contextlib.contextmanager
def opened(browse: Browse, server: ScriptedServer, audio: Samples | None = SPEECH, *flags: str, path: str = "",
           complain: bool = True, **context: Any) -> Iterator[Page]:  # fmt: skip
    """The page, open; what the browser complains about in the meantime (CSP, errors) fails the test."""
    complaints: list[str] = []
    with browse(audio, *flags, **context) as page:
        page.add_init_script(WATCH)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        foreign: list[str] = []
        page.on("request", lambda request: foreign.append(request.url) if "127.0.0.1" not in request.url else None)
        page.goto(server.url + path)
        yield page
        assert foreign == []
        assert complaints == [] or not complain


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def wait_until(page: Page, condition: str) -> None:
    """Not wait_for_function: its polling is `eval`, which the page's CSP forbids."""
    page.evaluate(f"""() => new Promise((resolve) => {{
      const look = () => ({condition}) ? resolve(null) : setTimeout(look, 10);
      look();
    }})""")


def stop(page: Page) -> float:
    """Presses Stop; returns how long the microphone had been heard by then, in seconds of the audio thread's clock."""
    seconds: float = page.evaluate("() => { const s = heard(); document.getElementById('stop').click(); return s; }")
    return seconds


def see_status(page: Page, text: str) -> None:
    expect(page.get_by_role("status")).to_have_text(text)


def see_problem(page: Page, text: str) -> None:
    expect(page.get_by_role("alert")).to_contain_text(text)


def test_interim_then_final_with_its_time(browse: Browse) -> None:
    with scripted_server() as server, opened(browse, server) as page:
        press(page, "Start")
        expect(page.locator("#finals li")).to_have_count(1)
        expect(page.locator("#finals time")).to_have_text("00:00")
        expect(page.locator("#finals time")).to_have_attribute("datetime", "PT0.50S")
        expect(page.locator("#finals .words")).to_have_text("hello world")
        press(page, "Stop")
        see_status(page, "Ready")
        start = {"type": "start", "lang": "en", "encoding": "f32le", "sample_rate": 16_000, "interim_results": True,
                 "continuous": True, "max_alternatives": 5, "words": True, "resumable": True}  # fmt: skip
        assert server.conversations[0].start == start
        constraint = page.evaluate("wishes[0].audio")
        assert constraint == {"echoCancellation": False, "noiseSuppression": False, "autoGainControl": False}


def test_stop_in_the_middle_of_a_sentence(browse: Browse) -> None:
    """Whole batches, one partial one at the end, then `stop` and no more; the microphone is free at once."""
    script: Script = {**DICTATION, "silence": [], "stop": [result("tail", final=True)]}  # and no `done`
    with scripted_server(script) as server, opened(browse, server, tone(20.0)) as page:
        press(page, "Start")
        expect(page.locator("#interim")).to_have_text("hello")
        wait_until(page, f"heard() > {BEFORE_S}")
        seconds = stop(page)
        expect(page.locator("#finals li")).to_contain_text("tail")
        see_status(page, "Finishing …")
        assert page.evaluate("tracks.map((track) => track.readyState)") == ["ended"]
        assert page.evaluate("contexts[0].state") == "closed"
        heard = server.conversations[0]
        assert [item for item in heard.sent if isinstance(item, dict)] == [heard.start, {"type": "stop"}]
        assert heard.sent[-1] == {"type": "stop"}
        assert heard.batches[:-1] == [BATCH_BYTES] * (len(heard.batches) - 1)
        assert 0 < heard.batches[-1] <= BATCH_BYTES
        assert seconds - MOMENT_S < len(heard.samples) / SAMPLE_RATE < seconds + MOMENT_S
        assert np.abs(heard.samples[-SAMPLE_RATE // 4 :]).max() > 0.2, "the tone goes on to the end"


def test_what_is_said_while_connecting_is_not_lost(browse: Browse) -> None:
    with scripted_server() as server, opened(browse, server, LONG_SPEECH) as page:
        server.gate.clear()
        press(page, "Start")
        see_status(page, "Connecting …")
        wait_until(page, f"heard() > {BEFORE_S}")
        server.gate.set()
        expect(page.locator("#finals li")).to_contain_text("hello world")
        seconds = stop(page)
        see_status(page, "Ready")
        heard = server.conversations[0]
        assert heard.start["type"] == "start"
        assert len(heard.samples) / SAMPLE_RATE > seconds - MOMENT_S


def test_what_is_said_before_there_is_a_socket_is_not_lost(browse: Browse) -> None:
    """The audio thread may deliver before the context has said that it runs."""
    slow = """() => {
      const resume = AudioContext.prototype.resume;
      AudioContext.prototype.resume = async function () {
        await resume.call(this);
        while (heard() < BEFORE_S) await new Promise((resolve) => setTimeout(resolve, 10));
      };
    }"""
    with scripted_server() as server, opened(browse, server, LONG_SPEECH) as page:
        page.evaluate(slow.replace("BEFORE_S", str(BEFORE_S)))
        press(page, "Start")
        expect(page.locator("#finals li")).to_contain_text("hello world")
        seconds = stop(page)
        see_status(page, "Ready")
        assert len(server.conversations[0].samples) / SAMPLE_RATE > seconds - MOMENT_S


def test_stop_while_connecting_still_recognises(browse: Browse) -> None:
    with scripted_server() as server, opened(browse, server) as page:
        server.gate.clear()
        press(page, "Start")
        wait_until(page, "heard() > 1.0")
        press(page, "Stop")
        server.gate.set()
        see_status(page, "Ready")
        assert server.conversations[0].sent[-1] == {"type": "stop"}
        assert len(server.conversations[0].samples) > SAMPLE_RATE // 2


def test_integers_under_a_path(browse: Browse) -> None:
    with scripted_server(sample_bits=16) as server, opened(browse, server, path="speech/") as page:
        press(page, "Start")
        expect(page.locator("#finals li")).to_have_count(1)
        press(page, "Stop")
        see_status(page, "Ready")
        assert server.paths == ["/speech/ws"]
        assert server.conversations[0].start["encoding"] == "s16le"
        assert server.conversations[0].batches[0] == 1_280 * 2


def test_another_browser_says_its_own_rate(browse: Browse) -> None:
    """Firefox and Safari have no userAgentData; they run at the device's rate."""
    with scripted_server() as server, opened(browse, server) as page:
        page.evaluate("delete Navigator.prototype.userAgentData")
        press(page, "Start")
        expect(page.locator("#finals li")).to_have_count(1)
        rate = server.conversations[0].start["sample_rate"]
        assert rate == page.evaluate("contexts[0].sampleRate")
        assert rate in (44_100, 48_000)
        assert server.conversations[0].batches[0] == rate * 8 // 100 * 4


def away(page: Page) -> Locator:
    return page.locator("#away")


@pytest.mark.parametrize("locale, names, said", [
    ("en-US", ("Start", "Stop", "Reconnecting …", "Ready"), "connection is interrupted"),
    ("ja-JP", ("開始", "停止", "再接続しています…", "準備完了"), "接続が途切れています"),
])  # fmt: skip
def test_a_broken_connection_is_told_and_joined_again(
    browse: Browse, locale: str, names: tuple[str, str, str, str], said: str
) -> None:
    """The second connection begins where the first one's last final ended, and brings no word twice."""
    start, stop, reconnecting, ready = names
    begin = {"type": "speech_start", "segment": 0, "at_ms": 500}
    script: Script = {"start": [READY], "speech": [begin, result("hello", final=True, start_ms=100, end_ms=320), 1012]}
    with scripted_server(script) as server, opened(browse, server, tone(20.0), locale=locale) as page:
        watch = "new MutationObserver(() => said.push(element.textContent)).observe(element, {childList: true})"
        page.evaluate(
            f"() => {{ const element = document.getElementById('status'), said = (window.said = []); {watch}; }}"
        )
        server.gate_again = True
        press(page, start)
        expect(page.locator("#finals .words")).to_have_text("hello")
        expect(away(page)).to_contain_text(said)
        server.script = {"start": [READY], "speech": [result("world", final=True, start_ms=900, end_ms=1_200)], **STOP}
        server.gate.set()
        expect(page.locator("#finals .words")).to_have_text(["hello", "world"])
        expect(away(page)).to_be_hidden()
        press(page, stop)
        see_status(page, ready)
        assert reconnecting in page.evaluate("said")
        first, second = server.conversations
        assert second.start["offset_ms"] == 320
        again = first.samples[320 * 16 :]
        assert len(again) and np.array_equal(second.samples[: len(again)], again)


def test_a_lost_connection_says_so(browse: Browse) -> None:
    script: Script = {"start": [READY], "speech": [1011]}
    with scripted_server(script) as server, opened(browse, server, tone(20.0)) as page:
        page.evaluate(f"""async () => {{
          const {{ SpeechRecognition }} = await import("./static/js/speech-recognition.js");
          const options = Object.getOwnPropertyDescriptor(SpeechRecognition.prototype, "options").get;
          const start = SpeechRecognition.prototype.start;
          SpeechRecognition.prototype.start = function () {{
            options.call(this).resumeLimitMs = {LIMIT_MS};
            start.call(this);
          }};
        }}""")
        server.gate_again = True
        press(page, "Start")
        see_problem(page, "stayed away for too long")
        see_status(page, "Ready")
        assert page.evaluate("tracks.map((track) => track.readyState)") == ["ended"]


def test_a_failed_sentence_and_the_next_one(browse: Browse) -> None:
    failure = {"type": "failure", "segment": 0, "code": "overloaded", "message": "m"}
    script: Script = {**DICTATION, "speech": [failure], "silence": [result("next", final=True, segment=1)]}
    with scripted_server(script) as server, opened(browse, server) as page:
        press(page, "Start")
        see_problem(page, "one sentence was skipped")
        expect(page.locator("#finals li")).to_contain_text("next")
        see_status(page, "Listening")


@pytest.mark.parametrize("code, said", [("language_not_supported", "language"), ("internal", "reported a fault")])
def test_an_error_ends_the_conversation(browse: Browse, code: str, said: str) -> None:
    script: Script = {"start": [{"type": "error", "code": code, "message": "m"}, 1008]}
    with scripted_server(script) as server, opened(browse, server) as page:
        press(page, "Start")
        see_problem(page, said)
        see_status(page, "Ready")


def test_a_refusal_is_told_from_a_dead_server(browse: Browse) -> None:
    # Chromium writes a refused handshake to the console by itself.
    with scripted_server(refuse=True) as server, opened(browse, server, complain=False) as page:
        press(page, "Start")
        see_problem(page, "too busy")
        # also of a microphone that comes after the refusal
        wait_until(page, "tracks.length && tracks.every((track) => track.readyState === 'ended')")
        page.route("**/healthz", lambda route: route.abort())
        press(page, "Start")
        see_problem(page, "cannot be reached")


def test_no_microphone(browse: Browse) -> None:
    with scripted_server() as server, opened(browse, server) as page:
        missing = "throw new DOMException('', 'NotFoundError')"
        page.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = async () => {{ {missing}; }}; }}")
        press(page, "Start")
        see_problem(page, "No microphone")
        assert all(conversation.audio == b"" for conversation in server.conversations)


def test_an_unplugged_microphone_keeps_its_tail(browse: Browse) -> None:
    script: Script = {**DICTATION, "silence": [], "stop": [result("tail", final=True), *DICTATION["stop"]]}
    with scripted_server(script) as server, opened(browse, server, tone(10.0)) as page:
        press(page, "Start")
        expect(page.locator("#interim")).to_have_text("hello")
        page.evaluate("tracks[0].dispatchEvent(new Event('ended'))")
        see_problem(page, "unplugged")
        expect(page.locator("#finals li")).to_contain_text("tail")
        see_status(page, "Ready")


def test_a_quick_stop_opens_nothing(browse: Browse) -> None:
    with scripted_server() as server, opened(browse, server) as page:
        page.evaluate("for (const name of ['start', 'stop']) document.getElementById(name).click()")
        see_status(page, "Ready")
        assert page.evaluate("tracks.length") == 0 and server.conversations == []
        press(page, "Start")
        expect(page.locator("#finals li")).to_have_count(1)


def test_the_keyboard_keeps_its_place(browse: Browse) -> None:
    focused = "document.activeElement.id"
    with scripted_server() as server, opened(browse, server) as page:
        page.locator("#start").focus()
        page.keyboard.press("Enter")
        assert page.evaluate(focused) == "stop"
        expect(page.locator("#finals li")).to_have_count(1)
        page.keyboard.press("Space")
        see_status(page, "Ready")
        assert page.evaluate(focused) == "start"
        page.locator("#clear").focus()
        page.keyboard.press("Enter")
        assert page.evaluate(focused) == "start"
        expect(page.locator("#finals li")).to_have_count(0)


def test_copy(browse: Browse) -> None:
    with scripted_server() as server, opened(browse, server) as page:
        page.context.grant_permissions(["microphone", "clipboard-read", "clipboard-write"])
        press(page, "Start")
        expect(page.locator("#finals li")).to_have_count(1)
        press(page, "Stop")
        see_status(page, "Ready")
        press(page, "Copy")
        see_status(page, "Copied")
        assert page.evaluate("navigator.clipboard.readText()") == "hello world"


def test_a_sound_system_that_cannot_be_read_is_an_error_and_no_silence(browse: Browse) -> None:
    """As in a Firefox whose microphone and loudspeaker run at different rates."""
    broken = "throw new DOMException('different sample-rate', 'NotSupportedError')"
    with scripted_server() as server, opened(browse, server) as page:
        page.evaluate(f"() => {{ AudioContext.prototype.createMediaStreamSource = () => {{ {broken}; }}; }}")
        press(page, "Start")
        see_problem(page, "No microphone")
        see_status(page, "Ready")
        assert page.evaluate("tracks.map((track) => track.readyState)") == ["ended"]
