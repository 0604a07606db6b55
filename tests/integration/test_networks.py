"""ONNX Runtime and torch give the same, and their threads stay within their number."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.test_export import CLOSE, MODELS, SIZE
from tests.tiny_model import build_tiny_model

pytestmark = pytest.mark.filterwarnings("default")


def test_onnx_equals_torch(tmp_path: Path) -> None:
    from recognizer.decoding import export, package, parts

    model, args = build_tiny_model()
    export.export_model(model, args, tmp_path)
    exported = package.load(tmp_path, 2).networks
    eager = parts.checked_torch_package(model, args, "cpu").networks
    features = np.random.default_rng(0).normal(size=(120, 80)).astype(np.float32)
    for ours, expected in zip(exported.encode(features), eager.encode(features), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-4)
    hidden, _ = eager.encode(features)
    for ours, expected in zip(exported.memory(hidden), eager.memory(hidden), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-4)


TOGETHER = MODELS | {"positions of the first kind": {"encoder_conf": {**SIZE, "rel_pos_type": "legacy"}}}


@pytest.mark.parametrize("changes", TOGETHER.values(), ids=TOGETHER)
def test_several_at_once_are_each_as_alone(changes: dict[str, Any]) -> None:
    from recognizer.decoding import parts
    from recognizer.decoding.networks import TorchNetworks

    model, _ = build_tiny_model(**changes)
    networks = TorchNetworks(parts.with_batches(parts.graphs_of(model)), "cpu")
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(frames, 80)).astype(np.float32) for frames in (31, 200, 98, 97)]
    for ours, one in zip(networks.encode_all(features), features, strict=True):
        for found, expected in zip(ours, networks.encode(one), strict=True):
            np.testing.assert_allclose(found, expected, atol=CLOSE)
    assert networks.encode_all([]) == []
