"""FastEngine: a packaged model and the search the user chose."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from audio import SAMPLE_RATE, Samples
from recognizer.base import Options, Request, Transcript, Word
from recognizer.decoding.ctc import Prefix, align, greedy, prefix_beam
from recognizer.decoding.joint import Heard, joint_search
from recognizer.decoding.language_model import LanguageModel, Rescorer
from recognizer.decoding.networks import Floats
from recognizer.decoding.ngram import NGram
from recognizer.decoding.package import Package
from recognizer.decoding.phrases import PhraseGraph, build
from recognizer.decoding.rescoring import Tokens, attention_scores
from recognizer.decoding.results import Calibration, Texts, ranked
from recognizer.limits import MIN_SAMPLES, max_tokens, padded

CTC_BEAM = 20  # prefixes of the first pass: `first_beam`
NGRAM_BEAM = 30  # the same with an n-gram, which has more to choose from
WORD_BEAM = 60  # the same with a model of words, which has most
DRAFT_BEAM = 10  # of drafts, which come several times a second
MOST_RESCORED = 30  # of them the second pass, which is dearer, sees the best
DRAFT_WINDOW = 8 * SAMPLE_RATE  # newest samples that a draft encodes: it costs no more however long one speaks
LOCK_STEP = 4  # utterances whose `exact` searches share each step of the decoder on a CPU: it reads its weights once
SPARE = 2  # hypotheses looked at beyond those wanted: two may spell the same text
REMEMBERED = 4  # encoder outputs kept, for each that is encoded at once: a final that was a draft needs no second pass
Phrases = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Search:
    """How finals are searched."""

    kind: str  # "exact" | "two_pass" | "ctc"
    beam: int
    ctc_weight: float
    penalty: float = 0.0  # added for each token
    ngram_weight: float = 0.0  # of the n-gram model in "exact"; 0: ESPnet's own search


@dataclass(frozen=True, eq=False)
class _Scored:
    tokens: Tokens
    score: float
    each: Floats  # log probability of each token


@dataclass(frozen=True, eq=False)
class Asked:
    """What the networks make of a request, and what bounds its search."""

    hidden: Floats
    log_probs: Floats
    graph: PhraseGraph
    cap: int  # tokens
    wanted: int  # hypotheses


class FastEngine:
    """Drafts by CTC, finals by `search`. Blocking; one thread."""

    def __init__(
        self, package: Package, search: Search, device: str, calibration: Calibration, description: str,
        language_model: LanguageModel | None = None, ngram: NGram | None = None, rescorers: Sequence[Rescorer] = (),
    ) -> None:  # fmt: skip
        """`ngram` guides the CTC beam, `rescorers` order its n-best; `exact` has ESPnet's scores, and those of `ngram`
        where `search` has a weight for it."""
        self.device = device
        self.search = description
        self.eager = search.kind != "exact"
        self.drafts_together = package.networks.together
        self.together = max(LOCK_STEP, self.drafts_together) if search.kind == "exact" else self.drafts_together
        self._networks, self._features = package.networks, package.features
        self._vocabulary = package.vocabulary
        self._search, self._language_model = search, language_model
        self._ngram, self._beam = ngram, first_beam(ngram)
        self._rescorers = [one for one in (language_model, *rescorers) if one is not None]
        self._texts = Texts(package.vocabulary, calibration)
        self._remembered: dict[bytes, tuple[Floats, Floats]] = {}
        self._graph = lru_cache(maxsize=64)(self._phrase_graph)  # of the sessions that have phrases

    def warm_up(self) -> None:
        noise = np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE).astype(np.float32)
        options = Options(words=True, phrases=(("a", 1.0),))
        self.transcribe([Request(noise, final, options) for final in (False, True)])

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        encoded = self._encoded([request.audio[_skipped(request) :] for request in batch])
        asked = [self._asked(request, *networks) for request, networks in zip(batch, encoded, strict=True)]
        finals = [n for n, request in enumerate(batch) if request.final]
        found = dict(zip(finals, self.searched([asked[n] for n in finals]), strict=True))
        return [
            self._final(request, found[n], asked[n].log_probs) if n in found else self._draft(request, asked[n])
            for n, request in enumerate(batch)
        ]

    def _asked(self, request: Request, hidden: Floats, log_probs: Floats) -> Asked:
        options, cap = request.options, max_tokens(len(request.audio))
        return Asked(hidden, log_probs, self._graph(options.phrases), cap, options.max_alternatives + SPARE)

    def _draft(self, request: Request, asked: Asked) -> Transcript:
        """Of a long utterance only the end is encoded again; its start is in the draft before."""
        skipped, tokens = _skipped(request), self._spoken_so_far(asked)
        if not tokens:
            return request.known if skipped and request.known else Transcript(())
        spans = align(asked.log_probs, tokens, self._vocabulary.blank)
        scores = np.array([heard for _, _, heard in spans], np.float32)
        samples = max(len(request.audio) - skipped, MIN_SAMPLES)
        heard = self._texts.hypothesis(tokens, scores, asked.log_probs, samples, words=True)
        if skipped:
            heard = self._texts.continued(_said(request), heard, skipped)
        return Transcript((heard,) if heard.text else ())

    def _spoken_so_far(self, asked: Asked) -> Sequence[int]:
        """By CTC: greedy, or a narrow beam where an n-gram model or phrases can guide it."""
        blank, eos = self._vocabulary.blank, self._vocabulary.eos
        if self._ngram is None and not len(asked.graph.labels):
            return [token for token in greedy(asked.log_probs, blank)[0] if token != eos]
        beam = DRAFT_BEAM * _widening(asked.graph)
        return prefix_beam(asked.log_probs, beam, blank, eos, asked.graph, self._ngram, ended=False)[0].tokens

    def _final(self, request: Request, found: list[_Scored], log_probs: Floats) -> Transcript:
        if not found or not found[0].tokens:
            return Transcript(())
        samples = max(len(request.audio), MIN_SAMPLES)
        found = [one for one in found if one.tokens][: request.options.max_alternatives + SPARE]
        hypotheses = [
            self._texts.hypothesis(one.tokens, one.each, log_probs, samples, words=request.options.words)
            for one in found
        ]
        return Transcript(ranked(hypotheses, [one.score for one in found])[: request.options.max_alternatives])

    def searched(self, asked: Sequence[Asked]) -> list[list[_Scored]]:
        """Of each utterance the hypotheses, best first."""
        match self._search.kind if asked else "":
            case "exact":
                return self._exact(asked)
            case "two_pass":
                return self._two_pass(asked)
        return [self._ctc(one) for one in asked]

    def _ctc(self, asked: Asked) -> list[_Scored]:
        found = self._prefixes(asked)
        each = [np.full(len(one.tokens), one.score / max(1, len(one.tokens)), np.float32) for one in found]
        return self._ordered(found, [one.score for one in found], each, asked.graph)

    def _two_pass(self, asked: Sequence[Asked]) -> list[list[_Scored]]:
        """The n-best of CTC in the order of both scores, as in U2 (Zhang et al. 2020, arXiv 2012.05481)."""
        found = [self._prefixes(one) for one in asked]
        attention = self._attention(asked, [[prefix.tokens for prefix in nbest] for nbest in found])
        weight, ordered = self._search.ctc_weight, []
        for one, nbest, each in zip(asked, found, attention, strict=True):
            pairs = zip(nbest, each, strict=True)
            scores = [weight * prefix.score + (1 - weight) * float(row.sum()) for prefix, row in pairs]
            ordered.append(self._ordered(nbest, scores, [row[:-1] for row in each], one.graph))
        return ordered

    def _ordered(
        self, found: list[Prefix], scores: list[float], each: list[Floats], graph: PhraseGraph
    ) -> list[_Scored]:  # fmt: skip
        """Best first, with what the n-gram model, phrases, length and rescorers add."""
        hypotheses = [prefix.tokens for prefix in found]
        totals = np.array(scores) + [one.ngram + self._search.penalty * len(one.tokens) for one in found]
        totals += [graph.score(tokens) for tokens in hypotheses]
        for rescorer in self._rescorers:
            totals += rescorer.sentences(hypotheses)
        scored = [_Scored(*one) for one in zip(hypotheses, totals.tolist(), each, strict=True)]
        return sorted(scored, key=lambda one: -one.score)

    def _prefixes(self, asked: Asked) -> list[Prefix]:
        beam = max(self._search.beam, self._beam) * _widening(asked.graph)
        blank, eos = self._vocabulary.blank, self._vocabulary.eos
        found = prefix_beam(asked.log_probs, beam, blank, eos, asked.graph, self._ngram)
        return [one._replace(tokens=one.tokens[: asked.cap]) for one in found[: MOST_RESCORED * _widening(asked.graph)]]

    def _exact(self, asked: Sequence[Asked]) -> list[list[_Scored]]:
        beam = self._search.beam
        heard = [Heard(one.hidden, one.log_probs, one.graph, beam * _widening(one.graph), one.cap) for one in asked]
        found = joint_search(
            self._networks, self._vocabulary, heard, ctc_weight=self._search.ctc_weight,
            penalty=self._search.penalty, language_model=self._language_model,
            ngram=self._ngram, ngram_weight=self._search.ngram_weight,
        )  # fmt: skip
        ended = [each[: one.wanted] for one, each in zip(asked, found, strict=True)]
        attention = self._attention(asked, [[one.tokens for one in each] for each in ended])
        return [
            [_Scored(one.tokens, one.score, row[:-1]) for one, row in zip(each, rows, strict=True)]
            for each, rows in zip(ended, attention, strict=True)
        ]

    def _attention(self, asked: Sequence[Asked], hypotheses: list[list[Tokens]]) -> list[list[Floats]]:
        utterances = [(one.hidden, each) for one, each in zip(asked, hypotheses, strict=True)]
        return attention_scores(self._networks, utterances, self._vocabulary.sos, self._vocabulary.eos)

    def _encoded(self, batch: Sequence[Samples]) -> list[tuple[Floats, Floats]]:
        """Encoder output and CTC log probabilities of each; from memory when the same audio was encoded just now."""
        audios = [padded(audio) for audio in batch]
        keys = [blake2b(audio.tobytes(), digest_size=16).digest() for audio in audios]
        new = {key: audio for key, audio in zip(keys, audios, strict=True) if key not in self._remembered}
        encoded = self._networks.encode_all([self._features(audio) for audio in new.values()])
        self._remembered |= zip(new, encoded, strict=True)
        found = [self._remembered[key] for key in keys]
        for key in list(self._remembered)[: -REMEMBERED * self.together]:
            del self._remembered[key]
        return found

    def _phrase_graph(self, phrases: Phrases) -> PhraseGraph:
        spelled = [(tokens, boost) for phrase, boost in phrases for tokens in self._texts.spellings(phrase)]
        return build(spelled, self._texts.word_end, self._texts.inside)


def first_beam(ngram: NGram | None) -> int:
    """Prefixes of the first pass."""
    if ngram is None:
        return CTC_BEAM
    return WORD_BEAM if len(ngram.lexicon.words) else NGRAM_BEAM


def _said(request: Request) -> tuple[Word, ...]:
    """What an earlier draft of the utterance holds."""
    return request.known.hypotheses[0].words if request.known and request.known.hypotheses else ()


def _skipped(request: Request) -> int:
    """Samples at the start of a long draft that an earlier one has written already."""
    return 0 if request.final or not _said(request) else max(0, len(request.audio) - DRAFT_WINDOW)


def _widening(graph: PhraseGraph) -> int:
    """Begun phrases take places in the beam from hypotheses that end better: there must be room for both."""
    return 2 if len(graph.labels) else 1
