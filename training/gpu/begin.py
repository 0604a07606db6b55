"""A step of stage `begin` with `minutes`: as many steps as fit into the time, the speech on the device that learns."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from training.augment import Surroundings
from training.distil import NO_TOKEN, Pupil, Teacher, descend, groups, named
from training.gpu.augment import Augmenter
from training.gpu.corpus import Corpus
from training.gpu.loop import turns


def learn(
    pupil: Pupil,
    teacher: Teacher,
    corpus: Corpus,
    surroundings: Surroundings,
    step: dict[str, Any],
    seed: int,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """The pupil stays on the device of the corpus while it learns.

    `step` has `minutes`, `augment` (0 to 1), `batch_s` (seconds of a padded batch), `max_lr` and `ctc_step` as for
    `groups`, `rises`, the share of the time in which the step size does, and `cut_off`, the share of the utterances
    that end within a word. `clock` tells seconds.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every shape, which takes longer than the step
    device = str(corpus.audio.device)
    pupil.to(device)
    teacher = teacher.to(device)
    optimiser = torch.optim.AdamW(groups(pupil, step), fused=True, weight_decay=0.0)
    largest = [group["lr"] for group in optimiser.param_groups]
    rng, augment = np.random.default_rng(seed), Augmenter(corpus, surroundings, float(step["augment"]))
    for turn in turns(step, corpus, rng, clock):
        for group, most in zip(optimiser.param_groups, largest, strict=True):
            group["lr"] = most * turn.rate
        audio, _, _ = augment(turn.chosen, turn.samples, rng)
        tokens = pad_sequence([torch.from_numpy(text) for text in turn.texts], True, NO_TOKEN)
        parts = descend(pupil, teacher, optimiser, audio, tokens.to(device, non_blocking=True))
        if turn.said:
            print(f"{turn.said}: {named(parts)}", flush=True)
    pupil.to("cpu")
