"""The n-gram model as a scorer of the joint search: all candidates of a step in one call."""

import numba
import numpy as np

from recognizer.decoding.networks import Doubles, Ids
from recognizer.decoding.ngram import NGram, NGramArrays, follow
from recognizer.decoding.phrases import Flags, PhraseGraph, advance


def told_next(
    contexts: Ids, states: Ids, candidates: Ids, phrases: PhraseGraph, ngram: NGram
) -> tuple[Ids, Doubles, Doubles]:
    """Of n hypotheses, by their states in the n-gram model and among the phrases, and S candidates each: the states of
    the model after them (n, S), their log probabilities (n, S), and those of the end (n,)."""
    return _told_next(contexts, states, candidates, ngram.arrays, *phrases.arrays)


@numba.njit(cache=True)
def _told_next(
    contexts: Ids, states: Ids, candidates: Ids, ngram: NGramArrays,
    first: Ids, labels: Ids, targets: Ids, fails: Ids, pending: Doubles, awards: Doubles, start: int, final: int,
    inside: Flags,
) -> tuple[Ids, Doubles, Doubles]:  # fmt: skip
    _, _, eos = ngram
    reached, scores, ends = np.zeros_like(candidates), np.zeros(candidates.shape), np.zeros(len(contexts))
    for n in range(len(contexts)):
        ends[n] = follow(contexts[n], eos, False, False, ngram)[1]
        for s in range(candidates.shape[1]):
            token = candidates[n, s]
            state = advance(states[n], token, first, labels, targets, fails)
            reached[n, s], scores[n, s] = follow(
                contexts[n], token, pending[state] + awards[state] > 0, awards[state] > 0, ngram
            )
    return reached, scores, ends
