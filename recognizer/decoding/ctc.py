"""CTC in numba: greedy path, prefix beam search with phrases, forced alignment. Log probabilities, shape (T, V)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from recognizer.decoding.networks import Doubles, Floats, Ids
from recognizer.decoding.ngram import NGram, NGramArrays, follow, most, nothing
from recognizer.decoding.phrases import MOST_WANTED, Flags, PhraseGraph, advance, children, gained, value

NEVER = -1e30  # log of zero; finite, so that sums of it stay comparable
CANDIDATES = 12  # tokens considered in a frame
LEAST = -13.0  # log probability below which a token is not considered, unless a phrase wants it
MULTIPLIER = 6_364_136_223_846_793_005  # of a linear congruential generator: mixes the hash of a prefix


def greedy(log_probs: Floats, blank: int) -> tuple[list[int], list[int]]:
    """The best token of each frame, repetitions and blanks taken out, and the frame where each begins."""
    path = log_probs.argmax(axis=1)
    begins = np.flatnonzero((path != blank) & (path != np.concatenate(([-1], path[:-1]))))
    return path[begins].tolist(), begins.tolist()


class Prefix(NamedTuple):
    """A hypothesis of the beam."""

    tokens: tuple[int, ...]
    score: float  # log probability of CTC
    ngram: float  # weighted, of the n-gram model, the end included


def prefix_beam(
    log_probs: Floats, beam: int, blank: int, eos: int, phrases: PhraseGraph, ngram: NGram | None = None,
    *, ended: bool = True,
) -> list[Prefix]:  # fmt: skip
    """CTC prefix beam search (Graves and Jaitly 2014), best first by all that it adds: what `phrases` awards, too.

    Where the utterance has not `ended`, its last word may be one that only begins.
    """
    ngram = ngram or nothing(eos)
    tokens, parents, ends, scores, told = _prefix_beam(
        log_probs, beam, blank, eos, ended, ngram.arrays, ngram.begin, ngram.weight, *phrases.arrays
    )
    found = []
    for end, score, thought in zip(ends.tolist(), scores.tolist(), told.tolist(), strict=True):
        sequence = []
        while end > 0:
            sequence.append(int(tokens[end]))
            end = parents[end]
        found.append(Prefix(tuple(reversed(sequence)), score, thought))
    return found


@numba.njit(cache=True)
def _plus(a: float, b: float) -> float:
    """log(exp(a) + exp(b))"""
    if a < b:
        a, b = b, a
    return a if b <= NEVER / 2 else a + math.log1p(math.exp(b - a))


@numba.njit(cache=True)
def _likely(frame: Floats, blank: int, eos: int, found: Ids) -> int:
    """Fills `found` with the likeliest spoken tokens of a frame, unordered; returns how many."""
    count, weakest = 0, 0
    for token in range(frame.shape[0]):
        if token == blank or token == eos or frame[token] < LEAST:
            continue
        if count < found.shape[0]:
            found[count] = token
            count += 1
        elif frame[token] > frame[found[weakest]]:
            found[weakest] = token
        else:
            continue
        for other in range(count):
            if frame[found[other]] < frame[found[weakest]] or weakest >= count:
                weakest = other
    return count


@numba.njit(cache=True)
def _prefix_beam(
    log_probs: Floats, beam: int, blank: int, eos: int, ended: bool,
    ngram: NGramArrays, context_start: int, weight: float,
    first: Ids, labels: Ids, targets: Ids, fails: Ids, pending: Doubles, awards: Doubles, start: int, final: int,
    inside: Flags,
) -> tuple[Ids, Ids, Ids, Doubles, Doubles]:  # fmt: skip
    frames = log_probs.shape[0]
    nodes = 1  # prefixes that were once in the beam, a tree; 0 is the empty one
    tokens = np.full(frames * beam + 1, -1, np.int64)
    parents = np.full(frames * beam + 1, -1, np.int64)
    room = beam * (1 + CANDIDATES + min(labels.shape[0], MOST_WANTED))
    # of each prefix in the beam: node, last token, hash, log probability ending in blank and not, phrase state, n-gram
    # state, bonus of each
    node, last, key = np.zeros(room, np.int64), np.full(room, -1, np.int64), np.zeros(room, np.int64)
    blanks, others = np.full(room, NEVER), np.full(room, NEVER)
    state, context = np.zeros(room, np.int64), np.zeros(room, np.int64)
    bonus, told = np.zeros(room), np.zeros(room)
    blanks[0], state[0], context[0], size = 0.0, start, context_start, 1
    # the same of the next frame; `origin` is the node it grew from, -1 where it is that node
    new_node, new_last, new_key = node.copy(), last.copy(), key.copy()
    new_blanks, new_others = blanks.copy(), others.copy()
    new_state, new_context, new_bonus, new_told = state.copy(), context.copy(), bonus.copy(), told.copy()
    grown = np.zeros(room, np.bool_)
    likely, wanted = np.zeros(CANDIDATES, np.int64), np.zeros(CANDIDATES + MOST_WANTED, np.int64)
    for t in range(frames):
        frame = log_probs[t]
        common = _likely(frame, blank, eos, likely)
        for i in range(size):  # the prefixes stay as they are: a blank, or the last token goes on
            new_node[i], new_last[i], new_key[i] = node[i], last[i], key[i]
            new_state[i], new_context[i], grown[i] = state[i], context[i], False
            new_bonus[i], new_told[i] = bonus[i], told[i]
            new_blanks[i] = _plus(blanks[i], others[i]) + frame[blank]
            new_others[i] = others[i] + frame[last[i]] if last[i] >= 0 else NEVER
        count, floor = size, NEVER  # no prefix that scores less than `floor` gets into the next beam
        if size == beam and not labels.shape[0]:  # a phrase may award anything
            floor = min([_plus(new_blanks[i], new_others[i]) + bonus[i] + told[i] for i in range(size)])
        for i in range(size):  # each grows by one token
            total = _plus(blanks[i], others[i])
            number = common
            wanted[:common] = likely[:common]
            number = children(state[i], first, labels, wanted, number)
            for n in range(number):
                token = wanted[n]
                gain = (blanks[i] if token == last[i] else total) + frame[token]
                if gain <= NEVER / 2:
                    continue
                own = key[i] * MULTIPLIER + token + 1
                slot = -1
                for j in range(size):
                    if new_key[j] == own and new_last[j] == token:
                        slot = j
                        break
                if slot >= 0:
                    new_others[slot] = _plus(new_others[slot], gain)
                    continue
                if gain + bonus[i] + told[i] + weight * most(context[i], token, ngram) < floor:
                    continue
                new_node[count], new_last[count], new_key[count] = node[i], token, own
                new_blanks[count], new_others[count], grown[count] = NEVER, gain, True
                reached = advance(state[i], token, first, labels, targets, fails)
                new_bonus[count] = bonus[i] + gained(state[i], token, reached, pending, awards, inside)
                new_state[count] = reached
                new_told[count] = told[i]
                if weight:
                    new_context[count], score = follow(
                        context[i], token, pending[reached] + awards[reached] > 0, awards[reached] > 0, ngram
                    )
                    new_told[count] += weight * score
                count += 1
        rank = np.empty(count)
        for j in range(count):
            rank[j] = -(_plus(new_blanks[j], new_others[j]) + new_bonus[j] + new_told[j])
        order = np.argsort(rank)[:beam]
        size = order.shape[0]
        for i in range(size):
            j = order[i]
            last[i], key[i], node[i] = new_last[j], new_key[j], new_node[j]
            bonus[i], told[i] = new_bonus[j], new_told[j]
            blanks[i], others[i], state[i], context[i] = new_blanks[j], new_others[j], new_state[j], new_context[j]
            if grown[j]:
                tokens[nodes], parents[nodes], node[i] = new_last[j], new_node[j], nodes
                nodes += 1
    scores = np.empty(size)
    rank = np.empty(size)
    for i in range(size):
        scores[i] = _plus(blanks[i], others[i])
        if weight and ended:
            told[i] += weight * follow(context[i], eos, False, False, ngram)[1]
        over = value(state[i], final, first, labels, targets, fails, pending, awards)
        rank[i] = -(scores[i] + bonus[i] + told[i] + over)
    order = np.argsort(rank)
    return tokens, parents, node[order], scores[order], told[:size][order]


@numba.njit(cache=True)
def _align(log_probs: Floats, labels: Ids, blank: int) -> Ids:
    """Viterbi over blank, label, blank, label ... blank; returns the position in that row for each frame."""
    frames, width = log_probs.shape[0], 2 * labels.shape[0] + 1
    best = np.full(width, NEVER)
    came = np.zeros((frames, width), np.int8)  # how many positions the best way advanced
    best[0] = log_probs[0, blank]
    if width > 1:
        best[1] = log_probs[0, labels[0]]
    for t in range(1, frames):
        for s in range(width - 1, -1, -1):
            label = labels[s // 2] if s % 2 else blank
            way, step = best[s], 0
            if s >= 1 and best[s - 1] > way:
                way, step = best[s - 1], 1
            if s >= 2 and s % 2 and labels[s // 2] != labels[s // 2 - 1] and best[s - 2] > way:
                way, step = best[s - 2], 2
            best[s] = way + log_probs[t, label]
            came[t, s] = step
    position = width - 1 if width == 1 or best[width - 1] >= best[width - 2] else width - 2
    path = np.empty(frames, np.int64)
    for t in range(frames - 1, -1, -1):
        path[t] = position
        position -= came[t, position]
    return path


def align(log_probs: Floats, tokens: Sequence[int], blank: int) -> list[tuple[int, int, float]]:
    """CTC forced alignment: for each token its first frame, the frame after its last, its highest log probability.

    Empty when the tokens do not fit into the frames.
    """
    labels = np.array(tokens, np.int64)
    repeated = int((labels[1:] == labels[:-1]).sum())
    if not len(labels) or len(labels) + repeated > len(log_probs):
        return []
    path = _align(log_probs, labels, blank)
    spans = []
    for number, token in enumerate(tokens):
        at = np.flatnonzero(path == 2 * number + 1)
        spans.append((int(at[0]), int(at[-1]) + 1, float(log_probs[at, token].max())))
    return spans
