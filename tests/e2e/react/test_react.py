"""react-speech-recognition from npm, as it is, on our class."""

import contextlib
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conformance.conftest import browser, playwright
from tests.e2e.conformance.scripted import HERE, Line, ScriptedServer, dictation, endless, in_turn, scripted_server
from tests.e2e.react.packages import MODULES, ROUTES

__all__ = ["browser", "playwright"]
ONE, TWO = dictation("hello world"), dictation("hello world", "good morning")


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    if not (MODULES / "react-speech-recognition").exists():
        pytest.skip("react-speech-recognition is not installed (npm ci)")
    with scripted_server(ROUTES) as running:
        yield running


@contextlib.contextmanager
def app(browser: Browser, server: ScriptedServer, line: Line) -> Iterator[Page]:
    complaints: list[str] = []
    with browser.new_context() as context:
        context.add_init_script(path=HERE / "spy.js")
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{server.url}react?line={quote(line.url)}")
        expect(page.locator("#supported")).to_have_text("true")
        yield page
        expect(page.locator("#microphone")).to_have_text("true")
    assert complaints == []


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def see(page: Page, **texts: str) -> None:
    for name, text in texts.items():
        expect(page.locator(f"#{name}")).to_have_text(text)


def test_one_utterance(browser: Browser, server: ScriptedServer) -> None:
    line = server.line(TWO)
    with app(browser, server, line) as page:
        page.evaluate("""() => {
          window.seen = new Set();
          const interim = document.getElementById("interim");
          new MutationObserver(() => seen.add(interim.textContent)).observe(interim, { childList: true, characterData: true, subtree: true });
        }""")
        press(page, "start")
        see(page, listening="true")
        see(page, final="hello world", interim="", transcript="hello world", listening="false")
        assert page.evaluate("[...seen].some(Boolean)"), "interim transcripts were shown"
        press(page, "start")
        see(page, transcript="")
        see(page, transcript="hello world", listening="false")
    assert [c.start["continuous"] for c in line.conversations] == [False, False]


def test_continuous_then_stop(browser: Browser, server: ScriptedServer) -> None:
    line = server.line(TWO)
    with app(browser, server, line) as page:
        press(page, "continuous")
        see(page, final="hello world good morning", transcript="hello world good morning", listening="true")
        press(page, "stop")
        see(page, listening="false")
        expect(page).to_have_title("stopped")
        see(page, transcript="hello world good morning")
        assert page.evaluate("live.tracks() + live.sockets()") == 0
    assert line.one.start["continuous"] is True


def test_stop_in_the_middle_of_an_utterance_keeps_its_words(browser: Browser, server: ScriptedServer) -> None:
    line = server.line(dictation("hello world"))
    with app(browser, server, line) as page:
        press(page, "continuous")
        expect(page.locator("#interim")).not_to_be_empty()
        press(page, "stop")
        see(page, final="hello world", interim="", listening="false")
        expect(page).to_have_title("stopped")


def test_abort_frees_the_microphone(browser: Browser, server: ScriptedServer) -> None:
    line = server.line(in_turn(endless(), TWO))
    with app(browser, server, line) as page:
        press(page, "continuous")
        expect(page.locator("#interim")).not_to_be_empty()
        press(page, "abort")
        see(page, listening="false", final="")
        expect(page).to_have_title("aborted")
        assert page.evaluate("live.tracks()") == 0
        press(page, "continuous")
        see(page, final="hello world good morning", listening="true")
        press(page, "stop")
        see(page, listening="false")


def test_reset_empties_the_transcript_and_goes_on_listening(browser: Browser, server: ScriptedServer) -> None:
    line = server.line(in_turn(ONE, TWO))
    with app(browser, server, line) as page:
        press(page, "continuous")
        see(page, final="hello world")
        press(page, "reset")
        see(page, transcript="", final="")
        see(page, final="hello world good morning", listening="true")  # the microphone begins anew: so does its file
        assert page.evaluate("[live.tracks(), opened.most.tracks, opened.most.sockets]") == [1, 1, 1]
        press(page, "stop")
        see(page, listening="false")
    assert len(line.conversations) == 2


def test_the_language_changes_between_sessions_and_while_listening(browser: Browser, server: ScriptedServer) -> None:
    line = server.line(in_turn(ONE, TWO))
    with app(browser, server, line) as page:
        press(page, "continuous")
        see(page, final="hello world")
        press(page, "japanese")
        see(page, listening="true")
        see(page, final="hello world hello world good morning")
        press(page, "stop")
        see(page, listening="false")
    assert [c.start["lang"] for c in line.conversations] == ["en", "ja-JP"]
