import io
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosockets.audio import File, Format, Pipe, Reader, optional
from tests.audiosockets.conftest import RATE, noise_of


def test_a_wav_file_comes_as_it_is(wav: Callable[..., Path], noise: bytes) -> None:
    source = File(wav(noise, channels=2), speed=0)
    blocks = list(source.blocks())
    assert b"".join(blocks) == noise
    assert source.format == Format(RATE, 2, "s16le")
    assert {len(block) for block in blocks[:-1]} == {RATE * 80 // 1000 * 4}
    assert not source.live


@pytest.mark.parametrize("suffix, subtype, encoding", [("flac", "PCM_16", "s16le"), ("wav", "FLOAT", "f32le")])
def test_other_files_are_read_through_soundfile(tmp_path: Path, suffix: str, subtype: str, encoding: str) -> None:
    audio = np.frombuffer(noise_of(0.5), "<i2").astype(np.float32) / 32768
    path = tmp_path / f"sound.{suffix}"
    soundfile.write(path, audio, 22_050, subtype=subtype)
    source = File(path, speed=0)
    assert source.format == Format(22_050, 1, encoding)  # type: ignore[arg-type]
    assert np.array_equal(source.format.decode(b"".join(source.blocks()))[:, 0], audio)


def test_a_file_is_paced_as_a_microphone_would_be(wav: Callable[..., Path]) -> None:
    source = File(wav(noise_of(0.4)), speed=2)
    began = time.monotonic()
    moments = [time.monotonic() - began for _ in source.blocks()]
    assert source.live
    assert all(moment >= (n + 1) * 0.04 for n, moment in enumerate(moments))  # each block when it is complete


def test_a_pipe_may_end_within_a_frame() -> None:
    source = Pipe(io.BytesIO(b"\1" * 2563), Format(channels=2))
    assert sum(map(len, source.blocks())) == 2560
    assert not source.live


def test_close_ends_a_source(wav: Callable[..., Path], noise: bytes) -> None:
    source = File(wav(noise), speed=0)
    blocks = source.blocks()
    next(blocks)
    source.close()
    assert list(blocks) == []


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("no sound")
    with pytest.raises(ValueError, match="text.wav cannot be read"):
        File(path)
    with pytest.raises(OSError):
        File(tmp_path / "nowhere.wav")
    with pytest.raises(ValueError, match="speed"):
        Reader(lambda _: b"", Format(), speed=-1)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with wave.open(str(tmp_path / "deep.wav"), "wb") as file:
        file.setparams((1, 3, RATE, 0, "NONE", ""))
        file.writeframes(bytes(30))
    with pytest.raises(ValueError, match="pip install soundfile"):
        File(tmp_path / "deep.wav")
    assert optional("wave", "WAV files") is wave


@pytest.mark.parametrize(
    "fields, said",
    [({"sample_rate": 7999}, "sample_rate"), ({"channels": 9}, "channels"), ({"encoding": "mp3"}, "encoding")],
)
def test_formats_are_checked(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Format(**fields)  # type: ignore[arg-type]
