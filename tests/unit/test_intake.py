"""A stream that is broken anywhere and taken up again says what the unbroken one says."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio import FRAME_SAMPLES, SAMPLE_RATE, Draft, Resampler, Samples, Utterance
from protocol.events import Audio, Checkpoint, Done, Progress, ProtocolError, Result, SpeechEnd, Start, Stop
from recognizer.base import Hypothesis, Transcript
from session.intake import CHECKPOINT_SAMPLES, Intake
from session.session import Session, State
from tests.fake_engine import spoken, words
from vad.segmenter import SegmenterOptions

LEAD_IN_MS = 160


class LongMemory:
    """A voice detector that adapts to the room for ever, as a recurrent network does."""

    def __init__(self, state: str = "") -> None:
        self.room = float.fromhex(state) if state else 0.0

    def score(self, frame: Samples) -> float:
        self.room += 0.003 * (float(frame.max()) - self.room)
        return 0.95 if frame.max() > self.room + 0.05 else 0.05

    def to_text(self) -> str:
        return self.room.hex()


def answer(session: Session, jobs: list[Utterance], *, patience: int) -> None:
    """Answers all but the newest `patience` utterances: a recogniser that is behind."""
    jobs += [job for job in session.jobs_to_recognize() if not isinstance(job, Draft)]
    while len(jobs) > patience:
        job = jobs.pop(0)
        text = " ".join(f"w{n}" for n in words(job.audio))
        session.receive_transcript(job, Transcript((Hypothesis(text, 0.9),)))


Line = tuple[int, int, str]


@dataclass
class Client:
    """What a resuming client keeps: its audio, what is settled, the newest checkpoint, the finals."""

    audio: Samples  # all of the stream, at `rate`
    rate: int
    sent: int = 0
    settled_ms: int = 0
    checkpoint: Checkpoint = field(default_factory=lambda: Checkpoint(0, 0))
    finals: list[Line] = field(default_factory=list)
    done: bool = False

    def start(self) -> Start:
        offset = max(0, self.checkpoint.at_ms - LEAD_IN_MS) if self.settled_ms else 0
        self.sent = round(offset * self.rate / 1000)
        again = Checkpoint(self.checkpoint.at_ms, self.settled_ms, self.checkpoint.state) if self.settled_ms else None
        return Start(sample_rate=self.rate, offset_ms=offset, checkpoint=again, resumable=True)

    def hear(self, session: Session, *, at_most: int) -> None:
        """Reads some of the server's messages; the rest is lost with the connection."""
        for event in session.events_to_send()[:at_most]:
            match event:
                case Progress():
                    self.settled_ms = max(self.settled_ms, event.settled_ms)
                    self.checkpoint = event.checkpoint or self.checkpoint
                case Result(final=True):
                    self.finals.append((event.start_ms, event.end_ms, event.alternatives[0].transcript))
                    self.settled_ms = max(self.settled_ms, event.end_ms)
                case Done():
                    self.done = True


def talk(client: Client, *, until: int, chunk: int, patience: int, heard: int, shutdown: bool = False) -> None:
    """One connection: sends audio up to `until`; all of it means stop. Loses all but `heard` of the last messages."""
    session = Session("s", {"en": "m"}, "en", SegmenterOptions())
    start = client.start()
    vad = LongMemory(start.checkpoint.state if start.checkpoint else "")
    session.receive_event(start)
    jobs: list[Utterance] = []

    def digest(patience: int) -> None:
        while frames := session.frames_to_score():
            session.receive_probabilities([vad.score(frame) for frame in frames])
            if session.intake.at_checkpoint:
                session.intake.add_checkpoint(vad.to_text())
        answer(session, jobs, patience=patience)

    while client.sent < until:
        piece = client.audio[client.sent : min(client.sent + chunk, until)]
        client.sent += len(piece)
        client.hear(session, at_most=99)
        session.receive_event(Audio(piece))
        digest(patience)
    if until == len(client.audio):
        session.receive_event(Stop())
        digest(0)
        return client.hear(session, at_most=99)
    if shutdown:
        session.receive_shutdown()
        digest(0)
        assert session.state is State.CLOSED
        heard = 99
    client.hear(session, at_most=heard)
    assert not client.done


