"""The wire format of /ws: JSON text for control, raw PCM for audio."""

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from math import isfinite
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from audio import Encoding, decode_pcm
from protocol.events import (
    Abort,
    Audio,
    ClientEvent,
    Configure,
    Phrase,
    ProtocolError,
    ServerEvent,
    Start,
    Stop,
)

T = TypeVar("T")

SUBPROTOCOL = "speech.v1"
MAX_MESSAGE_BYTES = 1 << 20
MAX_TEXT = 500  # characters of one string field
MAX_STATE = 4_000  # of the voice detector's state

_COMMANDS: dict[str, type[ClientEvent]] = {
    "start": Start,
    "configure": Configure,
    "stop": Stop,
    "abort": Abort,
}


def decode(message: str | bytes, encoding: Encoding) -> ClientEvent:
    """One message to one event. Raises ProtocolError, whose text names the field."""
    if len(message) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"a message may hold {MAX_MESSAGE_BYTES} bytes", code="too_big", close=1009)
    if isinstance(message, bytes):
        try:
            return Audio(decode_pcm(message, encoding), message)
        except ValueError as error:
            raise ProtocolError(str(error), code="bad_audio") from None
    return decode_command(message, _COMMANDS)


def encode(event: ServerEvent) -> str:
    return json.dumps(fields_of(event), ensure_ascii=False)


def fields_of(event: ServerEvent) -> dict[str, Any]:
    """As they stand in the message, `type` first."""
    values = {name: value for name, value in asdict(event).items() if value is not None}
    return {"type": _snake(type(event).__name__), **values}


def decode_command(message: str, commands: Mapping[str, type[T]]) -> T:
    """A JSON object with `type` to the dataclass of that name in `commands`."""
    try:
        values = json.loads(message)
    except (ValueError, RecursionError):
        raise ProtocolError("a text message must be a JSON object") from None
    kind = values.pop("type", None) if isinstance(values, dict) else None
    command = commands.get(kind) if isinstance(kind, str) else None
    if command is None:
        raise ProtocolError(f"type must be one of {', '.join(commands)}")
    return build(command, values)


def build(cls: type[T], values: dict[str, Any], prefix: str = "") -> T:
    """A dataclass from JSON values, each checked against the type of its field."""
    known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    for name, value in values.items():
        if name not in known:
            raise ProtocolError(f"unknown field {prefix}{name[:40]}")
        values[name] = _convert(hints[name], value, prefix + name)
    for field in known.values():
        if _required(field) and field.name not in values:
            raise ProtocolError(f"{prefix}{field.name} is missing")
    return cls(**values)


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _convert(hint: Any, value: Any, name: str) -> Any:
    """`value`, checked against the type of its field; nested objects become dataclasses."""
    if isinstance(hint, UnionType):
        if value is None:
            return None
        hint = get_args(hint)[0]
    if hint == tuple[Phrase, ...]:
        return _phrases(value, name)
    if hint is Any:
        return value
    if is_dataclass(hint):
        return build(hint, _typed(value, dict, name), name + ".")  # type: ignore[arg-type]  # a class, not an object
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ProtocolError(f"{name} must be one of {', '.join(get_args(hint))}")
        return value
    return _typed(value, hint, name)


def _phrases(value: Any, name: str) -> tuple[Phrase, ...]:
    return tuple(build(Phrase, _typed(item, dict, name), name + ".") for item in _typed(value, list, name))


def _typed(value: Any, kind: type, name: str) -> Any:
    if kind is float and type(value) is int:
        value = float(value) if abs(value) < 1 << 53 else value
    if type(value) is not kind or (isinstance(value, float) and not isfinite(value)):
        raise ProtocolError(f"{name} must be of type {kind.__name__}")
    limit = MAX_STATE if name == "checkpoint.state" else MAX_TEXT
    if isinstance(value, str) and len(value) > limit:
        raise ProtocolError(f"{name} may hold {limit} characters")
    return value


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
