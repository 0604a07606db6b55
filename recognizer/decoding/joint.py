"""`exact`: ESPnet's joint CTC/attention beam search, the same hypotheses and scores, without its repeated work.

Several utterances at once share the decoder: its weights are read once for all of their hypotheses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognizer.decoding.language_model import LanguageModel
from recognizer.decoding.networks import Doubles, Floats, Ids, Networks
from recognizer.decoding.ngram import NGram
from recognizer.decoding.ngram_scores import told_next
from recognizer.decoding.package import Vocabulary
from recognizer.decoding.phrases import PhraseGraph
from recognizer.decoding.prefix_scores import PrefixScores
from recognizer.decoding.rescoring import HIDDEN, remembered

PRE_BEAM = 1.5  # candidates of a hypothesis, as a multiple of the beam; as in espnet.nets.beam_search
END_MARGIN = -10.0  # espnet.nets.e2e_asr_common.end_detect: D_end and M
END_LENGTHS = 3
EXCLUDED = -1e8  # scores below belong to candidates that CTC rules out
ROOM = 256  # tokens cached at first
COMPACT_EVERY = 4  # tokens; what no hypothesis sees any more leaves the cache


@dataclass(frozen=True)
class Ended:
    """A complete hypothesis: its tokens without the end, and its score."""

    tokens: tuple[int, ...]
    score: float


@dataclass(frozen=True, eq=False)
class Heard:
    """An utterance to search, and how."""

    hidden: Floats  # encoder output (T, D)
    log_probs: Floats  # of CTC (T, V)
    phrases: PhraseGraph
    beam: int
    max_tokens: int  # of a hypothesis


class _Cache:
    """Keys and values of every token that a hypothesis has passed, shared between hypotheses."""

    def __init__(self, networks: Networks, hidden: Sequence[Floats]) -> None:
        self._networks = networks
        self._memory, self._own = remembered(networks, hidden)
        self._of = np.arange(len(hidden))  # utterance of each hypothesis
        self._layers = networks.room(ROOM, self._memory)
        self._seen = np.zeros((len(hidden), 0), np.bool_)  # (hypotheses, cached tokens)

    def step(self, tokens: Ids, position: int) -> Floats:
        """Log probabilities of what follows each hypothesis, whose last token is given: (n, V)."""
        self._seen = np.concatenate((self._seen, np.eye(len(tokens), dtype=np.bool_)), axis=1)
        mask = np.where(self._seen, np.float32(0.0), HIDDEN)
        at = np.full(len(tokens), position, np.int64)
        end = self._seen.shape[1]
        known = end - len(tokens)
        cached = [layer[:known] for layer in self._layers]
        scores, added = self._networks.step(tokens, at, mask, self._own[self._of], self._memory, cached)
        if end > len(self._layers[0]):
            self._layers = self._networks.room(2 * end, self._memory)
            for layer, rows in zip(self._layers, cached, strict=True):
                layer[:known] = rows
        for layer, rows in zip(self._layers, added, strict=True):
            layer[known:end] = rows
        return scores

    def keep(self, hypotheses: Ids, compact: bool) -> None:
        self._seen, self._of = self._seen[hypotheses], self._of[hypotheses]
        if compact:
            live = np.flatnonzero(self._seen.any(axis=0))
            self._seen = self._seen[:, live]
            for layer in self._layers:
                layer[: len(live)] = layer[live]


class _Beam:
    """The hypotheses of one utterance, the running ones all of the same length."""

    def __init__(
        self, heard: Heard, vocabulary: Vocabulary, ctc_weight: float, penalty: float, lm: LanguageModel | None,
        ngram: NGram | None, ngram_weight: float,
    ) -> None:  # fmt: skip
        self._heard, self._eos, self._weight, self._penalty = heard, vocabulary.eos, ctc_weight, penalty
        self._ctc = PrefixScores(heard.log_probs, vocabulary.blank, vocabulary.eos)
        self._scores, self._prefix = np.zeros(1), np.zeros(1)  # of each hypothesis, and the CTC part of it
        self._states = [heard.phrases.start]
        self._lm, self._lm_states = lm, lm.begin() if lm else []
        self._ngram, self._ngram_weight = ngram, ngram_weight
        self._contexts = np.array([ngram.begin if ngram else 0])
        self.tokens = np.full((1, 1), vocabulary.sos, np.int64)  # of the running ones, their start included
        self.ended: list[Ended] = []

    def grow(self, decoder: Floats) -> Ids:
        """Given the decoder's log probabilities (n, V): which of the n live on, each one token longer."""
        heard, length = self._heard, self.tokens.shape[1]
        candidates, prefixes, contexts, table = self._scored(decoder)
        chosen = _best(table.reshape(1, -1), min(heard.beam, table.size))[0]
        chosen = chosen[table.ravel()[chosen] > EXCLUDED]
        rows, columns = np.divmod(chosen, table.shape[1])
        over_now = columns == table.shape[1] - 1
        self._end(rows[over_now], table.ravel()[chosen][over_now])
        rows, columns = rows[~over_now], columns[~over_now]
        added = candidates[rows, columns]
        self._scores, self._prefix = table[rows, columns], prefixes[rows, columns]
        self._contexts = contexts[rows, columns]
        self._states = [heard.phrases.after(self._states[row], int(t)) for row, t in zip(rows, added, strict=True)]
        self._lm_states = [self._lm_states[row] for row in rows] if self._lm else []
        self.tokens = np.concatenate((self.tokens[rows], added[:, None]), axis=1)
        if _is_over(self.ended, length):
            rows = rows[:0]
        elif length >= min(heard.max_tokens, len(heard.log_probs)):  # ESPnet ends what still runs, without more score
            self._end(np.arange(len(rows)), self._scores)
            rows = rows[:0]
        elif len(rows):
            self._ctc.extend(rows, added)
        self.tokens = self.tokens[: len(rows)]
        return np.asarray(rows, np.int64)

    def _scored(self, decoder: Floats) -> tuple[Ids, Doubles, Ids, Doubles]:
        """Candidates (n, S), the CTC scores of their prefixes (n, S), their states in the n-gram model (n, S), and all
        scores (n, S + 1), the end the last."""
        decoder = (1.0 - self._weight) * decoder + self._penalty
        if self._lm:
            scored, self._lm_states = self._lm.step(self.tokens, self._lm_states)
            decoder = decoder + scored
        over, phrases = decoder[:, self._eos].copy(), self._heard.phrases
        if len(phrases.labels):
            decoder = decoder + np.array([phrases.bonuses(state, decoder.shape[1]) for state in self._states])
            over += np.array([phrases.at_end(state) for state in self._states])
        candidates = _best(decoder, min(int(PRE_BEAM * self._heard.beam), decoder.shape[1]))
        prefixes, ends = self._ctc.score(candidates)
        grown = np.take_along_axis(decoder, candidates, 1) + self._weight * (prefixes - self._prefix[:, None])
        over += self._weight * (ends - self._prefix)
        contexts = np.zeros_like(candidates)
        if self._ngram:
            contexts, words, last = told_next(self._contexts, np.array(self._states), candidates, phrases, self._ngram)
            grown += self._ngram_weight * words
            over += self._ngram_weight * last
        table = self._scores[:, None] + np.concatenate((grown, over[:, None]), axis=1)
        table[:, :-1][candidates == self._eos] = -np.inf  # it has its own column
        return candidates, prefixes, contexts, table

    def _end(self, rows: Ids, scores: Doubles) -> None:
        for row, score in zip(rows, scores, strict=True):
            self.ended.append(Ended(tuple(self.tokens[row, 1:].tolist()), float(score)))