def speech(seed: int, seconds: float) -> Samples:
    """Words of every length and loudness, with pauses from nothing to several seconds."""
    rng, parts, length = np.random.default_rng(seed), list[Samples](), 0
    while length < seconds * SAMPLE_RATE:
        pause = np.zeros(int(rng.choice([0.05, 0.3, 0.6, 1.5, 4.0]) * SAMPLE_RATE), np.float32)
        word = spoken(int(rng.integers(8, 90)), seconds=float(rng.uniform(0.02, 0.5)))
        parts += [pause, word]
        length += len(pause) + len(word)
    return np.concatenate(parts)


def unbroken(audio: Samples, rate: int) -> list[Line]:
    client = Client(audio, rate)
    talk(client, until=len(audio), chunk=rate // 12, patience=0, heard=99)
    assert client.done and client.finals
    return client.finals


@given(
    seed=st.integers(0, 1 << 32),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.sampled_from([100, 1_280, 20_000]), st.integers(0, 3),
                            st.integers(0, 4), st.booleans()), min_size=1, max_size=6),
)  # fmt: skip
def test_broken_anywhere_it_says_the_same(seed: int, cuts: list[tuple[float, int, int, int, bool]]) -> None:
    audio = speech(seed, 25)
    client = Client(audio, SAMPLE_RATE)
    for share, chunk, patience, heard, shutdown in sorted(cuts):
        until = int(share * (len(audio) - 1))
        talk(client, until=until, chunk=chunk, patience=patience, heard=heard, shutdown=shutdown)
    talk(client, until=len(audio), chunk=1_280, patience=0, heard=99)
    assert client.done
    assert client.finals == unbroken(audio, SAMPLE_RATE)


@pytest.mark.parametrize("rate", [44_100, 48_000, 8_000])
def test_at_other_rates_as_well(rate: int) -> None:
    """A checkpoint is a whole number of samples at these rates: the frames lie where they lay."""
    audio = Resampler(SAMPLE_RATE).feed(speech(7, 30))
    import soxr

    native = soxr.resample(audio, SAMPLE_RATE, rate).astype(np.float32)
    client = Client(native, rate)
    for share in (0.13, 0.31, 0.48, 0.74, 0.9):
        talk(client, until=int(share * len(native)), chunk=rate // 12, patience=1, heard=1)
    talk(client, until=len(native), chunk=rate // 12, patience=0, heard=99)
    times = [(start, end) for start, end, _ in client.finals]
    assert times == [(start, end) for start, end, _ in unbroken(native, rate)]


def test_a_server_that_leaves_does_not_cut_the_sentence_of_a_client_that_resumes() -> None:
    session = Session("s", {"en": "m"}, "en", SegmenterOptions())
    session.receive_event(Start(resumable=True))
    session.receive_event(Audio(np.full(SAMPLE_RATE, 0.5, np.float32)))
    while frames := session.frames_to_score():
        session.receive_probabilities([0.9] * len(frames))
    session.receive_shutdown()
    assert session.state is State.CLOSED
    assert not any(isinstance(event, SpeechEnd | Done) for event in session.events_to_send())


def test_frames_stop_at_a_checkpoint_only_for_those_who_want_it() -> None:
    audio = np.zeros(3 * SAMPLE_RATE, np.float32)
    plain, resumable = Intake(SAMPLE_RATE), Intake(SAMPLE_RATE, resumable=True)
    plain.feed(audio)
    resumable.feed(audio)
    assert len(plain.frames_to_score()) == 3 * SAMPLE_RATE // FRAME_SAMPLES
    assert len(resumable.frames_to_score()) == CHECKPOINT_SAMPLES // FRAME_SAMPLES
    assert not resumable.at_checkpoint, "its scores have not come"


@pytest.mark.parametrize("wrong, says", [
    (lambda: Start(offset_ms=1_000, checkpoint=Checkpoint(900, 1_000)), "checkpoint.at_ms must be between 1000"),
    (lambda: Start(checkpoint=Checkpoint(800, 700)), "checkpoint.settled_ms must be between 800"),
    (lambda: Start(checkpoint=Checkpoint(800, 810)), "multiple of 32"),
])  # fmt: skip
def test_a_wrong_checkpoint_names_what_is_wrong(wrong: Callable[[], Start], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        wrong()
