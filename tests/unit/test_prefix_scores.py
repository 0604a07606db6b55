"""CTC prefix probabilities against the sum over every path of a few frames."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.decoding.prefix_scores import NEVER, PrefixScores
from tests.unit.test_ctc import BLANK, EOS, collapsed, random_log_probs


def reference(log_probs: np.ndarray, prefix: tuple[int, ...]) -> tuple[float, float]:
    """Log probability that a reading begins with the prefix, and that it is the prefix; over all paths."""
    begins, equals = -np.inf, -np.inf
    for path in itertools.product(range(5), repeat=len(log_probs)):
        score = float(sum(log_probs[t, token] for t, token in enumerate(path)))
        reading = collapsed(path)
        if reading[: len(prefix)] == prefix:
            begins = float(np.logaddexp(begins, score))
        if reading == prefix:
            equals = float(np.logaddexp(equals, score))
    return begins, equals


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1_000), st.integers(1, 5), st.lists(st.integers(1, 3), max_size=3))
def test_prefixes_and_ends(seed: int, frames: int, prefix: list[int]) -> None:
    log_probs = random_log_probs(seed, frames)
    scores = PrefixScores(log_probs, BLANK, EOS)
    for token in prefix:
        scores.extend(np.zeros(1, np.int64), np.array([token]))
    longer, ends = scores.score(np.array([[BLANK, 1, 2, 3, EOS]]))
    assert longer[0, 0] == longer[0, 4] == NEVER
    for token in (1, 2, 3):
        expected, _ = reference(log_probs, (*prefix, token))
        if np.isfinite(expected):
            assert longer[0, token] == pytest.approx(expected, abs=1e-4)
        else:
            assert longer[0, token] < -600
    _, expected = reference(log_probs, tuple(prefix))
    assert ends[0] == pytest.approx(expected, abs=1e-4) if np.isfinite(expected) else ends[0] < -600


def test_long_utterances_do_not_underflow() -> None:
    log_probs = random_log_probs(1, 3_000)
    scores = PrefixScores(log_probs, BLANK, EOS)
    for step in range(40):
        longer, ends = scores.score(np.array([[1, 2, 3]]))
        assert np.isfinite(longer).all() and np.isfinite(ends).all()
        scores.extend(np.zeros(1, np.int64), np.array([1 + step % 3]))
