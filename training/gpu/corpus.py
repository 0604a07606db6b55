"""Training speech in one tensor on the device that trains."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from audio import SAMPLE_RATE, Samples
from training.augment import from_onset
from training.cuts import found_places, listed, within
from training.data import Tokenizer, read_audio
from training.recipe import Recipe

Int16 = NDArray[np.int16]
Int64 = NDArray[np.int64]
FULL_SCALE = 32_768
GAP_S = (0.05, 0.6)  # between two utterances in a row
NOWHERE = np.empty((0, 2), np.int64)
LENGTHS_DIFFER = 0.1  # of two utterances beside each other, as a share: more makes batches differ more, and pads more


@dataclass(frozen=True)
class Corpus:
    """Utterances, each without the silence before it."""

    audio: torch.Tensor  # int16, shape (samples of all,)
    starts: Int64  # of each utterance in it
    samples: Int64
    tokens: list[Int64]
    takes: Int64  # how often each is heard in an epoch
    words: list[Int64]  # samples and tokens of each up to the end of each of its words (words, 2), where known

    @classmethod
    def of(
        cls, clips: Sequence[Int16], tokens: list[Int64], takes: Sequence[int], device: str,
        words: list[Int64] | None = None,
    ) -> "Corpus":  # fmt: skip
        samples = np.array([len(clip) for clip in clips], np.int64)
        audio = torch.from_numpy(np.concatenate(clips)).to(device)
        words = words or [NOWHERE] * len(clips)
        return cls(audio, np.cumsum(samples) - samples, samples, tokens, np.asarray(takes, np.int64), words)

    def joined(self, count: int, longest: int, rng: np.random.Generator) -> "Corpus":
        """With `count` more utterances: two of these in a row, of `longest` samples at most.

        Raises ValueError where no two are so short.
        """
        if 2 * min(self.samples) + GAP_S[0] * SAMPLE_RATE > longest:
            raise ValueError(f"longest is {longest} samples; no two of the utterances fit into them")
        clips: list[torch.Tensor] = []
        tokens, words = [], []
        while len(clips) < count:
            one, other = (int(index) for index in rng.integers(len(self.samples), size=2))
            gap = int(rng.uniform(*GAP_S) * SAMPLE_RATE)
            if self.samples[one] + gap + self.samples[other] > longest:
                continue
            before = np.array([self.samples[one], len(self.tokens[one])])
            clips.append(torch.cat([self.clip(one), self.audio.new_zeros(gap), self.clip(other)]))
            tokens.append(np.concatenate([self.tokens[one], self.tokens[other]]))
            words.append(np.concatenate([self.words[one], before[None], self.words[other] + before + [gap, 0]]))
        samples = np.concatenate([self.samples, np.array([len(clip) for clip in clips], np.int64)])
        audio, takes = torch.cat([self.audio, *clips]), np.concatenate([self.takes, np.ones(count, np.int64)])
        return Corpus(audio, np.cumsum(samples) - samples, samples, self.tokens + tokens, takes, self.words + words)

    def clip(self, index: int) -> torch.Tensor:
        return self.audio[self.starts[index] : self.starts[index] + self.samples[index]]

    def said(self, chosen: Int64, cut_off: float, rng: np.random.Generator) -> tuple[Int64, list[Int64]]:
        """Of these utterances how many samples are heard, and the tokens; the share `cut_off` ends within a word."""
        samples, tokens = self.samples[chosen], [self.tokens[index] for index in chosen]
        for row, index in enumerate(chosen):
            words = self.words[index]
            if len(words) and rng.random() < cut_off:
                word = int(rng.integers(len(words)))
                samples[row] = within([*words[:, 0], samples[row]], word, rng)
                tokens[row] = tokens[row][: words[word, 1]]
        return samples, tokens

    def batches(self, batch_samples: int, rng: np.random.Generator) -> Iterator[Int64]:
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


def word_ends(text: str, places: Sequence[int], skipped: int, space: str, tokenizer: Tokenizer) -> Int64:
    """Samples and tokens up to the end of each word but the last; of the audio so many samples are left out."""
    words = text.split(space) if space else list(text)
    tokens = [len(tokenizer(space.join(words[: number + 1]))) for number in range(len(places))]
    return np.array([*zip(np.maximum(np.array(places) - skipped, 0), tokens, strict=True)], np.int64).reshape(-1, 2)


def cut(order: Int64, samples: Int64, batch_samples: int) -> list[Int64]:
    """Utterances in this order into batches that hold `batch_samples` at most when each is as long as its longest."""
    batches, start, longest = [], 0, 0
    for at, index in enumerate(order):
        longest = max(longest, int(samples[index]))
        if at > start and longest * (at + 1 - start) > batch_samples:
            batches.append(order[start:at])
            start, longest = at, int(samples[index])
    return [*batches, order[start:]]


def of_lists(recipe: Recipe, folder: Path, device: str, step: dict[str, Any]) -> Corpus:
    """What stage `data` has listed for a step: a clip that is listed several times is read once."""
    tokenizer, places = Tokenizer(recipe), found_places(recipe, step)
    counted = Counter(listed(folder))
    clips, words = [], []
    for one in counted:
        clips.append(clip(read_audio(one.path)))
        words.append(word_ends(one.text, places.get(one.id, []), one.samples - len(clips[-1]), recipe.space, tokenizer))
    return Corpus.of(clips, [tokenizer(one.text) for one in counted], list(counted.values()), device, words)
