"""Words as the tokens of a model spell them: a tree of letters, along which the CTC beam goes while a word is open.

What the likeliest word that is still possible would score is paid while it is spelled, and settled when it ends
(look-ahead, Ortmanns et al. 1996), so that the beam needs no words to choose by.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Singles = NDArray[np.float32]
LexiconArrays = tuple[Ints, Ints, Ints, Ints, Singles, Ints, Ints, NDArray[np.bool_], int, float]
PIECE_SPACE = "\u2581"  # U+2581 begins a word in SentencePiece
ROOT = 0
UNKNOWN = -30.0  # natural logarithm of the probability of a word that is not in the tree, before its letters
LETTER = -2.0  # of each of its letters
WANTED = -3.0  # of a token that goes on with a phrase, at least


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Nodes are prefixes of words; node n's arcs are `letters[first[n] : first[n + 1]]`, sorted."""

    first: Ints
    letters: Ints
    targets: Ints
    words: Ints  # that end at each node; -1: none
    best: Singles  # of each node: what the likeliest word below it scores by itself
    token_first: Ints  # token t spells `token_letters[token_first[t] : token_first[t + 1]]`
    token_letters: Ints
    begins: NDArray[np.bool_]  # whether a token begins a word
    end: int  # label of the end of a sentence, one more than that of the last word
    reward: float  # for each word

    @property
    def arrays(self) -> LexiconArrays:
        return (
            self.first, self.letters, self.targets, self.words, self.best,
            self.token_first, self.token_letters, self.begins, self.end, self.reward,
        )  # fmt: skip


def no_words() -> Lexicon:
    """For an n-gram of tokens."""
    none = np.zeros(0, np.int32)
    one = np.zeros(1, np.int32)
    return Lexicon(none, none, none, none, np.zeros(0, np.float32), one, none, np.zeros(0, np.bool_), 0, 0.0)


def lexicon(words: Sequence[str], scores: NDArray[np.floating], tokens: Sequence[str], reward: float) -> Lexicon:
    """`words`: sorted by their letters, each once; `scores`: of each alone. A token that begins a word says so."""
    rows = _letters(words)
    lengths = (rows > 0).sum(axis=1)
    node = np.zeros(len(rows), np.int64)  # of each word's beginning, a letter more each time
    parents, arcs, ends = [np.array([-1])], [np.array([0])], [1]
    for depth in range(rows.shape[1]):
        differs = np.ones(len(rows), np.bool_)
        differs[1:] = (rows[1:, : depth + 1] != rows[:-1, : depth + 1]).any(axis=1)
        longer = lengths > depth
        new = longer & differs
        parents.append(node[new])
        arcs.append(rows[new, depth])
        node[longer] = ends[-1] + np.cumsum(new)[longer] - 1
        ends.append(ends[-1] + int(new.sum()))
    parent, arc = np.concatenate(parents), np.concatenate(arcs)
    word, best = np.full(len(arc), -1, np.int32), np.full(len(arc), -np.inf, np.float32)
    word[node], best[node] = np.arange(len(rows)), scores
    for begin, end in zip(ends[-2::-1], ends[:0:-1], strict=True):  # the longest first
        np.maximum.at(best, parent[begin:end], best[begin:end])
    best[ROOT] = 0.0
    order = 1 + np.lexsort((arc[1:], parent[1:]))
    first = np.searchsorted(parent[order], np.arange(len(arc) + 1))
    spelled = [token.removeprefix(PIECE_SPACE) for token in tokens]
    return Lexicon(
        first.astype(np.int32), arc[order].astype(np.int32), order.astype(np.int32), word, best,
        np.cumsum([0, *map(len, spelled)]).astype(np.int32), _codes("".join(spelled)),
        np.array([token.startswith(PIECE_SPACE) for token in tokens]), len(words), reward,
    )  # fmt: skip


def _letters(words: Sequence[str]) -> NDArray[np.int32]:
    """Shape (words, longest); 0 after the end of a word."""
    longest = max(map(len, words))
    return _codes("".join(word.ljust(longest, "\0") for word in words)).reshape(len(words), longest)


def _codes(text: str) -> NDArray[np.int32]:
    return np.frombuffer(text.encode("utf-32-le"), np.int32)
