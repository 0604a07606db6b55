"""The main job: a human voice, a real browser, the bundled model; then the same voice in other ways."""

import asyncio
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Browse
from tests.served import served_page
from tests.speech import WORDS, read_recording, transcribe

pytestmark = pytest.mark.model


def test_the_page_shows_the_spoken_words(browse: Browse, speech_fixtures: Path) -> None:
    audio = read_recording(speech_fixtures)
    with served_page() as url, browse(audio) as page:
        page.goto(url)
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#interim")).not_to_be_empty()
        expect(page.locator("#finals li")).to_have_count(1)
        expect(page.locator("#finals li span")).to_have_text(WORDS)
        expect(page.locator("#interim")).to_be_empty()


def test_the_size_of_the_messages_does_not_change_the_words(speech_fixtures: Path) -> None:
    audio = read_recording(speech_fixtures)
    with served_page() as url:
        socket = url.replace("http", "ws") + "ws"
        heard = [asyncio.run(transcribe(socket, audio, chunk=chunk)) for chunk in (128, 1_280, 16_000)]
    assert heard == [[WORDS]] * 3
