from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

from audiosockets import Block, Format, Samples, Stream
from audiosockets.processors.spectrogram import SHADES, Spectrogram, brightness, line, spectra
from tests.audiosockets.conftest import RATE


def sine(hertz: float, seconds: float = 1.0) -> Samples:
    wave: Samples = np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE).astype(np.float32)
    return wave


def block(samples: Samples, start: int = 0) -> Block:
    return Block(start, start + len(samples), (samples * 32767).astype("<i2").tobytes(), Format())


def test_a_tone_is_where_its_frequency_is() -> None:
    found = spectra(sine(2000), 512)
    assert found.shape == (RATE // 256 - 1, 256)
    assert set(found.argmax(axis=1)) == {2000 * 512 // RATE}
    assert found.max() == pytest.approx(0, abs=0.1)  # decibels of full scale
    assert brightness(np.array([-200.0, -50.0, 0.0])).tolist() == [0, 0.5, 1]


def test_lines_in_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = line(spectra(sine(1062.5) * np.float32(0.1), 512)[0], 64)  # in the middle of a character
    assert max(range(64), key=lambda n: SHADES.index(drawn[n])) == int(1062.5 * 64 / (RATE / 2))
    spectrogram = Spectrogram("http://nowhere", width=40)
    spectrogram.setup(Stream("s", Format(), 0))
    spectrogram.process(block(np.zeros(300, np.float32)))  # too short for a window: it waits
    assert capsys.readouterr().out == ""
    spectrogram.process(block(sine(4000, 0.5), 300))
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and len(out) == 8 + 40 + 1


@pytest.mark.parametrize("chunk", [100, 1280, 16_000])
def test_the_picture_is_the_same_however_the_audio_is_cut(tmp_path: Path, chunk: int) -> None:
    samples = np.concatenate([sine(1000), sine(3000)]) * np.float32(0.1)
    path = tmp_path / "now.png"
    spectrogram = Spectrogram("http://nowhere", png=str(path), seconds=2.0)
    spectrogram.setup(Stream("s", Format(), 0))
    for at in range(0, len(samples), chunk):
        spectrogram.process(block(samples[at : at + chunk], at))
    spectrogram.close()
    picture = image.imread(path)
    assert picture.shape[0] == 256
    rows = picture.argmax(axis=0)  # from the top
    assert rows[10] == 255 - 1000 * 512 // RATE and rows[-5] == 255 - 3000 * 512 // RATE


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="window"):
        Spectrogram("http://nowhere", window=7).setup(Stream("s", Format(), 0))
