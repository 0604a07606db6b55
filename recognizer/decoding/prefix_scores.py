"""CTC prefix probabilities for the joint search (Watanabe et al. 2017, doi:10.1109/JSTSP.2017.2763455, algorithm 2).

ESPnet runs the recursion over time for every candidate of every hypothesis. Here a candidate costs one dot product
over time, and only the hypotheses that survive run the recursion; in probabilities, scaled once a token.
"""

import math

import numba
import numpy as np

from recognizer.decoding.networks import Doubles, Floats, Ids

NEVER = -1e10  # ESPnet's log of zero
TINY = 5e-324  # smallest double: keeps the logarithm of an underflow finite


class PrefixScores:
    """Forward variables of the hypotheses in the beam; one object an utterance."""

    def __init__(self, log_probs: Floats, blank: int, eos: int) -> None:
        self._probs = np.ascontiguousarray(np.exp(log_probs.T.astype(np.float64)))  # (V, T)
        self._blank, self._eos = blank, eos
        self._others = np.zeros((1, len(log_probs)))  # ends in its last token at t; scaled by exp(-scale)
        self._blanks = np.cumprod(self._probs[blank])[None]  # ends in blank at t
        self._scale = np.zeros(1)
        self._last = np.full(1, -1, np.int64)

    def score(self, candidates: Ids) -> tuple[Doubles, Doubles]:
        """Log probability of the prefixes (n, S) one candidate longer, and of ending here (n,)."""
        scores = np.empty(candidates.shape)
        _prefixes(self._others, self._blanks, self._scale, self._last, self._probs, candidates, scores)
        scores[(candidates == self._blank) | (candidates == self._eos)] = NEVER
        ends = np.log(np.maximum(self._others[:, -1] + self._blanks[:, -1], TINY)) + self._scale
        return scores, ends

    def extend(self, hypotheses: Ids, tokens: Ids) -> None:
        """The beam is now these hypotheses, each one token longer."""
        others, blanks = (np.empty((len(tokens), self._probs.shape[1])) for _ in range(2))
        scale = np.empty(len(tokens))
        _extend(
            self._others, self._blanks, self._scale, self._last, self._probs, self._blank,
            hypotheses, tokens, others, blanks, scale,
        )  # fmt: skip
        self._others, self._blanks, self._scale, self._last = others, blanks, scale, tokens


@numba.njit(cache=True, fastmath={"reassoc", "contract"})  # sums over time in vectors
def _prefixes(
    others: Doubles, blanks: Doubles, scale: Doubles, last: Ids, probs: Doubles, candidates: Ids, scores: Doubles
) -> None:
    frames = probs.shape[1]
    for n in range(candidates.shape[0]):
        before = others[n] + blanks[n]
        for s in range(candidates.shape[1]):
            token = candidates[n, s]
            ways = blanks[n] if token == last[n] else before  # a repetition needs a blank between
            total = 0.0
            for t in range(1, frames):
                total += ways[t - 1] * probs[token, t]
            if last[n] < 0:
                total += probs[token, 0]
            scores[n, s] = math.log(total) + scale[n] if total > 0 else NEVER


@numba.njit(cache=True)
def _extend(
    others: Doubles, blanks: Doubles, scale: Doubles, last: Ids, probs: Doubles, blank: int,
    hypotheses: Ids, tokens: Ids, new_others: Doubles, new_blanks: Doubles, new_scale: Doubles,
) -> None:  # fmt: skip
    frames = probs.shape[1]
    for n in range(tokens.shape[0]):
        old, token = hypotheses[n], tokens[n]
        repeated = token == last[old]
        other = probs[token, 0] if last[old] < 0 else 0.0
        ending = 0.0
        most = other
        new_others[n, 0], new_blanks[n, 0] = other, 0.0
        for t in range(1, frames):
            ways = blanks[old, t - 1] if repeated else others[old, t - 1] + blanks[old, t - 1]
            ending = (other + ending) * probs[blank, t]
            other = (new_others[n, t - 1] + ways) * probs[token, t]
            new_others[n, t], new_blanks[n, t] = other, ending
            most = max(most, other + ending)
        new_scale[n] = scale[old]
        if most > 0:
            for t in range(frames):
                new_others[n, t] /= most
                new_blanks[n, t] /= most
            new_scale[n] += math.log(most)
