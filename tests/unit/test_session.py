"""The conversation, without a socket, a model or a clock. Samples above zero are speech."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio import FRAME_SAMPLES, SAMPLE_RATE, Draft, Samples, Utterance
from protocol.events import (
    Abort,
    Audio,
    Configure,
    Done,
    Failure,
    Phrase,
    Progress,
    ProtocolError,
    Ready,
    Result,
    ServerEvent,
    SpeechEnd,
    SpeechStart,
    Start,
    Stop,
    VadOptions,
)
from recognizer.base import Hypothesis, RecognizerError, Transcript
from session.session import Session, State
from vad.segmenter import SegmenterOptions


def make_session() -> Session:
    return Session("s1", {"en": "bundled:en-small", "ja": "bundled:ja-small"}, "en", SegmenterOptions())


def speech(seconds: float) -> Samples:
    return np.linspace(0.1, 0.9, int(seconds * SAMPLE_RATE), dtype=np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * SAMPLE_RATE), np.float32)


def said(text: str) -> Transcript:
    return Transcript((Hypothesis(text, 0.9), Hypothesis(text + "?", 0.5)) if text else ())


def score(session: Session) -> None:
    session.receive_probabilities([float(frame.max() > 0) for frame in session.frames_to_score()])


def hear(session: Session, *parts: Samples) -> list[Utterance]:
    session.receive_event(Audio(np.concatenate(parts)))
    score(session)
    return session.jobs_to_recognize()


def stop(session: Session) -> list[Utterance]:
    session.receive_event(Stop())
    score(session)
    return session.jobs_to_recognize()


def finals(jobs: list[Utterance]) -> list[Utterance]:
    return [job for job in jobs if not isinstance(job, Draft)]


def without_progress(session: Session) -> list[ServerEvent]:
    return [event for event in session.events_to_send() if not isinstance(event, Progress)]


def test_a_dialogue_from_start_to_done() -> None:
    session = make_session()
    session.receive_event(Start(lang="en-US", interim_results=True))
    (job,) = finals(hear(session, silence(1), speech(0.3), silence(1)))
    session.receive_transcript(job, said("yes"))
    assert stop(session) == []
    ready, begin, end, interim, final, done = without_progress(session)
    assert isinstance(ready, Ready) and ready.lang == "en-US" and ready.model == "bundled:en-small"
    assert isinstance(begin, SpeechStart) and isinstance(end, SpeechEnd) and begin.at_ms < 1000 < end.at_ms
    assert isinstance(interim, Result) and not interim.final and interim.revision == 0
    assert isinstance(final, Result) and final.final and final.revision == 1
    assert [a.transcript for a in final.alternatives] == ["yes"]
    assert done == Done() and session.state is State.CLOSED


def test_stop_loses_no_tail() -> None:
    session = make_session()
    session.receive_event(Start())
    assert finals(hear(session, silence(0.5), speech(1.01))) == []
    (job,) = finals(stop(session))
    assert session.state is State.DRAINING
    assert job.end == session.received, "the silence that fills the last frame is no part of the utterance"
    session.receive_transcript(job, said("tail"))
    assert session.events_to_send()[-1] == Done() and session.settled == session.received


def test_finals_leave_in_order_whatever_order_they_are_decoded_in() -> None:
    session = make_session()
    session.receive_event(Start())
    first, second = finals(hear(session, speech(0.5), silence(1), speech(0.5), silence(1)))
    session.receive_transcript(second, said("two"))
    assert not [e for e in session.events_to_send() if isinstance(e, Result)]
    session.receive_transcript(first, said("one"))
    results = [e for e in session.events_to_send() if isinstance(e, Result)]
    assert [r.alternatives[0].transcript for r in results] == ["one", "two"]
    assert [r.segment for r in results] == [0, 1]


def test_a_draft_that_comes_after_its_final_is_dropped() -> None:
    session = make_session()
    session.receive_event(Start(interim_results=True))
    jobs = hear(session, speech(1), silence(1))
    draft = next(job for job in jobs if isinstance(job, Draft))
    session.receive_transcript(jobs[-1], said("done"))
    session.events_to_send()
    session.receive_transcript(draft, said("late"))
    assert session.events_to_send() == []


def test_no_drafts_unless_asked_for() -> None:
    session = make_session()
    session.receive_event(Start())
    assert all(not isinstance(job, Draft) for job in hear(session, speech(3)))


def test_an_empty_draft_is_not_shown() -> None:
    session = make_session()
    session.receive_event(Start(interim_results=True))
    draft = hear(session, speech(0.5))[0]
    session.receive_transcript(draft, said(""))
    assert not [e for e in session.events_to_send() if isinstance(e, Result)]


def test_one_failed_utterance_does_not_end_the_session() -> None:
    session = make_session()
    session.receive_event(Start())
    (job,) = finals(hear(session, speech(0.5), silence(1)))
    session.receive_failure(job, RecognizerError("overloaded", "too many utterances are waiting"))
    assert Failure(0, "overloaded", "too many utterances are waiting") in session.events_to_send()
    assert session.state is State.STREAMING and session.settled > job.start


def test_not_continuous_ends_after_the_first_utterance() -> None:
    session = make_session()
    session.receive_event(Start(continuous=False))
    (job,) = finals(hear(session, speech(0.5), silence(1), speech(0.5), silence(1)))
    assert hear(session, speech(0.5)) == [], "what is sent before the client knows is ignored"
    session.receive_transcript(job, said("once"))
    assert session.state is State.CLOSED


def test_abort_drops_everything() -> None:
    session = make_session()
    session.receive_event(Start())
    hear(session, speech(0.5))
    session.receive_event(Abort())
    assert session.events_to_send() == [Done()] and session.jobs_to_recognize() == []


def test_offset_moves_every_time() -> None:
    session = make_session()
    session.receive_event(Start(offset_ms=60_000))
    (job,) = finals(hear(session, speech(0.5), silence(1)))
    session.receive_transcript(job, said("later"))
    events = session.events_to_send()
    assert all(e.at_ms >= 60_000 for e in events if isinstance(e, SpeechStart | SpeechEnd))
    assert all(e.start_ms >= 60_000 for e in events if isinstance(e, Result))
    assert all(e.settled_ms >= 60_000 for e in events if isinstance(e, Progress))


def test_configure_changes_phrases_and_the_segmenter() -> None:
    session = make_session()
    session.receive_event(Start())
    session.receive_event(Configure((Phrase("wilkins", 5),), VadOptions(min_silence_ms=100)))
    assert session.options.phrases == (("wilkins", 5),)
    assert finals(hear(session, speech(0.5), silence(0.2)))


def test_shutdown_answers_what_was_heard_and_ignores_the_rest() -> None:
    session = make_session()
    session.receive_event(Start())
    hear(session, speech(0.5))
    session.receive_shutdown()
    score(session)
    (job,) = session.jobs_to_recognize()
    assert hear(session, speech(1)) == []
    session.receive_transcript(job, said("heard"))
    assert session.state is State.CLOSED and session.events_to_send()[-1] == Done()


@pytest.mark.parametrize(
    "events, message",
    [
        ([Audio(np.zeros(1, np.float32))], "audio while opening"),
        ([Stop()], "stop while opening"),
        ([Start(), Start()], "start while streaming"),
        ([Start(), Stop(), Stop()], "stop while draining"),
        ([Start(lang="tlh")], "lang 'tlh' is not spoken here; there is en, ja"),
        ([Start(model="huge")], "model 'huge' is not loaded for 'en'"),
        ([Start(vad=VadOptions(min_silence_ms=1))], "vad.min_silence_ms must be between 64 and 10000, not 1"),
    ],
)
def test_what_is_out_of_order_or_range_is_refused(events: list[object], message: str) -> None:
    session = make_session()
    with pytest.raises(ProtocolError, match=message):
        for event in events:
            session.receive_event(event)  # type: ignore[arg-type]
            if isinstance(event, Start):
                hear(session, speech(0.5))


RUNS = st.lists(st.tuples(st.booleans(), st.integers(1, 30_000)), min_size=1, max_size=12)


def stream(runs: list[tuple[bool, int]]) -> Samples:
    parts = [np.full(count, 0.5 if loud else 0.0, np.float32) for loud, count in runs]
    return np.concatenate(parts)


@given(RUNS, st.lists(st.integers(1, 5_000), min_size=1, max_size=8))
def test_accounting_and_order_hold_for_any_stream_and_chunking(runs: list[tuple[bool, int]], cuts: list[int]) -> None:
    audio, session, at, jobs, settled = stream(runs), make_session(), 0, [], 0
    session.receive_event(Start())
    while at < len(audio):
        chunk = audio[at : at + cuts[at % len(cuts)]]
        at += len(chunk)
        jobs += hear(session, chunk)
        assert session.received == at == session.settled + session.pending
        assert session.settled >= settled
        settled = session.settled
    jobs += stop(session)
    for number, job in enumerate(jobs):
        assert job.segment == number
        assert job.start >= (jobs[number - 1].end if number else 0)
        assert np.array_equal(job.audio, audio[job.start : job.end])
        session.receive_transcript(job, said(f"w{number}"))
    results = [e for e in session.events_to_send() if isinstance(e, Result)]
    assert [r.alternatives[0].transcript for r in results] == [f"w{n}" for n in range(len(jobs))]
    assert session.state is State.CLOSED and session.pending == 0


@given(RUNS, st.integers(1, 4_000))
def test_chunking_does_not_change_what_is_heard(runs: list[tuple[bool, int]], size: int) -> None:
    def utterances(chunk: int) -> list[tuple[int, int]]:
        session, audio, jobs = make_session(), stream(runs), []
        session.receive_event(Start())
        for at in range(0, len(audio), chunk):
            jobs += hear(session, audio[at : at + chunk])
        return [(job.start, job.end) for job in jobs + stop(session)]

    assert utterances(size) == utterances(FRAME_SAMPLES * 1000)
