"""A back-off n-gram model of tokens or of words (Kneser and Ney 1995): an automaton along which the CTC beam goes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import BadZipFile

import numba
import numpy as np

from recognizer.base import ModelError
from recognizer.decoding.lexicon import (
    LETTER,
    UNKNOWN,
    WANTED,
    Ints,
    Lexicon,
    LexiconArrays,
    Singles,
    lexicon,
    no_words,
)
from recognizer.decoding.phrases import ROOT, arc

IDS, SCORES = ("first", "labels", "targets", "fails"), ("scores", "backoffs")  # the arrays of a file
Contexts = tuple[Ints, Ints, Ints, Ints, Singles, Singles]  # first, labels, targets, fails, scores, backoffs
NGramArrays = tuple[Contexts, LexiconArrays, int]  # and `eos`; what compiled code gets, which knows no classes
WORDS = "words"  # an array of a file whose model is one of words: they, sorted, as UTF-8 with line ends between
UNHEARD = -12.0  # natural logarithm of the probability of a token that no text held


@dataclass(frozen=True, eq=False)
class NGram:
    """States are contexts; a state's arcs are `labels[first[state] : first[state + 1]]`, sorted."""

    first: Ints
    labels: Ints
    targets: Ints
    fails: Ints  # the context without its oldest token
    scores: Singles  # natural log probability of each arc
    backoffs: Singles  # of each state: added when no arc fits
    start: int  # context of the first word or token
    eos: int
    weight: float
    lexicon: Lexicon = field(default_factory=no_words)  # its words, where the labels are words; the last label: the end

    @property
    def contexts(self) -> Contexts:
        return self.first, self.labels, self.targets, self.fails, self.scores, self.backoffs

    @property
    def arrays(self) -> NGramArrays:
        return self.contexts, self.lexicon.arrays, self.eos

    @property
    def begin(self) -> int:
        """State before the first token."""
        return self.start * (len(self.lexicon.words) + 1)

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
    none, zeros, no_scores = np.zeros(0, np.int32), np.zeros(1, np.int32), np.zeros(0, np.float32)
    return NGram(np.zeros(2, np.int32), none, none, zeros, no_scores, np.zeros(1, np.float32), ROOT, eos, 0.0)


def load(path: Path, eos: int, weight: float, tokens: Sequence[str] = (), reward: float = 0.0) -> NGram:
    """`tokens`: of the acoustic model, which a model of words is spelled with; `reward`: for each of its words.

    Raises ModelError.
    """
    try:
        with np.load(path) as stored:
            first, labels, targets, fails = (stored[name].astype(np.int32) for name in IDS)
            scores, backoffs = (stored[name].astype(np.float32) for name in SCORES)
            words = bytes(stored[WORDS]).decode().split("\n") if WORDS in stored else []
            if words:  # small numbers are stored
                labels = np.cumsum(labels, dtype=np.int32)
                targets += labels
            ngram = NGram(first, labels, targets, fails, scores, backoffs, int(stored["start"]), eos, weight)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ModelError(f"the n-gram model {path.name} cannot be read ({type(error).__name__})") from error
    if not ngram.sound or (words and not ((0 <= labels) & (labels <= len(words))).all()):
        raise ModelError(f"the n-gram model {path.name} is damaged")
    if not words:
        return ngram
    alone = np.full(len(words) + 1, UNHEARD, np.float32)
    alone[labels[: first[1]]] = scores[: first[1]]
    return replace(ngram, lexicon=lexicon(words, alone[:-1], tokens, reward))


@numba.njit(cache=True)
def walk(state: int, token: int, contexts: Contexts) -> tuple[int, float]:
    """The state after a token, and its log probability."""
    first, labels, targets, fails, scores, backoffs = contexts
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
def most(state: int, token: int, ngram: NGramArrays) -> float:
    """What `follow` scores at most, where no phrase wants the token."""
    _, (_, _, _, words, best, _, _, begins, _, reward), _ = ngram
    node = state % (words.shape[0] + 1)
    if node == 0 or not begins[token]:
        return 0.0
    return reward - best[node] if node < words.shape[0] else 0.0


@numba.njit(cache=True)
def follow(state: int, token: int, wanted: bool, complete: bool, ngram: NGramArrays) -> tuple[int, float]:
    """The state after a token of the acoustic model, and what it scores.

    With words, a state is one of the n-gram model and the node of the open word; the node after the last is that of
    words whose price is paid. `wanted`: a phrase goes on with the token, `complete`: and ends. It may be no known word.
    """
    contexts, spelled, eos = ngram
    arcs, letters, nodes, words, best, token_first, token_letters, begins, end, reward = spelled
    lost = words.shape[0]
    if lost == 0:
        return walk(state, token, contexts)
    context, node = state // (lost + 1), state % (lost + 1)
    total = 0.0
    if node and (token == eos or begins[token]):
        word = words[node] if node < lost else -1
        if word >= 0:
            context, score = walk(context, word, contexts)
            total += score - best[node] + reward
        else:
            context = ROOT
            total += UNKNOWN - best[node] if node < lost else 0.0
        node = 0
    if token == eos:
        return ROOT, total + walk(context, end, contexts)[1]
    for at in range(token_first[token], token_first[token + 1]):
        if node < lost:
            found = arc(node, token_letters[at], arcs, letters)
            if found >= 0:
                total += best[nodes[found]] - best[node]
                node = nodes[found]
                continue
            total += UNKNOWN - best[node]
            node = lost
        total += LETTER
    if wanted:
        total = max(total, WANTED)
    return context * (lost + 1) + (lost if complete else node), total
