"""Models that write kana: what they hear becomes the mixture of kanji and kana that Japanese readers expect.

The readings of phrases are Open JTalk's (pyopenjtalk-plus).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recognizer.base import Engine, Hypothesis, Options, Request, Transcript, Word
from recognizer.conversion import Converter, Segment
from recognizer.limits import bounded

KATAKANA, HIRAGANA = 0x30A1, 0x3041
KANA_ONLY = re.compile(r"[ぁ-ゖー]*")
HOMOPHONE = 0.5  # a homophone is at most half as likely as the conversion before it


def hiragana(text: str) -> str:
    """Katakana becomes hiragana; the long vowel mark stays."""
    shift = KATAKANA - HIRAGANA
    return "".join(chr(ord(c) - shift) if "ァ" <= c <= "ヶ" else c for c in text)


@lru_cache(maxsize=4096)
def reading(text: str) -> str | None:
    """The orthographic reading in hiragana (the particle は is は, not わ); None where a word has none."""
    import pyopenjtalk

    words = pyopenjtalk.run_frontend(text)
    kana = "".join(hiragana(word["read"]) for word in words if word["pos"] != "記号")
    return kana if kana and KANA_ONLY.fullmatch(kana) else None


class WritingScores:
    """Rescores what a model of kana heard: kana that make ordinary words are likelier to have been said."""

    def __init__(self, tokens: Sequence[str], weight: float) -> None:
        self._tokens, self._weight = tokens, weight
        self._converter = Converter()

    def sentences(self, hypotheses: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Weighted log probability of each, shape (n,)."""
        heard = ["".join(self._tokens[token] for token in hypothesis) for hypothesis in hypotheses]
        return self._weight * np.array([self._converter.log_prob(kana) for kana in heard])


def respelled(segments: Sequence[Segment], spellings: Mapping[str, str]) -> list[Segment]:
    """Neighbours that together sound like a phrase become one, written as the phrase is; the longest wins."""
    found: list[Segment] = []
    at = 0
    while at < len(segments):
        longest_first = range(len(segments), at, -1) if spellings else ()
        runs = ((end, "".join(one.kana for one in segments[at:end])) for end in longest_first)
        end, kana = next((run for run in runs if run[1] in spellings), (at + 1, ""))
        found.append(Segment(kana, spellings[kana]) if kana else segments[at])
        at = end
    return found


class KanaEngine:
    """An engine whose model writes kana, as one that writes Japanese."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._converter = engine, Converter()
        self.device, self.eager = engine.device, engine.eager
        self.together, self.drafts_together = engine.together, engine.drafts_together
        self.search = f"{engine.search}, kana to kanji"

    def warm_up(self) -> None:
        self._engine.warm_up()
        self._converter.segments("かな")

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        heard = self._engine.transcribe([replace(one, options=_spoken(one.options)) for one in batch])
        return [self._converted(transcript, request) for transcript, request in zip(heard, batch, strict=True)]

    def _converted(self, heard: Transcript, request: Request) -> Transcript:
        said = (
            frozenset(request.known.hypotheses[0].words) if request.known and request.known.hypotheses else frozenset()
        )
        spellings = _spellings(request.options)
        found: dict[str, Hypothesis] = {}
        for hypothesis in heard.hypotheses:
            written = self._hypothesis(hypothesis, said, spellings)
            found.setdefault(written.text, written)
        wanted = request.options.max_alternatives
        if heard.hypotheses and request.final and len(found) < wanted:
            self._add_homophones(found, heard.hypotheses[0].text, wanted)
        return replace(heard, hypotheses=tuple(found.values())[:wanted])

    def _hypothesis(self, heard: Hypothesis, said: frozenset[Word], spellings: Mapping[str, str]) -> Hypothesis:
        """`said`: words of an earlier draft that are written already."""
        if not heard.words:
            segments = respelled(self._converter.segments(heard.text), spellings)
            return replace(heard, text="".join(segment.written for segment in segments))
        old = [word for word in heard.words if word in said]
        new = heard.words[len(old) :]
        words = (*old, *self._words(new, spellings))
        return replace(heard, text="".join(word.text for word in words), words=words)

    def _words(self, kana: Sequence[Word], spellings: Mapping[str, str]) -> list[Word]:
        """The words that these characters make, with the times of the characters."""
        found, at = [], 0
        for segment in respelled(self._converter.segments("".join(word.text for word in kana)), spellings):
            part = kana[at : at + len(segment.kana)]
            at += len(segment.kana)
            mean = math.exp(sum(math.log(word.confidence) for word in part) / len(part))
            found.append(Word(segment.written, part[0].start, part[-1].end, mean))
        return found

    def _add_homophones(self, found: dict[str, Hypothesis], kana: str, wanted: int) -> None:
        """Times are left out: they belong to the words of another writing."""
        least = min(hypothesis.confidence for hypothesis in found.values())
        for text in self._converter.homophones(kana, 2 * wanted):
            least = bounded(least * HOMOPHONE)
            if len(found) < wanted and text not in found:
                found[text] = Hypothesis(text, least)


def _spellings(options: Options) -> dict[str, str]:
    """How phrases are written, by their reading; the first of those that sound alike. A single kana is a particle."""
    readings = [(reading(phrase), phrase) for phrase, _ in reversed(options.phrases)]
    return {kana: phrase for kana, phrase in readings if kana and len(kana) > 1}


def _spoken(options: Options) -> Options:
    """Phrases as they sound; one that cannot be read is left out."""
    readings = [(reading(phrase), boost) for phrase, boost in options.phrases]
    return replace(options, phrases=tuple((kana, boost) for kana, boost in readings if kana))
