"""Stock ESPnet2 behind Engine, on a package with random weights: shapes and limits, not words."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recognizer.base import ModelError, Options, Request
from recognizer.espnet import TOKENS_PER_SECOND, EspnetEngine, choose_device, load_engine
from recognizer.models import resolve

pytestmark = pytest.mark.filterwarnings("default")  # espnet2 and what it imports warn a lot
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EspnetEngine]:
    folder = tmp_path_factory.mktemp("model")
    from recognizer.espnet import _import_speech2text

    _import_speech2text()
    from tests.tiny_model import write_tiny_model

    files = resolve(str(write_tiny_model(folder / "tiny.zip")), folder / "cache")
    yield load_engine(files, "cpu", beam_size=3, threads=1)


def noise(samples: int) -> Request:
    return Request(RNG.normal(0, 0.1, samples).astype(np.float32), True, Options(max_alternatives=3))


@pytest.mark.parametrize("samples", [1, 800, 16_000, 48_000])
def test_a_transcript_has_sorted_confidences_and_a_capped_length(engine: EspnetEngine, samples: int) -> None:
    (transcript,) = engine.transcribe([noise(samples)])
    confidences = [hypothesis.confidence for hypothesis in transcript.hypotheses]
    assert len(confidences) <= 3 and confidences == sorted(confidences, reverse=True)
    assert all(0 < confidence <= 1 for confidence in confidences)
    assert len(transcript.text) <= 10 + TOKENS_PER_SECOND * max(samples, 8_000) // 16_000


@pytest.mark.parametrize("audio", [np.zeros(16_000), np.ones(16_000), np.sign(RNG.normal(size=16_000))])
def test_silence_and_clipping_neither_crash_nor_loop(engine: EspnetEngine, audio: np.ndarray) -> None:
    requests = [Request(audio.astype(np.float32), final, Options()) for final in (True, False)]
    assert len(engine.transcribe(requests)) == 2


def test_warm_up(engine: EspnetEngine) -> None:
    engine.warm_up()


def test_cuda_that_is_not_there_is_one_sentence() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert choose_device("auto") == "cpu"
    with pytest.raises(ModelError, match="torch finds no CUDA device"):
        choose_device("cuda")


def test_weights_that_do_not_fit_are_one_sentence(engine: EspnetEngine, tmp_path: Path) -> None:
    from tests.tiny_model import write_tiny_model

    files = resolve(str(write_tiny_model(tmp_path / "tiny.zip")), tmp_path / "cache")
    files.asr_model_file.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_engine(files, "cpu", 3, 1)


def test_importing_espnet_tries_no_download() -> None:
    program = """
import socket
def refuse(*a, **k): raise SystemExit("a network connection was tried")
socket.create_connection = socket.getaddrinfo = refuse
socket.socket.connect = refuse
from recognizer.espnet import _import_speech2text
_import_speech2text()
import sys
assert not hasattr(sys.modules["g2p_en"], "__file__") or sys.modules["g2p_en"].__file__ is None
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]
