"""C51 to C60: each fault is told once, by its own code, then comes `end`."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright

from tests.e2e.conformance.conftest import FAKE_UI, NO_DEVICE, launched, opened
from tests.e2e.conformance.scripted import DONE, FEATURES, Conversation, ScriptedServer, closes, dictation, result

PHRASES = [feature for feature in FEATURES if feature != "phrases"]
Event = dict[str, Any]


def session(page: Page, url: str, wish: dict[str, Any] | None = None, **options: Any) -> list[Event]:
    events: list[Event] = page.evaluate(
        "([url, wish, options]) => session(url, wish, options)", [url, wish or {}, options]
    )
    return events


def seen(events: list[Event]) -> list[str]:
    """`error` by its code."""
    return [str(event.get("error", event["type"])) for event in events]


@contextlib.contextmanager
def broken_line(*, answers: bool) -> Iterator[str]:
    """A port that hangs up on everybody, or takes the connection and says nothing."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(listening.accept()[0])
                    if answers:
                        held[-1].close()

        thread = threading.Thread(target=run)
        thread.start()
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/ws"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in held:
        connection.close()


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"ws://127.0.0.1:{probe.getsockname()[1]}/ws"


@pytest.fixture
def noisy(browser: Browser, server: ScriptedServer) -> Iterator[Page]:
    """A page where Chromium itself writes failed connections to the console."""
    with opened(browser, server.url, complain=False) as page:
        yield page
        server.release()


def test_c51_permission_denied(playwright: Playwright, server: ScriptedServer) -> None:
    line = server.line()
    with launched(playwright, asking=f"{FAKE_UI}=deny") as browser, opened(browser, server.url) as page:
        assert seen(session(page, line.url)) == ["not-allowed", "end"]
    assert not any(conversation.batches for conversation in line.conversations)


def test_c52_no_device(playwright: Playwright, server: ScriptedServer) -> None:
    with launched(playwright, base=NO_DEVICE) as browser, opened(browser, server.url) as page:
        events = seen(session(page, server.line().url))
    assert events[-2:] == ["audio-capture", "end"] and "audiostart" not in events


@pytest.mark.parametrize("name, code", [
    ("NotReadableError", "audio-capture"), ("AbortError", "audio-capture"), ("SecurityError", "not-allowed"),
])  # fmt: skip
def test_c52_a_device_that_cannot_be_opened(page: Page, server: ScriptedServer, name: str, code: str) -> None:
    """Here getUserMedia itself is replaced: no browser flag makes a device fail so."""
    page.evaluate(
        """(name) => {
      navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", name); };
    }""",
        name,
    )
    assert seen(session(page, server.line().url))[-2:] == [code, "end"]


def test_c53_a_device_that_is_gone(page: Page, server: ScriptedServer) -> None:
    warnings: list[str] = []
    own = "WebSocket is closed before"  # Chromium's remark on a connection that was given up

    def note(message: ConsoleMessage) -> None:
        if message.type == "warning" and own not in message.text:
            warnings.append(message.text)

    page.on("console", note)
    strict = seen(session(page, server.line().url, deviceId="gone", strictDevice=True))
    assert strict[-2:] == ["audio-capture", "end"] and "audiostart" not in strict and warnings == []
    lenient = seen(session(page, server.line().url, deviceId="gone"))
    assert "result" in lenient and "audio-capture" not in lenient
    assert len(warnings) == 1 and "gone" in warnings[0]


def test_c54_no_connection(noisy: Page, server: ScriptedServer) -> None:
    with broken_line(answers=True) as hanging_up:
        for url in (closed_port(), hanging_up, "ws://nowhere.invalid/ws", server.line(closes(1011, at="start")).url):
            events = seen(session(noisy, url))
            assert events[-2:] == ["network", "end"], url
            assert events.count("audiostart") == events.count("audioend")


def test_c54_the_connect_timeout(noisy: Page, server: ScriptedServer) -> None:
    with broken_line(answers=False) as silent:
        events = session(noisy, silent, connectTimeoutMs=700)
    assert seen(events)[-2:] == ["network", "end"]
    assert 600 < events[-1]["at"] - noisy.evaluate("opened.sockets[0].since") < 9_000, "not the 10 s that are usual"


def test_c54_a_connection_lost_for_good(page: Page, server: ScriptedServer) -> None:
    events = seen(session(page, server.line(closes(1011, at="speech")).url, resumeLimitMs=0))
    assert events[-5:] == ["speechend", "soundend", "audioend", "network", "end"]


@pytest.mark.parametrize("code", [4401, 4403])
def test_c55_refused_service(page: Page, server: ScriptedServer, code: int) -> None:
    for moment in ("start", "speech"):
        assert seen(session(page, server.line(closes(code, at=moment)).url))[-2:] == ["service-not-allowed", "end"]


@pytest.mark.parametrize("status", [401, 403, 503])
def test_c55_a_refused_handshake(noisy: Page, server: ScriptedServer, status: int) -> None:
    """A browser tells the page no status: it is an unreachable server. Hence the close codes above."""
    assert seen(session(noisy, server.line(refuse=status).url))[-2:] == ["network", "end"]


