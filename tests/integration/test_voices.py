"""The programs that speak English for training: what they say lasts as long as asked and sounds like another mouth."""

import shutil

import numpy as np
import pytest

from audio import SAMPLE_RATE, Samples
from training.voices import Speaker
from training.voices.english import speak

VOICES = ("flite/slt", "espeak/en-us", "festival/kal_diphone", "hibari/heart")
COMMANDS = {"flite": "flite", "espeak": "espeak-ng", "festival": "text2wave"}


@pytest.fixture(params=VOICES)
def voice(request: pytest.FixtureRequest) -> str:
    program = request.param.split("/")[0]
    if program in COMMANDS and shutil.which(COMMANDS[program]) is None:
        pytest.skip(f"needs Debian's {program}")
    return str(request.param)


def said(text: str, speaker: Speaker) -> Samples:
    spoken = speak(text, speaker)
    assert spoken is not None
    return spoken[1]


def centre_hz(audio: Samples) -> float:
    """The middle of the spectrum: it follows the formants."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    return float(np.sum(power * np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)) / np.sum(power))


def test_a_sentence_is_spoken_as_it_will_be_written(voice: str) -> None:
    spoken = speak("It's nine o'clock, Anna!", Speaker(voice))
    assert spoken is not None
    text, audio = spoken
    assert text == "it's nine o'clock anna"
    assert SAMPLE_RATE * 0.8 < len(audio) < SAMPLE_RATE * 4 and np.abs(audio).max() == pytest.approx(0.9, abs=1e-3)


def test_tempo_and_tract_are_the_speakers_own(voice: str) -> None:
    text = "Please open the window in the kitchen."
    usual, fast = said(text, Speaker(voice)), said(text, Speaker(voice, tempo=1.5))
    assert len(fast) < 0.85 * len(usual)
    short = said(text, Speaker(voice, tract=1.2))
    assert len(short) == pytest.approx(len(usual), rel=0.15) and centre_hz(short) > centre_hz(usual)


def test_what_each_program_would_read_otherwise_is_not_spoken(voice: str) -> None:
    assert speak("Room 42", Speaker(voice)) is None
