"""Token sequences -> readable text, words with their times, and confidence."""

import math
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from audio import SAMPLE_RATE
from recognizer.base import Hypothesis, Word
from recognizer.decoding.ctc import align
from recognizer.decoding.lexicon import PIECE_SPACE
from recognizer.decoding.networks import Floats
from recognizer.decoding.package import Vocabulary
from recognizer.decoding.phrases import Flags
from recognizer.limits import bounded

OVERLAP = SAMPLE_RATE // 2  # samples; see Texts.continued
UNKNOWN, SPACE = "<unk>", "<space>"
MOST_CERTAIN = 1 - 1e-6  # of what is calibrated
UNSPACED = "\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"  # kana, Han, full-width forms: no spaces between
WORD_START = re.compile(f"{PIECE_SPACE}$|[{UNSPACED}]")  # in the last character of a piece and the first of the next

Curve = tuple[float, float, float]  # a, b, c of `calibrated`


@dataclass(frozen=True)
class Calibration:
    """What the probability of a word or utterance, the geometric mean of its tokens', is worth as confidence.

    None for a model that was not calibrated: the probability itself.
    """

    word: Curve | None = None
    utterance: Curve | None = None


@dataclass(frozen=True)
class Texts:
    """What the tokens of one model spell."""

    vocabulary: Vocabulary
    calibration: Calibration = field(default_factory=Calibration)

    @cached_property
    def word_end(self) -> int:
        """The token between two words, or -1."""
        known = self.vocabulary.tokens
        return known.index(SPACE) if self.vocabulary.token_type == "char" and SPACE in known else -1

    @cached_property
    def inside(self) -> Flags:
        """Which pieces go on with a word, shape (V,); none for a model that writes words without spaces between."""
        pieces = self.vocabulary.tokens if self.vocabulary.token_type == "bpe" else ()
        spaced = not any(re.search(f"[{UNSPACED}]", piece) for piece in pieces)
        return np.array([spaced and piece[:1].isalnum() for piece in pieces], np.bool_)

    def text(self, tokens: Sequence[int]) -> str:
        return tidy(self._joined([self.vocabulary.tokens[token] for token in tokens]))

    def tokens(self, text: str) -> tuple[int, ...] | None:
        """The tokens of a phrase, in whatever case the model knows; None when it cannot spell it."""
        for variant in (text, text.lower(), text.upper()):
            pieces = self._pieces(variant)
            if pieces and all(piece in self._numbers for piece in pieces):
                return tuple(self._numbers[piece] for piece in pieces)
        return None

    def spellings(self, phrase: str) -> list[tuple[int, ...]]:
        """Its tokens where a word begins and, of a script without spaces, where it follows another word."""
        spelled = [self.tokens(phrase)]
        if self.vocabulary.token_type == "bpe" and re.match(f"[{UNSPACED}]", phrase):
            pieces = self._following.encode(phrase, out_type=str)
            spelled.append(tuple(self._numbers.get(piece, -1) for piece in pieces))
        return [tokens for tokens in spelled if tokens and -1 not in tokens]

    def hypothesis(
        self, tokens: Sequence[int], scores: Floats, log_probs: Floats, samples: int, *, words: bool
    ) -> Hypothesis:
        """`scores`: log probability of each token. `samples`: length of the audio, for the times of the words."""
        spans = align(log_probs, tokens, self.vocabulary.blank)
        heard = np.array([span[2] for span in spans]) if spans else scores
        each = (heard + scores) / 2  # CTC and decoder
        confidence = _confidence(float(each.mean()), self.calibration.utterance)
        if not (words and spans):
            return Hypothesis(self.text(tokens), confidence)
        frame = samples / len(log_probs)
        found = []
        for first, last in self._words(tokens):
            start, end = round(spans[first][0] * frame), round(spans[last - 1][1] * frame)
            sure = _confidence(float(each[first:last].mean()), self.calibration.word)
            found.append(Word(self.text(tokens[first:last]), start, min(end, samples), sure))
        return Hypothesis(self.text(tokens), confidence, tuple(word for word in found if word.text))

    def joined(self, words: Sequence[Word]) -> str:
        return tidy((" " if self._spaced else "").join(word.text for word in words))

    def continued(self, said: Sequence[Word], heard: Hypothesis, skipped: int) -> Hypothesis:
        """`heard` begins `skipped` samples into the utterance, `said` covers its start: the words of both, each once.

        The first half second of what was heard is left to what was said: it may begin in the middle of a word.
        """
        cut = skipped + OVERLAP
        new = [replace(word, start=word.start + skipped, end=word.end + skipped) for word in heard.words]
        words = [word for word in said if word.start + word.end <= 2 * cut]
        words += [word for word in new if word.start + word.end > 2 * cut]
        return Hypothesis(self.joined(words), heard.confidence, tuple(words))

    @property
    def _spaced(self) -> bool:
        """Whether words are separated."""
        return self.vocabulary.token_type != "char" or self.word_end >= 0

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.vocabulary.tokens)}

    @cached_property
    def _pieces_of(self) -> Any:
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_file=self.vocabulary.bpe_model)

    @cached_property
    def _following(self) -> Any:
        """For text that goes on without a space."""
        processor = deepcopy(self._pieces_of)
        processor.override_normalizer_spec(add_dummy_prefix=False)
        return processor

    def _pieces(self, text: str) -> list[str]:
        match self.vocabulary.token_type:
            case "bpe":
                return list(self._pieces_of.encode(text, out_type=str))
            case "char" if self.word_end >= 0:
                return [SPACE if character == " " else character for character in text]
            case "char":
                return list(text.replace(" ", ""))
            case _:
                return text.split()

    def _joined(self, tokens: list[str]) -> str:
        spoken = [token for token in tokens if token != UNKNOWN]
        match self.vocabulary.token_type:
            case "bpe":
                return "".join(spoken).replace(PIECE_SPACE, " ")
            case "char":
                return "".join(spoken).replace(SPACE, " ")
            case _:
                return " ".join(spoken)

    def _words(self, tokens: Sequence[int]) -> list[tuple[int, int]]:
        """First and last + 1 token of each word; of each character or piece where words are not separated."""
        names = [self.vocabulary.tokens[token] for token in tokens]
        if self.vocabulary.token_type == "bpe":
            edges = [before[-1:] + name[:1] for before, name in zip(["", *names], names, strict=False)]
            begins = [n for n, edge in enumerate(edges) if n == 0 or WORD_START.search(edge)]
        elif self.word_end >= 0:
            begins = [n for n, name in enumerate(names) if n == 0 or names[n - 1] == SPACE]
        else:
            begins = list(range(len(names)))
        ends = [*begins[1:], len(names)]
        spans = [(a, b - (self.word_end >= 0 and names[b - 1] == SPACE)) for a, b in zip(begins, ends, strict=True)]
        return [(first, last) for first, last in spans if last > first]


