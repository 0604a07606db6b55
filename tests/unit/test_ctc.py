"""The CTC kernels against the definition: every path of a few frames is counted."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.decoding.ctc import align, greedy, prefix_beam
from recognizer.decoding.phrases import build

BLANK, EOS = 0, 4
NOTHING = build([])


def random_log_probs(seed: int, frames: int, tokens: int = 5) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 2, (frames, tokens))
    logits[:, EOS] = -12  # as in a trained model: the end is the decoder's to say
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(token for token, _ in itertools.groupby(path) if token != BLANK)


def all_readings(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """Log probability of every token sequence, summed over all paths."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(EOS), repeat=len(log_probs)):
        score = float(sum(log_probs[t, token] for t, token in enumerate(path)))
        found[collapsed(path)] = float(np.logaddexp(found.get(collapsed(path), -np.inf), score))
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_a_wide_beam_finds_the_exact_probabilities(seed: int, frames: int) -> None:
    log_probs = random_log_probs(seed, frames)
    expected = sorted(all_readings(log_probs).items(), key=lambda item: -item[1])
    found = prefix_beam(log_probs, 500, BLANK, EOS, NOTHING)
    assert len({one.tokens for one in found}) == len(found)
    for (tokens, score, _), (reading, probability) in zip(found[:5], expected[:5], strict=False):
        assert score == pytest.approx(probability, abs=1e-4)
        assert tokens == reading or abs(dict(expected)[tokens] - probability) < 1e-4


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 20))
def test_a_narrow_beam_is_sorted_and_never_too_sure(seed: int, frames: int, beam: int) -> None:
    found = prefix_beam(random_log_probs(seed, frames), beam, BLANK, EOS, NOTHING)
    scores = [one.score for one in found]
    assert 1 <= len(found) <= beam and scores == sorted(scores, reverse=True)
    assert scores[0] <= 1e-6
    assert all(EOS not in one.tokens and BLANK not in one.tokens for one in found)


def test_a_phrase_survives_where_speech_says_something_close() -> None:
    log_probs = np.full((9, 5), -6.0, np.float32)
    log_probs[:, BLANK] = -0.1
    for t, (likely, close) in zip((1, 4, 7), ((1, 2), (3, 1), (2, 3)), strict=True):
        log_probs[t] = -6.0
        log_probs[t, likely], log_probs[t, close] = -0.4, -1.8
    assert prefix_beam(log_probs, 4, BLANK, EOS, NOTHING)[0][0] == (1, 3, 2)
    assert prefix_beam(log_probs, 4, BLANK, EOS, build([((2, 1, 3), 6.0)]))[0][0] == (2, 1, 3)
    assert prefix_beam(log_probs, 4, BLANK, EOS, build([((2, 1, 3), 1.0)]))[0][0] == (1, 3, 2)


def test_greedy_drops_blanks_and_repetitions() -> None:
    path = [0, 1, 1, 0, 1, 2, 2, 3, 0]
    tokens, begins = greedy(np.log(np.eye(5, dtype=np.float32)[path] + 1e-6), BLANK)
    assert tokens == [1, 1, 2, 3] and begins == [1, 4, 5, 7]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_alignment_is_the_best_path(seed: int, frames: int, tokens: list[int]) -> None:
    log_probs = random_log_probs(seed, frames)
    paths = [path for path in itertools.product(range(EOS), repeat=frames) if collapsed(path) == tuple(tokens)]
    spans = align(log_probs, tokens, BLANK)
    if not paths:
        assert spans == []
        return
    best = max(paths, key=lambda path: sum(log_probs[t, token] for t, token in enumerate(path)))
    ours = np.zeros(frames, np.int64)
    for token, (first, end, heard) in zip(tokens, spans, strict=True):
        ours[first:end] = token
        assert first < end and heard == pytest.approx(log_probs[first:end, token].max())
    score = sum(log_probs[t, token] for t, token in enumerate(ours))
    assert collapsed(tuple(ours.tolist())) == tuple(tokens)
    assert score == pytest.approx(sum(log_probs[t, token] for t, token in enumerate(best)), abs=1e-4)


def test_no_tokens_align_with_nothing() -> None:
    assert align(random_log_probs(0, 5), [], BLANK) == []
