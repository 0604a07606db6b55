"""All candidates of a step at once score what they do one by one."""

from pathlib import Path

import numpy as np

from recognizer.decoding.ngram import follow
from recognizer.decoding.ngram_scores import told_next
from recognizer.decoding.phrases import build
from tests.unit.test_ctc import EOS
from tests.unit.test_ngram import model


def test_each_candidate_of_each_hypothesis(tmp_path: Path) -> None:
    ngram, phrases = model(tmp_path), build([((3, 1), 1.0)])
    contexts = np.array([ngram.begin, follow(ngram.begin, 2, False, False, ngram.arrays)[0]])
    states, candidates = np.array([phrases.start, phrases.after(phrases.start, 3)]), np.array([[1, 2, 3], [3, 2, 1]])
    reached, scores, ends = told_next(contexts, states, candidates, phrases, ngram)
    for n in range(2):
        for s in range(3):
            expected = follow(contexts[n], candidates[n, s], False, False, ngram.arrays)
            assert (reached[n, s], scores[n, s]) == expected
        assert ends[n] == follow(contexts[n], EOS, False, False, ngram.arrays)[1]