def tidy(text: str) -> str:
    """Single spaces, none at the ends, none beside characters of a script that is written without them."""
    return re.sub(rf"(?<=[{UNSPACED}]) | (?=[{UNSPACED}])", "", " ".join(text.split()))


def calibrated(probability: float, curve: Curve) -> float:
    """The logistic function of a ln p - b ln(1 - p) + c: beta calibration (Kull, Silva Filho and Flach 2017)."""
    a, b, c = curve
    p = min(MOST_CERTAIN, bounded(probability))
    return 0.5 + 0.5 * math.tanh((a * math.log(p) - b * math.log1p(-p) + c) / 2)


def _confidence(mean: float, curve: Curve | None) -> float:
    """`mean`: of the log probabilities of the tokens."""
    probability = math.exp(min(0.0, mean))
    return bounded(probability if curve is None else calibrated(probability, curve))


def ranked(hypotheses: Sequence[Hypothesis], scores: Sequence[float]) -> tuple[Hypothesis, ...]:
    """Different texts, best first; none is surer than the one before, nor than its score beside the best allows."""
    ranked: dict[str, Hypothesis] = {}
    ceiling = 1.0
    for hypothesis, score in zip(hypotheses, scores, strict=True):
        if hypothesis.text and hypothesis.text not in ranked:
            allowed = hypotheses[0].confidence * float(np.exp(score - scores[0]))
            ceiling = bounded(min(ceiling, allowed, hypothesis.confidence))
            ranked[hypothesis.text] = replace(hypothesis, confidence=ceiling)
    return tuple(ranked.values())
