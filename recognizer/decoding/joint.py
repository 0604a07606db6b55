"""`exact`: ESPnet's joint CTC/attention beam search, the same hypotheses and scores, without its repeated work."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognizer.decoding.language_model import LanguageModel
from recognizer.decoding.networks import Floats, Ids, Layers, Networks
from recognizer.decoding.package import Vocabulary
from recognizer.decoding.phrases import PhraseGraph
from recognizer.decoding.prefix_scores import PrefixScores
from recognizer.decoding.rescoring import HIDDEN, no_cache

PRE_BEAM = 1.5  # candidates of a hypothesis, as a multiple of the beam; as in espnet.nets.beam_search
END_MARGIN = -10.0  # espnet.nets.e2e_asr_common.end_detect: D_end and M
END_LENGTHS = 3
EXCLUDED = -1e8  # scores below belong to candidates that CTC rules out
COMPACT_EVERY = 4  # tokens; what no hypothesis sees any more leaves the cache


@dataclass(frozen=True)
class Ended:
    """A complete hypothesis: its tokens without the end, and its score."""

    tokens: tuple[int, ...]
    score: float


class _Cache:
    """Keys and values of every token that a hypothesis of the beam has passed, shared between hypotheses."""

    def __init__(self, networks: Networks, memory: Layers) -> None:
        self._networks, self._memory = networks, memory
        self._layers = no_cache(memory)
        self._seen = np.zeros((1, 0), np.bool_)  # (hypotheses, cached tokens)

    def step(self, tokens: Ids, position: int) -> Floats:
        """Log probabilities of what follows each hypothesis, whose last token is given: (n, V)."""
        self._seen = np.concatenate((self._seen, np.eye(len(tokens), dtype=np.bool_)), axis=1)
        mask = np.where(self._seen, np.float32(0.0), HIDDEN)
        at = np.full(len(tokens), position, np.int64)
        scores, added = self._networks.step(tokens, at, mask, self._memory, self._layers)
        self._layers = [np.concatenate(pair, axis=1) for pair in zip(self._layers, added, strict=True)]
        return scores

    def keep(self, hypotheses: Ids, compact: bool) -> None:
        self._seen = self._seen[hypotheses]
        if compact:
            live = self._seen.any(axis=0)
            self._seen = self._seen[:, live]
            self._layers = [layer[:, live] for layer in self._layers]


def joint_search(
    networks: Networks,
    vocabulary: Vocabulary,
    hidden: Floats,
    log_probs: Floats,
    *,
    beam: int,
    ctc_weight: float,
    penalty: float,
    max_tokens: int,
    phrases: PhraseGraph,
    language_model: LanguageModel | None = None,
) -> list[Ended]:
    """Best first. `penalty` is added for each token; `max_tokens` caps the length of a hypothesis."""
    cache = _Cache(networks, networks.memory(hidden))
    ctc = PrefixScores(log_probs, vocabulary.blank, vocabulary.eos)
    tokens = np.full((1, 1), vocabulary.sos, np.int64)
    scores, prefix = np.zeros(1), np.zeros(1)  # of each hypothesis, and the CTC part of it
    states = [phrases.start]
    lm_states = language_model.begin() if language_model else []
    ended: list[Ended] = []
    for length in range(1, min(max_tokens, len(log_probs)) + 1):
        decoder = (1.0 - ctc_weight) * cache.step(tokens[:, -1], length - 1) + penalty
        if language_model:
            scored, lm_states = language_model.step(tokens, lm_states)
            decoder = decoder + scored
        over = decoder[:, vocabulary.eos].copy()
        if len(phrases.labels):
            decoder = decoder + np.array([phrases.bonuses(state, decoder.shape[1]) for state in states])
            over += np.array([phrases.at_end(state) for state in states])
        candidates = _best(decoder, min(int(PRE_BEAM * beam), decoder.shape[1]))
        prefixes, ends = ctc.score(candidates)
        grown = np.take_along_axis(decoder, candidates, 1) + ctc_weight * (prefixes - prefix[:, None])
        over += ctc_weight * (ends - prefix)
        table = scores[:, None] + np.concatenate((grown, over[:, None]), axis=1)
        table[:, :-1][candidates == vocabulary.eos] = -np.inf  # it has its own column
        chosen = _best(table.reshape(1, -1), min(beam, table.size))[0]
        chosen = chosen[table.ravel()[chosen] > EXCLUDED]
        rows, columns = np.divmod(chosen, table.shape[1])
        over_now = columns == table.shape[1] - 1
        for row, score in zip(rows[over_now], table.ravel()[chosen][over_now], strict=True):
            ended.append(Ended(tuple(tokens[row, 1:].tolist()), float(score)))
        rows, columns = rows[~over_now], columns[~over_now]
        scores = table[rows, columns]
        added = candidates[rows, columns]
        prefix = prefixes[rows, columns]
        states = [phrases.after(states[row], int(token)) for row, token in zip(rows, added, strict=True)]
        lm_states = [lm_states[row] for row in rows] if language_model else []
        tokens = np.concatenate((tokens[rows], added[:, None]), axis=1)
        if not len(rows) or _is_over(ended, length):
            break
        ctc.extend(rows, added)
        cache.keep(rows, compact=length % COMPACT_EVERY == 0)
    else:  # ESPnet ends what still runs at the cap, without a score for the end
        ended += [Ended(tuple(row[1:].tolist()), float(s)) for row, s in zip(tokens, scores, strict=True)]
    return sorted(ended, key=lambda hypothesis: -hypothesis.score)


def _best(table: NDArray[Any], count: int) -> Ids:
    """Columns of the largest values of each row, largest first."""
    columns = np.argpartition(-table, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(table, columns, 1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, 1).astype(np.int64)


def _is_over(ended: list[Ended], length: int) -> bool:
    """ESPnet's end detection: the best of the last three lengths are all far below the best of all.

    ESPnet counts the start and the end of a hypothesis, and compares with the number of steps minus one.
    """
    if not ended:
        return False
    best = max(hypothesis.score for hypothesis in ended)
    far = 0
    for m in range(END_LENGTHS):
        same = [h.score for h in ended if len(h.tokens) + 2 == length - 1 - m]
        far += bool(same) and max(same) - best < END_MARGIN
    return far == END_LENGTHS
