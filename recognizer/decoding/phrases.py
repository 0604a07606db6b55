"""Phrases the user expects, as an automaton over tokens (Aho and Corasick 1975) whose states carry log-score bonuses.

A part of a phrase gets its part of the bonus at once, so that the beam keeps it, and gives it back when the speech goes
another way. A `boost` is the natural logarithm of how many times likelier than the model thinks the phrase shall be.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from recognizer.decoding.networks import Doubles, Ids

ROOT = 0
Flags = NDArray[np.bool_]
NOT_TOLD: Flags = np.zeros(0, np.bool_)
MOST_WANTED = 60  # a state with more children puts none forward: those that the frame makes likely must do


@dataclass(frozen=True, eq=False)
class PhraseGraph:
    """States are numbers; a state's children are `labels[first[state] : first[state + 1]]`, sorted."""

    first: Ids
    labels: Ids
    targets: Ids
    fails: Ids  # where to go on when no child fits
    pending: Doubles  # bonus held by a phrase that is not complete
    awards: Doubles  # bonus given for good on entering the state
    start: int  # state before the first token
    final: int  # token that ends a word, heard in thought after the last token; -1 when words have no such token
    inside: Flags  # tokens that go on with a word, shape (V,): after one the phrase was but the beginning of a word

    @property
    def arrays(self) -> tuple[Ids, Ids, Ids, Ids, Doubles, Doubles, int, int, Flags]:
        return (
            self.first, self.labels, self.targets, self.fails, self.pending, self.awards, self.start, self.final,
            self.inside,
        )  # fmt: skip

    def after(self, state: int, token: int) -> int:
        """The next state."""
        return int(advance(state, token, self.first, self.labels, self.targets, self.fails))

    def bonuses(self, state: int, vocabulary: int) -> Doubles:
        """What each token of the vocabulary adds in this state, shape (V,)."""
        found = np.full(vocabulary, -self.pending[state])
        if self.awards[state]:
            found[: len(self.inside)][self.inside] -= self.awards[state]
        known = set[int]()
        while True:
            for at in range(self.first[state], self.first[state + 1]):
                token, reached = int(self.labels[at]), self.targets[at]
                if token not in known:  # a nearer state was there first
                    known.add(token)
                    found[token] += self.pending[reached] + self.awards[reached]
            if state == ROOT:
                return found
            state = int(self.fails[state])

    def score(self, tokens: Iterable[int]) -> float:
        """The bonus of a whole hypothesis."""
        state, total = self.start, 0.0
        for token in tokens:
            reached = self.after(state, token)
            total += gained(state, token, reached, self.pending, self.awards, self.inside)
            state = reached
        return total + self.at_end(state)

    def at_end(self, state: int) -> float:
        """What the end of the utterance adds in this state."""
        return float(value(state, self.final, *self.arrays[:6]))


def build(
    phrases: Sequence[tuple[tuple[int, ...], float]], word_end: int = -1, inside: Flags = NOT_TOLD
) -> PhraseGraph:
    """From token sequences with their boosts.

    Whole words are meant where words end with a token (`word_end`, a space) or tokens tell that they go on with a word.
    """
    children: list[dict[int, int]] = [{}]
    pending, awards = [0.0], [0.0]
    if phrases and word_end >= 0:
        children[ROOT][word_end] = _new_state(children, pending, awards)
    for tokens, boost in phrases:
        row = (word_end, *tokens, word_end) if word_end >= 0 else tokens
        state = ROOT
        for depth, token in enumerate(row):
            if token not in children[state]:
                children[state][token] = _new_state(children, pending, awards)
            state = children[state][token]
            if depth + 1 < len(row) and not (depth == 0 and word_end >= 0):
                pending[state] = max(pending[state], boost * (depth + 1) / len(row))
        awards[state] = max(awards[state], boost)
    for state, award in enumerate(awards):
        if award:
            pending[state] = 0.0  # what a longer phrase holds begins anew
    fails = _fail_links(children)
    first = np.cumsum([0, *(len(row) for row in children)]).astype(np.int64)
    pairs = [pair for row in children for pair in sorted(row.items())]
    labels, targets = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
    start = children[ROOT].get(word_end, ROOT)
    graph = (first, labels, targets, np.array(fails, np.int64), np.array(pending), np.array(awards))
    return PhraseGraph(*graph, start, word_end, inside)


def _new_state(children: list[dict[int, int]], pending: list[float], awards: list[float]) -> int:
    children.append({})
    pending.append(0.0)
    awards.append(0.0)
    return len(children) - 1


def _fail_links(children: list[dict[int, int]]) -> list[int]:
    fails = [ROOT] * len(children)
    queue = deque(children[ROOT].values())
    while queue:
        state = queue.popleft()
        for token, child in children[state].items():
            fall = fails[state]
            while fall != ROOT and token not in children[fall]:
                fall = fails[fall]
            fails[child] = children[fall].get(token, ROOT)
            queue.append(child)
    return fails


@numba.njit(cache=True)
def arc(state: int, token: int, first: NDArray[Any], labels: NDArray[Any]) -> int:
    """Where in `labels` this state's arc of a token is; -1 without one."""
    low, end = first[state], first[state + 1]
    high = end
    while low < high:
        middle = (low + high) // 2
        if labels[middle] < token:
            low = middle + 1
        else:
            high = middle
    return int(low) if low < end and labels[low] == token else -1


@numba.njit(cache=True)
def advance(state: int, token: int, first: Ids, labels: Ids, targets: Ids, fails: Ids) -> int:
    """The state after a token."""
    while True:
        at = arc(state, token, first, labels)
        if at >= 0:
            return int(targets[at])
        if state == ROOT:
            return ROOT
        state = fails[state]


@numba.njit(cache=True)
def gained(state: int, token: int, reached: int, pending: Doubles, awards: Doubles, inside: Flags) -> float:
    """What a token adds on its way from a state to the next."""
    bonus = pending[reached] + awards[reached] - pending[state]
    return float(bonus - awards[state] if token < inside.shape[0] and inside[token] else bonus)


@numba.njit(cache=True)
def children(state: int, first: Ids, labels: Ids, found: Ids, count: int) -> int:
    """Appends the tokens that go on with a phrase to `found[:count]`; returns the new count."""
    if first[state + 1] - first[state] > MOST_WANTED:
        return count
    known = count
    for at in range(first[state], first[state + 1]):
        fresh = True
        for n in range(known):
            fresh = fresh and found[n] != labels[at]
        if fresh:
            found[count] = labels[at]
            count += 1
    return count


@numba.njit(cache=True)
def value(
    state: int, final: int, first: Ids, labels: Ids, targets: Ids, fails: Ids, pending: Doubles, awards: Doubles
) -> float:
    """What is added at the end of an utterance: the word is over, and what is not complete is given back."""
    if final < 0:
        return float(-pending[state])
    reached = advance(state, final, first, labels, targets, fails)
    return float(awards[reached] - pending[state])
