"""A back-off n-gram model of tokens (Kneser and Ney 1995): an automaton along which the CTC beam goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numba
import numpy as np
from numpy.typing import NDArray

from recognizer.base import ModelError
from recognizer.decoding.networks import Doubles, Ids
from recognizer.decoding.phrases import ROOT, arc

IDS, SCORES = ("first", "labels", "targets", "fails"), ("scores", "backoffs")  # the arrays of a file
NGramArrays = tuple[Ids, Ids, Ids, Ids, Doubles, Doubles]
UNHEARD = -12.0  # natural logarithm of the probability of a token that no text held


@dataclass(frozen=True, eq=False)
class NGram:
    """States are contexts; a state's arcs are `labels[first[state] : first[state + 1]]`, sorted."""

    first: Ids
    labels: Ids
    targets: Ids
    fails: Ids  # the context without its oldest token
    scores: Doubles  # natural log probability of each arc
    backoffs: Doubles  # of each state: added when no arc fits
    start: int  # state before the first token
    eos: int
    weight: float

    @property
    def arrays(self) -> NGramArrays:
        return self.first, self.labels, self.targets, self.fails, self.scores, self.backoffs

    def sentences(self, hypotheses: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Weighted log probability of each, its end included, shape (n,)."""
        rows = [np.array((*hypothesis, self.eos), np.int64) for hypothesis in hypotheses]
        return self.weight * np.array([_sentence(row, self.start, *self.arrays) for row in rows])

    @property
    def sound(self) -> bool:
        """Whether one can walk along it: compiled code does not look where it steps."""
        states, arcs = len(self.fails), len(self.labels)
        return bool(
            len(self.first) == states + 1 == len(self.backoffs) + 1
            and arcs == len(self.targets) == len(self.scores) == self.first[-1]
            and (np.diff(self.first, prepend=0) >= 0).all()
            and ((0 <= self.targets) & (self.targets < states)).all()
            and ((0 <= self.fails) & (self.fails <= np.maximum(np.arange(states) - 1, 0))).all()
            and 0 <= self.start < states
        )


def nothing(eos: int) -> NGram:
    """Knows no text and weighs nothing."""
    none, zeros = np.zeros(0, np.int64), np.zeros(1, np.int64)
    return NGram(np.zeros(2, np.int64), none, none, zeros, np.zeros(0), np.zeros(1), ROOT, eos, 0.0)


def load(path: Path, eos: int, weight: float) -> NGram:
    """Raises ModelError."""
    try:
        with np.load(path) as stored:
            first, labels, targets, fails = (stored[name].astype(np.int64) for name in IDS)
            scores, backoffs = (stored[name].astype(np.float64) for name in SCORES)
            ngram = NGram(first, labels, targets, fails, scores, backoffs, int(stored["start"]), eos, weight)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ModelError(f"the n-gram model {path.name} cannot be read ({type(error).__name__})") from error
    if not ngram.sound:
        raise ModelError(f"the n-gram model {path.name} is damaged")
    return ngram


@numba.njit(cache=True)
def walk(
    state: int, token: int, first: Ids, labels: Ids, targets: Ids, fails: Ids, scores: Doubles, backoffs: Doubles
) -> tuple[int, float]:
    """The state after a token, and its log probability."""
    total = 0.0
    while True:
        at = arc(state, token, first, labels)
        if at >= 0:
            return int(targets[at]), total + scores[at]
        if state == ROOT:
            return ROOT, total + UNHEARD
        total += backoffs[state]
        state = fails[state]


@numba.njit(cache=True)
def _sentence(
    tokens: Ids, start: int, first: Ids, labels: Ids, targets: Ids, fails: Ids, scores: Doubles, backoffs: Doubles
) -> float:
    state, total = start, 0.0
    for token in tokens:
        state, score = walk(state, token, first, labels, targets, fails, scores, backoffs)
        total += score
    return total
