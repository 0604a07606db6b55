import json
from dataclasses import replace

import numpy as np
import pytest

from protocol import native
from protocol.events import (
    Abort,
    Access,
    Alternative,
    Audio,
    Configure,
    Phrase,
    ProtocolError,
    Ready,
    Result,
    SpeechStart,
    Start,
    Stop,
    VadOptions,
    Word,
)


def test_every_command_is_understood() -> None:
    start = {
        "type": "start",
        "lang": "ja-JP",
        "encoding": "s16le",
        "sample_rate": 48_000,
        "interim_results": True,
        "phrases": [{"phrase": "脇ん", "boost": 3}],
        "vad": {"min_silence_ms": 300, "threshold": None},
    }
    assert native.decode(json.dumps(start), "f32le") == Start(
        "ja-JP",
        encoding="s16le",
        sample_rate=48_000,
        interim_results=True,
        phrases=(Phrase("脇ん", 3.0),),
        vad=VadOptions(min_silence_ms=300),
    )
    assert native.decode('{"type": "configure", "phrases": []}', "f32le") == Configure(())
    assert native.decode('{"type": "stop"}', "f32le") == Stop()
    assert native.decode('{"type": "abort"}', "f32le") == Abort()


def test_audio_comes_as_float_or_integer() -> None:
    wanted = np.array([0.5, -0.5], np.float32)
    for data, encoding in ((wanted.tobytes(), "f32le"), (b"\x00\x40\x00\xc0", "s16le")):
        event = native.decode(data, encoding)  # type: ignore[arg-type]
        assert isinstance(event, Audio) and np.array_equal(event.samples, wanted)


@pytest.mark.parametrize(
    "message, complaint",
    [
        ("nonsense", "a text message must be a JSON object"),
        ("[]", "type must be one of start, configure, stop, abort"),
        ("[" * 100_000, "a text message must be a JSON object"),
        ('{"type": ["start"]}', "type must be one of"),
        ('{"type": "start", "rate": 1}', "unknown field rate"),
        ('{"type": "start", "sample_rate": "16000"}', "sample_rate must be of type int"),
        ('{"type": "start", "sample_rate": true}', "sample_rate must be of type int"),
        ('{"type": "start", "sample_rate": 7999}', "sample_rate must be between 8000 and 192000, not 7999"),
        ('{"type": "start", "encoding": "opus"}', "encoding must be one of f32le, s16le"),
        ('{"type": "start", "max_alternatives": -1}', "max_alternatives must be between 0 and 30, not -1"),
        ('{"type": "start", "phrases": [{"boost": 1}]}', "phrases.phrase is missing"),
        ('{"type": "start", "phrases": [{"phrase": "a", "boost": 11}]}', "phrases.boost must be between 0 and 10"),
        ('{"type": "start", "phrases": [{"phrase": "a", "boost": NaN}]}', "phrases.boost must be of type float"),
        ('{"type": "start", "vad": {"threshold": "x"}}', "vad.threshold must be of type float"),
        ('{"type": "start", "vad": {"volume": 1}}', "unknown field vad.volume"),
        ('{"type": "start", "offset_ms": -1}', "offset_ms must be between"),
        ('{"type": "start", "lang": "' + "x" * 501 + '"}', "lang may hold 500 characters"),
        (b"\x00\x00\x00", "3 bytes are no whole number of f32le samples"),
        (np.array([np.nan], np.float32).tobytes(), "audio holds NaN or infinite samples"),
        (np.array([np.inf], np.float32).tobytes(), "audio holds NaN or infinite samples"),
    ],
)
def test_what_is_wrong_is_named(message: str | bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint.replace("[", r"\[")):
        native.decode(message, "f32le")


def test_a_message_over_the_limit_closes_with_1009() -> None:
    with pytest.raises(ProtocolError) as error:
        native.decode(bytes(native.MAX_MESSAGE_BYTES + 4), "f32le")
    assert error.value.close == 1009


def test_events_are_json_with_a_type() -> None:
    word = Word("はい", 10, 20, 0.5)
    result = Result(1, 2, True, 0, 30, (Alternative("はい", 0.5, (word,)),))
    assert json.loads(native.encode(result)) == {
        "type": "result",
        "segment": 1,
        "revision": 2,
        "final": True,
        "start_ms": 0,
        "end_ms": 30,
        "stable": 0,
        "alternatives": [
            {
                "transcript": "はい",
                "confidence": 0.5,
                "words": [{"text": "はい", "start_ms": 10, "end_ms": 20, "confidence": 0.5}],
            }
        ],
    }
    assert json.loads(native.encode(SpeechStart(0, 5)))["type"] == "speech_start"


def test_a_session_may_be_shared_under_a_name() -> None:
    start = native.decode('{"type": "start", "stream": "town-hall_1.x", "access": {"open": true}}', "f32le")
    assert isinstance(start, Start) and start.access == Access(open=True) and start.stream == "town-hall_1.x"
    for wrong in (
        '"stream": ".x"',
        '"stream": "a/b"',
        '"stream": "あ"',
        '"access": []',
        '"access": {"listen_token": "x"}',
    ):
        with pytest.raises(ProtocolError, match="stream|access"):
            native.decode(f'{{"type": "start", {wrong}}}', "f32le")


def test_tokens_stand_in_ready_only_when_there_are_any() -> None:
    ready = Ready("id", "talk", "en", "m", 16_000, ())
    assert "listen_token" not in json.loads(native.encode(ready))
    assert json.loads(native.encode(replace(ready, listen_token="secret")))["listen_token"] == "secret"


def test_audio_keeps_the_bytes_that_came() -> None:
    pcm = np.array([0.5, -2.0], "<f4").tobytes()
    event = native.decode(pcm, "f32le")
    assert isinstance(event, Audio) and event.pcm == pcm and list(event.samples) == [0.5, -1.0]
