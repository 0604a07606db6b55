"""The programs of the paper's repository, with another import."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiosockets import File
from audiosockets.paper import BaseProcessorSocket, LogMelSpectrogram, RecorderSocket
from tests.audiosockets.clients import Running
from tests.audiosockets.conftest import RATE


@pytest.mark.parametrize("token", ["", "shared-by-both-programs"])
def test_its_programs_run(url: str, stream: str, tmp_path: Path, wav: Any, noise: bytes, token: str) -> None:
    info = {"SERVER": "127.0.0.1", "PORT": int(url.rpartition(":")[2]), "HEADER": 64, "FORMAT": "utf-8",
            "DISCONNECT_MSG": "DISCONNECT", "logging_format": "%(asctime)s - %(message)s", "logging_level": "info",
            "stream": stream}  # fmt: skip
    path = tmp_path / "server_info.json"
    path.write_text(json.dumps(info | ({"token": token} if token else {})))
    got = list[dict[str, Any]]()

    class Processor(BaseProcessorSocket):
        since = "0"

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)

        def process_data(self, data: dict[str, Any]) -> None:
            got.append(data)

    recorder = RecorderSocket(str(path), source=File(wav(noise), speed=10))
    running = Running(recorder)
    assert recorder.ready.wait(10)
    processor = Processor("VAD", str(path))
    assert processor.name == "VAD"
    processor.start()
    running.join()
    samples = np.concatenate([data["data"] for data in got])
    assert samples.shape == (len(noise) // 2, 1)
    assert (samples * 32768).astype("<i2").tobytes() == noise
    assert {data["fs"] for data in got} == {RATE} and {data["node"] for data in got} == {"recorder"}
    assert abs(got[0]["ts"] - datetime.now()) < timedelta(seconds=60)


def test_mel_bands() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    found = LogMelSpectrogram(RATE, n_mels=40)(tone[:, None])
    assert found.shape == (40, 101)
    centres = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), 42)[1:-1] / 2595) - 1)
    assert np.abs(centres[found[:, 50].argmax()] - 1000) < 100
