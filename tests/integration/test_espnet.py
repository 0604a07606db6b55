"""Stock ESPnet2 behind Engine, on a package with random weights: shapes and limits, not words."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from recognizer.base import ModelError, Options, Request
from recognizer.espnet import StockEngine, _length_ratio, load_stock_engine
from recognizer.limits import TOKENS_PER_SECOND
from recognizer.models import resolve

pytestmark = pytest.mark.filterwarnings("default")  # espnet2 and what it imports warn a lot
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockEngine]:
    folder = tmp_path_factory.mktemp("model")
    from recognizer.espnet import _import_speech2text

    _import_speech2text()
    from tests.tiny_model import write_tiny_model

    files = resolve(str(write_tiny_model(folder / "tiny.zip")), folder / "cache")
    yield load_stock_engine(files, "cpu", 3, 0.0, 1, "a test")


def noise(samples: int) -> Request:
    return Request(RNG.normal(0, 0.1, samples).astype(np.float32), True, Options(max_alternatives=3))


@pytest.mark.parametrize("samples", [1, 800, 16_000, 48_000])
def test_a_transcript_has_sorted_confidences_and_a_capped_length(engine: StockEngine, samples: int) -> None:
    (transcript,) = engine.transcribe([noise(samples)])
    confidences = [hypothesis.confidence for hypothesis in transcript.hypotheses]
    assert len(confidences) <= 3 and confidences == sorted(confidences, reverse=True)
    assert all(0 < confidence <= 1 for confidence in confidences)
    assert len(transcript.text) <= 10 + TOKENS_PER_SECOND * max(samples, 8_000) // 16_000


@pytest.mark.parametrize("audio", [np.zeros(16_000), np.ones(16_000), np.sign(RNG.normal(size=16_000))])
def test_silence_and_clipping_neither_crash_nor_loop(engine: StockEngine, audio: np.ndarray) -> None:
    requests = [Request(audio.astype(np.float32), final, Options()) for final in (True, False)]
    assert len(engine.transcribe(requests)) == 2


@pytest.mark.parametrize("samples, frames, ratio", [(16_000, 24, 0.0), (16_000, 35, 0.0), (16_000, 49, -35.0)])
def test_the_length_is_capped_by_the_encoder_or_by_the_time(samples: int, frames: int, ratio: float) -> None:
    assert _length_ratio(samples, frames) == ratio


def test_the_cap_ends_a_search_on_a_fast_encoder(engine: StockEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recognizer.limits.TOKENS_PER_SECOND", -8)  # 10 - 8 tokens for one second
    (transcript,) = engine.transcribe([noise(16_000)])
    assert len(transcript.text) <= 2


@pytest.mark.parametrize("kind", ["zip", "directory", "zoo name"])
def test_global_statistics_are_found(
    engine: StockEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    folder = unpacked_with_statistics(tmp_path)
    reference, cache = str(folder), tmp_path / "cache"
    if kind == "directory":
        monkeypatch.chdir(tmp_path)  # names in the config do not depend on where the server was started
    else:
        with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
            for path in folder.rglob("*"):
                archive.write(path, path.relative_to(folder))
        reference = str(tmp_path / "m.zip")
    if kind == "zoo name":
        (cache / "zoo").mkdir(parents=True)
        monkeypatch.setattr("recognizer.models._download", lambda name, zoo: tmp_path / "m.zip")
        reference = "somebody/some_model"
    loaded = load_stock_engine(resolve(reference, cache), "cpu", 2, 0.0, 1, "a test")
    assert len(loaded.transcribe([noise(16_000)])) == 1


def unpacked_with_statistics(folder: Path) -> Path:
    """The tiny model, normalised as most models of the zoo are: by a file that its config names."""
    from tests.tiny_model import write_tiny_model

    tiny = resolve(str(write_tiny_model(folder / "tiny.zip")), folder / "tiny")
    package = tiny.asr_model_file.parent.parent
    np.savez(package / "exp" / "stats.npz", count=np.array(9), sum=np.zeros(80), sum_square=np.ones(80))
    config = yaml.safe_load(tiny.asr_train_config.read_text())
    config |= {"normalize": "global_mvn", "normalize_conf": {"stats_file": "exp/stats.npz"}}
    tiny.asr_train_config.write_text(yaml.safe_dump(config))

    import torch

    weights = torch.load(tiny.asr_model_file)
    torch.save({**weights, "normalize.mean": torch.zeros(80), "normalize.std": torch.ones(80)}, tiny.asr_model_file)
    return package


def test_a_model_without_ctc_is_one_sentence(
    engine: StockEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.tiny_model import CONFIG, write_tiny_model

    monkeypatch.setitem(CONFIG, "model_conf", {"ctc_weight": 0.0})
    files = resolve(str(write_tiny_model(tmp_path / "tiny.zip")), tmp_path / "cache")
    with pytest.raises(ModelError, match="has no CTC branch"):
        load_stock_engine(files, "cpu", 2, 0.0, 1, "a test")


def test_a_draft_of_the_end_symbol_is_empty(engine: StockEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    always_end = torch.full((1, 9, len(engine._tokens)), -50.0)
    always_end[..., engine._model.eos] = 0.0
    monkeypatch.setattr(engine._model.ctc, "log_softmax", lambda encoded: always_end)
    assert engine._draft(np.zeros(16_000, np.float32)).hypotheses == ()


def test_warm_up(engine: StockEngine) -> None:
    engine.warm_up()


def test_weights_that_do_not_fit_are_one_sentence(engine: StockEngine, tmp_path: Path) -> None:
    from tests.tiny_model import write_tiny_model

    files = resolve(str(write_tiny_model(tmp_path / "tiny.zip")), tmp_path / "cache")
    files.asr_model_file.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_stock_engine(files, "cpu", 3, 0.0, 1, "a test")


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
