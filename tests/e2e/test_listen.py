"""The page of captions in real Chromium: one speaker, readers at a desk and on a phone."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.conftest import CHROMIUM, FLAGS
from tests.fake_engine import spoken
from tests.hub_client import LISTEN, PUBLISH, TOKENS, hub_socket, recording
from tests.live_server import SILENCE, LiveServer, live_server

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "locale": "ja-JP"}
DESK = {"viewport": {"width": 1200, "height": 800}, "locale": "en-US"}


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(models={"en": "fake-en", "ja": "fake-ja"}, title="Town hall") as running:
        yield running


@pytest.fixture(scope="module")
def contexts() -> Iterator[Any]:
    """Makes browser contexts, all of one Chromium."""
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=False, args=FLAGS)
        yield browser.new_context
        browser.close()


class Speaker:
    """A recorder whose stream is recognised, in a thread of its own."""

    def __init__(self, port: int, name: str, lang: str = "en", **access: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._open = recording(port, name, recognize=lang, access={**TOKENS, **access})
        self._position = 0
        self._port, self._name = port, name
        self.peer = self.run(self._open.__aenter__())[0]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def say(self, *numbers: int) -> None:
        audio = np.concatenate((SILENCE[:8_000], spoken(*numbers), SILENCE))
        self.run(self.peer.audio(self._position, (audio * 32767).astype("<i2").tobytes()))
        self._position += len(audio)

    def publish(self, layer: str, data: Any) -> None:
        self.run(self._publish(layer, data))

    async def _publish(self, layer: str, data: Any) -> None:
        async with hub_socket(self._port, f"{self._name}/publish", PUBLISH) as publisher:
            await publisher.send("event", layer=layer, start=0, end=1, data=data)

    def close(self) -> None:
        """The link is gone without a goodbye."""
        self.run(self._open.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextlib.contextmanager
def speaker(*arguments: Any, **access: Any) -> Iterator[Speaker]:
    opened = Speaker(*arguments, **access)
    try:
        yield opened
        opened.run(opened.peer.send("end"))
        opened.run(opened.peer.rest())
    finally:
        opened.close()


def open_page(context: Any, server: LiveServer, name: str, token: str = LISTEN) -> tuple[Page, list[str]]:
    """The page, and the list that collects what the browser complains about."""
    page: Page = context.new_page()
    page.set_default_timeout(30_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"http://127.0.0.1:{server.port}/listen/{name}#{token}")
    return page, complaints


def subscribers(server: LiveServer) -> list[Any]:
    """The server's connections that listen. A connection on which no request has come yet has the scope None."""
    connections = list(server.server.server_state.connections)
    scopes = [(connection, getattr(connection, "scope", None) or {}) for connection in connections]
    return [connection for connection, scope in scopes if "/subscribe" in scope.get("path", "")]


def keep(page: Page, name: str) -> None:
    """A screenshot for people, where SCREENSHOTS says so."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_many_read_what_one_says(server: LiveServer, contexts: Any) -> None:
    with speaker(server.port, "town-hall") as voice:
        voice.say(1, 2)
        desk, wrong = open_page(contexts(**DESK), server, "town-hall")
        phone, bad = open_page(contexts(**PHONE), server, "town-hall")
        for page, live in ((desk, "Live"), (phone, "配信中")):
            expect(page.get_by_role("status")).to_have_text(live)
            expect(page.locator("#lines li")).to_have_count(1)  # from before it came
            expect(page.locator("#keywords-section")).to_be_hidden()
            expect(page.get_by_role("meter")).to_be_hidden()
        voice.say(3)
        for page in (desk, phone):
            expect(page.locator("#lines li").nth(1)).to_have_text("00:02w3")
        voice.publish("keyword", {"phrase": "駅", "transcript": "駅はどこ", "final": True})
        voice.publish("keyword", {"phrase": "駅", "transcript": "駅はそこ", "final": True})
        voice.publish("level", {"rms_db": -12.0, "peak_db": -6.0})
        for page, name in ((desk, "desk"), (phone, "phone")):
            expect(page.locator("#keywords li")).to_have_text("駅2")
            expect(page.get_by_role("meter")).to_be_visible()
            keep(page, name)
        assert desk.evaluate("document.documentElement.lang") == "en"
        assert phone.evaluate("document.documentElement.lang") == "ja"
        assert phone.locator("#lines").get_attribute("lang") == "en", "the language that is spoken"
        assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert wrong == bad == []
    for page in (desk, phone):
        expect(page.get_by_role("status")).to_have_attribute("data-phase", "ended")
    with speaker(server.port, "town-hall") as voice:
        voice.say(4)
        expect(desk.locator("#lines li")).to_have_count(3)
        expect(desk.get_by_role("status")).to_have_text("Live")


def test_captions_go_on_after_a_lost_connection(contexts: Any) -> None:
    """Reader's network gone, words meanwhile, network back: nothing is missing, nothing twice."""
    with live_server() as server, speaker(server.port, "lossy") as voice:
        context = contexts(**DESK)
        page, _ = open_page(context, server, "lossy")
        voice.say(1)
        expect(page.locator("#lines li")).to_have_count(1)
        [reader] = subscribers(server)
        server.loop.call_soon_threadsafe(reader.transport.abort)
        voice.say(2)
        voice.say(3)
        expect(page.locator("#lines li span")).to_have_text(["w1", "w2", "w3"])
        expect(page.get_by_role("status")).to_have_text("Live")


