"""Which engine a model gets: the fast one exported, the fast one in torch, or ESPnet's own."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recognizer import loading
from recognizer.base import ModelError, Options, Request
from recognizer.decoding.export import ensure_exported
from recognizer.loading import EngineOptions, choose_device, load_engine
from recognizer.models import ModelFiles, resolve
from tests.tiny_model import CONFIG, write_tiny_model

pytestmark = pytest.mark.filterwarnings("default")
NOISE = Request(np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32), True, Options())


def options(cache_dir: Path, decoding: str, *, precision: str = "float32", lm_weight: float = 0.0) -> EngineOptions:
    return EngineOptions("cpu", decoding, 3, precision, lm_weight, 1, cache_dir)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    from recognizer.espnet import quicken_import

    quicken_import()
    folder = tmp_path_factory.mktemp("model")
    return resolve(str(write_tiny_model(folder / "tiny.zip")), folder)


@pytest.fixture(scope="module")
def cache(files: ModelFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the model's export."""
    folder = tmp_path_factory.mktemp("cache")
    ensure_exported(files, folder)
    return folder


@pytest.mark.parametrize("decoding", ["two_pass", "exact", "ctc"])
def test_the_fast_search(files: ModelFiles, cache: Path, decoding: str) -> None:
    engine = load_engine(files, options(cache, decoding))
    assert engine.search == f"{decoding} search, ONNX Runtime, float32" and len(engine.transcribe([NOISE])) == 1


@pytest.mark.parametrize(("named", "found"), [({"search": "exact"}, "exact"), ({}, "two_pass")])
def test_a_package_may_name_its_search(files: ModelFiles, cache: Path, named: dict[str, str], found: str) -> None:
    files = replace(files, decoding=named)
    assert load_engine(files, options(cache, "auto")).search == f"{found} search, ONNX Runtime, float32"
    assert load_engine(files, options(cache, "ctc")).search == "ctc search, ONNX Runtime, float32"


def test_a_search_that_nobody_knows_is_refused(files: ModelFiles, cache: Path) -> None:
    with pytest.raises(ModelError, match="search must be one of two_pass, exact"):
        load_engine(replace(files, decoding={"search": "magic"}), options(cache, "auto"))


def test_weights_of_8_bits(files: ModelFiles, tmp_path: Path) -> None:
    sizes = []
    for precision in ("float32", "int8"):
        engine = load_engine(files, options(tmp_path, "exact", precision=precision))
        assert engine.search == f"exact search, ONNX Runtime, {precision}" and engine.transcribe([NOISE])[0].text
        (folder,) = (tmp_path / "onnx").glob("*-*")  # the other one is removed
        sizes.append([sum(path.stat().st_size for path in folder.glob(f"{name}.*")) for name in ("encoder", "step")])
    assert all(small < plain for plain, small in zip(*sizes, strict=True))


def test_a_package_may_name_its_precision(files: ModelFiles, cache: Path) -> None:
    files = replace(files, decoding={"precision": "int8"})
    assert load_engine(files, options(cache, "ctc", precision="auto")).search == "ctc search, ONNX Runtime, int8"
    assert load_engine(files, options(cache, "ctc")).search == "ctc search, ONNX Runtime, float32"
    with pytest.raises(ModelError, match="precision must be one of float32, int8"):
        load_engine(replace(files, decoding={"precision": "int4"}), options(cache, "ctc", precision="auto"))


def test_confidence_of_another_shape_is_named(files: ModelFiles, cache: Path) -> None:
    older = replace(files, decoding=files.decoding | {"confidence": {"word": [2.0, 1.0]}})
    with pytest.raises(ModelError, match=r"meta\.yaml of the model .*: confidence must be three numbers each"):
        load_engine(older, options(cache, "ctc"))


def test_stock_when_asked_for(files: ModelFiles, tmp_path: Path) -> None:
    engine = load_engine(files, options(tmp_path, "stock"))
    assert engine.search == "stock search (DECODING is 'stock')" and not list(tmp_path.iterdir())


def test_stock_for_a_model_of_another_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIG, "decoder", "rnn")
    monkeypatch.setitem(CONFIG, "decoder_conf", {"num_layers": 1, "hidden_size": 8})
    rnn = resolve(str(write_tiny_model(tmp_path / "rnn.zip")), tmp_path)
    engine = load_engine(rnn, options(tmp_path, "two_pass"))
    assert engine.search == "stock search (the model has a RNNDecoder decoder)"
    assert len(engine.transcribe([NOISE])) == 1


def test_torch_when_the_export_failed(files: ModelFiles, tmp_path: Path) -> None:
    from recognizer.decoding import package

    folder = package.folder_for(files, tmp_path)
    folder.mkdir(parents=True)
    (folder / package.REFUSAL).write_text("an export that failed (ValueError)")
    engine = load_engine(files, options(tmp_path, "two_pass"))
    assert engine.search == "two_pass search, torch (an export that failed (ValueError))"
    assert len(engine.transcribe([NOISE])) == 1


def test_a_worker_of_an_exported_model_needs_no_torch(files: ModelFiles, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(cache / "onnx", tmp_path / "onnx")
    program = f"""
import sys
from pathlib import Path
from recognizer.loading import EngineOptions, load_engine
from recognizer.models import ModelFiles
files = ModelFiles("m", Path({str(files.asr_train_config)!r}), Path({str(files.asr_model_file)!r}))
load_engine(files, EngineOptions("auto", "two_pass", 3, "auto", 0.0, 1, Path({str(tmp_path)!r}))).warm_up()
assert not {{"torch", "espnet2"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]
    assert list(loading._compiled(tmp_path).rglob("*.nbi")), "what numba compiled is kept"


def test_what_was_compiled_of_other_sources_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "decoding" / "search.py"
    source.parent.mkdir()
    monkeypatch.setattr(loading, "__file__", str(tmp_path / "loading.py"))
    source.write_text("BEAM = 1")
    before = loading._compiled(tmp_path)
    assert loading._compiled(tmp_path) == before
    source.write_text("BEAM = 2")
    assert loading._compiled(tmp_path) != before


def test_cuda_that_is_not_there_is_one_sentence() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert choose_device("auto") == "cpu"
    with pytest.raises(ModelError, match="torch finds no CUDA device"):
        choose_device("cuda")
