"""Text to speech with a new speaker for every utterance.

A voice is spoken at another pitch and speed and then resampled, so that the formants move by the resampling factor
(the length of the vocal tract) while pitch and tempo go where they were drawn to go.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyopenjtalk
import soxr
from pyopenjtalk.htsengine import HTSEngine

from audio import SAMPLE_RATE, Samples
from recognizer.kana import reading_of

VOICES = Path(os.environ.get("VOICES", "../shared/voices"))
FULL_SCALE = 32768.0


@dataclass(frozen=True)
class Speaker:
    """`tract`: factor on the formants; `pitch`: half tones heard; `tempo`: factor heard."""

    voice: str
    tract: float = 1.0
    pitch: float = 0.0
    tempo: float = 1.0


def draw_speaker(voices: list[str], rng: np.random.Generator) -> Speaker:
    """Long vocal tracts have low voices: the two are drawn together, each with its own spread."""
    octaves = rng.uniform(-0.30, 0.22)
    pitch = 26.0 * octaves + rng.normal(0.0, 2.0)
    tempo = 2.0 ** rng.uniform(-0.35, 0.5)
    return Speaker(voices[int(rng.integers(len(voices)))], 2.0**octaves, float(np.clip(pitch, -12, 10)), tempo)


@lru_cache(maxsize=16)
def _engine(voice: str) -> HTSEngine:
    return HTSEngine(str(VOICES / f"{voice}.htsvoice").encode())


def speak_japanese(text: str, speaker: Speaker) -> tuple[str, Samples] | None:
    """The reading in kana and the audio at 16 kHz, peak 0.9; None where a word has no reading."""
    words = pyopenjtalk.run_frontend(text)
    kana = reading_of(words)
    if not kana:
        return None
    engine = _engine(speaker.voice)
    engine.set_speed(speaker.tempo / speaker.tract)
    engine.add_half_tone(speaker.pitch - 12.0 * np.log2(speaker.tract))
    spoken, rate = engine.synthesize(pyopenjtalk.make_label(words)), engine.get_sampling_frequency()
    audio = soxr.resample(np.asarray(spoken, np.float32), rate * speaker.tract, SAMPLE_RATE)
    return kana, (0.9 * audio / max(1.0, float(np.abs(audio).max()))).astype(np.float32)
