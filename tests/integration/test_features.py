"""Log-mel features in numpy against ESPnet's own, for odd lengths too."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.decoding.features import Features

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def pair() -> tuple[object, Features]:
    from recognizer.decoding.parts import features_of
    from tests.tiny_model import build_tiny_model

    model, _ = build_tiny_model(normalize_conf={"norm_means": True, "norm_vars": True})
    return model, features_of(model)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1_000), st.integers(400, 20_000), st.floats(-5, 0))
def test_equal_to_espnet(pair: tuple[object, Features], seed: int, samples: int, level: float) -> None:
    import torch

    model, features = pair
    audio = (np.random.default_rng(seed).normal(0, 10**level, samples)).astype(np.float32)
    with torch.inference_mode():
        expected, lengths = model._extract_feats(torch.from_numpy(audio)[None], torch.tensor([samples]))  # type: ignore[attr-defined]
        expected, _ = model.normalize(expected, lengths)  # type: ignore[attr-defined]
    ours = features(audio)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected[0].numpy(), atol=2e-3)


def test_digital_silence_is_finite(pair: tuple[object, Features]) -> None:
    assert np.isfinite(pair[1](np.zeros(16_000, np.float32))).all()
