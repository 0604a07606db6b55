"""Stage `begin`: a recipe's first model, Whisper's weights in ESPnet2's networks, taught to do what Whisper does.

It hears what the first step of the curriculum will hear: the output of every block shall be Whisper's, and the next
word what Whisper would say. Transcripts are of small letters without punctuation: so is Whisper shown them, and what it
holds for possible beside those does not count. `begin.pth` holds the weights for `init_param`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from audio import SAMPLE_RATE
from recognizer.decoding.lexicon import PIECE_SPACE
from training import whisper, whisper_text
from training.augment import Surroundings, augmenter
from training.data import STATISTICS, Tokenizer, column, read_audio
from training.kernels import autocast, quicken
from training.recipe import Recipe
from training.train import surroundings

NAME, CHECKPOINT = "begin.pth", "begin-checkpoint.pth"  # in a recipe's folder
SAVING = 50  # steps between two checkpoints
SHIFT = 1  # frames: Whisper pads what its convolutions hear, ESPnet does not
HIDDEN = 0.25  # of each block's difference, beside that of the last output
WARMING = 0.05  # of the steps
PAUSE = SAMPLE_RATE // 2  # about what a change adds around an utterance, in samples
CTC_WEIGHT = 0.3  # of its loss for each token
CTC_STEP = 10.0  # its step sizes, over those of the encoder
NEW = 2.0  # step sizes of the decoder, whose positions are new, over those of the encoder
NO_TOKEN = -1
Batch = tuple[Tensor, Tensor]  # audio (B, samples), tokens (B, L) with NO_TOKEN behind the last


class Heard(IterableDataset[Batch]):
    """Changed speech of Kaldi-style lists with its tokens, in batches of about as long utterances, without end."""

    def __init__(
        self, paths: list[str], texts: list[NDArray[np.int64]], lengths: list[int], around: Surroundings,
        strength: float, samples: int, seed: int,
    ) -> None:  # fmt: skip
        self.paths, self.texts, self.lengths = paths, texts, np.array(lengths)
        self.around, self.strength, self.samples, self.seed = around, strength, samples, seed

    def __iter__(self) -> Iterator[Batch]:
        rng, change = np.random.default_rng(self.seed), augmenter(self.around, self.strength)
        order = np.argsort(self.lengths)
        ends = np.cumsum(self.lengths[order])
        while True:
            longest = int(np.searchsorted(ends, rng.integers(ends[-1]), "right"))  # each second is as likely
            count = max(1, self.samples // (int(self.lengths[order[longest]]) + PAUSE))
            chosen = order[max(0, longest + 1 - count) : longest + 1]
            audio = [torch.from_numpy(change(read_audio(self.paths[n]), rng, True)[0]) for n in chosen]
            tokens = [torch.from_numpy(self.texts[n]) for n in chosen]
            pad = torch.nn.utils.rnn.pad_sequence
            yield pad(audio, batch_first=True), pad(tokens, batch_first=True, padding_value=NO_TOKEN)


@dataclass(frozen=True, eq=False)
class Teacher:
    """Whisper, and what our tokens mean to it."""

    weights: whisper.Weights
    known: Tensor  # Whisper's number of each of our tokens
    meaning: Tensor  # ours of each of Whisper's
    begins: Tensor  # of each of ours: whether a word begins with it
    stretch: Tensor  # what turns Whisper's channels between the blocks of its decoder into ours (D, D)

    def answers(self, hidden: Tensor, tokens: Tensor) -> tuple[list[Tensor], Tensor]:
        """The output of each block of the decoder at each of our tokens and at the start, and the logits."""
        start = torch.tensor([whisper_text.START, whisper_text.NO_TIMES]).expand(len(tokens), 2)
        *outputs, logits = whisper_text.decode(
            self.weights, torch.cat((start, self.known[tokens.clamp(min=0)]), 1), hidden
        )
        begin = whisper_text.BEFORE
        return [output[:, begin:].float() @ self.stretch.T for output in outputs], logits[:, begin:].float()


class Pupil(torch.nn.Module):
    """ESPnet2's encoder, decoder and CTC, which begins with nothing."""

    def __init__(self, recipe: Recipe, tokens: int) -> None:
        from espnet2.asr.ctc import CTC
        from espnet2.asr.decoder.transformer_decoder import TransformerDecoder
        from espnet2.asr.encoder.transformer_encoder import TransformerEncoder
        from espnet2.asr.frontend.default import DefaultFrontend

        super().__init__()
        self.frontend = DefaultFrontend(**recipe.asr["frontend_conf"])
        self.encoder = TransformerEncoder(self.frontend.output_size(), **recipe.asr["encoder_conf"])
        width = recipe.asr["encoder_conf"]["output_size"]
        self.decoder = TransformerDecoder(tokens, width, **recipe.asr["decoder_conf"])
        self.ctc = CTC(tokens, width, dropout_rate=0.0)
        torch.nn.init.zeros_(self.ctc.ctc_lo.weight)

    @property
    def sines(self) -> Tensor:
        """The decoder's positions (positions, D)."""
        return self.decoder.embed[1].pe[0]  # type: ignore[no-any-return]