def test_c56_a_language_that_is_not_spoken(page: Page, server: ScriptedServer) -> None:
    line = server.line(closes(1008, at="start", error="language_not_supported"))
    assert seen(session(page, line.url, {"lang": "tlh"}))[-2:] == ["language-not-supported", "end"]
    unset = server.line(dictation("hello world"))
    session(page, unset.url)
    assert unset.one.start["lang"] == "en-GB", "the language of the document"
    page.evaluate("document.documentElement.lang = ''")
    session(page, unset.url)
    assert unset.conversations[1].start.get("lang", "default") != ""


SILENT = """async (lines) => {
  let over = 0;
  return Promise.all(lines.map(async ([url, wish]) => {
    const r = make(url, { continuous: true }, wish), log = watch(r), { track } = play([0], 60);
    r.start(track);
    await Promise.race([log.ended, eventually(() => over === lines.length - 1, 60_000)]);
    r.stop();
    await log.ended;
    over += 1;
    return log.events.map((event) => event.error ?? event.type);
  }));
}"""


def test_c57_no_speech(page: Page, server: ScriptedServer) -> None:
    """Three sessions beside each other: the default of 8 s, a second, and no limit (stopped when the others are over).

    The time until there is a connection does not count, so that how much of it was sent varies.
    """
    limits: list[dict[str, int]] = [{}, {"noSpeechTimeoutMs": 1_000}, {"noSpeechTimeoutMs": 0}]
    lines = [server.line(dictation()) for _ in limits]
    usual, short, never = page.evaluate(SILENT, [[line.url, wish] for line, wish in zip(lines, limits, strict=True)])
    wanted = ["start", "audiostart", "audioend", "no-speech", "end"]
    assert usual == short == wanted and never == ["start", "audiostart", "audioend", "end"]
    usual_ms, short_ms, _ = (line.one.ms(line.one.received) for line in lines)
    assert short_ms >= 700 and 6_000 < usual_ms - short_ms < 8_000


def test_c58_this_service_is_not_local(page: Page, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    assert seen(session(page, line.url, {"processLocally": True})) == ["service-not-allowed", "end"]
    assert line.conversations == []
    assert "result" in seen(session(page, line.url, {"processLocally": True}, treatServerAsLocal=True))
    answers = page.evaluate(
        """async (url) => {
          const { SpeechRecognition } = api, langs = ["en-GB", "ja"];
          SpeechRecognition.defaults.serverUrl = url;
          const ask = (wish) => SpeechRecognition.available(wish).catch((error) => error.name);
          const asked = [{ langs }, { langs, processLocally: true }, { langs: ["tlh"] }, { langs: [] },
                         { langs: ["not a language"] }, {}].map(ask);
          return [...await Promise.all(asked), await SpeechRecognition.install({ langs, processLocally: true })];
        }""",
        line.url,
    )
    assert answers == ["available", "unavailable", "unavailable", "unavailable", "SyntaxError", "TypeError", False]


def test_c59_phrases(page: Page, server: ScriptedServer) -> None:
    async def hears(line: Conversation) -> None:
        await line.ready()
        await line.until(lambda: line.said("configure"))
        await line.say(result("hello", final=True), DONE)
        await line.websocket.close(1000)

    line = server.line(hears)
    page.evaluate(
        """async (url) => {
      const phrase = (...words) => new api.SpeechRecognitionPhrase(...words);
      const r = make(url, { phrases: [phrase("Kyoto", 3), phrase("Osaka")] }), log = watch(r);
      r.onaudiostart = () => r.phrases.push(phrase("Nara", 2));
      r.start();
      await log.ended;
    }""",
        line.url,
    )
    first = [{"phrase": "Kyoto", "boost": 3}, {"phrase": "Osaka", "boost": 1}]
    assert line.one.start["phrases"] == first
    (update,) = [command for command in line.one.commands if command["type"] == "configure"]
    assert update["phrases"] == [*first, {"phrase": "Nara", "boost": 2}]


def test_c59_a_server_without_phrases(page: Page, server: ScriptedServer) -> None:
    async def poor(line: Conversation) -> None:
        await line.ready(features=PHRASES)
        await line.until(lambda: line.leaving)
        await line.goodbye()

    events, wishes = page.evaluate(
        """async (url) => {
      const events = await session(url, { phrases: [new api.SpeechRecognitionPhrase("Kyoto")] });
      return [events.map((event) => event.error ?? event.type), opened.wishes.length];
    }""",
        server.line(poor).url,
    )
    assert events == ["phrases-not-supported", "end"]
    assert wishes == 0, "nobody was asked for the microphone"


def test_c60_the_permission_is_withdrawn(browser: Browser, server: ScriptedServer) -> None:
    async def endless(line: Conversation) -> None:
        await line.ready()
        await line.until(lambda: line.leaving)
        await line.goodbye()

    line = server.line(endless)
    with opened(browser, server.url) as page:
        page.evaluate(
            """async (url) => {
          const r = make(url, { continuous: true });
          window.log = watch(r);
          r.start();
          await log.until("audiostart");
          navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
          await sleep(200);
          if (log.types().at(-1) === "end") throw new Error("devicechange ended the session");
        }""",
            line.url,
        )
        origin = server.url.rstrip("/")
        tools = page.context.new_cdp_session(page)
        who = tools.send("Target.getTargetInfo")["targetInfo"]["browserContextId"]
        wish = {"permission": {"name": "microphone"}, "setting": "denied", "origin": origin, "browserContextId": who}
        browser.new_browser_cdp_session().send("Browser.setPermission", wish)
        events = page.evaluate("async () => { await log.ended; return log.events; }")
    assert seen(events)[-3:] == ["audioend", "audio-capture", "end"]
