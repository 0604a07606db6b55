"""The wire format of audiosockets.v1: text messages are JSON, binary ones a length, a JSON header and a payload."""

import json
import re
import struct
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

from audio import MAX_INPUT_RATE, MIN_INPUT_RATE, SAMPLE_BYTES, Encoding
from protocol.events import Access, ProtocolError, require_range
from protocol.native import MAX_MESSAGE_BYTES, build, decode_command

SUBPROTOCOL = "audiosockets.v1"
MAX_HEADER_BYTES = 4096
MAX_TEXT_BYTES = 1 << 16
MAX_CHANNELS = 8
MAX_POSITION = (1 << 53) - 1  # what JavaScript counts exactly
MAX_DEPTH = 32  # of the data that a processor publishes
ALIGNMENT = 8  # of payloads that we send, for those who map samples onto them
LAYER = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,31}", re.ASCII)
OWN_LAYERS = ("audio", "results")  # nobody publishes these from outside
CLOSE_CODES = {
    "protocol": 1008,
    "bad_audio": 1008,
    "language_not_supported": 1008,
    "too_big": 1009,
    "internal": 1011,
    "token_needed": 4401,
    "forbidden": 4403,
    "not_found": 4404,
    "timeout": 4408,
    "slow": 4408,
    "taken": 4409,
    "format": 4409,
    "replaced": 4409,
    "too_many": 4429,
}


class Refusal(Exception):
    """The server's last word to one connection: a code of CLOSE_CODES and a text that is safe to send."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.close = CLOSE_CODES[code]


@dataclass(frozen=True)
class Format:
    encoding: Encoding
    sample_rate: int
    channels: int = 1

    def __post_init__(self) -> None:
        require_range("sample_rate", self.sample_rate, MIN_INPUT_RATE, MAX_INPUT_RATE)
        require_range("channels", self.channels, 1, MAX_CHANNELS)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return SAMPLE_BYTES[self.encoding] * self.channels


@dataclass(frozen=True)
class Record:
    """A recorder's first message."""

    encoding: Encoding
    sample_rate: int
    channels: int = 1
    start: int = 0  # the first sample that the recorder still has
    recognize: str | None = None  # a language, "" for the default
    access: Access = Access()

    def __post_init__(self) -> None:
        require_range("start", self.start, 0, MAX_POSITION)
        Format(self.encoding, self.sample_rate, self.channels)

    @property
    def format(self) -> Format:
        return Format(self.encoding, self.sample_rate, self.channels)


@dataclass(frozen=True)
class End:
    """The recorder has finished."""


@dataclass(frozen=True)
class AudioHeader:
    layer: Literal["audio"]
    start: int

    def __post_init__(self) -> None:
        require_range("start", self.start, 0, MAX_POSITION)


@dataclass(frozen=True)
class Event:
    """Something found in start..end, also the header of a binary message."""

    layer: str
    start: int
    end: int
    data: Any = None

    def __post_init__(self) -> None:
        if not LAYER.fullmatch(self.layer):
            raise ProtocolError("layer must be 1 to 32 characters a-z 0-9 . _ - without a dot in front")
        require_range("start", self.start, 0, MAX_POSITION)
        require_range("end", self.end, self.start, MAX_POSITION)


@dataclass(frozen=True, eq=False)
class Block:
    """A binary message."""

    header: AudioHeader | Event
    payload: bytes


Message = Record | End | Event | Block
_COMMANDS: dict[str, type[Record | End | Event]] = {"record": Record, "end": End, "event": Event}


def decode(message: str | bytes) -> Message:
    """Raises Refusal, whose text names the field."""
    try:
        return _decode_binary(message) if isinstance(message, bytes) else _decode_text(message)
    except ProtocolError as error:
        raise Refusal(error.code, str(error)) from None


def encode(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}, ensure_ascii=False)


def pack(header: dict[str, Any], payload: bytes | memoryview) -> bytes:
    """A binary message whose payload begins at a multiple of ALIGNMENT."""
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-(4 + len(text)) % ALIGNMENT)
    return b"".join((struct.pack("<I", len(text)), text, payload))


def payload_of(message: bytes) -> memoryview:
    """Of a message that `pack` made."""
    return memoryview(message)[4 + struct.unpack_from("<I", message)[0] :]


def _decode_text(message: str) -> Record | End | Event:
    if len(message) > MAX_TEXT_BYTES:
        raise ProtocolError(f"a text message may hold {MAX_TEXT_BYTES} bytes", code="too_big")
    command = decode_command(message, _COMMANDS)
    if isinstance(command, Event):
        _require_plain(command.data)
    return command


def _decode_binary(message: bytes) -> Block:
    if len(message) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"a message may hold {MAX_MESSAGE_BYTES} bytes", code="too_big")
    length = struct.unpack_from("<I", message)[0] if len(message) >= 4 else 0
    if not 2 <= length <= min(MAX_HEADER_BYTES, len(message) - 4):
        raise ProtocolError(f"a binary message begins with the length of its header, 2 to {MAX_HEADER_BYTES} bytes")
    try:
        values = json.loads(message[4 : 4 + length].decode())
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ProtocolError("the header of a binary message must be a JSON object in UTF-8")
    payload = message[4 + length :]
    if values.get("layer") == "audio":
        return Block(build(AudioHeader, values), payload)
    header = build(Event, values)
    _require_plain(header.data)
    return Block(header, payload)


def _require_plain(data: Any) -> None:
    """What every other subscriber can parse again."""
    if _depth(data) > MAX_DEPTH:
        raise ProtocolError(f"data may be nested {MAX_DEPTH} deep")
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # NaN, infinity, half a surrogate pair
        raise ProtocolError("data must be JSON with finite numbers and whole characters") from None


def _depth(data: Any) -> float:
    """How deep lists and objects lie in each other; infinite beyond MAX_DEPTH."""
    level, depth = [data], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            return inf
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth
