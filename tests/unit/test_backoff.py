"""Models of words with back-off: what may follow adds up to one, however they are mixed, thinned out and stored."""

from pathlib import Path

import numpy as np
import pytest

from recognizer.decoding.ngram import load, walk
from training.backoff import BackOff, arrays, mixed, thinned
from training.words import learned

WORDS = ["a", "b", "c", "d"]
END = len(WORDS)
LETTERS = ((0, 1, 2), (0, 1, 2), (0, 1, 3), (0, 1, 3), (1, 2, 0), (2, 2, 1), (3,))
OTHERS = ((3, 2, 1), (3, 2, 1), (3, 2, 1, 0), (2, 0), (2, 0))


def one() -> BackOff:
    return learned(LETTERS, END)


def other() -> BackOff:
    return learned(OTHERS, END)


def every(width: int) -> np.ndarray:
    return np.stack(np.meshgrid(*[np.arange(END + 1)] * width, indexing="ij"), axis=-1).reshape(-1, width)


def totals(model: BackOff) -> np.ndarray:
    """Of each context of two words and of one, the sum over what may follow."""
    two, three = model.after_one(every(2)), model.after_two(every(3))
    return np.concatenate([np.exp(scores).reshape(-1, END + 1).sum(axis=1) for scores in (two, three)])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_mixture_adds_up_to_one(share: float) -> None:
    np.testing.assert_allclose(totals(mixed(one(), other(), share)), 1.0, atol=2e-3)


def test_each_side_is_trusted_after_what_it_is_the_likelier_to_meet() -> None:
    both = mixed(one(), other(), 0.5)
    ours, theirs = (model.after_one(np.array([[0, 1], [3, 2]])) for model in (one(), other()))
    found = both.after_one(np.array([[0, 1], [3, 2]]))
    assert abs(found[0] - ours[0]) < abs(found[0] - theirs[0])
    assert abs(found[1] - theirs[1]) < abs(found[1] - ours[1])


def test_all_of_one_side_is_that_side() -> None:
    nearly = mixed(one(), other(), 1 - 1e-9)
    np.testing.assert_allclose(nearly.after_two(every(3)), one().after_two(every(3)), atol=1e-3)


def test_thinning_keeps_what_says_most() -> None:
    whole = mixed(one(), other(), 0.5)
    small = thinned(whole, 4, 1)
    assert len(small.pairs) == 4 and len(small.triples) <= 1
    np.testing.assert_allclose(totals(small), 1.0, atol=2e-3)
    all_kept = thinned(whole, len(whole.pairs), len(whole.triples))
    np.testing.assert_allclose(all_kept.after_two(every(3)), whole.after_two(every(3)), atol=1e-6)


def test_the_stored_automaton_says_what_the_model_says(tmp_path: Path) -> None:
    model, path = mixed(one(), other(), 0.5), tmp_path / "ngram.npz"
    np.savez(path, **arrays(model, WORDS))  # type: ignore[arg-type]
    ngram = load(path, 9, 1.0, ("▁a", "▁b", "▁c", "▁d"))
    for row in every(3):
        state, first = walk(ngram.start, row[0], ngram.contexts)
        assert first == pytest.approx(model.after_one(np.array([[END, row[0]]]))[0], abs=0.07)
        state, second = walk(state, row[1], ngram.contexts)
        assert second == pytest.approx(model.after_two(np.array([[END, *row[:2]]]))[0], abs=0.1)
        assert walk(state, row[2], ngram.contexts)[1] == pytest.approx(model.after_two(row[None])[0], abs=0.1)
