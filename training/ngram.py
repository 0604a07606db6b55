"""Stage `ngram`: what the prompts and the training recordings say, and words or codes that nobody spoke -> a back-off
n-gram model of tokens or of words, packed beside.

Interpolated Kneser-Ney smoothing with one discount for each length (Chen and Goodman 1999). Long n-grams that occur
once are left out; what they would have had goes to the shorter ones.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor

from training.data import BPE_MODEL, NGRAM, TOKENS, held_out, recordings, spoken_text
from training.dictionary import words
from training.prompts import codes, letter_by_letter, prompts
from training.recipe import Recipe

LONG = 3  # n-grams of this length or more need two occurrences
Gram = tuple[int, ...]


def counts(sentences: Iterable[Sequence[int]], order: int, sos: int, eos: int) -> list[Counter[Gram]]:
    """N-grams by their length. The longest, and those at the start, as often as they occur; others by how many
    different tokens come before them."""
    found: list[Counter[Gram]] = [Counter() for _ in range(order + 1)]
    for sentence in sentences:
        row = (sos, *sentence, eos)
        for end in range(2, len(row) + 1):
            gram = row[max(0, end - order) : end]
            found[len(gram)][gram] += 1
    for length in range(order, 1, -1):
        for gram in found[length]:
            found[length - 1][gram[1:]] += 1
    return found


def discount(occurrences: Counter[Gram]) -> float:
    """What each n-gram gives to unseen ones (Ney, Essen and Kneser 1994)."""
    often = Counter(occurrences.values())
    return max(0.1, often[1] / max(1, often[1] + 2 * often[2]))


class Estimates:
    """Natural log probability of each token after each context, and the weight of the shorter context."""

    def __init__(self, found: Sequence[Counter[Gram]], vocabulary: int) -> None:
        self.scores: dict[Gram, dict[int, float]] = defaultdict(dict)
        self.backoffs: dict[Gram, float] = {}
        self._least = log(1 / vocabulary)
        for length, occurrences in enumerate(found[1:], start=1):
            self._learn(occurrences, 2 if length >= LONG else 1)

    def _learn(self, occurrences: Counter[Gram], least: int) -> None:
        less, totals = discount(occurrences), Counter[Gram]()
        kept: dict[Gram, list[tuple[int, float]]] = defaultdict(list)
        for gram, count in occurrences.items():
            totals[gram[:-1]] += count
            if count >= least:
                kept[gram[:-1]].append((gram[-1], count - less))
        for context, arcs in kept.items():
            share = 1 - sum(left for _, left in arcs) / totals[context]
            shorter = {token: self.score(context[1:], token) if context else self._least for token, _ in arcs}
            for token, left in arcs:
                self.scores[context][token] = log(left / totals[context] + share * np.exp(shorter[token]))
            self.backoffs[context] = log(share)

    def score(self, context: Gram, token: int) -> float:
        """Natural log probability; the context may be one that was never met."""
        if token in self.scores.get(context, {}):
            return self.scores[context][token]
        return self.backoffs.get(context, 0.0) + (self.score(context[1:], token) if context else self._least)


def automaton(estimates: Estimates, sos: int) -> dict[str, NDArray[Any]]:
    """The arrays of recognizer.decoding.ngram.NGram, small."""
    contexts = sorted(estimates.scores, key=lambda context: (len(context), context))
    states = {context: number for number, context in enumerate(contexts)}  # the empty one is 0

    def state(context: Gram) -> int:
        while context not in states:
            context = context[1:]
        return states[context]

    rows = [sorted(estimates.scores[context].items()) for context in contexts]
    return {
        "first": np.cumsum([0, *map(len, rows)]).astype(np.int32),
        "labels": np.array([token for row in rows for token, _ in row], np.int16),
        "targets": np.array(
            [state((*c, token)) for c, row in zip(contexts, rows, strict=True) for token, _ in row], np.int32
        ),
        "fails": np.array([state(context[1:]) for context in contexts], np.int32),
        "scores": np.array([score for row in rows for _, score in row], np.float16),
        "backoffs": np.array([estimates.backoffs[context] for context in contexts], np.float16),
        "start": np.array(state((sos,))),
    }


def texts(recipe: Recipe) -> Iterator[str]:
    """All that may train, as the model writes it; nothing of what evaluates it."""
    data, human = recipe.data, recordings(recipe.data["corpora"])
    kept_back = held_out(recipe, human)
    yield from (clip.text for clip in human if clip.id not in kept_back)
    spoken = prompts(recipe)
    more_codes = codes(data["lang"], int(data.get("ngram_codes", 0)), int(data["seed"]))
    for prompt in chain(spoken["words"], spoken["sentences"], spoken["codes"], more_codes):
        yield spoken_text({"lang": data["lang"], "transcript": prompt.text})
    if "spelled_words" in data:
        yield from letter_by_letter(data["spelled_words"])
    if "dictionary_words" in data:
        yield from words(data["dictionary_words"])


def divider(recipe: Recipe) -> Callable[[str], Sequence[str]]:
    """Text -> tokens."""
    if recipe.asr["token_type"] == "char":
        return list
    pieces = SentencePieceProcessor(model_file=str(recipe.work / BPE_MODEL))
    return lambda text: pieces.encode(text, out_type=str)


def of_tokens(recipe: Recipe) -> dict[str, NDArray[Any]]:
    tokens = (recipe.work / TOKENS).read_text(encoding="utf-8").splitlines()
    numbers = {token: number for number, token in enumerate(tokens)}
    end, divided = len(tokens) - 1, map(divider(recipe), filter(None, texts(recipe)))
    known = ([numbers[token] for token in row] for row in divided if all(token in numbers for token in row))
    found = counts(known, int(recipe.data["ngram_order"]), end, end)
    return automaton(Estimates(found, len(tokens)), end)


def ngram(recipe: Recipe) -> None:
    """Of words where the recipe says how many pairs and triples of them are kept."""
    from training.words import word_model

    path, kept = recipe.work / NGRAM, recipe.data.get("words")
    arrays: Any = word_model(filter(None, texts(recipe)), **kept) if kept else of_tokens(recipe)
    np.savez(path, **arrays)  # the package compresses it, better than this would
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
