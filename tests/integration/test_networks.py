"""ONNX Runtime and torch give the same, and their threads stay within their number."""

from pathlib import Path

import numpy as np
import pytest

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
