"""The page in real Chromium, against the real server with a symbolic recogniser."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Browse
from tests.fake_engine import spoken
from tests.live_server import SILENCE, LiveServer, live_server

SPEECH = np.concatenate((spoken(20, seconds=1.0), SILENCE, spoken(40, seconds=1.0), SILENCE))
TRACKS = """
const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
window.tracks = [];
navigator.mediaDevices.getUserMedia = async (...wish) => {
  const stream = await original(...wish);
  window.tracks.push(...stream.getTracks());
  return stream;
};
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(models={"en": "fake-en", "ja": "fake-ja"}, title="Dictation") as running:
        yield running


def open_page(page: Page, server: LiveServer, host: str = "127.0.0.1") -> list[str]:
    """Returns the list that collects what the browser complains about."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"http://{host}:{server.port}/")
    return complaints


def test_words_appear_first_as_interim_then_final(server: LiveServer, browse: Browse) -> None:
    with browse(SPEECH) as page:
        page.add_init_script(TRACKS)
        complaints = open_page(page, server)
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#interim")).to_contain_text("w20")
        expect(page.locator("#finals li")).to_have_count(1)
        expect(page.locator("#finals li").first).to_contain_text(re.compile(r"^00:0[0-9].*w20"))
        expect(page.locator("#finals li")).to_have_count(2)
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("status")).to_have_text("Ready")
        assert page.evaluate("tracks.map((track) => track.readyState)") == ["ended"]
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("#finals li")).to_have_count(0)
        assert complaints == []


def test_stop_in_the_middle_of_a_word_loses_no_tail(server: LiveServer, browse: Browse) -> None:
    with browse(spoken(30, seconds=20.0)) as page:
        open_page(page, server)
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#interim")).to_contain_text("w30")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#finals li")).to_contain_text("w30")
        expect(page.get_by_role("status")).to_have_text("Ready")


def test_a_japanese_browser_gets_a_japanese_page(server: LiveServer, browse: Browse) -> None:
    with browse(None, locale="ja-JP") as page:
        open_page(page, server)
        expect(page.get_by_role("button", name="開始")).to_be_enabled()
        assert page.evaluate("document.documentElement.lang") == "ja"
        assert page.locator("#language").input_value() == "ja"


def test_everything_can_be_done_with_the_keyboard(server: LiveServer, browse: Browse) -> None:
    with browse(SPEECH) as page:
        open_page(page, server)
        page.get_by_label("Language").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#finals li")).to_have_count(1)
        page.get_by_role("button", name="Stop").focus()
        page.keyboard.press("Space")
        expect(page.get_by_role("status")).to_have_text("Ready")


def test_the_microphone_list_fills_after_the_permission(server: LiveServer, browse: Browse) -> None:
    with browse(None) as page:
        open_page(page, server)
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("status")).to_have_text("Listening")
        expect(page.locator("#microphone option")).to_have_count(3)
        page.evaluate("navigator.mediaDevices.enumerateDevices = async () => []")
        page.evaluate("navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")
        expect(page.locator("#microphone option")).to_have_count(1)


def test_a_refused_microphone_is_explained(server: LiveServer, browse: Browse) -> None:
    with browse(None, "--use-fake-ui-for-media-stream=deny") as page:
        open_page(page, server)
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert")).to_contain_text("not allowed")
        expect(page.get_by_role("button", name="Start")).to_be_enabled()


def test_an_insecure_page_is_explained(server: LiveServer, browse: Browse) -> None:
    rules = "--host-resolver-rules=MAP mic.example 127.0.0.1"
    with browse(None, "--use-fake-ui-for-media-stream", rules) as page:
        open_page(page, server, "mic.example")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert")).to_contain_text("secure page")


def test_a_server_that_goes_away_is_explained(browse: Browse) -> None:
    with live_server() as server, browse(SPEECH) as page:
        open_page(page, server)
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("status")).to_have_text("Listening")
        server.stop()
        expect(page.get_by_role("status")).to_have_text("Reconnecting …")
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Give up").click()
        expect(page.get_by_role("status")).to_have_text("Ready")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert")).to_contain_text("cannot be reached")


def test_a_full_server_is_explained(browse: Browse) -> None:
    with live_server(max_streams=1) as server, browse(None) as page:
        open_page(page, server)
        other = "window.other = new WebSocket(location.href.replace('http', 'ws') + 'ws')"
        page.evaluate(f"new Promise((resolve) => {{ {other}; other.onopen = () => resolve(null); }})")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert")).to_contain_text("too busy")


def test_recording_is_shown(browse: Browse, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = str(tmp_path_factory.mktemp("recordings"))
    with live_server(save_audio=True, save_dir=folder) as server, browse(None) as page:
        open_page(page, server)
        expect(page.locator("#saving")).to_contain_text("keeps recordings")
