"""The limits that all searches share."""

import numpy as np
import pytest

from recognizer.limits import MIN_CONFIDENCE, MIN_SAMPLES, bounded, max_tokens, padded


@pytest.mark.parametrize("samples", [1, MIN_SAMPLES - 1, MIN_SAMPLES, 3 * MIN_SAMPLES])
def test_short_audio_is_filled_up_with_silence(samples: int) -> None:
    audio = np.ones(samples, np.float32)
    audio.flags.writeable = False
    ready = padded(audio)
    assert len(ready) == max(samples, MIN_SAMPLES) and ready.dtype == np.float32 and ready.flags.writeable
    assert (ready[:samples] == 1).all() and not ready[samples:].any()


@pytest.mark.parametrize("samples, tokens", [(0, 10), (8_000, 22), (16_000, 35), (160_000, 260)])
def test_the_cap_on_the_output_grows_with_the_audio(samples: int, tokens: int) -> None:
    assert max_tokens(samples) == tokens


@pytest.mark.parametrize("value, confidence", [(0.0, MIN_CONFIDENCE), (0.5, 0.5), (1.0, 1.0), (1.0001, 1.0)])
def test_a_confidence_is_above_zero_and_at_most_one(value: float, confidence: float) -> None:
    assert bounded(value) == confidence