def joint_search(
    networks: Networks,
    vocabulary: Vocabulary,
    utterances: Sequence[Heard],
    *,
    ctc_weight: float,
    penalty: float,
    language_model: LanguageModel | None = None,
    ngram: NGram | None = None,
    ngram_weight: float = 0.0,
) -> list[list[Ended]]:
    """Of each utterance, best first. All go in lock-step: one step of the decoder serves the beams of all.

    `penalty` is added for each token. ESPnet's search but for `ngram`, whose own weight is that of the CTC beam.
    """
    ngram = ngram if ngram_weight else None
    cache = _Cache(networks, [one.hidden for one in utterances])
    beams = [_Beam(one, vocabulary, ctc_weight, penalty, language_model, ngram, ngram_weight) for one in utterances]
    running = beams
    while running:
        tokens = np.concatenate([beam.tokens[:, -1] for beam in running])
        length = running[0].tokens.shape[1]
        counts = [len(beam.tokens) for beam in running]
        parts = np.split(cache.step(tokens, length - 1), np.cumsum(counts)[:-1])
        begins = np.cumsum([0, *counts[:-1]])
        kept = [begin + beam.grow(part) for begin, beam, part in zip(begins, running, parts, strict=True)]
        running = [beam for beam in running if len(beam.tokens)]
        cache.keep(np.concatenate(kept), compact=length % COMPACT_EVERY == 0)
    return [sorted(beam.ended, key=lambda hypothesis: -hypothesis.score) for beam in beams]


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
