"""Every kind of ESPnet2 model that the fast search promises, taken apart and exported: the same numbers as ESPnet."""

import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from recognizer.base import ModelError
from recognizer.decoding import export, networks, package, parts
from recognizer.decoding.package import UnsupportedError
from recognizer.models import ModelFiles, resolve
from tests.tiny_model import LAYER, build_tiny_model, write_tiny_model

pytestmark = pytest.mark.filterwarnings("default")  # espnet2, torch and what they import warn a lot
SIZE = {**LAYER, "output_size": 16}
CLOSE = 1e-4  # of log probabilities, for networks this small
NEAR = 0.8  # the same, with weights of 8 bits

MODELS: dict[str, dict[str, Any]] = {
    "conformer": {},
    "conformer, macaron, six frames in one": {
        "encoder_conf": {**SIZE, "input_layer": "conv2d6", "macaron_style": True, "rel_pos_type": "latest"}
    },
    "transformer": {"encoder": "transformer", "encoder_conf": {**SIZE, "input_layer": "conv2d"}},
    "branchformer": {
        "encoder": "branchformer",
        "encoder_conf": {"output_size": 16, "attention_heads": 2, "cgmlp_linear_units": 32, "num_blocks": 1},
    },
    "e_branchformer": {
        "encoder": "e_branchformer",
        "encoder_conf": {**SIZE, "cgmlp_linear_units": 32, "use_ffn": True, "macaron_ffn": True},
    },
    "no normalisation": {"normalize": None},
    "means and variances": {"normalize_conf": {"norm_means": True, "norm_vars": True}},
    "short windows": {"frontend_conf": {"fs": "16k", "n_fft": 512, "hop_length": 128}},
}


@pytest.mark.parametrize("changes", MODELS.values(), ids=MODELS)
def test_the_exported_networks_equal_espnet(changes: dict[str, Any], tmp_path: Path) -> None:
    model, args = build_tiny_model(**changes)
    export.export_model(model, args, tmp_path)
    assert parts.largest_difference(model, package.load(tmp_path, 1)) < CLOSE


@pytest.mark.parametrize("changes", MODELS.values(), ids=MODELS)
def test_networks_of_8_bits_are_near_espnet(changes: dict[str, Any], tmp_path: Path) -> None:
    model, args = build_tiny_model(**changes)
    export.export_model(model, args, tmp_path, networks.INT8)
    assert CLOSE < parts.largest_difference(model, package.load(tmp_path, 1)) < NEAR


@pytest.mark.parametrize(("instructions", "largest"), [("flags: fma avx2 avx512_vnni", 127), ("flags: fma avx2", 64)])
def test_weights_of_8_bits_leave_room_where_sums_have_16(
    instructions: str, largest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "instructions", lambda: instructions)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    model, _ = build_tiny_model()
    export.write_onnx(parts.graphs_of(model), parts.features_of(model).filters.shape[1], tmp_path)
    export.quantise(tmp_path)
    tensors = [tensor for path in tmp_path.glob("*.onnx") for tensor in onnx.load(str(path)).graph.initializer]
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in tensors}
    weights = [value for value in found.values() if value.dtype == np.int8 and value.ndim == 2]
    assert len(weights) > 10 and largest - 2 <= max(abs(value.astype(int)).max() for value in weights) <= largest
    assert any(name.endswith("_scale") and value.size > 1 for name, value in found.items())  # one for each output


def test_global_statistics(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "s.npz", count=9, sum=rng.normal(-90, 5, 80), sum_square=rng.uniform(1e3, 2e3, 80))
    changes = {"normalize": "global_mvn", "normalize_conf": {"stats_file": str(tmp_path / "s.npz")}}
    model, args = build_tiny_model(**changes)
    export.export_model(model, args, tmp_path)
    assert parts.largest_difference(model, package.load(tmp_path, 1)) < CLOSE


def test_weights_lie_where_the_kernels_may_read_them(tmp_path: Path) -> None:
    """301 tokens are no whole cache lines: packed weights behind their bias crashed the process."""
    places = []
    for width in (64, 60):  # of 60 not even the matrices are
        small = {**LAYER, "linear_units": 300}
        tokens = ["<blank>", "<unk>", *(chr(0x4E00 + n) for n in range(298)), "<sos/eos>"]
        changes = {"encoder_conf": {**small, "output_size": width, "input_layer": "conv2d"}, "decoder_conf": small}
        model, args = build_tiny_model(token_list=tokens, **changes)
        folder = tmp_path / str(width)
        folder.mkdir()
        export.export_model(model, args, folder)
        assert parts.largest_difference(model, package.load(folder, 1)) < CLOSE
        places.append([place for path in folder.glob("*.onnx") for place in networks.mapped_places(path)])
        assert all(place % networks.CACHE_LINE == 0 for place in places[-1])
    assert places[0]


