"""Trigram models of numbered words with back-off, in arrays: mixed, thinned out, and written for the recogniser."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognizer.decoding.ngram import WORDS

Numbers = NDArray[np.int64]
Logs = NDArray[np.float64]
STEP = 1 / 16  # what scores are rounded to: one that is known this well is stored in a byte


@dataclass(frozen=True, eq=False)
class BackOff:
    """Natural logarithms. The last number is the end of a sentence, and what comes before its first word."""

    scores: Logs  # of each word by itself, shape (V,)
    backoffs: Logs  # of each word, when the next does not follow it below
    pairs: Numbers  # shape (n, 2), sorted, each once
    pair_scores: Logs  # of the second word after the first
    pair_backoffs: Logs
    triples: Numbers  # shape (m, 3), sorted, each once
    triple_scores: Logs

    def after_one(self, pairs: Numbers) -> Logs:
        """Of the second word of each row after the first."""
        at, known = _found(self.pairs, pairs, len(self.scores))
        shorter = self.backoffs[pairs[:, 0]] + self.scores[pairs[:, 1]]
        scores: Logs = np.where(known, self.pair_scores[at], shorter)
        return scores

    def after_two(self, triples: Numbers) -> Logs:
        """Of the third word of each row after the first two."""
        at, known = _found(self.triples, triples, len(self.scores))
        pair, met = _found(self.pairs, triples[:, :2], len(self.scores))
        shorter = np.where(met, self.pair_backoffs[pair], 0.0) + self.after_one(triples[:, 1:])
        scores: Logs = np.where(known, self.triple_scores[at], shorter)
        return scores

    def of_pairs(self, pairs: Numbers) -> Logs:
        """How likely both words are met in a row."""
        return self.scores[pairs[:, 0]] + self.after_one(pairs)


def _key(rows: Numbers, words: int) -> Numbers:
    key = rows[:, 0]
    for column in rows.T[1:]:
        key = key * words + column
    return key


def _found(rows: Numbers, wanted: Numbers, words: int) -> tuple[Numbers, NDArray[np.bool_]]:
    """Where each wanted row is among the sorted ones, and whether it is."""
    keys, sought = _key(rows, words), _key(wanted, words)
    at = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
    return at, keys[at] == sought


def mixed(one: BackOff, other: BackOff, share: float) -> BackOff:
    """Of the same words: `share` of the first, and more of it after words that it is the likelier to meet."""
    pairs = np.unique(np.concatenate((one.pairs, other.pairs)), axis=0)
    triples = np.unique(np.concatenate((one.triples, other.triples)), axis=0)
    weight = np.log((share, 1 - share))

    def sides(contexts: tuple[Logs, Logs], scores: tuple[Logs, Logs]) -> Logs:
        trusted = [w + context for w, context in zip(weight, contexts, strict=True)]
        total = np.logaddexp(*trusted)
        both: Logs = np.logaddexp(*(t - total + s for t, s in zip(trusted, scores, strict=True)))
        return both

    nothing = np.zeros(1)
    heads, bodies = pairs[:, 0], triples[:, :2]
    return with_backoffs(
        sides((nothing, nothing), (one.scores, other.scores)),
        pairs,
        sides((one.scores[heads], other.scores[heads]), (one.after_one(pairs), other.after_one(pairs))),
        triples,
        sides((one.of_pairs(bodies), other.of_pairs(bodies)), (one.after_two(triples), other.after_two(triples))),
    )


def with_backoffs(scores: Logs, pairs: Numbers, pair_scores: Logs, triples: Numbers, triple_scores: Logs) -> BackOff:
    """What may follow adds up to one. The first two words of a triple must be among the pairs."""
    words = len(scores)
    backoffs = _rest(pairs[:, 0], words, pair_scores, scores[pairs[:, 1]])
    nothing = np.zeros(len(pairs))
    model = BackOff(scores, backoffs, pairs, pair_scores, nothing, triples, triple_scores)
    contexts = _found(pairs, triples[:, :2], words)[0]
    return BackOff(
        scores, backoffs, pairs, pair_scores,
        _rest(contexts, len(pairs), triple_scores, model.after_one(triples[:, 1:])), triples, triple_scores,
    )  # fmt: skip


def _rest(contexts: Numbers, count: int, scores: Logs, shorter: Logs) -> Logs:
    """Of each context: what is left for words that are not below it, as a part of what the shorter one has for them."""
    left = 1 - np.bincount(contexts, np.exp(scores), count)
    has = 1 - np.bincount(contexts, np.exp(shorter), count)
    rest: Logs = np.log(np.maximum(left, 1e-4) / np.maximum(has, 1e-4))
    return rest


def thinned(model: BackOff, pairs: int, triples: int) -> BackOff:
    """With so many of each: those that say most that the shorter ones do not (Stolcke 1998)."""
    words, known = len(model.scores), model.backoffs[model.pairs[:, 0]] + model.scores[model.pairs[:, 1]]
    worth = np.exp(model.of_pairs(model.pairs)) * (model.pair_scores - known)
    at, _ = _found(model.pairs, model.triples[:, :2], words)
    shorter = model.pair_backoffs[at] + model.after_one(model.triples[:, 1:])
    often = np.exp(model.of_pairs(model.triples[:, :2]) + model.triple_scores)
    three = np.sort(np.argsort(-often * (model.triple_scores - shorter))[:triples])
    worth[at[three]] = np.inf  # a triple needs its context
    two = np.sort(np.argsort(-worth)[:pairs])
    kept = model.triples[three][_found(model.pairs[two], model.triples[three, :2], words)[1]]
    return with_backoffs(model.scores, model.pairs[two], model.pair_scores[two], kept, model.after_two(kept))


def arrays(model: BackOff, words: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The file of recognizer.decoding.ngram. Its states: no context, each word, each pair that goes on."""
    count = len(model.scores)
    long = np.unique(model.triples[:, :2], axis=0)

    def state(pairs: Numbers) -> Numbers:
        at, known = _found(long, pairs, count)
        return np.where(known, 1 + count + at, 1 + pairs[:, 1])

    begins = np.concatenate(
        (np.zeros(count, np.int64), 1 + model.pairs[:, 0], state(model.triples[:, :2])),
    )
    labels = np.concatenate((np.arange(count), model.pairs[:, 1], model.triples[:, 2]))
    targets = np.concatenate((1 + np.arange(count), state(model.pairs), state(model.triples[:, 1:])))
    scores = np.concatenate((model.scores, model.pair_scores, model.triple_scores))
    at = _found(model.pairs, long, count)[0]
    return {
        "first": np.searchsorted(begins, np.arange(count + len(long) + 2)).astype(np.int32),
        "labels": np.diff(labels, prepend=0).astype(np.int32),
        "targets": (targets - labels).astype(np.int32),
        "fails": np.concatenate(([0], np.zeros(count), 1 + long[:, 1])).astype(np.int32),
        "scores": _rounded(scores),
        "backoffs": _rounded(np.concatenate(([0.0], model.backoffs, model.pair_backoffs[at]))),
        "start": np.array(count),
        WORDS: np.frombuffer("\n".join(words).encode(), np.uint8),
    }


def _rounded(scores: Logs) -> NDArray[np.float16]:
    return (np.round(scores / STEP) * STEP).astype(np.float16)
