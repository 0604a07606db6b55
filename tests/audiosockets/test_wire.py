import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio import Encoding
from audiosockets import wire
from audiosockets.audio import Format
from audiosockets.wire import Block, End, Event, Gap, ProtocolError, Recording, Refusal, State, Stored, Stream
from hub import wire as server

FORMAT = Format(16_000, 2)
SUBSCRIBED = {
    "stream": "s", "encoding": "s16le", "sample_rate": 16_000, "channels": 2, "position": 8, "from": 3,
    "layers": ["audio"], "recorder": "away", "lang": "ja", "may_publish": True, "id": "i",
}  # fmt: skip


def text(kind: str, **fields: object) -> str:
    return server.encode(kind, **fields)


def test_what_the_server_packs_is_read() -> None:
    packed = server.pack({"layer": "audio", "start": 5, "end": 7}, b"\1\0\2\0\3\0\4\0")
    block = wire.decode(packed, FORMAT)
    assert isinstance(block, Block)
    assert (block.start, block.end, block.start_s) == (5, 7, 5 / 16_000)
    assert (block.samples * 32768).tolist() == [[1, 2], [3, 4]]


def test_what_the_client_packs_the_server_reads() -> None:
    assert server.decode(wire.encode_audio(5, b"ab")).header == server.AudioHeader("audio", 5)  # type: ignore[union-attr]
    event = Event("level", 1, 2, {"db": -3.5, "言葉": None})
    assert server.decode(wire.encode_event(event)) == server.Event("level", 1, 2, event.data)
    block = server.decode(wire.encode_event(Event("mel", 1, 2, [1], b"\0\1")))
    assert isinstance(block, server.Block)
    assert (block.header, block.payload) == (server.Event("mel", 1, 2, [1]), b"\0\1")
    block = server.decode(wire.encode_event(Event("mel", 1, 2, None, b"\0")))
    assert isinstance(block, server.Block) and block.header == server.Event("mel", 1, 2)


def test_each_text_message_becomes_its_value() -> None:
    stream = Stream("s", FORMAT, 8, 3, ("audio",), "away", "ja", True, "i")
    assert wire.decode(text("subscribed", **SUBSCRIBED), None) == stream
    assert stream.seconds(8) == 8 / 16_000
    recording = wire.decode(text("recording", **SUBSCRIBED, listen_token="l", record_token="r", grace_s=1), None)
    assert isinstance(recording, Recording)
    assert (recording.position, recording.tokens) == (8, {"listen_token": "l", "record_token": "r"})
    event = wire.decode(text("event", layer="level", start=1, end=2, data={"a": 1}), FORMAT)
    assert isinstance(event, Event) and (event.layer, event.start, event.end, event.data) == ("level", 1, 2, {"a": 1})
    gap = Gap("results", 1, 2, "slow", 3)
    assert wire.decode(text("gap", layer="results", start=1, end=2, reason="slow", count=3), FORMAT) == gap
    assert wire.decode(text("state", recorder="live"), FORMAT) == State("live")
    assert wire.decode(text("stored", position=4), FORMAT) == Stored(4)
    assert wire.decode(text("end", position=4, reason="lost"), FORMAT) == End(4, "lost")
    assert wire.decode(text("error", code="slow", message="m"), FORMAT) == Refusal("slow", "m")


def test_later_versions_may_say_more() -> None:
    assert wire.decode(text("weather", sky="blue"), FORMAT) is None
    assert wire.decode(text("state", recorder="live", since=3), FORMAT) == State("live")


def test_data_that_json_cannot_say_is_refused() -> None:
    for data in (float("nan"), {1, 2}, b"bytes"):
        with pytest.raises(ValueError):
            wire.encode_event(Event("level", 0, 1, data))


@given(st.one_of(st.text(), st.binary(), st.builds(lambda b: b"\2\0\0\0{}" + b, st.binary())))
def test_whatever_comes_only_a_protocol_error_leaves(message: str | bytes) -> None:
    try:
        wire.decode(message, FORMAT)
    except ProtocolError:
        pass


names = st.sampled_from(["type", "layer", "start", "end", "position", "recorder", "sample_rate"])
values = st.one_of(st.none(), st.integers(), st.text(), st.sampled_from(["subscribed", "event", "gap"]))


@given(st.dictionaries(names, values))
def test_wrong_fields_are_protocol_errors(values: dict[str, object]) -> None:
    try:
        wire.decode(json.dumps(values), FORMAT)
    except ProtocolError:
        pass


@pytest.mark.parametrize("encoding", ["s16le", "f32le"])
def test_formats_agree_with_the_server(encoding: Encoding) -> None:
    assert Format(48_000, 2, encoding).frame_bytes == server.Format(encoding, 48_000, 2).sample_bytes
