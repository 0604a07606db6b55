"""Stage `statistics`: mean and variance of the features of changed training speech, for `global_mvn`."""

import numpy as np
import torch
from espnet2.asr.frontend.default import DefaultFrontend

from training.augment import augmenter
from training.data import STATISTICS, column, read_audio
from training.recipe import Recipe
from training.train import surroundings

UTTERANCES = 2_000


def statistics(recipe: Recipe) -> None:
    """Of utterances of the last curriculum step, in ESPnet2's format: count, and sums over frames, shape (bins,)."""
    step = len(recipe.curriculum) - 1
    paths = column(recipe.work / f"train-{step}" / "wav.scp")
    rng = np.random.default_rng(recipe.data["seed"])
    change = augmenter(surroundings(), float(recipe.curriculum[step]["augment"]))
    frontend = DefaultFrontend(**recipe.asr["frontend_conf"])
    count, total, squares = 0, np.zeros(frontend.output_size()), np.zeros(frontend.output_size())
    for path in rng.choice(paths, min(UTTERANCES, len(paths)), replace=False):
        audio, _ = change(read_audio(path), rng, True)
        features = frontend(torch.from_numpy(audio)[None], torch.tensor([len(audio)]))[0][0].double().numpy()
        count, total, squares = count + len(features), total + features.sum(0), squares + (features**2).sum(0)
    np.savez(recipe.work / STATISTICS, count=count, sum=total, sum_square=squares)
    print(f"{recipe.work / STATISTICS}: {count} frames")
