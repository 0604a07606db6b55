"""The results of one stream, in the order of their segments, whatever order they are decoded in."""

from dataclasses import replace

from audio import Draft, Utterance, ms_of
from protocol.events import Alternative, Failure, Result, ServerEvent, Word
from recognizer.base import Hypothesis, RecognizerError, Transcript


class Answers:
    """Holds the utterances whose finals are still out."""

    def __init__(self, *, offset: int, interim_results: bool, max_alternatives: int, words: bool = False) -> None:
        self._offset = offset  # of this connection's audio on the stream's clock, in samples
        self._interim_results = interim_results
        self._max_alternatives = max_alternatives
        self._with_words = words
        self._waiting: dict[int, Utterance] = {}  # by segment, oldest first
        self._answered: dict[int, ServerEvent] = {}  # decoded before an earlier segment was
        self._revisions: dict[int, int] = {}  # results made so far of a segment
        self._drafts: dict[int, str] = {}  # the newest text of a segment
        self._complete = 0  # segments below this one are answered

    @property
    def first_waiting(self) -> Utterance | None:
        return next(iter(self._waiting.values()), None)

    def expect(self, utterance: Utterance) -> None:
        self._waiting[utterance.segment] = utterance

    def draft(self, job: Draft, transcript: Transcript) -> list[ServerEvent]:
        """An interim result, unless there is nothing to say."""
        if job.segment < self._complete or job.segment in self._answered or not transcript.text:
            return []
        return [self._result(job, transcript, final=False)]

    def transcript(self, job: Utterance, transcript: Transcript) -> list[ServerEvent]:
        return self._settle(job, self._result(job, transcript, final=True))

    def failure(self, job: Utterance, error: RecognizerError) -> list[ServerEvent]:
        return self._settle(job, Failure(job.segment, error.code, str(error)))

    def _result(self, job: Utterance, transcript: Transcript, *, final: bool) -> Result:
        revision = self._revisions.get(job.segment, 0)
        self._revisions[job.segment] = revision + 1
        best = transcript.hypotheses[: self._max_alternatives]
        start, end = (ms_of(self._offset + at) for at in (job.start, job.end))
        alternatives = tuple(self._alternative(job, hypothesis) for hypothesis in best)
        before, self._drafts[job.segment] = self._drafts.get(job.segment, ""), transcript.text
        agreed = transcript.text if final else agreement(before, transcript.text)
        return Result(job.segment, revision, final, start, end, alternatives, utf16_length(agreed))

    def _alternative(self, job: Utterance, hypothesis: Hypothesis) -> Alternative:
        begin = self._offset + job.start
        if not self._with_words:
            return Alternative(hypothesis.text, hypothesis.confidence)
        words = [Word(w.text, ms_of(begin + w.start), ms_of(begin + w.end), w.confidence) for w in hypothesis.words]
        return Alternative(hypothesis.text, hypothesis.confidence, tuple(words))

    def _settle(self, job: Utterance, answer: ServerEvent) -> list[ServerEvent]:
        """The answers that may leave now: this one and those it held up."""
        if job.segment not in self._waiting:
            return []
        self._answered[job.segment] = answer
        ready: list[ServerEvent] = []
        while (first := self.first_waiting) is not None and first.segment in self._answered:
            ready += self._with_interim(self._answered.pop(first.segment))
            del self._waiting[first.segment]
            self._revisions.pop(first.segment, None)
            self._drafts.pop(first.segment, None)
            self._complete = first.segment + 1
        return ready

    def _with_interim(self, answer: ServerEvent) -> list[ServerEvent]:
        """Clients count on an interim result before each final one."""
        if not (self._interim_results and isinstance(answer, Result) and answer.alternatives and not answer.revision):
            return [answer]
        return [replace(answer, final=False), replace(answer, revision=1)]


def agreement(before: str, now: str) -> str:
    """What two successive drafts have in common at their start: whole words, where words are separated."""
    length = next(
        (n for n, pair in enumerate(zip(before, now, strict=False)) if pair[0] != pair[1]), min(len(before), len(now))
    )
    if length < len(now) and " " in now and now[length] != " ":  # in the middle of a word
        length = now.rfind(" ", 0, length) + 1
    return now[:length].rstrip()


def utf16_length(text: str) -> int:
    """As JavaScript counts."""
    return len(text.encode("utf-16-le")) // 2
