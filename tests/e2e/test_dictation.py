"""The main job: a human voice, a real browser, the bundled model; then the same voice in other ways."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from audio import Samples
from tests.e2e.conftest import Browse, resemblance
from tests.served import served_page
from tests.speech import WORDS, read_recording, transcribe

pytestmark = pytest.mark.model
ORDER = """() => {
  window.order = [];
  const watch = (id, see) => new MutationObserver(see).observe(document.getElementById(id), { childList: true });
  watch("interim", () => document.getElementById("interim").textContent && window.order.push("interim"));
  watch("finals", () => window.order.push("final"));
}"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served_page() as running:
        yield running


def test_the_page_shows_what_a_raw_client_gets(url: str, browse: Browse, speech_fixtures: Path) -> None:
    """The audio that the page sent gives a raw client the same text, and is the recording.

    Not the recording itself through both: where a microphone's first sample falls is chance, and a shift of 100
    samples alone changes a word that the bundled model is unsure of.
    """
    recording = read_recording(speech_fixtures)
    shown, audio = dictated(browse, url, recording)
    assert shown == asyncio.run(transcribe(url.replace("http", "ws") + "ws", audio))
    assert resemblance(audio, recording) > 0.95


def dictated(browse: Browse, url: str, recording: Samples) -> tuple[list[str], Samples]:
    """The finals that the page shows, and the audio that it sent."""
    sent: list[bytes] = []
    with browse(recording) as page:
        page.on("websocket", lambda line: line.on("framesent", lambda data: collect(sent, data)))
        page.goto(url)
        page.evaluate(ORDER)
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#finals li")).not_to_have_count(0)
        expect(page.locator("#interim")).to_be_empty()
        assert page.evaluate("order")[0] == "interim"
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("status")).to_have_text("Ready")
        shown = page.locator("#finals .words").all_text_contents()
    return shown, np.frombuffer(b"".join(sent), np.float32)


def collect(sent: list[bytes], data: str | bytes) -> None:
    if isinstance(data, bytes):
        sent.append(data)


def test_the_size_of_the_messages_does_not_change_the_words(url: str, speech_fixtures: Path) -> None:
    audio, socket = read_recording(speech_fixtures), url.replace("http", "ws") + "ws"
    heard = [asyncio.run(transcribe(socket, audio, chunk=chunk)) for chunk in (128, 1_280, 16_000)]
    assert heard == [[WORDS]] * 3
