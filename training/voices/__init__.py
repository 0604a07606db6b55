"""Text to speech with a new speaker for every utterance.

A voice is spoken at another pitch and speed and then resampled, so that the formants move by the resampling factor
(the length of the vocal tract) while pitch and tempo go where they were drawn to go.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import soxr
from numpy.typing import NDArray

from audio import SAMPLE_RATE, Samples

if TYPE_CHECKING:
    from training.voices import kokoro

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


Said = tuple[str, Samples] | None
Speak = Callable[[str, Speaker], Said]


def draw_speaker(voices: list[str], rng: np.random.Generator, pairs: float = 0.0) -> Speaker:
    """Long vocal tracts have low voices: the two are drawn together, each with its own spread.

    `pairs`: how often the voice is one between two, for a program that has such.
    """
    octaves = rng.uniform(-0.30, 0.22)
    pitch = 26.0 * octaves + rng.normal(0.0, 2.0)
    tempo = 2.0 ** rng.uniform(-0.35, 0.5)
    voice = voices[int(rng.integers(len(voices)))]
    if pairs and rng.random() < pairs:
        voice = f"{voice}+{voices[int(rng.integers(len(voices)))].partition('/')[2]}"
    return Speaker(voice, 2.0**octaves, float(np.clip(pitch, -12, 10)), tempo)


def speaking(lang: str) -> Speak:
    """`speak(text, speaker)` -> what a model shall write and the audio; None for a text that cannot be read."""
    module = import_module(MODULES[lang])

    def speak(text: str, speaker: Speaker) -> Said:
        if (transcript := module.written(text)) is None:
            return None
        program, voice = speaker.voice.split("/")
        return transcript, speaker.heard(*module.PROGRAMS[program](text, voice, speaker))

    return speak


def asking(lang: str) -> Callable[[str, Speaker], "tuple[str, kokoro.Utterance] | None"]:
    """As `speaking`, but what Kokoro is asked to say in the place of what it says."""
    from training.voices import kokoro

    module = import_module(MODULES[lang])

    def ask(text: str, speaker: Speaker) -> tuple[str, kokoro.Utterance] | None:
        if (transcript := module.written(text)) is None:
            return None
        voice = speaker.voice.partition("/")[2]
        return transcript, kokoro.utterance(module.phonemes(text, voice), voice, speaker)

    return ask
