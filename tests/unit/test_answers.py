import numpy as np

from audio import Draft, Utterance
from protocol.events import Failure, Result
from recognizer.base import Hypothesis, RecognizerError, Transcript
from session.answers import Answers

AUDIO = np.zeros(1_600, np.float32)


def make_answers(count: int) -> tuple[Answers, list[Utterance]]:
    answers = Answers(offset=16_000, interim_results=True, max_alternatives=2)
    utterances = [Utterance(n, n * 16_000, AUDIO) for n in range(count)]
    for utterance in utterances:
        answers.expect(utterance)
    return answers, utterances


def said(*texts: str) -> Transcript:
    return Transcript(tuple(Hypothesis(text, 1 / (n + 1)) for n, text in enumerate(texts)))


def test_an_answer_waits_for_those_before_it() -> None:
    answers, (first, second) = make_answers(2)
    assert answers.failure(second, RecognizerError("timeout", "too slow")) == []
    assert answers.first_waiting is first
    *_, final, failure = answers.transcript(first, said("one"))
    assert isinstance(final, Result) and final.final
    assert failure == Failure(1, "timeout", "too slow")
    assert answers.first_waiting is None


def test_an_interim_always_precedes_a_final() -> None:
    answers, (first, second) = make_answers(2)
    interim, final = answers.transcript(first, said("one"))
    assert isinstance(interim, Result) and isinstance(final, Result)
    assert (interim.final, interim.revision, final.final, final.revision) == (False, 0, True, 1)
    (draft,) = answers.draft(Draft(1, 16_000, AUDIO), said("tw"))
    (only,) = answers.transcript(second, said("two"))
    assert isinstance(draft, Result) and isinstance(only, Result) and only.revision == 1


def test_alternatives_are_cut_and_times_are_on_the_streams_clock() -> None:
    answers, (utterance,) = make_answers(1)
    final = answers.transcript(utterance, said("a", "b", "c"))[-1]
    assert isinstance(final, Result)
    assert [a.transcript for a in final.alternatives] == ["a", "b"]
    assert (final.start_ms, final.end_ms) == (1_000, 1_100)


def test_nothing_said_is_a_final_without_alternatives() -> None:
    answers, (utterance,) = make_answers(1)
    (final,) = answers.transcript(utterance, said())
    assert isinstance(final, Result) and final.final and final.alternatives == ()


def test_answers_nobody_waits_for_are_dropped() -> None:
    answers, (utterance,) = make_answers(1)
    answers.transcript(utterance, said("one"))
    assert answers.transcript(utterance, said("again")) == []
    assert answers.draft(Draft(0, 0, AUDIO), said("late")) == []
