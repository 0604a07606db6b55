import numpy as np
import pytest

import protocol.events as wire
from audio import Draft, Utterance
from protocol.events import Failure, Result
from recognizer.base import Hypothesis, RecognizerError, Transcript, Word
from session.answers import Answers, agreement

AUDIO = np.zeros(1_600, np.float32)


def make_answers(count: int) -> tuple[Answers, list[Utterance]]:
    answers = Answers(offset=16_000, interim_results=True, max_alternatives=2, words=True)
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


@pytest.mark.parametrize(
    "before, now, agreed",
    [
        ("", "one", ""),
        ("one two", "one two three", "one two"),
        ("one tw", "one two", "one"),
        ("one two", "one to", "one"),
        ("on", "one", "on"),  # no space yet: it may be a language without them
        ("今日は", "今日は晴れ", "今日は"),
        ("今日は雨", "今日は晴れ", "今日は"),
    ],
)
def test_what_two_drafts_agree_on(before: str, now: str, agreed: str) -> None:
    assert agreement(before, now) == agreed


def test_the_stable_part_is_counted_as_javascript_counts() -> None:
    answers, (utterance,) = make_answers(1)
    draft = Draft(0, 0, AUDIO)
    stable = [answers.draft(draft, said(text))[0].stable for text in ("𠮷", "𠮷野", "𠮷野家")]  # type: ignore[union-attr]
    assert stable == [0, 2, 3]
    (final,) = answers.transcript(utterance, said("𠮷野屋"))
    assert isinstance(final, Result) and final.stable == 4


def test_words_are_on_the_streams_clock() -> None:
    answers, (_, second) = make_answers(2)
    spoken = Transcript((Hypothesis("go", 0.5, (Word("go", 160, 1_600, 0.4),)),))
    (draft,) = answers.draft(Draft(1, second.start, AUDIO), spoken)
    assert isinstance(draft, Result)
    assert draft.alternatives[0].words == (wire.Word("go", 2_010, 2_100, 0.4),)
