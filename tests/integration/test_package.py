"""The files of an exported model: what was saved comes back, and another model gets another folder."""

import os
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from recognizer.decoding import package
from recognizer.decoding.features import Features
from recognizer.decoding.package import UnsupportedError
from recognizer.models import ModelFiles
from tests.tiny_model import build_tiny_model

pytestmark = pytest.mark.filterwarnings("default")


def test_there_and_back(tmp_path: Path) -> None:
    from recognizer.decoding import export, parts

    model, args = build_tiny_model()
    export.export_model(model, args, tmp_path)
    ready = package.load(tmp_path, 1)
    assert ready.vocabulary == parts.vocabulary_of(model, args)
    expected = parts.features_of(model)
    for name, value in vars(expected).items():
        np.testing.assert_array_equal(vars(ready.features)[name], value)
    assert isinstance(ready.features, Features) and isinstance(ready.features.hop, int)


def test_numpy_has_no_threads_of_its_own_beside_the_networks(tmp_path: Path) -> None:
    from recognizer.decoding import export

    export.export_model(*build_tiny_model(), tmp_path)
    with threadpool_limits(2, "blas"):
        package.load(tmp_path, 2)
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}


def test_a_refusal_is_remembered(tmp_path: Path) -> None:
    (tmp_path / package.REFUSAL).write_text("a strange decoder")
    with pytest.raises(UnsupportedError, match="a strange decoder"):
        package.load(tmp_path, 1)


def test_another_model_gets_another_folder(tmp_path: Path) -> None:
    config, weights = tmp_path / "config.yaml", tmp_path / "model.pth"
    config.write_text("a: 1")
    weights.write_text("1")
    files = ModelFiles("m", config, weights)
    first = package.folder_for(files, tmp_path)
    assert package.folder_for(files, tmp_path) == first
    config.write_text("a: 2")
    second = package.folder_for(files, tmp_path)
    os.utime(weights, (1, 1))
    assert len({first, second, package.folder_for(files, tmp_path)}) == 3
