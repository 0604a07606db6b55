"""Text to speech with a new speaker for every utterance.

A voice is spoken at another pitch and speed and then resampled, so that the formants move by the resampling factor
(the length of the vocal tract) while pitch and tempo go where they were drawn to go.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import soxr
from numpy.typing import NDArray

from audio import SAMPLE_RATE, Samples

MODULES = {"ja": "training.voices.japanese", "en": "training.voices.english"}  # each has `written` and `PROGRAMS`


@dataclass(frozen=True)
class Speaker:
    """`tract`: factor on the formants; `pitch`: half tones above the voice's own; `tempo`: factor; all as heard."""

    voice: str
    tract: float = 1.0
    pitch: float = 0.0
    tempo: float = 1.0

    @property
    def spoken_pitch(self) -> float:
        """Half tones to ask of the voice, since resampling will add its own."""
        return self.pitch - 12.0 * float(np.log2(self.tract))

    @property
    def spoken_tempo(self) -> float:
        return self.tempo / self.tract

    def heard(self, audio: NDArray[np.floating], rate: int) -> Samples:
        """What the voice said, at 16 kHz with this speaker's vocal tract and a peak of 0.9."""
        moved = soxr.resample(np.asarray(audio, np.float32), rate * self.tract, SAMPLE_RATE)
        peak = max(1e-3, float(np.abs(moved).max(initial=0)))
        return np.asarray(0.9 * moved / peak, np.float32)


Speak = Callable[[str, Speaker], tuple[str, Samples] | None]


def draw_speaker(voices: list[str], rng: np.random.Generator) -> Speaker:
    """Long vocal tracts have low voices: the two are drawn together, each with its own spread."""
    octaves = rng.uniform(-0.30, 0.22)
    pitch = 26.0 * octaves + rng.normal(0.0, 2.0)
    tempo = 2.0 ** rng.uniform(-0.35, 0.5)
    return Speaker(voices[int(rng.integers(len(voices)))], 2.0**octaves, float(np.clip(pitch, -12, 10)), tempo)


def speaking(lang: str) -> Speak:
    """`speak(text, speaker)` -> what a model shall write and the audio; None for a text that cannot be read."""
    module = import_module(MODULES[lang])

    def speak(text: str, speaker: Speaker) -> tuple[str, Samples] | None:
        if (transcript := module.written(text)) is None:
            return None
        program, voice = speaker.voice.split("/")
        return transcript, speaker.heard(*module.PROGRAMS[program](text, voice, speaker))

    return speak
