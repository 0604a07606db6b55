"""One Chromium for each set of launch flags, shared by a module; a fresh page and a fresh line for each test."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from audio import SAMPLE_RATE, Samples
from tests.e2e.conformance.scripted import HERE, ScriptedServer, scripted_server
from tests.e2e.conftest import CHROMIUM, FLAGS

FAKE_UI = "--use-fake-ui-for-media-stream"
NO_DEVICE = [flag for flag in FLAGS if flag != "--use-fake-device-for-media-stream"]


def tone(seconds: float, rate: int = SAMPLE_RATE) -> Samples:
    time = np.arange(int(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * SAMPLE_RATE), np.float32)


TWO_UTTERANCES = np.concatenate((silence(0.4), tone(0.5), silence(0.8), tone(0.5), silence(0.8)))
"""What most microphones here hear: at 0.4 s and at 1.7 s half a second of sound."""


@contextlib.contextmanager
def launched(
    playwright: Playwright,
    *flags: str,
    asking: str = FAKE_UI,
    base: list[str] = FLAGS,
    audio: Samples | None = None,
    rate: int = SAMPLE_RATE,
) -> Iterator[Browser]:
    """Chromium whose microphone plays `audio` (mono, or shape (n, 2)) from the beginning each time it is opened.

    `asking` is the flag that answers the question for the microphone.
    """
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium")
    with tempfile.TemporaryDirectory() as folder:
        every = [*base, *filter(None, (asking, *flags))]
        if audio is not None:
            file = Path(folder) / "microphone.wav"
            soundfile.write(file, audio, rate, subtype="PCM_16")
            every.append(f"--use-file-for-fake-audio-capture={file}%noloop")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=False, args=every)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A module sets MICROPHONE to hear something else."""
    audio = getattr(request.module, "MICROPHONE", TWO_UTTERANCES)
    with launched(playwright, audio=audio) as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running
        assert running.faults == []


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as shared:
        shared.add_init_script(path=HERE / "spy.js")
        yield shared


@contextlib.contextmanager
def new_page(context: BrowserContext, url: str, *, complain: bool = True) -> Iterator[Page]:
    """The test page; what the browser complains about (CSP, errors) fails the test."""
    complaints: list[str] = []
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    page.wait_for_selector("html[data-ready]", state="attached")
    try:
        yield page
    finally:
        page.close()
    assert complaints == [] or not complain


@contextlib.contextmanager
def opened(browser: Browser, url: str, *, complain: bool = True) -> Iterator[Page]:
    """The test page in a context of its own, with permissions of its own."""
    with browser.new_context() as own:
        own.add_init_script(path=HERE / "spy.js")
        with new_page(own, url, complain=complain) as page:
            yield page


@pytest.fixture
def page(context: BrowserContext, server: ScriptedServer) -> Iterator[Page]:
    with new_page(context, server.url) as page:
        yield page
        server.release()
