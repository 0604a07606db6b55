"""The tree of prefixes: every token must see its own history and nothing else."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recognizer.decoding.networks import Floats, Ids, Layers
from recognizer.decoding.rescoring import attention_scores

SOS = EOS = 7
HIDDEN_STATES = np.zeros((3, 1), np.float32)  # encoder output of an utterance


class Telling:
    """ "Log probabilities" that spell which tokens were seen, in which places."""

    together = 1

    def __init__(self, utterances: int) -> None:
        self.utterances = utterances

    def encode(self, features: Floats) -> tuple[Floats, Floats]:
        raise AssertionError("nothing is encoded here")

    def encode_all(self, features: Sequence[Floats]) -> list[tuple[Floats, Floats]]:
        raise AssertionError("nothing is encoded here")

    def memory(self, hidden: Floats) -> Layers:
        return [hidden.T[None], hidden[None]]

    def room(self, rows: int, memory: Layers) -> Layers:
        return []

    def step(
        self, tokens: Ids, at: Ids, mask: Floats, heard: Floats, memory: Layers, cache: Layers
    ) -> tuple[Floats, Layers]:
        assert heard.shape == (len(tokens), 3 * self.utterances) and (heard == 0).sum() == 3 * len(tokens)
        seen = mask == 0
        code = (seen * ((tokens + 1.0) * 10.0**-at)).sum(axis=1)
        return (code[:, None] + np.arange(8) * 1000).astype(np.float32), []


def alone(hypothesis: tuple[int, ...]) -> list[float]:
    history = [SOS, *hypothesis]
    codes = [
        sum((token + 1) * 10.0**-place for place, token in enumerate(history[: n + 1])) for n in range(len(history))
    ]
    return [code + 1000 * token for code, token in zip(codes, [*hypothesis, EOS], strict=True)]


NBEST = st.lists(st.lists(st.integers(1, 6), max_size=5).map(tuple), min_size=1, max_size=8)


@given(st.lists(NBEST, min_size=1, max_size=3))
def test_lists_score_as_each_hypothesis_alone(nbests: list[list[tuple[int, ...]]]) -> None:
    """Also those of several utterances at once, each of which hears itself only."""
    found = attention_scores(Telling(len(nbests)), [(HIDDEN_STATES, nbest) for nbest in nbests], SOS, EOS)
    for rows, nbest in zip(found, nbests, strict=True):
        for row, hypothesis in zip(rows, nbest, strict=True):
            np.testing.assert_allclose(row, alone(hypothesis), rtol=1e-5)
