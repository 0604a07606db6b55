"""A curriculum step with `minutes`: ESPnet2's model and losses, as many steps as fit into the time."""

import math
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence

from audio import SAMPLE_RATE
from training.augment import Surroundings
from training.gpu.augment import Augmenter
from training.gpu.corpus import Corpus, Int64
from training.onset import BlankBeforeSpeech

NO_TOKEN = -1  # fills up texts
LOG_STEPS = 100


def step_size(progress: float, rises: float) -> float:
    """Share of the largest, at a share of the time: rises to it for a while, then falls to nothing as a cosine."""
    if progress < rises:
        return progress / rises
    return 0.5 + 0.5 * math.cos(math.pi * (progress - rises) / (1 - rises))


@dataclass(frozen=True)
class Turn:
    """One batch of a step with `minutes`."""

    rate: float  # share of the largest step size
    chosen: Int64  # utterances of the corpus
    samples: Int64  # of each that are heard
    texts: list[Int64]  # their tokens
    said: str  # how far the step is, now and then


def turns(step: dict[str, Any], corpus: Corpus, rng: np.random.Generator, clock: Callable[[], float]) -> Iterator[Turn]:
    """Until the time of the step is over."""
    start, heard_s = clock(), 0.0
    for number, chosen in enumerate(corpus.batches(int(step["batch_s"] * SAMPLE_RATE), rng)):
        progress = (clock() - start) / (60 * step["minutes"])
        if progress >= 1:
            return
        samples, texts = corpus.said(chosen, float(step.get("cut_off", 0.0)), rng)
        heard_s += float(samples.sum()) / SAMPLE_RATE
        said = f"{progress:4.0%}, step {number}, {heard_s / 3600:.1f} h heard" if number % LOG_STEPS == 0 else ""
        yield Turn(step_size(progress, step["rises"]), chosen, samples, texts, said)


def configured(path: Path) -> tuple[Any, Namespace]:
    """The model of an ESPnet2 configuration, with its first weights, and the configuration, also in `config.yaml`."""
    from espnet2 import __version__
    from espnet2.tasks.asr import ASRTask
    from espnet2.torch_utils.load_pretrained_model import load_pretrained_model
    from espnet2.utils.yaml_no_alias_safe_dump import yaml_no_alias_safe_dump

    settings = ASRTask.get_parser().parse_args(["--config", str(path)])
    torch.manual_seed(settings.seed)
    model = ASRTask.build_model(settings)
    for first in settings.init_param:
        load_pretrained_model(model=model, init_param=first, ignore_init_mismatch=False, map_location="cpu")
    for name, weight in model.named_parameters():
        weight.requires_grad_(not name.startswith(tuple(settings.freeze_param)))
    BlankBeforeSpeech(model)
    written = vars(settings) | {"version": __version__}  # as ESPnet's own trainer says it
    (path.parent / "config.yaml").write_text(yaml_no_alias_safe_dump(written), encoding="utf-8")
    return model, settings


def let_pass(encoder: torch.nn.Module, blocks: int) -> None:
    """So many blocks at the end of a macaron conformer have no effect before they learn: they add nothing, and their
    norms leave what was normed as it is (zero-initialised residual branches, Goyal et al. 2017, arXiv 1706.02677)."""
    for block in encoder.encoders[len(encoder.encoders) - blocks :]:  # type: ignore[index,arg-type]
        forward, macaron, convolution = block.feed_forward, block.feed_forward_macaron, block.conv_module
        for last in (forward.w_2, macaron.w_2, block.self_attn.linear_out, convolution.pointwise_conv2):
            torch.nn.init.zeros_(last.weight)
            torch.nn.init.zeros_(last.bias)


def train(
    config: Path,
    corpus: Corpus,
    surroundings: Surroundings,
    step: dict[str, Any],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Writes `latest.pth` beside an ESPnet2 configuration: the weights after `step["minutes"]`.

    `step` has also `augment` (0 to 1), `batch_s` (seconds of a padded batch), `max_lr`, and `rises`, the share of the
    time in which the step size does; `new_blocks`: how many of the encoder the weights before do not have. `clock`
    tells seconds.
    """
    model, settings = configured(config)
    let_pass(model.encoder, int(step.get("new_blocks", 0)))
    model.to(corpus.audio.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), **settings.optim_conf)
    rng = np.random.default_rng(settings.seed)
    augment = Augmenter(corpus, surroundings, float(step["augment"]))
    for turn in turns(step, corpus, rng, clock):
        for group in optimizer.param_groups:
            group["lr"] = step["max_lr"] * turn.rate
        inputs = batch(turn.texts, augment(turn.chosen, turn.samples, rng))
        stats = descend(model, optimizer, inputs, settings.grad_clip)
        if turn.said:
            losses = ", ".join(f"{name} {float(stats[name]):.3f}" for name in ("loss_ctc", "loss_att", "acc"))
            print(f"{turn.said}: {losses}", flush=True)
    torch.save(model.state_dict(), config.parent / "latest.pth")


def batch(texts: list[Int64], heard: tuple[torch.Tensor, ...]) -> dict[str, torch.Tensor]:
    """As ESPnet2's models take it."""
    speech, lengths, onset = heard
    text_lengths = torch.tensor([len(text) for text in texts])
    text = pad_sequence([torch.from_numpy(text) for text in texts], batch_first=True, padding_value=NO_TOKEN)
    device = speech.device
    return {"speech": speech, "speech_lengths": lengths, "onset": onset} | {
        "text": text.to(device, non_blocking=True),
        "text_lengths": text_lengths.to(device, non_blocking=True),
    }


def descend(
    model: Any, optimizer: torch.optim.Optimizer, inputs: dict[str, torch.Tensor], grad_clip: float
) -> dict[str, torch.Tensor]:
    """One step; returns what the model says of its losses."""
    with torch.autocast(inputs["speech"].device.type, dtype=torch.bfloat16):
        loss, stats, _ = model(**inputs)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    clip_grad_norm_(model.parameters(), grad_clip)
    optimizer.step()
    return stats  # type: ignore[no-any-return]
