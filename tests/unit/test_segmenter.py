import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio import FRAME_SAMPLES, Draft, Utterance
from vad.segmenter import Segmenter, SegmenterOptions, SegmentEvent, SpeechDropped, SpeechStarted

F = FRAME_SAMPLES
PROBABILITY = {"#": 0.9, ".": 0.1, "-": 0.4}
PATTERNS = st.lists(st.tuples(st.sampled_from("#.-"), st.integers(1, 60)), max_size=30).map(
    lambda runs: "".join(char * count for char, count in runs)
)


def run(pattern: str, options: SegmenterOptions | None = None) -> list[SegmentEvent]:
    """'#' is a frame of speech, '.' of silence, '-' in between; each frame is filled with its own index."""
    segmenter = Segmenter(options or SegmenterOptions())
    events: list[SegmentEvent] = []
    for index, char in enumerate(pattern):
        events += segmenter.process(np.full(F, index, np.float32), PROBABILITY[char])
    return events + segmenter.flush()


def utterances(events: list[SegmentEvent]) -> list[Utterance]:
    return [event for event in events if isinstance(event, Utterance) and not isinstance(event, Draft)]


def frames(utterance: Utterance) -> list[int]:
    return [int(sample) for sample in utterance.audio[::F]]


def test_an_utterance_has_padding_on_both_sides() -> None:
    (utterance,) = utterances(run("." * 20 + "#" * 10 + "." * 20))
    assert frames(utterance) == list(range(14, 36))
    assert utterance.start == 14 * F


def test_speech_is_announced_once_it_is_long_enough() -> None:
    events = run("." * 20 + "#" * 5 + "." * 20)
    assert isinstance(events[0], SpeechStarted) and events[0].at == 14 * F


def test_a_short_burst_is_dropped_and_takes_no_segment_number() -> None:
    events = run("." * 20 + "#" * 2 + "." * 20 + "#" * 9 + "." * 20)
    assert isinstance(events[0], SpeechDropped)
    assert [u.segment for u in utterances(events)] == [0]


def test_a_pause_shorter_than_the_minimum_does_not_end_an_utterance() -> None:
    assert len(utterances(run("#" * 9 + "." * 15 + "#" * 9 + "." * 16))) == 1
    assert len(utterances(run("#" * 9 + "." * 16 + "#" * 9 + "." * 16))) == 2


def test_probabilities_between_the_thresholds_go_on_but_do_not_begin() -> None:
    assert utterances(run("-" * 50)) == []
    (utterance,) = utterances(run("#" * 5 + "-" * 40 + "." * 20))
    assert len(utterance.audio) == (45 + 6) * F


def test_long_speech_is_cut_at_its_least_speech_like_frame() -> None:
    pattern = "#" * 440 + "-" + "#" * 100
    first, second = utterances(run(pattern))
    assert frames(first)[-1] == 440
    assert frames(second) == list(range(441, 541))


def test_drafts_come_every_interval_and_thin_out() -> None:
    drafts = [event for event in run("#" * 400) if isinstance(event, Draft)]
    lengths = [len(draft.audio) // F for draft in drafts]
    gaps = [b - a for a, b in zip(lengths, lengths[1:], strict=False)]
    assert lengths[0] == 9 and gaps[0] == 9 and gaps[-1] > 30 and gaps == sorted(gaps)


def test_the_only_draft_in_silence_is_what_the_utterance_will_be() -> None:
    events = run("." * 9 + "#" * 9 + "." * 30)
    (utterance,) = utterances(events)
    *_, last = drafts = [event for event in events if isinstance(event, Draft)]
    assert [draft.complete for draft in drafts] == [False, True]
    assert (last.segment, last.start, frames(last)) == (utterance.segment, utterance.start, frames(utterance))


def test_a_pause_that_does_not_last_makes_a_longer_utterance() -> None:
    events = run("." * 9 + "#" * 9 + "." * 10 + "#" * 9 + "." * 30)
    (utterance,) = utterances(events)
    complete = [event for event in events if isinstance(event, Draft) and event.complete]
    assert [len(draft.audio) < len(utterance.audio) for draft in complete] == [True, False]


def test_configure_applies_to_the_segment_being_built() -> None:
    segmenter = Segmenter(SegmenterOptions())
    frame = np.zeros(F, np.float32)
    for _ in range(10):
        segmenter.process(frame, 0.9)
    segmenter.configure(SegmenterOptions(min_silence_ms=64))
    events = segmenter.process(frame, 0.1) + segmenter.process(frame, 0.1)
    assert len(utterances(events)) == 1


@pytest.mark.parametrize("name, value", [("threshold", 0.0), ("min_silence_ms", 5), ("max_utterance_ms", 100)])
def test_a_wrong_option_names_field_and_range(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be between .* and .*, not {value:g}"):
        SegmenterOptions(**{name: value})  # type: ignore[arg-type]


@given(PATTERNS)
def test_utterances_are_ordered_disjoint_slices_of_the_input(pattern: str) -> None:
    end = 0
    for number, utterance in enumerate(utterances(run(pattern))):
        assert utterance.segment == number
        assert utterance.start >= end
        end = utterance.end
        assert frames(utterance) == list(range(utterance.start // F, end // F))


@given(PATTERNS)
def test_no_speech_run_of_the_minimum_length_is_lost(pattern: str) -> None:
    covered = {frame for utterance in utterances(run(pattern)) for frame in frames(utterance)}
    for start in range(len(pattern) - 2):
        if pattern[start : start + 3] == "###" and not covered.issuperset(range(start, start + 3)):
            # Only a cut may separate a run from the rest of its speech.
            assert any(u.end // F in range(start, start + 4) for u in utterances(run(pattern)))


@given(PATTERNS)
def test_settled_never_goes_back_and_never_passes_a_later_utterance(pattern: str) -> None:
    segmenter, settled = Segmenter(SegmenterOptions()), [0]
    for index, char in enumerate(pattern):
        events = segmenter.process(np.full(F, index, np.float32), PROBABILITY[char])
        for utterance in utterances(events):
            assert utterance.start >= settled[-1]
        assert segmenter.settled >= settled[-1]
        settled.append(segmenter.settled)
