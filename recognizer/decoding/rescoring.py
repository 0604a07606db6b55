"""Attention scores of whole n-best lists by one forward pass of the decoder over the trees of their prefixes."""

from collections.abc import Sequence

import numpy as np

from recognizer.decoding.networks import Floats, Ids, Layers, Networks

HIDDEN = np.float32(-1e9)  # added to the attention of a token that must not be seen
Tokens = tuple[int, ...]


def attention_scores(
    networks: Networks, utterances: Sequence[tuple[Floats, Sequence[Tokens]]], sos: int, eos: int
) -> list[list[Floats]]:
    """Each utterance is its encoder output (T, D) and hypotheses.

    Returns the log probability of each token of each hypothesis, its end included: shapes (len(hypothesis) + 1,).
    """
    memory, own = remembered(networks, [hidden for hidden, _ in utterances])
    forest = _Forest()
    paths = [forest.grow(number, hypotheses, sos) for number, (_, hypotheses) in enumerate(utterances)]
    tokens, of = np.array(forest.tokens, np.int64), np.array(forest.of, np.int64)
    mask, at = forest.history()
    log_probs, _ = networks.step(tokens, at, mask, own[of], memory, networks.room(0, memory))
    return [
        [log_probs[path, [*hypothesis, eos]] for path, hypothesis in zip(found, hypotheses, strict=True)]
        for found, (_, hypotheses) in zip(paths, utterances, strict=True)
    ]


def remembered(networks: Networks, hidden: Sequence[Floats]) -> tuple[Layers, Floats]:
    """What the decoder attends to, utterances in a row, and which part is whose: (utterances, T), 0 or HIDDEN."""
    of = np.repeat(np.arange(len(hidden)), [len(one) for one in hidden])
    own = np.where(of == np.arange(len(hidden))[:, None], np.float32(0.0), HIDDEN)
    return networks.memory(np.concatenate(hidden)), own


class _Forest:
    """The prefixes of hypotheses, a tree for each utterance."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.of: list[int] = []  # utterance of each node
        self._parents: list[int] = []  # -1: a root
        self._children: dict[tuple[int, int], int] = {}

    def grow(self, utterance: int, hypotheses: Sequence[Tokens], sos: int) -> list[Ids]:
        """The nodes that each hypothesis passes, the root first."""
        root = self._add(utterance, -1, sos)
        paths = []
        for hypothesis in hypotheses:
            path = [root]
            for token in hypothesis:
                known = self._children.get((path[-1], token))
                path.append(self._add(utterance, path[-1], token) if known is None else known)
            paths.append(np.array(path, np.int64))
        return paths

    def _add(self, utterance: int, parent: int, token: int) -> int:
        node = len(self.tokens)
        self.tokens.append(token)
        self.of.append(utterance)
        self._parents.append(parent)
        self._children[parent, token] = node  # of roots nobody asks
        return node

    def history(self) -> tuple[Floats, Ids]:
        """What each node sees of the others, itself included (0 or HIDDEN), and how many come before it."""
        mask = np.full((len(self.tokens), len(self.tokens)), HIDDEN, np.float32)
        at = np.zeros(len(self.tokens), np.int64)
        for node, parent in enumerate(self._parents):
            if parent >= 0:
                mask[node] = mask[parent]
                at[node] = at[parent] + 1
            mask[node, node] = 0.0
        return mask, at