@pytest.mark.parametrize(
    "signal, error, text", [("SEGV", UnsupportedError, "crashed"), ("KILL", ModelError, "cannot be used")]
)
def test_an_export_that_crashes_leaves_the_search_to_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: str, error: type[Exception], text: str
) -> None:
    """One that somebody killed is tried again."""
    files = resolve(str(write_tiny_model(tmp_path / "tiny.zip")), tmp_path / "cache")
    crashing = tmp_path / "python"
    crashing.write_text(f"#!/bin/sh\nkill -{signal} $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(crashing))
    for _ in range(2):
        with pytest.raises(error, match=text):
            export.load_exported(files, tmp_path / "cache", 1)


UNSUPPORTED: dict[str, tuple[dict[str, Any], str]] = {
    "decoder": ({"decoder": "rnn", "decoder_conf": {"num_layers": 1, "hidden_size": 8}}, "a RNNDecoder decoder"),
    "conditioned on its CTC": (
        {"encoder_conf": {**SIZE, "num_blocks": 2, "interctc_layer_idx": [1], "interctc_use_conditioning": True}},
        "an encoder that is conditioned on its CTC",
    ),
    "tokens": ({"token_type": "phn"}, "tokens of type phn"),
}


@pytest.mark.parametrize("changes, reason", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_it_does_not_know_is_said(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    model, args = build_tiny_model(**changes) if "decoder" not in changes else rnn_model(changes)
    export.export_model(model, args, tmp_path)
    with pytest.raises(UnsupportedError, match=reason):
        package.load(tmp_path, 1)
    with pytest.raises(UnsupportedError, match=reason):
        parts.checked_torch_package(model, args, "cpu")


def rnn_model(changes: dict[str, Any]) -> tuple[Any, Any]:
    import argparse

    from espnet2.tasks.asr import ASRTask

    from tests.tiny_model import CONFIG

    args = argparse.Namespace(**{**CONFIG, **changes})
    return ASRTask.build_model(args).eval(), args


def test_networks_that_turn_out_different_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, args = build_tiny_model()
    monkeypatch.setattr(parts, "largest_difference", lambda model, ready: float("nan"))
    export.export_model(model, args, tmp_path)
    with pytest.raises(UnsupportedError, match="differ"):
        package.load(tmp_path, 1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelFiles, Path]:
    """A model, and a cache that holds its export, which three workers wanted at once."""
    cache = tmp_path_factory.mktemp("exported")
    files = resolve(str(write_tiny_model(cache / "tiny.zip")), cache)
    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(lambda _: export.ensure_exported(files, cache), range(3)))) == 1
    return files, cache


def exports(cache: Path) -> set[str]:
    return {path.name for path in (cache / "onnx").iterdir() if path.is_dir()}


def test_a_package_is_exported_once_and_by_one_of_several_workers(exported: tuple[ModelFiles, Path]) -> None:
    files, cache = exported
    folder = package.folder_for(files, cache)
    assert exports(cache) == {folder.name} and package.load(folder, 1).vocabulary.tokens[2] == "<space>"


def test_a_damaged_export_is_made_again_once_by_one_of_several_workers(
    exported: tuple[ModelFiles, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files, cache = exported
    shutil.copytree(cache / "onnx", tmp_path / "onnx")
    folder = package.folder_for(files, tmp_path)
    os.truncate(folder / "encoder.bin", 100)
    with caplog.at_level(logging.WARNING, "speech.recognizer"), ThreadPoolExecutor(3) as pool:
        packages = list(pool.map(lambda _: export.load_exported(files, tmp_path, 1), range(3)))
    assert [record.getMessage() for record in caplog.records] == [
        f"the export of the model {files.name} in {folder} does not load (Fail) and is made again"
    ]
    whole = export.load_exported(files, cache, 1)
    features = whole.features(np.ones(16_000, np.float32))
    for ready in packages:
        np.testing.assert_array_equal(ready.networks.encode(features)[1], whole.networks.encode(features)[1])
    assert exports(tmp_path) == {folder.name}


DAMAGE = {"features.npz": b"", "vocabulary.json": b'{"tokens": [', "step.onnx": b"no network", "encoder.bin": None}


@pytest.mark.parametrize("name, content", DAMAGE.items(), ids=DAMAGE)
def test_every_damage_is_noticed(
    exported: tuple[ModelFiles, Path], tmp_path: Path, name: str, content: bytes | None
) -> None:
    files, cache = exported
    folder = shutil.copytree(package.folder_for(files, cache), tmp_path / "copy")
    assert export._load(files, folder, 1).vocabulary.tokens
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=r"does not load \(\w+\)$"):
        export._load(files, folder, 1)


def test_an_export_takes_the_place_of_the_outdated_ones_of_its_model_only(
    exported: tuple[ModelFiles, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, cache = exported
    shutil.copytree(cache / "onnx", tmp_path / "onnx")
    outdated = package.folder_for(files, tmp_path)
    running = export.load_exported(files, tmp_path, 1)  # a worker that has it mapped
    other, killed = tmp_path / "onnx" / "0123456789ab-0123456789ab", outdated.with_name(outdated.name[:13] + "draft")
    other.mkdir()
    killed.mkdir()
    monkeypatch.setattr(package, "_processor", lambda: "another processor, or another ONNX Runtime")
    renewed = export.ensure_exported(files, tmp_path)
    assert renewed != outdated and exports(tmp_path) == {renewed.name, other.name}
    assert np.isfinite(running.networks.encode(running.features(np.ones(16_000, np.float32)))[1]).all()
    assert package.load(renewed, 1).vocabulary == running.vocabulary


def test_a_cache_that_cannot_be_written_is_one_sentence(exported: tuple[ModelFiles, Path], tmp_path: Path) -> None:
    (tmp_path / "onnx").write_text("no folder")
    with pytest.raises(ModelError, match=r"onnx for exported models cannot be written"):
        export.ensure_exported(exported[0], tmp_path)


def test_weights_that_do_not_fit_are_one_sentence(tmp_path: Path) -> None:
    files = resolve(str(write_tiny_model(tmp_path / "tiny.zip")), tmp_path)
    files.asr_model_file.write_bytes(b"no weights")
    with pytest.raises(ModelError, match=r"cannot be used: its files cannot be loaded \(\w+\)$"):
        export.ensure_exported(files, tmp_path)
    assert not [path for path in (tmp_path / "onnx").iterdir() if path.is_dir()]
