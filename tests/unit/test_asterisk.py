"""The prompts of a telephone exchange as training speech: what is heard, and the audio out of G.722."""

import gzip
from pathlib import Path

import G722
import numpy as np
import pytest

from audio import SAMPLE_RATE
from training import asterisk
from training.data import telephone


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Please try again.", "Please try again"),
        ("press 1 to accept, or 2 to reject it", "press one to accept, or two to reject it"),
        ("press * or #", "press  star  or  pound"),
        ("A.M.", "A M"),
        ("at [@]", "at"),
        ("fourtieth", "fortieth"),
        ("(2 seconds of silence)", ""),
        ("<beep ascending>", ""),
        ("you can dial 500", ""),
        ("3D audio enabled", ""),
        ("USB Radio", ""),
        ("visit www.asterisk.org", ""),
    ],
)
def test_what_is_heard_is_written_or_the_prompt_is_left_out(text: str, heard: str) -> None:
    assert asterisk.spoken(text) == heard


def test_a_prompt_is_a_clip_with_its_audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    coded = G722.G722(SAMPLE_RATE, asterisk.BIT_RATE).encode((tone * 32_767).astype(np.int16))
    (tmp_path / "digits").mkdir()
    for name in ("again.g722", "digits/oh.g722", "beep.g722"):
        (tmp_path / name).write_bytes(coded)
    texts = "; a comment\n\nagain: Try again.\ndigits/oh: oh\nbeep: [a tone]\nabsent: Nobody said this.\n"
    (tmp_path / "texts.gz").write_bytes(gzip.compress(texts.encode()))
    monkeypatch.setattr(asterisk, "TEXTS", tmp_path / "texts.gz")
    monkeypatch.setattr(asterisk, "SPEECH", tmp_path)
    sentence, word = telephone(tmp_path / "made")
    assert (sentence.id, sentence.kind, sentence.text) == ("asterisk-again", "sentence", "try again")
    assert (word.id, word.kind, word.text) == ("asterisk-digits-oh", "word", "oh")
    assert sentence.samples == len(sentence.audio) == SAMPLE_RATE
    loudest = np.abs(np.fft.rfft(sentence.audio)).argmax()
    assert loudest == 440  # of a second: hertz
    assert np.abs(sentence.audio).max() == pytest.approx(0.5, abs=0.05)


def test_without_the_speech_the_stage_ends_and_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts.gz").write_bytes(gzip.compress(b"again: Try again.\n"))
    monkeypatch.setattr(asterisk, "TEXTS", tmp_path / "texts.gz")
    monkeypatch.setattr(asterisk, "SPEECH", tmp_path / "absent")
    with pytest.raises(SystemExit, match="asterisk-core-sounds-en-g722"):
        list(asterisk.recorded())
