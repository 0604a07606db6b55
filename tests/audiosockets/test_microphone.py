import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from audiosockets.microphone import Device, Microphone, choose, devices
from tests.audiosockets.clients import TOKEN, Memory, Running, eventually
from tests.audiosockets.conftest import RATE, ROOT

BUILT_IN = Device(0, "Built-in Microphone", "Core Audio", 1, 48_000, True)
HEADSET = Device(3, "USB Headset", "Core Audio", 2, 44_100, False)
WEBCAM = Device(4, "USB Webcam", "Core Audio", 1, 16_000, False)
ALL = [BUILT_IN, HEADSET, WEBCAM]


@pytest.mark.parametrize(
    "wanted, found",
    [(None, BUILT_IN), (3, HEADSET), ("3", HEADSET), ("webcam", WEBCAM), ("usb headset", HEADSET)],
)
def test_a_device_is_chosen_by_number_or_by_name(wanted: int | str | None, found: Device) -> None:
    assert choose(wanted, ALL) is found


def test_a_whole_name_beats_a_part() -> None:
    longer = Device(5, "USB Webcam (2)", "Core Audio", 1, 16_000, False)
    assert choose("usb webcam", [*ALL, longer]) is WEBCAM


@pytest.mark.parametrize(
    "wanted, said",
    [
        ("usb", "'usb' fits 2. Devices: 0 Built-in Microphone; 3 USB Headset; 4 USB Webcam"),
        (1, "1 is not there"),
        ("bluetooth", "'bluetooth' is not there"),
    ],
)
def test_what_cannot_be_chosen_names_what_there_is(wanted: int | str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        choose(wanted, ALL)


def test_a_machine_without_a_microphone_says_so() -> None:
    with pytest.raises(ValueError, match=r"\(default\) is not there. Devices: none"):
        choose(None, [])


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ValueError, match="pip install sounddevice"):
        devices()


def test_what_was_recorded_before_it_was_stopped_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream(contextlib.nullcontext[None]):
        """Hands over three blocks; the reader is late for the last two."""

        def __init__(self, callback: Callable[..., None], **_: object) -> None:
            super().__init__()
            for pcm in (b"ab", b"cd", b"ef"):
                callback(pcm, 1, None, SimpleNamespace(input_overflow=False))

    sound = SimpleNamespace(RawInputStream=Stream, check_input_settings=lambda *_, **__: None, PortAudioError=OSError)
    monkeypatch.setattr("audiosockets.microphone._sounddevice", lambda: sound)
    monkeypatch.setattr("audiosockets.microphone.devices", lambda: [WEBCAM])
    microphone = Microphone()
    blocks = microphone.blocks()
    assert next(blocks) == b"ab"
    microphone.close()
    assert list(blocks) == [b"cd", b"ef"]


@pytest.fixture
def sound_card(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A sound system of its own whose microphone hears what is played; the environment to reach it with."""
    if not (shutil.which("pulseaudio") and shutil.which("pacat")):
        pytest.skip("needs pulseaudio and pulseaudio-utils")
    if find_library("portaudio") is None:
        pytest.skip("needs libportaudio2")
    server = tmp_path / "native"
    (tmp_path / "default.pa").write_text(
        "load-module module-null-sink sink_name=speaker rate=16000 channels=1\n"
        f"load-module module-native-protocol-unix socket={server} auth-anonymous=1\n"
        "set-default-source speaker.monitor\n"
    )
    (tmp_path / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["pulseaudio", "-n", "-F", f"{tmp_path}/default.pa", "--daemonize=no", "--exit-idle-time=-1"]
    command += ["--use-pid-file=no", "--log-target=null"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        eventually(lambda: server.exists() or process.poll() is not None)
        yield {**environment, "PULSE_SERVER": f"unix:{server}", "PULSE_PID": str(process.pid)}
        process.terminate()


def audiosockets(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "audiosockets", *arguments]


def test_a_microphone_is_listed_and_recorded(sound_card: dict[str, str], url: str, stream: str, tmp_path: Path) -> None:
    """The real PortAudio: what is played is what a processor gets."""
    listing = subprocess.run(audiosockets("devices"), cwd=ROOT, env=sound_card, check=True, capture_output=True)
    assert re.search(r"\*\s+\d+  default  \(ALSA", listing.stdout.decode())
    tone = (8000 * np.sin(2 * np.pi * 1000 * np.arange(60 * RATE) / RATE)).astype("<i2")
    (tmp_path / "tone.raw").write_bytes(tone.tobytes())
    play = ["pacat", "--raw", "--rate=16000", "--channels=1", "--format=s16le", str(tmp_path / "tone.raw")]
    record = audiosockets("record", stream, "--server", url, "--token", TOKEN, "--device", "default")
    with subprocess.Popen(play, env=sound_card) as player:
        with subprocess.Popen(record, cwd=ROOT, env=sound_card, stderr=subprocess.PIPE) as recorder:
            running = Running(memory := Memory(url, stream, token=TOKEN, layers=("audio",)))
            eventually(lambda: sum(len(block.pcm) for block in memory.blocks) >= 4 * RATE)
            recorder.send_signal(signal.SIGINT)
            running.join()
            assert recorder.wait(30) == 0
        player.terminate()
    heard = np.frombuffer(memory.pcm, "<i2")[-RATE:].astype(float)
    assert memory.streams[0].format.sample_rate == RATE
    assert np.abs(np.fft.rfft(heard)).argmax() == 1000
    assert np.abs(heard).max() == pytest.approx(8000, rel=0.05)


def test_a_microphone_that_is_gone_ends_the_recorder_with_an_error(
    sound_card: dict[str, str], url: str, stream: str
) -> None:  # fmt: skip
    record = audiosockets("record", stream, "--server", url, "--token", TOKEN)
    with subprocess.Popen(record, cwd=ROOT, env=sound_card, stderr=subprocess.PIPE, text=True) as recorder:
        running = Running(memory := Memory(url, stream, token=TOKEN, layers=("audio",)))
        eventually(lambda: memory.blocks)
        os.kill(int(sound_card["PULSE_PID"]), signal.SIGKILL)
        _, said = recorder.communicate(timeout=60)
        running.join()
    assert recorder.returncode == 1
    assert "was it pulled out?" in said


def test_what_the_device_cannot_do_is_said(sound_card: dict[str, str]) -> None:
    record = audiosockets("record", "--server", "http://127.0.0.1:9", "--channels", "8", "--device", "nothing like it")
    finished = subprocess.run(record, cwd=ROOT, env=sound_card, capture_output=True, text=True, timeout=60)
    assert finished.returncode == 1
    assert "device 'nothing like it' is not there. Devices: " in finished.stderr
