"""English by Debian's flite, espeak-ng and festival, by hibari and by Kokoro; a voice is named `program/voice`."""

import io
import re
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from training.data import normalise
from training.voices import Speaker, kokoro

SPEAKABLE = re.compile(r"[A-Za-z' ,.;:?!\"-]+")  # numbers and signs are read differently by each program
LETTER_A = re.compile(r"\bA\b(?= [A-Z]\b|[.,])|(?<=\b[A-Z] )A\b")  # beside another letter, or before a stop: no article
WORDS_PER_MINUTE = 165
FLITE_HZ = {"slt": 170.0}  # mean pitch of a voice; the others are men
MEN_HZ = 110.0
DIPHONES_HZ = {"kal_diphone": 105.0}  # of festival's voices those whose mean pitch can be set
MELODY = "(set! int_lr_params '((target_f0_mean {:.1f}) (target_f0_std 14) (model_f0_mean 170) (model_f0_std 34)))"


def written(text: str) -> str | None:
    return normalise(text) if SPEAKABLE.fullmatch(text) else None


def _flite(text: str, voice: str, speaker: Speaker) -> tuple[NDArray[np.float32], int]:
    pitch = FLITE_HZ.get(voice, MEN_HZ) * 2 ** (speaker.spoken_pitch / 12)
    settings = [f"duration_stretch={1 / speaker.spoken_tempo:.3f}", f"int_f0_target_mean={pitch:.1f}"]
    flags = [part for setting in settings for part in ("--setf", setting)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        subprocess.run(["flite", "-voice", voice, *flags, "-t", text, "-o", path], check=True, capture_output=True)
        return soundfile.read(path, dtype="float32")  # type: ignore[no-any-return]


def _espeak(text: str, voice: str, speaker: Speaker) -> tuple[NDArray[np.float32], int]:
    speed, pitch = round(WORDS_PER_MINUTE * speaker.spoken_tempo), round(50 + 4 * speaker.spoken_pitch)
    flags = ["-v", voice, "-s", str(np.clip(speed, 80, 450)), "-p", str(np.clip(pitch, 0, 99)), "--stdout"]
    done = subprocess.run(["espeak-ng", *flags, text], check=True, capture_output=True)
    return soundfile.read(io.BytesIO(done.stdout), dtype="float32")  # type: ignore[no-any-return]


def _festival(text: str, voice: str, speaker: Speaker) -> tuple[NDArray[np.float32], int]:
    """Where the pitch cannot be set from outside, tract and tempo alone make the speaker."""
    evaluations = [f"(voice_{voice})", f"(Parameter.set 'Duration_Stretch {1 / speaker.spoken_tempo:.3f})"]
    if voice in DIPHONES_HZ:
        evaluations.append(MELODY.format(DIPHONES_HZ[voice] * 2 ** (speaker.spoken_pitch / 12)))
    flags = [part for expression in evaluations for part in ("-eval", expression)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        command = ["text2wave", *flags, "-o", str(path)]
        subprocess.run(command, input=text.encode(), check=True, capture_output=True)
        return soundfile.read(path, dtype="float32")  # type: ignore[no-any-return]


def named_letters(text: str) -> str:
    """The phonemes of the letter A written into a text, as hibari's reader takes them: it would read an article."""
    return LETTER_A.sub("[A](/ˈA/)", text)


@lru_cache
def _loaded(voice: str) -> Any:
    from hibari import Hibari

    return Hibari(voice)


def _hibari(text: str, voice: str, speaker: Speaker) -> tuple[NDArray[np.float32], int]:
    """A small neural voice. Half of its spectrum does not follow a changed pitch: tract and tempo make the speaker."""
    model = _loaded(voice)
    return model(named_letters(text), speed=float(np.clip(speaker.spoken_tempo, 0.5, 2.0)), seed=0), model.sample_rate


@lru_cache
def _reader(british: bool) -> Any:
    from hibari.g2p import G2P

    return G2P(british=british)


def phonemes(text: str, voice: str) -> str:
    """For Kokoro; a voice whose name begins with b says it as the British do."""
    return _reader(voice.startswith("b"))(named_letters(text))  # type: ignore[no-any-return]


def _kokoro(text: str, voice: str, speaker: Speaker) -> tuple[NDArray[np.floating], int]:
    """Voices of other languages have their accents."""
    return kokoro.says(kokoro.utterance(phonemes(text, voice), voice, speaker))


PROGRAMS = {"flite": _flite, "espeak": _espeak, "festival": _festival, "hibari": _hibari, "kokoro": _kokoro}
