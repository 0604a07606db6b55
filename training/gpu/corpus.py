"""Training speech in one tensor on the device that trains."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from audio import Samples
from training.augment import from_onset
from training.data import Tokenizer, column, read_audio
from training.recipe import Recipe

Int16 = NDArray[np.int16]
FULL_SCALE = 32_768
LENGTHS_DIFFER = 0.1  # of two utterances beside each other, as a share: more makes batches differ more, and pads more


@dataclass(frozen=True)
class Corpus:
    """Utterances, each without the silence before it."""

    audio: torch.Tensor  # int16, shape (samples of all,)
    starts: NDArray[np.int64]  # of each utterance in it
    samples: NDArray[np.int64]
    tokens: list[NDArray[np.int64]]
    takes: NDArray[np.int64]  # how often each is heard in an epoch

    @classmethod
    def of(cls, clips: Sequence[Int16], tokens: list[NDArray[np.int64]], takes: Sequence[int], device: str) -> "Corpus":
        samples = np.array([len(clip) for clip in clips], np.int64)
        audio = torch.from_numpy(np.concatenate(clips)).to(device)
        return cls(audio, np.cumsum(samples) - samples, samples, tokens, np.asarray(takes, np.int64))

    def batches(self, batch_samples: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Indices of utterances of about the same length, without end; a batch, padded, has `batch_samples` at most."""
        while True:
            heard = np.repeat(np.arange(len(self.samples)), self.takes)
            by_length = self.samples[heard] * (1 + LENGTHS_DIFFER * rng.random(len(heard)))
            batches = cut(heard[np.argsort(by_length)], self.samples, batch_samples)
            for number in rng.permutation(len(batches)):
                yield batches[number]


def clip(audio: Samples) -> Int16:
    """An utterance as a corpus holds it."""
    return np.round(np.clip(from_onset(audio), -1, 1) * (FULL_SCALE - 1)).astype(np.int16)


def cut(order: NDArray[np.int64], samples: NDArray[np.int64], batch_samples: int) -> list[NDArray[np.int64]]:
    """Utterances in this order into batches that hold `batch_samples` at most when each is as long as its longest."""
    batches, start, longest = [], 0, 0
    for at, index in enumerate(order):
        longest = max(longest, int(samples[index]))
        if at > start and longest * (at + 1 - start) > batch_samples:
            batches.append(order[start:at])
            start, longest = at, int(samples[index])
    return [*batches, order[start:]]


def of_lists(recipe: Recipe, folder: Path, device: str) -> Corpus:
    """What stage `data` has listed for a step: a clip that is listed several times is read once."""
    tokenizer = Tokenizer(recipe)
    counted = Counter(zip(column(folder / "wav.scp"), column(folder / "text"), strict=True))
    clips = [clip(read_audio(path)) for path, _ in counted]
    return Corpus.of(clips, [tokenizer(text) for _, text in counted], list(counted.values()), device)
