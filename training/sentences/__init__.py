"""Grammars that make sentences: for each language one module with `sentences(count, generator)`."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np


def pick(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def distinct(
    makers: Sequence[Callable[[np.random.Generator], str]], count: int, rng: np.random.Generator
) -> Iterator[str]:
    """`count` sentences, no two the same."""
    seen: set[str] = set()
    while len(seen) < count:
        made = makers[int(rng.integers(len(makers)))](rng)
        if made not in seen:
            seen.add(made)
            yield made
