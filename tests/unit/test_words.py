"""What a recipe's texts and a model of other people's texts make together."""

import numpy as np
import pytest

from recognizer.decoding.ngram import WORDS
from training.backoff import BackOff
from training.words import MARKS, NEVER, learned, renumbered, word_model

NAMES = ["</s>", "<s>", "fifth", "b.", "cat", "the"]


def general() -> BackOff:
    """Of `NAMES`, with a sentence's marks as words of their own, as pocketsphinx has them."""
    pairs = np.array([[1, 5], [3, 4], [4, 0], [5, 4]])
    triples = np.array([[1, 5, 4], [5, 4, 0]])
    scores = np.log([0.2, 1e-9, 0.1, 0.1, 0.2, 0.4])
    return BackOff(
        scores, np.log(np.full(6, 0.5)), pairs, np.log([0.7, 0.5, 0.6, 0.8]), np.log(np.full(4, 0.4)),
        triples, np.log([0.9, 0.75]),
    )  # fmt: skip


def test_marks_become_the_end_and_what_is_no_word_is_left_out() -> None:
    numbers = {"cat": 0, "fifth": 1, "new": 2, "the": 3}
    model = renumbered(NAMES, general(), numbers)
    assert model.pairs.tolist() == [[0, 4], [3, 0], [4, 3]]
    np.testing.assert_allclose(np.exp(model.pair_scores), [0.6, 0.8, 0.7])
    assert model.triples.tolist() == [[3, 0, 4], [4, 3, 0]]
    np.testing.assert_allclose(np.exp(model.triple_scores), [0.75, 0.9])
    assert model.scores[2] == NEVER and np.exp(model.scores[4]) == pytest.approx(0.2)


def test_the_words_of_both_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.words.sphinx.model", lambda: (NAMES, general()))
    stored = word_model(["f i v e", "f i v e", "the fifth"], 0.5, 100, 100)
    assert bytes(stored[WORDS]).decode().split("\n") == ["cat", "e", "f", "fifth", "i", "the", "v"]
    assert not set(MARKS) & set(bytes(stored[WORDS]).decode().split("\n"))


def test_what_is_learned_is_said_of_what_was_not_met() -> None:
    model = learned([[0, 1], [0, 1], [1, 0]], 2)
    after_start = model.after_one(np.array([[2, 0], [2, 1], [2, 2]]))
    assert np.exp(after_start).sum() == pytest.approx(1.0) and after_start.argmax() == 0