def begin(recipe: Recipe) -> None:
    torch.manual_seed(recipe.asr["seed"])
    wanted = recipe.data["begin"]
    pupil, teacher = taught(recipe)
    write_statistics(recipe, pupil.frontend.output_size())

    optimiser = torch.optim.AdamW(groups(pupil, float(wanted["max_lr"])), fused=True, weight_decay=0.0)
    steps, rates = int(wanted["steps"]), [group["lr"] for group in optimiser.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, steps, pct_start=WARMING, cycle_momentum=False)
    kept: dict[str, Any] = {"pupil": pupil, "optimiser": optimiser, "schedule": schedule}
    done = resumed(recipe.work / CHECKPOINT, kept)
    for step, (audio, tokens) in zip(range(done + 1, steps + 1), batches(recipe, done), strict=False):
        parts = differences(pupil, teacher, audio, tokens)
        optimiser.zero_grad()
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % SAVING == 0 or step == steps:
            named = ", ".join(f"{name} {part.item():.3f}" for name, part in parts.items())
            print(f"{step}/{steps}: {named}", flush=True)
            saved = {name: part.state_dict() for name, part in kept.items()}
            torch.save(saved | {"done": step}, recipe.work / CHECKPOINT)
    torch.save(pupil.state_dict(), recipe.work / NAME)


