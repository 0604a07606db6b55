"""Every event class, found by walking the module: a new one without a wire form fails here."""

import dataclasses
import json
from typing import get_args

import pytest

from protocol import events, native

EXAMPLES = {str: "x", int: 1, bool: True, float: 0.5}


def example(kind: type) -> object:
    values = {}
    for field in dataclasses.fields(kind):
        if field.init:
            values[field.name] = EXAMPLES.get(field.type, ())  # type: ignore[arg-type]
    return kind(**values)


@pytest.mark.parametrize("kind", get_args(events.ServerEvent))
def test_every_server_event_is_json(kind: type) -> None:
    event = example(kind)
    message = json.loads(native.encode(event))  # type: ignore[arg-type]
    assert message.keys() == {"type", *(field.name for field in dataclasses.fields(kind))}


@pytest.mark.parametrize("kind", [kind for kind in get_args(events.ClientEvent) if kind is not events.Audio])
def test_every_command_can_be_sent_with_its_defaults(kind: type) -> None:
    assert native.decode(json.dumps({"type": kind.__name__.lower()}), "f32le") == kind()


@pytest.mark.parametrize("lang, separator", [("ja-JP", ""), ("ja", ""), ("ZH-Hans", ""), ("en-US", " "), ("jam", " ")])
def test_what_belongs_between_two_finals(lang: str, separator: str) -> None:
    assert events.Ready("s", "s", lang, "m", 16_000, ()).separator == separator
