"""Firefox on the real page: a human voice from a virtual microphone, the bundled model, the words.

Skipped, saying so, where firefox-esr or PulseAudio is not installed.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from audio import SAMPLE_RATE
from tests.e2e.firefox.bidi import firefox
from tests.served import served_page
from tests.speech import WORDS, read_recording

pytestmark = pytest.mark.model
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
NEEDED = ("pulseaudio", "pactl", "paplay")


@contextlib.contextmanager
def virtual_microphone() -> Iterator[dict[str, str]]:
    """A sound server of our own whose only microphone hears what is played to `micsink`; yields its environment."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PULSE_SERVER": f"unix:{folder}/socket", "XDG_RUNTIME_DIR": folder, "PULSE_STATE_PATH": folder}
        everything = {**os.environ, **environment, "HOME": folder}
        modules = [
            f"module-native-protocol-unix socket={folder}/socket auth-anonymous=1",
            "module-null-sink sink_name=micsink rate=48000 channels=1",
            "module-remap-source master=micsink.monitor source_name=microphone",
        ]
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit"]
        command += [part for module in modules for part in ("-L", module)]
        with subprocess.Popen(command, env=everything, stderr=subprocess.DEVNULL) as process:
            try:
                wait_for_sound(everything)
                subprocess.run(["pactl", "set-default-source", "microphone"], env=everything, check=True)
                yield environment
            finally:
                process.terminate()


def wait_for_sound(environment: dict[str, str]) -> None:
    for _ in range(100):
        known = subprocess.run(["pactl", "list", "short", "sources"], env=environment, capture_output=True, text=True)
        if "microphone" in known.stdout:
            return
        time.sleep(0.1)
    pytest.skip("PulseAudio does not start here")


def test_dictation_gives_the_words(speech_fixtures: Path, tmp_path: Path) -> None:
    missing = [name for name in NEEDED if not shutil.which(name)] + ([] if FIREFOX else ["firefox-esr"])
    if FIREFOX is None or missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    recording = tmp_path / "recording.wav"
    soundfile.write(recording, read_recording(speech_fixtures), SAMPLE_RATE, subtype="PCM_16")
    with served_page() as url, virtual_microphone() as environment:
        assert WORDS in asyncio.run(dictate(FIREFOX, url, recording, environment))


async def dictate(program: str, url: str, recording: Path, environment: dict[str, str]) -> list[str]:
    """What the page shows after the recording was played three times: the first seconds of its microphone may glitch."""
    async with firefox(program, url, environment) as page:
        await page.evaluate("document.getElementById('start').click()")
        await page.eventually("!document.getElementById('stop').disabled && !document.getElementById('stop').hidden")
        for _ in range(3):
            player = await asyncio.create_subprocess_exec(
                "paplay", "--device=micsink", str(recording), env={**os.environ, **environment}
            )
            assert await player.wait() == 0
        await page.evaluate("document.getElementById('stop').click()")
        await page.eventually("document.querySelectorAll('#finals li').length > 0")
        await page.eventually("!document.getElementById('start').disabled && !document.getElementById('start').hidden")
        texts = await page.evaluate(
            "[...document.querySelectorAll('#finals .words')].map((line) => line.textContent).join('|')"
        )
        return str(texts).split("|")