def test_a_speaker_whose_link_is_lost_is_told(contexts: Any) -> None:
    with live_server() as server:
        voice = Speaker(server.port, "away")
        page, _ = open_page(contexts(**DESK), server, "away")
        expect(page.get_by_role("status")).to_have_text("Live")
        voice.close()
        expect(page.get_by_role("status")).to_contain_text("interrupted")


@pytest.mark.parametrize(
    "token, words",
    [("", "link is incomplete"), ("wrong-wrong-wrong-wrong", "not begun yet"), ("</script>", "incomplete")],
)
def test_a_link_that_does_not_open_is_explained(server: LiveServer, contexts: Any, token: str, words: str) -> None:
    with speaker(server.port, "private"):
        page, _ = open_page(contexts(**DESK), server, "private", token)
        expect(page.get_by_role("status")).to_contain_text(words)


def test_an_open_stream_needs_no_token_and_a_page_may_come_first(server: LiveServer, contexts: Any) -> None:
    page, _ = open_page(contexts(**DESK), server, "open", "")
    expect(page.get_by_role("status")).to_contain_text("Nothing here yet")
    with speaker(server.port, "open", "en", open=True) as voice:
        voice.say(7)
        expect(page.locator("#lines li")).to_contain_text("w7")


def test_the_token_never_leaves_the_browser_in_an_address(server: LiveServer, contexts: Any) -> None:
    context = contexts(**DESK)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    with speaker(server.port, "secret"):
        page = context.new_page()
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.goto(f"http://127.0.0.1:{server.port}/listen/secret#{LISTEN}")
        expect(page.get_by_role("status")).to_have_text("Live")
    assert any("subscribe" in url for url in asked)
    assert not [url for url in asked if LISTEN in url.partition("#")[0]]


def test_text_grows_on_wish_and_what_is_said_is_no_markup(server: LiveServer, contexts: Any) -> None:
    with speaker(server.port, "size") as voice:
        page, complaints = open_page(contexts(**DESK), server, "size")
        voice.say(1)
        line = page.locator("#lines li span")
        before = line.evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)")
        page.get_by_role("button", name="Larger text").click()
        assert line.evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)") > before
        voice.publish("keyword", {"phrase": "<img src=x onerror=alert(1)>", "transcript": "", "final": True})
        expect(page.locator("#keywords li")).to_have_text("<img src=x onerror=alert(1)>1")
        assert complaints == []


def test_a_reader_who_scrolled_back_is_not_pulled_down(server: LiveServer, contexts: Any) -> None:
    with speaker(server.port, "long") as voice:
        page, _ = open_page(contexts(viewport={"width": 400, "height": 400}), server, "long")
        for number in range(1, 9):
            voice.say(number)
        expect(page.locator("#lines li")).to_have_count(8)
        page.evaluate("window.scrollTo(0, 0)")
        voice.say(9)
        expect(page.locator("#lines li")).to_have_count(9)
        assert page.evaluate("window.scrollY") == 0
        page.get_by_role("button", name="Newest").click()
        expect(page.locator("#lines li").last).to_be_in_viewport()
