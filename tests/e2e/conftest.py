"""Real Chromium whose microphone plays a file (headless, as root, without any network of its own)."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect, sync_playwright

from audio import SAMPLE_RATE, Samples

CHROMIUM = next((p for p in ("/usr/lib/chromium/chromium", shutil.which("chromium")) if p and Path(p).exists()), None)
FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --use-fake-device-for-media-stream""".split()
PATIENCE_MS = 30_000  # how long a page is waited for: a busy machine is slow, and timing never decides a test
expect.set_options(timeout=PATIENCE_MS)
BATCH = 1_280  # samples of a message


class Browse(Protocol):
    def __call__(
        self, audio: Samples | None, *flags: str, **context: object
    ) -> contextlib.AbstractContextManager[Page]: ...


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """Opens a browser whose microphone plays `audio` once, then silence."""
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium")

    @contextlib.contextmanager
    def opened(audio: Samples | None, *flags: str, **context: object) -> Iterator[Page]:
        microphone = tmp_path / "microphone.wav"
        silence = np.zeros(SAMPLE_RATE // 2, np.float32)
        speech = audio if audio is not None else silence
        soundfile.write(microphone, np.concatenate((silence, speech, silence)), SAMPLE_RATE, subtype="PCM_16")
        every = [*FLAGS, *(flags or ("--use-fake-ui-for-media-stream",))]
        every.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
        with sync_playwright() as playwright, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            chromium = playwright.chromium.launch_persistent_context(
                profile, executable_path=CHROMIUM, headless=False, args=every, **context  # type: ignore[arg-type]
            )  # fmt: skip
            page = chromium.new_page()
            page.set_default_timeout(PATIENCE_MS)
            try:
                yield page
            finally:
                chromium.close()

    return opened


def is_all_of(sent: Samples, witnessed: Samples) -> bool:
    """Whether what was sent is what the graph got, sample by sample, to two 16-bit steps.

    They may join and leave a moment apart, in silence.
    """
    graph = np.pad(witnessed, BATCH)
    lag = int(np.correlate(graph, sent, "valid").argmax())
    graph[lag : lag + len(sent)] -= sent
    return float(np.abs(graph).max()) < 2 / 0x7FFF


def resemblance(heard: Samples, said: Samples) -> float:
    """How the loud twentieths of `said` correlate with `heard`, each where it fits best: the ninth decile.

    On a busy machine Chromium's fake device itself leaves gaps, which break most of them; a wrong rate breaks all.
    """
    size = len(said) // 20
    parts = said[: size * 20].reshape(20, size)
    return float(np.quantile([_correlation(heard, part) for part in parts if np.abs(part).max() > 0.02], 0.9))


def _correlation(heard: Samples, part: Samples) -> float:
    """Where it is highest, to an eighth of a sample."""
    lag, bins = int(np.correlate(heard, part, "valid").argmax()), np.fft.rfftfreq(len(part))
    there = np.fft.rfft(heard[lag : lag + len(part)])
    shifted = (np.fft.irfft(there * np.exp(-2j * np.pi * bins * n / 8), len(part)) for n in range(-4, 5))
    return max(float(np.corrcoef(moved, part)[0, 1]) for moved in shifted)