def resumed(checkpoint: Path, parts: dict[str, Any]) -> int:
    """How many steps are done."""
    if not checkpoint.exists():
        return 0
    saved = torch.load(checkpoint, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return int(saved["done"])


def taught(recipe: Recipe) -> tuple[Pupil, Teacher]:
    """The pupil as it begins."""
    tokenizer = Tokenizer(recipe)
    tokens = tokenizer.names
    weights, (theirs, _) = whisper.read(whisper.fetched()), whisper_text.vocabulary()
    pupil = Pupil(recipe, len(tokens))
    pupil.encoder.load_state_dict(whisper.state(weights))
    pupil.decoder.load_state_dict(whisper_text.state(weights, tokens, theirs, pupil.sines))
    quicken(pupil)
    teacher = Teacher(
        weights,
        torch.tensor(whisper_text.numbers(tokens, theirs)),
        whisper_text.meanings(tokens, theirs, tokenizer),
        torch.tensor([token.startswith(PIECE_SPACE) for token in tokens]),
        whisper_text.STRETCH * whisper_text.turn(weights, pupil.sines),
    )
    return pupil, teacher


def groups(pupil: Pupil, max_lr: float) -> list[dict[str, Any]]:
    """Weights that write into the stretched space between the decoder's blocks are larger, and move as much more."""
    stretched = re.compile(r"(linear_out|w_2)\.")
    named = list(pupil.decoder.named_parameters())
    inner = [value for name, value in named if not stretched.search(name)]
    outer = [value for name, value in named if stretched.search(name)]
    return [
        {"params": list(pupil.encoder.parameters()), "lr": max_lr},
        {"params": inner, "lr": NEW * max_lr},
        {"params": outer, "lr": NEW * max_lr * whisper_text.STRETCH / 4},
        {"params": list(pupil.ctc.parameters()), "lr": CTC_STEP * max_lr},
    ]


def write_statistics(recipe: Recipe, bins: int) -> None:
    """Mean and variance that `global_mvn` reads, of which the mean is -SCALE and the deviation SCALE."""
    mean, square = np.full(bins, -whisper.SCALE), np.full(bins, 2 * whisper.SCALE**2)
    np.savez(recipe.work / STATISTICS, count=1, sum=mean, sum_square=square)


def batches(recipe: Recipe, done: int = 0) -> DataLoader[Batch]:
    """Other ones after so many steps. Another process changes the speech meanwhile."""
    lists, step, tokenizer = recipe.work / "train-0", recipe.curriculum[0], Tokenizer(recipe)
    texts = [tokenizer(text) for text in column(lists / "text")]
    lengths = [int(length) for length in column(lists / "speech_shape")]
    samples = int(recipe.data["begin"]["batch_s"] * SAMPLE_RATE)
    heard = Heard(
        column(lists / "wav.scp"), texts, lengths, surroundings(), step["augment"], samples, recipe.data["seed"] + done
    )
    return DataLoader(heard, batch_size=None, num_workers=1, prefetch_factor=4)


def differences(pupil: Pupil, teacher: Teacher, audio: Tensor, tokens: Tensor) -> dict[str, Tensor]:
    """Between ESPnet's networks and Whisper, or what is said, by name."""
    features, lengths = pupil.frontend(audio, torch.full((len(audio),), audio.shape[1]))
    features = (features + whisper.SCALE) / whisper.SCALE
    with autocast():
        with torch.no_grad():
            *their_blocks, theirs = whisper.encode(teacher.weights, features)
        (ours, our_blocks), lengths, _ = pupil.encoder(features, lengths, return_all_hs=True)
    return {
        "encoder": apart(ours, trimmed(theirs, ours)) + HIDDEN * blockwise(our_blocks, their_blocks),
        "ctc": CTC_WEIGHT * missed(pupil, ours, lengths, tokens),
        **spoken_differences(pupil, teacher, ours, lengths, theirs, tokens),
    }


def missed(pupil: Pupil, ours: Tensor, lengths: Tensor, tokens: Tensor) -> Tensor:
    """The loss of CTC for each token."""
    counts = (tokens != NO_TOKEN).sum(1)
    loss: Tensor = pupil.ctc(ours.float(), lengths, tokens.clamp(min=0), counts)
    return loss * len(tokens) / counts.sum().clamp(min=1)


def spoken_differences(
    pupil: Pupil, teacher: Teacher, ours: Tensor, lengths: Tensor, theirs: Tensor, tokens: Tensor
) -> dict[str, Tensor]:
    """Of the decoder's blocks mean squares over those of Whisper, of the words that may follow the Kullback-Leibler
    divergence, and the cross entropy of what is said."""
    said, end = tokens != NO_TOKEN, len(teacher.known) - 1
    known, at = tokens.masked_fill(~said, end), functional.pad(said, (1, 0), value=True)  # the start, and each token
    before, after = functional.pad(known, (1, 0), value=end), functional.pad(known, (0, 1), value=end)
    with autocast():
        with torch.no_grad():
            their_words, logits = teacher.answers(theirs, tokens)
        (scores, our_words), _ = pupil.decoder(ours, lengths, before, at.sum(1), return_all_hs=True)
    log_probs = functional.log_softmax(scores.float(), -1)
    chosen = at & teacher.begins[after]
    meant = whisper_text.meant(logits[chosen], teacher.meaning, len(teacher.known))
    blocks = [apart(one[at], other[at]) for one, other in zip(our_words, their_words, strict=True)]
    return {
        "decoder": HIDDEN * torch.stack(blocks).sum(),
        "words": functional.kl_div(log_probs[chosen], meant, reduction="sum") / chosen.sum().clamp(min=1),
        "text": functional.nll_loss(log_probs[at], after[at]),
    }


def blockwise(ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
    return torch.stack([apart(one, trimmed(other, one)) for one, other in zip(ours, theirs, strict=True)]).sum()


def trimmed(theirs: Tensor, ours: Tensor) -> Tensor:
    return theirs[:, SHIFT : SHIFT + ours.shape[1]]


def apart(ours: Tensor, target: Tensor) -> Tensor:
    target = target.float().flatten(0, -2)
    return functional.mse_loss(ours.float().flatten(0, -2), target) / target.var(dim=0).mean()
