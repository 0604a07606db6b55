"""A model of English words for the beam: what a recipe's texts say, mixed with what people write elsewhere."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import sphinx
from training.backoff import BackOff, Numbers, arrays, mixed, thinned
from training.ngram import Estimates, counts

SPELLED = re.compile(r"[a-z']+")
MARKS = ("<s>", "</s>")  # of a sentence, in pocketsphinx's model
NEVER = -14.0  # natural logarithm of the probability of a word that one of the two does not know
ORDER = 3


def word_model(texts: Iterable[str], share: float, pairs: int, triples: int) -> dict[str, NDArray[Any]]:
    """`share`: of the texts in the mixture; so many pairs and triples of words are kept."""
    sentences = [text.split() for text in texts]
    names, general = sphinx.model()
    words = sorted({word for row in sentences for word in row} | set(filter(SPELLED.fullmatch, names)))
    numbers = {word: number for number, word in enumerate(words)}
    ours = learned([[numbers[word] for word in row] for row in sentences], len(words))
    return arrays(thinned(mixed(ours, renumbered(names, general, numbers), share), pairs, triples), words)


def learned(sentences: Sequence[Sequence[int]], end: int) -> BackOff:
    """Of sentences of numbered words."""
    found = Estimates(counts(sentences, ORDER, end, end), end + 1)
    alone = [found.score((), word) for word in range(end + 1)]
    rows = {2: list[tuple[int, ...]](), 3: list[tuple[int, ...]]()}
    for context, arcs in found.scores.items():
        if context:
            rows[len(context) + 1] += [(*context, word) for word in arcs]
    pairs, triples = (np.array(sorted(rows[length]), np.int64).reshape(-1, length) for length in (2, 3))
    return BackOff(
        np.array(alone), np.array([found.backoffs.get((word,), 0.0) for word in range(end + 1)]),
        pairs, np.array([found.scores[a,][b] for a, b in pairs.tolist()]),
        np.array([found.backoffs.get(pair, 0.0) for pair in map(tuple, pairs.tolist())]),
        triples, np.array([found.scores[a, b][c] for a, b, c in triples.tolist()]),
    )  # fmt: skip


def renumbered(names: Sequence[str], model: BackOff, numbers: dict[str, int]) -> BackOff:
    """With the numbers of other words. What does not spell a word of ours is left out."""
    end = len(numbers)
    new = np.array([end if name in MARKS else numbers.get(name, -1) for name in names])
    alone, backoffs = np.full(end + 1, NEVER), np.zeros(end + 1)
    alone[new[new >= 0]], backoffs[new[new >= 0]] = model.scores[new >= 0], model.backoffs[new >= 0]
    first, last = (names.index(mark) for mark in MARKS)
    alone[end], backoffs[end] = model.scores[last], model.backoffs[first]

    def moved(rows: Numbers) -> tuple[Numbers, NDArray[np.bool_], Numbers]:
        changed = new[rows]
        kept = (changed >= 0).all(axis=1) & (rows[:, 1:] != first).all(axis=1) & (rows[:, :-1] != last).all(axis=1)
        order = np.lexsort(changed[kept].T[::-1])
        return changed[kept][order], kept, order

    pairs, known, order = moved(model.pairs)
    triples, met, place = moved(model.triples)
    return BackOff(
        alone, backoffs, pairs, model.pair_scores[known][order], model.pair_backoffs[known][order],
        triples, model.triple_scores[met][place],
    )  # fmt: skip
