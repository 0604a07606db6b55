"""The messages of `audiosockets.v1` as values, and their form on the wire. Positions are frames of the stream."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from audiosockets.audio import Format, Samples

SUBPROTOCOL = "audiosockets.v1"
LENGTH_BYTES = 4  # of the header's length, little endian
MAX_MESSAGE_BYTES = 1 << 20


class ProtocolError(Exception):
    """The other side does not speak audiosockets.v1."""


@dataclass(frozen=True)
class Stream:
    """What the server says when a connection opens."""

    name: str
    format: Format
    position: int  # the first frame that the stream does not have yet
    start: int = 0  # where this subscriber's audio begins
    layers: tuple[str, ...] = ()
    recorder: str = "live"  # or "away"
    lang: str = ""  # of recognition
    may_publish: bool = False
    id: str = ""  # no other stream has it, also none of this name

    def seconds(self, position: int) -> float:
        return position / self.format.sample_rate


@dataclass(frozen=True, eq=False)
class Block:
    """Audio without a hole."""

    start: int
    end: int
    pcm: bytes  # interleaved
    format: Format

    @cached_property
    def samples(self) -> Samples:
        """float32, [-1, 1], shape (frames, channels)"""
        return self.format.decode(self.pcm)

    @property
    def start_s(self) -> float:
        return self.start / self.format.sample_rate


@dataclass(frozen=True, eq=False)
class Event:
    """What the recogniser (layer `results`) or a processor said about a stretch of audio."""

    layer: str
    start: int
    end: int
    data: Any = None  # any JSON
    payload: bytes = b""


@dataclass(frozen=True)
class Gap:
    """What this subscriber does not get: `slow`, `recorder`, `history` (see docs/hub.md) or `worker`."""

    layer: str
    start: int
    end: int
    reason: str
    count: int = 0  # of messages, in layers other than audio


@dataclass(frozen=True)
class State:
    recorder: str  # "live" or "away"


@dataclass(frozen=True)
class End:
    position: int
    reason: str  # "ended", "lost" or "stopped"


@dataclass(frozen=True)
class Stored:
    """Frames before `position` need not be sent again."""

    position: int


@dataclass(frozen=True)
class Refusal:
    code: str
    message: str


@dataclass(frozen=True)
class Recording(Stored):
    """The stream is there; `tokens` are those of its owner."""

    stream: Stream
    tokens: Mapping[str, str] = field(default_factory=dict)


Message = Stream | Block | Event | Gap | State | End | Stored | Refusal


def encode_audio(start: int, pcm: bytes) -> bytes:
    return _binary({"layer": "audio", "start": start}, pcm)


def encode_event(event: Event) -> str | bytes:
    """Raises ValueError for data that JSON cannot say."""
    header = {"layer": event.layer, "start": event.start, "end": event.end}
    if event.payload:
        return _binary(header if event.data is None else {**header, "data": event.data}, event.payload)
    try:
        return json.dumps({"type": "event", **header, "data": event.data}, ensure_ascii=False, allow_nan=False)
    except TypeError as error:
        raise ValueError(f"data of layer {event.layer}: {error}") from None


def _binary(header: Mapping[str, Any], payload: bytes) -> bytes:
    text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode()
    return len(text).to_bytes(LENGTH_BYTES, "little") + text + payload


def decode(message: str | bytes, format: Format | None) -> Message | None:
    """None for types that came after this version. `format` is that of the stream, once it is known."""
    try:
        if isinstance(message, bytes):
            return _decode_binary(message, format)
        values = json.loads(message)
        build = _TEXTS.get(values["type"])
        return build(values) if build else None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ProtocolError(f"the server sent what is not {SUBPROTOCOL}: {error!r}") from None


def _decode_binary(message: bytes, format: Format | None) -> Block | Event:
    body = LENGTH_BYTES + int.from_bytes(message[:LENGTH_BYTES], "little")
    header = json.loads(message[LENGTH_BYTES:body])
    start, end, payload = header["start"], header["end"], message[body:]
    if header["layer"] != "audio":
        return Event(header["layer"], start, end, header.get("data"), payload)
    if format is None or len(payload) != (end - start) * format.frame_bytes:
        raise ValueError(f"{len(payload)} bytes of audio from {start} to {end}")
    return Block(start, end, payload, format)


def _stream(values: Mapping[str, Any]) -> Stream:
    return Stream(
        values["stream"],
        Format(values["sample_rate"], values["channels"], values["encoding"]),
        values["position"],
        values.get("from", values["position"]),
        tuple(values.get("layers", ())),
        values.get("recorder", "live"),
        values.get("lang", ""),
        values.get("may_publish", False),
        values.get("id", ""),
    )


def _recording(values: Mapping[str, Any]) -> Recording:
    tokens = {name: value for name, value in values.items() if name.endswith("_token")}
    return Recording(values["position"], _stream(values), tokens)


_TEXTS: dict[str, Callable[[Mapping[str, Any]], Message]] = {
    "subscribed": _stream,
    "publishing": _stream,
    "recording": _recording,
    "event": lambda values: Event(values["layer"], values["start"], values["end"], values["data"]),
    "gap": lambda values: Gap(
        values["layer"], values["start"], values["end"], values["reason"], values.get("count", 0)
    ),
    "state": lambda values: State(values["recorder"]),
    "stored": lambda values: Stored(values["position"]),
    "end": lambda values: End(values["position"], values["reason"]),
    "error": lambda values: Refusal(values["code"], values["message"]),
}
