"""`exact`: ESPnet's joint CTC/attention beam search, the same hypotheses and scores, without its repeated work."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recognizer.decoding.networks import Floats, Ids, Networks
from recognizer.decoding.package import Vocabulary
from recognizer.decoding.phrases import PhraseGraph, advance
from recognizer.decoding.prefix_scores import PrefixScores
from recognizer.decoding.rescoring import HIDDEN, no_cache

PRE_BEAM = 1.5  # candidates of a hypothesis, as a multiple of the beam; as in espnet.nets.beam_search
END_MARGIN = -10.0  # espnet.nets.e2e_asr_common.end_detect: D_end and M
END_LENGTHS = 3
EXCLUDED = -1e8  # scores below belong to candidates that CTC rules out
COMPACT_EVERY = 4  # tokens; what no hypothesis sees any more leaves the cache
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Ended:
    """A complete hypothesis: its tokens without the end, and its score."""

    tokens: tuple[int, ...]
    score: float


class _Cache:
    """Keys and values of every token that a hypothesis of the beam has passed, shared between hypotheses."""

    def __init__(self, networks: Networks, memory: tuple[Floats, Floats]) -> None:
        self._networks, self._memory = networks, memory
        self._keys = self._values = no_cache(memory)
        self._seen = np.zeros((1, 0), np.bool_)  # (hypotheses, cached tokens)

    def step(self, tokens: Ids, position: int) -> Floats:
        """Log probabilities of what follows each hypothesis, whose last token is given: (n, V)."""
        self._seen = np.concatenate((self._seen, np.eye(len(tokens), dtype=np.bool_)), axis=1)
        mask = np.where(self._seen, np.float32(0.0), HIDDEN)
        at = np.full(len(tokens), position, np.int64)
        scores, keys, values = self._networks.step(tokens, at, self._keys, self._values, mask, self._memory)
        self._keys = np.concatenate((self._keys, keys), axis=2)
        self._values = np.concatenate((self._values, values), axis=2)
        return scores

    def keep(self, hypotheses: Ids, compact: bool) -> None:
        self._seen = self._seen[hypotheses]
        if compact:
            live = self._seen.any(axis=0)
            self._seen = self._seen[:, live]
            self._keys, self._values = self._keys[:, :, live], self._values[:, :, live]


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
) -> list[Ended]:
    """Best first. `penalty` is added for each token; `max_tokens` caps the length of a hypothesis."""
    cache = _Cache(networks, networks.memory(hidden))
    ctc = PrefixScores(log_probs, vocabulary.blank, vocabulary.eos)
    tokens = np.full((1, 1), vocabulary.sos, np.int64)
    scores, prefix = np.zeros(1), np.zeros(1)  # of each hypothesis, and the CTC part of it
    states = np.full(1, phrases.start, np.int64)
    ended: list[Ended] = []
    for length in range(1, min(max_tokens, len(log_probs)) + 1):
        decoder = (1.0 - ctc_weight) * cache.step(tokens[:, -1], length - 1) + penalty
        candidates = _best(decoder, min(int(PRE_BEAM * beam), decoder.shape[1]))
        prefixes, ends = ctc.score(candidates)
        bonus, reached = _bonuses(phrases, states, candidates)
        grown = np.take_along_axis(decoder, candidates, 1) + ctc_weight * (prefixes - prefix[:, None]) + bonus
        over = decoder[:, vocabulary.eos] + ctc_weight * (ends - prefix) + _last_bonuses(phrases, states)
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
        prefix, states = prefixes[rows, columns], reached[rows, columns]
        tokens = np.concatenate((tokens[rows], added[:, None]), axis=1)
        if not len(rows) or _is_over(ended, length):
            break
        ctc.extend(rows, added)
        cache.keep(rows, compact=length % COMPACT_EVERY == 0)
    else:  # ESPnet ends what still runs at the cap, without a score for the end
        ended += [Ended(tuple(row[1:].tolist()), float(s)) for row, s in zip(tokens, scores, strict=True)]
    return sorted(ended, key=lambda hypothesis: -hypothesis.score)


def _best(table: Floats | Doubles, count: int) -> Ids:
    """Columns of the largest values of each row, largest first."""
    columns = np.argpartition(-table, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(table, columns, 1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, 1).astype(np.int64)


def _bonuses(phrases: PhraseGraph, states: Ids, candidates: Ids) -> tuple[Doubles, Ids]:
    """What each candidate adds to its hypothesis for the phrases, and the phrase states they lead to."""
    if not len(phrases.labels):
        return np.zeros(candidates.shape), np.zeros(candidates.shape, np.int64)
    graph = (phrases.first, phrases.labels, phrases.targets, phrases.fails)
    reached = np.array([[advance(s, c, *graph) for c in row] for s, row in zip(states, candidates, strict=True)])
    return phrases.pending[reached] + phrases.awards[reached] - phrases.pending[states][:, None], reached


def _last_bonuses(phrases: PhraseGraph, states: Ids) -> Doubles:
    if not len(phrases.labels):
        return np.zeros(len(states))
    return np.array([phrases.at_end(state) for state in states])


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
