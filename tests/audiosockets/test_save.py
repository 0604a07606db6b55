import re
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiosockets import Block, Format, Gap, Stream
from audiosockets.audio import Encoding
from audiosockets.processors.save import Save
from tests.audiosockets.clients import TOKEN, Running, eventually, recording
from tests.audiosockets.conftest import RATE, noise_of


def begun(folder: Path, format: Format = Format(), **options: Any) -> Save:  # noqa: B008
    saver = Save("http://nowhere", folder=str(folder), **options)
    saver.setup(Stream("talk", format, 0))
    return saver


def block(start: int, pcm: bytes, format: Format = Format()) -> Block:  # noqa: B008
    return Block(start, start + len(pcm) // format.frame_bytes, pcm, format)


def saved(folder: Path) -> dict[str, bytes]:
    """By name without the time, the oldest first."""
    found = {}
    for path in sorted(folder.glob("*.wav")):
        with wave.open(str(path), "rb") as file:
            found[re.sub(r"-\d{8}T\d{12}-", "-", path.name)] = file.readframes(file.getnframes())
    return found


def test_a_stream_is_saved_sample_for_sample(url: str, stream: str, tmp_path: Path) -> None:
    with recording(url, stream) as (_, source):
        running = Running(saver := Save(url, stream, token=TOKEN, folder=str(tmp_path)))
        eventually(lambda: saver.stream)
        for n in range(5):
            source.say(noise_of(0.3, seed=n))
    running.join()
    assert saved(tmp_path) == {f"{stream}-{0:012d}.wav": b"".join(noise_of(0.3, seed=n) for n in range(5))}


def test_a_new_file_every_so_many_minutes(tmp_path: Path) -> None:
    saver = begun(tmp_path, minutes=1 / 60, keep=2)
    pcm = noise_of(3.5)
    saver.process(block(100, pcm))
    files = saved(tmp_path)
    assert list(files) == [f"talk-{100 + n * RATE:012d}.wav" for n in (2, 3)]
    assert b"".join(files.values()) == pcm[4 * RATE :]


def test_a_stream_of_the_same_name_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "talk-of-ann-000000000000.wav").write_bytes(b"not ours")
    for n in range(3):
        saver = begun(tmp_path, keep=2)
        saver.process(block(0, noise_of(0.1, seed=n)))
        saver.close()
    assert sorted(path.read_bytes()[-3200:] for path in tmp_path.glob("talk-2*.wav")) == sorted(
        noise_of(0.1, seed=n) for n in (1, 2)
    )
    assert (tmp_path / "talk-of-ann-000000000000.wav").exists()


def test_gaps_are_silent_so_that_times_stay_true(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    saver = begun(tmp_path)
    saver.process(block(0, b"\1\0" * 10))
    saver.process_gap(Gap("audio", 10, 15, "slow"))
    saver.process(block(15, b"\2\0" * 10))
    saver.close()
    assert list(saved(tmp_path).values()) == [b"\1\0" * 10 + bytes(10) + b"\2\0" * 10]
    assert "audio from 10 to 15 is missing (slow)" in caplog.text


def test_a_gap_longer_than_a_file_begins_a_new_one(tmp_path: Path) -> None:
    saver = begun(tmp_path, minutes=1 / 60)
    saver.process(block(0, b"\1\0" * 10))
    saver.process_gap(Gap("audio", 10, 10 * RATE, "slow"))
    saver.process(block(10 * RATE, b"\2\0" * 10))
    saver.close()
    assert saved(tmp_path) == {"talk-000000000000.wav": b"\1\0" * 10, f"talk-{10 * RATE:012d}.wav": b"\2\0" * 10}


@pytest.mark.parametrize("encoding", ["f32le", "s16le"])
def test_every_encoding_becomes_16_bits(tmp_path: Path, encoding: Encoding) -> None:
    format = Format(encoding=encoding)
    samples = np.array([-1, -0.5, 0, 0.5, 32767 / 32768])
    pcm = samples.astype("<f4").tobytes() if encoding == "f32le" else (samples * 32768).astype("<i2").tobytes()
    saver = begun(tmp_path, format)
    saver.process(block(0, pcm, format))
    saver.close()
    (found,) = saved(tmp_path).values()
    assert np.frombuffer(found, "<i2").tolist() == [-32768, -16384, 0, 16384, 32767]


def test_a_file_is_whole_at_every_moment(tmp_path: Path) -> None:
    """Its process may be killed."""
    saver = begun(tmp_path)
    saver.process(block(0, noise_of(1.0)))
    assert list(saved(tmp_path).values()) == [noise_of(1.0)]


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="minutes"):
        begun(tmp_path, minutes=0)
