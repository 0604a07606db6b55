"""The programs that speak for training: what they say lasts as long as asked and sounds like another mouth."""

import shutil

import numpy as np
import pytest

from audio import SAMPLE_RATE, Samples
from training.voices import Speaker, japanese, speaking

ENGLISH = ("flite/slt", "espeak/en-us", "festival/kal_diphone", "hibari/heart", "kokoro/bm_george")
JAPANESE = ("openjtalk/mei_normal", "kokoro/jf_alpha+am_michael")
COMMANDS = {"flite": "flite", "espeak": "espeak-ng", "festival": "text2wave"}
SENTENCES = {"en": "Please open the window in the kitchen.", "ja": "窓を開けてください。"}


def needed(voice: str) -> str:
    program, name = voice.split("/")
    if program in COMMANDS and shutil.which(COMMANDS[program]) is None:
        pytest.skip(f"needs Debian's {program}")
    if program == "openjtalk" and not (japanese.VOICES / f"{name}.htsvoice").exists():
        pytest.skip("needs the HTS voices")
    return voice


@pytest.fixture(params=ENGLISH)
def english_voice(request: pytest.FixtureRequest) -> str:
    return needed(request.param)


@pytest.fixture(params=JAPANESE)
def japanese_voice(request: pytest.FixtureRequest) -> str:
    return needed(request.param)


@pytest.fixture(params=[*(("en", voice) for voice in ENGLISH), *(("ja", voice) for voice in JAPANESE)], ids="/".join)
def either(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Language and voice."""
    lang, voice = request.param
    return lang, needed(voice)


def said(lang: str, speaker: Speaker) -> Samples:
    spoken = speaking(lang)(SENTENCES[lang], speaker)
    assert spoken is not None
    return spoken[1]


def centre_hz(audio: Samples) -> float:
    """The middle of the spectrum: it follows the formants."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    return float(np.sum(power * np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)) / np.sum(power))


def test_an_english_sentence_is_spoken_as_it_will_be_written(english_voice: str) -> None:
    spoken = speaking("en")("It's nine o'clock, Anna!", Speaker(english_voice))
    assert spoken is not None
    text, audio = spoken
    assert text == "it's nine o'clock anna"
    assert SAMPLE_RATE * 0.8 < len(audio) < SAMPLE_RATE * 4 and np.abs(audio).max() == pytest.approx(0.9, abs=1e-3)


def test_what_each_program_would_read_otherwise_is_not_spoken(english_voice: str) -> None:
    assert speaking("en")("Room 42", Speaker(english_voice)) is None


def test_a_japanese_sentence_is_spoken_and_written_by_its_reading(japanese_voice: str) -> None:
    spoken = speaking("ja")("3時に東京駅へ行きます。", Speaker(japanese_voice))
    assert spoken is not None
    text, audio = spoken
    assert text == "さんじにとうきょうえきへいきます"
    assert SAMPLE_RATE < len(audio) < SAMPLE_RATE * 6 and np.abs(audio).max() == pytest.approx(0.9, abs=1e-3)


def test_what_has_no_reading_is_not_spoken(japanese_voice: str) -> None:
    assert speaking("ja")("♪…", Speaker(japanese_voice)) is None


def test_tempo_and_tract_are_the_speakers_own(either: tuple[str, str]) -> None:
    lang, voice = either
    usual, fast = said(lang, Speaker(voice)), said(lang, Speaker(voice, tempo=1.5))
    assert len(fast) < 0.85 * len(usual)
    short = said(lang, Speaker(voice, tract=1.2))
    assert len(short) == pytest.approx(len(usual), rel=0.15) and centre_hz(short) > centre_hz(usual)
