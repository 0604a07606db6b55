"""Stage `begin`: a recipe's first encoder, Whisper's weights in ESPnet2's network, taught to do what Whisper does.

It hears what the first step of the curriculum will hear, without the texts: the output of every block shall be
Whisper's. `begin.pth` holds the weights for `init_param`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from audio import SAMPLE_RATE
from training import whisper
from training.augment import Surroundings, augmenter
from training.data import STATISTICS, column, read_audio
from training.kernels import quicken
from training.recipe import Recipe
from training.train import surroundings

NAME = "begin.pth"  # in a recipe's folder
SHIFT = 1  # frames: Whisper pads what its convolutions hear, ESPnet does not
HIDDEN = 0.25  # of each block's difference, beside that of the last output
WARMING = 0.05  # of the steps


class Heard(IterableDataset[Tensor]):
    """Changed speech of a Kaldi-style list, without end: shape (samples,)."""

    def __init__(self, paths: list[str], around: Surroundings, strength: float, samples: int, seed: int) -> None:
        self.paths, self.around, self.strength, self.samples, self.seed = paths, around, strength, samples, seed

    def __iter__(self) -> Iterator[Tensor]:
        rng, change = np.random.default_rng(self.seed), augmenter(self.around, self.strength)
        while True:
            parts: list[Any] = []
            while sum(map(len, parts)) < self.samples:
                parts.append(change(read_audio(self.paths[rng.integers(len(self.paths))]), rng, True)[0])
            yield torch.from_numpy(np.concatenate(parts)[: self.samples])


def begin(recipe: Recipe) -> None:
    from espnet2.asr.encoder.transformer_encoder import TransformerEncoder
    from espnet2.asr.frontend.default import DefaultFrontend

    torch.manual_seed(recipe.asr["seed"])
    wanted, weights = recipe.data["begin"], whisper.read(whisper.fetched())
    frontend = DefaultFrontend(**recipe.asr["frontend_conf"])
    encoder = TransformerEncoder(frontend.output_size(), **recipe.asr["encoder_conf"])
    encoder.load_state_dict(whisper.state(weights))
    quicken(encoder)
    write_statistics(recipe, frontend.output_size())

    optimiser = torch.optim.AdamW(encoder.parameters(), fused=True, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, float(wanted["max_lr"]), int(wanted["steps"]), pct_start=WARMING, cycle_momentum=False
    )
    for step, audio in zip(range(wanted["steps"]), batches(recipe), strict=False):
        features, lengths = frontend(audio, torch.full((len(audio),), audio.shape[1]))
        features = (features + whisper.SCALE) / whisper.SCALE
        loss = difference(encoder, weights, features, lengths)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 49:
            print(f"{step + 1}/{wanted['steps']}: {loss.item():.4f}", flush=True)
    torch.save({f"encoder.{name}": value for name, value in encoder.state_dict().items()}, recipe.work / NAME)


def write_statistics(recipe: Recipe, bins: int) -> None:
    """Mean and variance that `global_mvn` reads, of which the mean is -SCALE and the deviation SCALE."""
    mean, square = np.full(bins, -whisper.SCALE), np.full(bins, 2 * whisper.SCALE**2)
    np.savez(recipe.work / STATISTICS, count=1, sum=mean, sum_square=square)


def batches(recipe: Recipe) -> DataLoader[Tensor]:
    """Of shape (utterances, samples); another process changes the speech meanwhile."""
    wanted, step = recipe.data["begin"], recipe.curriculum[0]
    paths, samples = column(recipe.work / "train-0" / "wav.scp"), int(wanted["piece_s"] * SAMPLE_RATE)
    heard = Heard(paths, surroundings(), step["augment"], samples, recipe.data["seed"])
    return DataLoader(heard, batch_size=int(wanted["batch_s"] / wanted["piece_s"]), num_workers=1, prefetch_factor=4)


def difference(encoder: Any, weights: whisper.Weights, features: Tensor, lengths: Tensor) -> Tensor:
    """Between ESPnet's encoder and Whisper: mean squares over those of Whisper, of the output and of each block."""
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            *their_blocks, theirs = whisper.encode(weights, features)
        (ours, our_blocks), _, _ = encoder(features, lengths, return_all_hs=True)
    blocks = sum(map(_apart, our_blocks, their_blocks))
    return _apart(ours, theirs) + HIDDEN * blocks


def _apart(ours: Tensor, theirs: Tensor) -> Tensor:
    target = theirs[:, SHIFT : SHIFT + ours.shape[1]].float()
    return functional.mse_loss(ours.float(), target) / target.var(dim=(0, 1)).mean()
