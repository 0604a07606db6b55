"""Japanese by Open JTalk: a voice is the name of an HTS voice file; what is written is the reading in kana."""

import os
from functools import lru_cache
from pathlib import Path

import pyopenjtalk
from pyopenjtalk.htsengine import HTSEngine

from audio import Samples
from recognizer.kana import reading_of
from training.voices import Speaker

VOICES = Path(os.environ.get("VOICES", "../shared/voices"))


@lru_cache(maxsize=16)
def _engine(voice: str) -> HTSEngine:
    return HTSEngine(str(VOICES / f"{voice}.htsvoice").encode())


def speak(text: str, speaker: Speaker) -> tuple[str, Samples] | None:
    words = pyopenjtalk.run_frontend(text)
    kana = reading_of(words)
    if not kana:
        return None
    engine = _engine(speaker.voice)
    engine.set_speed(speaker.spoken_tempo)
    engine.add_half_tone(speaker.spoken_pitch)
    spoken = engine.synthesize(pyopenjtalk.make_label(words))
    return kana, speaker.heard(spoken, engine.get_sampling_frequency())
