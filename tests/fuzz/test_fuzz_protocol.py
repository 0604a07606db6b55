"""Whatever arrives, only ProtocolError may come out."""

import contextlib
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from audio import Encoding
from protocol import native
from protocol.events import ProtocolError, Start
from session.session import Session
from vad.segmenter import SegmenterOptions

FIELDS = ["type", "lang", "encoding", "sample_rate", "interim_results", "continuous", "max_alternatives", "words"]
FIELDS += ["phrases", "vad", "offset_ms", "stream", "phrase", "boost", "threshold", "min_silence_ms"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["start", "stop", "en"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner), max_leaves=8
)
COMMANDS = st.builds(
    lambda kind, values: json.dumps({**values, "type": kind}),
    st.sampled_from(["start", "configure", "stop", "abort", "other"]),
    st.dictionaries(st.sampled_from(FIELDS), VALUES),
)
MESSAGES = st.text() | st.binary(max_size=8_000) | COMMANDS | VALUES.map(json.dumps)


@given(MESSAGES, st.sampled_from(["f32le", "s16le"]))
def test_decode_raises_nothing_else(message: str | bytes, encoding: Encoding) -> None:
    with contextlib.suppress(ProtocolError):
        native.decode(message, encoding)


@given(st.lists(MESSAGES, max_size=12), st.booleans())
def test_a_session_raises_nothing_else(messages: list[str | bytes], started: bool) -> None:
    session = Session("fuzz", {"en": "m"}, "en", SegmenterOptions())
    if started:
        session.receive_event(Start(interim_results=True))
    for message in messages:
        with contextlib.suppress(ProtocolError):
            session.receive_event(native.decode(message, session.encoding))
        probabilities = [float(np.abs(frame).max() > 0.5) for frame in session.frames_to_score()]
        session.receive_probabilities(probabilities)
        session.jobs_to_recognize()
        for event in session.events_to_send():
            json.loads(native.encode(event))
        assert session.received == session.settled + session.pending
