"""What every search keeps to: the shortest audio, the longest output, the least confidence."""

import numpy as np

from audio import SAMPLE_RATE, Samples

MIN_SAMPLES = SAMPLE_RATE // 2  # shorter audio is filled up with silence: encoders need a few frames
TOKENS_PER_SECOND = 25  # cap on the output: nobody speaks faster, and stock search runs for minutes on noise
MIN_CONFIDENCE = 1e-4


def padded(audio: Samples) -> Samples:
    """A copy, at least MIN_SAMPLES long."""
    missing = max(0, MIN_SAMPLES - len(audio))
    return np.concatenate((audio, np.zeros(missing, np.float32)))


def max_tokens(samples: int) -> int:
    """Of one utterance; a short one may hold ten more than its length allows."""
    return 10 + TOKENS_PER_SECOND * samples // SAMPLE_RATE


def bounded(confidence: float) -> float:
    """Brought into [MIN_CONFIDENCE, 1]."""
    return min(1.0, max(MIN_CONFIDENCE, confidence))
