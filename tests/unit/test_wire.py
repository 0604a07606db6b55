"""Messages of audiosockets.v1: what is right comes through exactly, what is wrong is refused by its field."""

import json
import struct
from typing import Any

import pytest

from hub.wire import ALIGNMENT, CLOSE_CODES, AudioHeader, Block, End, Event, Record, Refusal, decode, pack, payload_of
from protocol.events import Access
from tests.hub_client import binary


def refusal(message: str | bytes) -> Refusal:
    with pytest.raises(Refusal) as error:
        decode(message)
    return error.value


def test_a_recorder_says_what_it_sends() -> None:
    wish = {"encoding": "s16le", "sample_rate": 48_000, "channels": 2, "start": 7, "recognize": "ja"}
    assert decode(json.dumps({"type": "record", **wish})) == Record("s16le", 48_000, 2, 7, "ja")
    access = {"open": True, "record_token": "r" * 16}
    record = decode(json.dumps({"type": "record", "encoding": "f32le", "sample_rate": 8000, "access": access}))
    assert isinstance(record, Record) and record.access == Access(open=True, record_token="r" * 16)
    assert record.recognize is None and record.format.sample_bytes == 4
    assert decode('{"type": "end"}') == End()


@pytest.mark.parametrize(
    "change, word",
    [
        ({"encoding": "mp3"}, "encoding"),
        ({"sample_rate": 7999}, "sample_rate"),
        ({"sample_rate": 16_000.0}, "sample_rate"),
        ({"channels": 9}, "channels"),
        ({"start": -1}, "start"),
        ({"start": 1 << 53}, "start"),
        ({"recognize": True}, "recognize"),
        ({"access": {"listen_token": "short"}}, "access.listen_token"),
        ({"access": {"record_token": "with space in it"}}, "access.record_token"),
        ({"access": {"listen": "x" * 16}}, "access.listen"),
        ({"name": "x"}, "name"),
    ],
)
def test_a_wrong_record_is_refused_by_its_field(change: dict[str, Any], word: str) -> None:
    error = refusal(json.dumps({"type": "record", "encoding": "s16le", "sample_rate": 16_000, **change}))
    assert error.code == "protocol" and error.close == 1008 and word in str(error)


def test_binary_messages_are_a_header_and_a_payload() -> None:
    block = decode(binary({"layer": "audio", "start": 5}, b"\1\2"))
    assert isinstance(block, Block) and block.header == AudioHeader("audio", 5) and block.payload == b"\1\2"
    block = decode(binary({"layer": "spectrum", "start": 5, "end": 9, "data": [1, "は"]}))
    assert isinstance(block, Block) and block.header == Event("spectrum", 5, 9, [1, "は"]) and block.payload == b""


@pytest.mark.parametrize("name", ["a", "ab", "abcdefg", "音"])
def test_payloads_that_we_send_are_aligned(name: str) -> None:
    message = pack({"layer": name, "start": 1}, b"\1\2\3\4")
    (length,) = struct.unpack_from("<I", message)
    assert (4 + length) % ALIGNMENT == 0 and bytes(payload_of(message)) == b"\1\2\3\4"
    assert json.loads(message[4 : 4 + length]) == {"layer": name, "start": 1}


@pytest.mark.parametrize(
    "message, word",
    [
        ("", "JSON"),
        ("[]", "type"),
        ('{"type": "subscribe"}', "type"),
        ('{"type": ["event"]}', "type"),
        ("[" * 60_000, "JSON"),
        (b"", "header"),
        (b"\x00\x00\x00", "header"),
        (struct.pack("<I", 0), "header"),
        (struct.pack("<I", 0xFFFFFFFF) + b"{}", "header"),
        (struct.pack("<I", 3) + b"{}", "header"),
        (struct.pack("<I", 2) + b"\xff\xfe", "header"),
        (struct.pack("<I", 2) + b"[]", "header"),
        (struct.pack("<I", 4097) + b" " * 5000, "header"),
        (binary({"layer": "audio", "start": 1.5}), "start"),
        (binary({"layer": "audio", "start": True}), "start"),
        (binary({"layer": "audio", "start": 1, "end": 2}), "end"),
        (binary({"layer": "audio"}), "start"),
        (binary({"start": 1}), "layer"),
        (binary({"layer": "Level", "start": 1, "end": 1}), "layer"),
        (binary({"layer": ".level", "start": 1, "end": 1}), "layer"),
        (binary({"layer": "level\n", "start": 1, "end": 1}), "layer"),
        (binary({"layer": "x" * 33, "start": 1, "end": 1}), "layer"),
        (binary({"layer": "level", "start": 2, "end": 1}), "end"),
        (json.dumps({"type": "event", "layer": "level", "start": 0}), "end"),
    ],
)
def test_what_cannot_be_read_is_refused(message: str | bytes, word: str) -> None:
    error = refusal(message)
    assert error.code == "protocol" and word in str(error)


@pytest.mark.parametrize("data", ["NaN", "1e999", '"\\ud800"', '{"a": [-Infinity]}', "[" * 33 + "]" * 33])
def test_data_that_other_subscribers_could_not_read_is_refused(data: str) -> None:
    text = f'{{"type": "event", "layer": "level", "start": 0, "end": 0, "data": {data}}}'
    assert "data" in str(refusal(text))
    header = f'{{"layer": "level", "start": 0, "end": 0, "data": {data}}}'.encode()
    assert "data" in str(refusal(struct.pack("<I", len(header)) + header))


def test_data_may_be_any_json() -> None:
    data = {"文": [None, True, 1.5, {"a": []}], "deep": json.loads("[" * 31 + "]" * 31)}
    event = decode(json.dumps({"type": "event", "layer": "x", "start": 0, "end": 1, "data": data}))
    assert isinstance(event, Event) and event.data == data


def test_messages_have_a_largest_size() -> None:
    assert refusal('{"type": "end"}' + " " * (1 << 16)).code == "too_big"
    assert refusal(binary({"layer": "audio", "start": 0}, bytes(1 << 20))).close == 1009


def test_every_code_closes_with_a_number_of_its_kind() -> None:
    assert set(CLOSE_CODES.values()) <= {1008, 1009, 1011, 4401, 4403, 4404, 4408, 4409, 4429}
