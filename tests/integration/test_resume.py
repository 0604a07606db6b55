"""Recorded speech, the real voice detector: a broken stream has the sentences of the unbroken one, sample by sample."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from audio import Draft, Samples
from protocol.events import Audio, Checkpoint, Done, Progress, Result, Start, Stop
from recognizer.base import Hypothesis, Transcript
from session.session import Session
from tests.speech import read_recording
from vad.segmenter import SegmenterOptions
from vad.silero import VadState, load_silero

NAMES = ("librispeech", "commonvoice_ja", "jfk")
LEAD_IN = 2_560  # samples
Line = tuple[int, int, str]


@pytest.fixture(scope="module")
def speech(speech_fixtures: Path) -> Samples:
    files = [sorted((speech_fixtures / name).rglob("*.flac"))[:2] for name in NAMES]
    parts = [read_recording(speech_fixtures, str(path.relative_to(speech_fixtures))) for some in files for path in some]
    return np.concatenate([part[: 16_000 * 10] for part in parts])


def stream(audio: Samples, breaks: list[int]) -> list[Line]:
    """The finals of a client whose connection breaks at these samples; each text tells its audio."""
    vad, finals, settled, checkpoint = load_silero(), list[Line](), 0, Checkpoint(0, 0)
    for until in [*breaks, len(audio)]:
        begin = max(0, checkpoint.at_ms * 16 - LEAD_IN)
        start = Start(
            offset_ms=begin // 16, resumable=True, checkpoint=Checkpoint(checkpoint.at_ms, settled, checkpoint.state)
        )
        session, state = Session("s", {"en": "m"}, "en", SegmenterOptions()), VadState.from_text(checkpoint.state)
        session.receive_event(start)
        for at in range(begin, until, 1_280):
            session.receive_event(Audio(audio[at : min(at + 1_280, until)]))
            if at + 1_280 >= len(audio):
                session.receive_event(Stop())
            while frames := session.frames_to_score():
                session.receive_probabilities([vad.score([frame], [state])[0] for frame in frames])
                if session.intake.at_checkpoint:
                    session.intake.add_checkpoint(state.to_text())
            for job in session.jobs_to_recognize():
                if not isinstance(job, Draft):
                    text = f"{zlib.crc32(job.audio.tobytes()):08x}"
                    session.receive_transcript(job, Transcript((Hypothesis(text, 0.9),)))
            for event in session.events_to_send():
                match event:
                    case Progress():
                        settled, checkpoint = max(settled, event.settled_ms), event.checkpoint or checkpoint
                    case Result():
                        finals.append((event.start_ms, event.end_ms, event.alternatives[0].transcript))
                        settled = max(settled, event.end_ms)
                    case Done():
                        assert until == len(audio)
    return finals


def test_a_broken_stream_has_the_sentences_of_the_unbroken_one(speech: Samples) -> None:
    whole = stream(speech, [])
    assert len(whole) > 5
    rng = np.random.default_rng(0)
    for _ in range(4):
        breaks = sorted(int(at) for at in rng.integers(0, len(speech), 4))
        assert stream(speech, breaks) == whole, breaks
