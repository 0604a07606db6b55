"""Attention scores of a whole n-best list by one forward pass of the decoder over the tree of its prefixes."""

from collections.abc import Sequence

import numpy as np

from recognizer.decoding.networks import Floats, Ids, Layers, Networks

HIDDEN = np.float32(-1e9)  # added to the attention of a token that must not be seen
Tokens = tuple[int, ...]


def attention_scores(
    networks: Networks, memory: Layers, hypotheses: Sequence[Tokens], sos: int, eos: int
) -> list[Floats]:
    """Log probability of each token of each hypothesis, its end included: shapes (len(hypothesis) + 1,)."""
    nodes, parents, paths = _tree(hypotheses, sos)
    mask = np.full((len(nodes), len(nodes)), HIDDEN, np.float32)
    at = np.zeros(len(nodes), np.int64)
    for node, parent in enumerate(parents):
        if parent >= 0:
            mask[node] = mask[parent]
            at[node] = at[parent] + 1
        mask[node, node] = 0.0
    log_probs, _ = networks.step(np.array(nodes, np.int64), at, mask, memory, no_cache(memory))
    return [log_probs[path, [*tokens, eos]] for path, tokens in zip(paths, hypotheses, strict=True)]


def no_cache(memory: Layers) -> Layers:
    """Keys and values of no earlier token."""
    heads, _, width = memory[-1].shape
    return [np.zeros((heads, 0, width), np.float32)] * len(memory)


def _tree(hypotheses: Sequence[Tokens], sos: int) -> tuple[list[int], list[int], list[Ids]]:
    """Tokens and parents of the nodes, and the nodes that each hypothesis passes, the root first."""
    tokens, parents = [sos], [-1]
    children: dict[tuple[int, int], int] = {}
    paths = []
    for hypothesis in hypotheses:
        path = [0]
        for token in hypothesis:
            if (path[-1], token) not in children:
                children[path[-1], token] = len(tokens)
                tokens.append(token)
                parents.append(path[-1])
            path.append(children[path[-1], token])
        paths.append(np.array(path, np.int64))
    return tokens, parents, paths
