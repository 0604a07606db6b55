import numpy as np
import pytest

from audiosockets import Samples
from audiosockets.processors.level import Level, bar, level
from tests.audiosockets.clients import TOKEN, Memory, Running, eventually, recording
from tests.audiosockets.conftest import RATE


def test_levels_are_in_decibels_of_full_scale() -> None:
    sine: Samples = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    assert level(sine) == {"rms_db": -3.0, "peak_db": 0.0}
    assert level(sine / np.float32(10)) == {"rms_db": -23.0, "peak_db": -20.0}
    assert level(np.zeros(10, np.float32)) == {"rms_db": -90.0, "peak_db": -90.0}


def test_the_bar_grows_with_the_level() -> None:
    assert bar(-90.0).strip() == "" and bar(0.0, 10) == "█" * 10
    assert len(bar(-45.0, 10)) == 10 and bar(-45.0, 10).count("█") == 5


def test_it_publishes_a_level_for_each_block(url: str, stream: str, capsys: pytest.CaptureFixture[str]) -> None:
    with recording(url, stream) as (_, source):
        meter = Running(processor := Level(url, stream, token=TOKEN, show=True))
        listening = Running(memory := Memory(url, stream, token=TOKEN, layers=("level",)))
        eventually(lambda: processor.stream and memory.streams)
        source.say(np.full(RATE, 16384, "<i2").tobytes())
        eventually(lambda: memory.events)
    meter.join()
    listening.join()
    event = memory.events[0]
    assert (event.start, event.end, event.data) == (0, RATE, {"rms_db": -6.0, "peak_db": -6.0})
    assert "  -6.0 dB" in capsys.readouterr().err
