"""Stage `begin`: a recipe's first model, Whisper's weights in ESPnet2's networks, taught to do what Whisper does.

It hears what the first step of the curriculum will hear: the output of every block shall be Whisper's, and the next
word what Whisper would say. Transcripts are of small letters without punctuation: so is Whisper shown them, and what it
holds for possible beside those does not count. It has steps of its own, those with `minutes` for a GPU: `training.gpu`.
`begin.pth` holds the weights for `init_param`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from audio import SAMPLE_RATE
from recognizer.decoding.lexicon import PIECE_SPACE
from training import whisper, whisper_text
from training.augment import Surroundings, augmenter
from training.cuts import CutOff, Listed, cut_off, listed
from training.data import STATISTICS, Tokenizer, read_audio
from training.kernels import autocast, quicken
from training.recipe import Recipe
from training.train import surroundings

NAME, CHECKPOINT = "begin.pth", "begin-checkpoint.pth"  # in a recipe's folder, where begin-0.pth is the first step's
SAVING = 50  # steps between two checkpoints
SHIFT = 1  # frames: Whisper pads what its convolutions hear, ESPnet does not
HIDDEN = 0.25  # of each block's difference, beside that of the last output
WARMING = 0.05  # of the steps
LONGEST = 23 * SAMPLE_RATE  # Whisper hears 30 s, and a change makes it slower and puts silence around it
PAUSE = SAMPLE_RATE // 2  # about what a change adds around an utterance, in samples
CTC_WEIGHT = 0.3  # of its loss for each token
NEW = 2.0  # step sizes of the decoder, whose positions are new, over those of the encoder
NO_TOKEN = -1
Batch = tuple[Tensor, Tensor]  # audio (B, samples), tokens (B, L) with NO_TOKEN behind the last


class Heard(IterableDataset[Batch]):
    """Changed speech with its tokens, in batches of `samples` and of about as long utterances, without end."""

    def __init__(
        self, clips: list[Listed], tokenizer: Tokenizer, cut: CutOff, around: Surroundings, strength: float,
        samples: int, seed: int,
    ) -> None:  # fmt: skip
        self.clips, self.tokenizer, self.cut = clips, tokenizer, cut
        self.around, self.strength, self.samples, self.seed = around, strength, samples, seed

    def __iter__(self) -> Iterator[Batch]:
        rng, change = np.random.default_rng(self.seed), augmenter(self.around, self.strength)
        lengths = np.array([clip.samples for clip in self.clips])
        order = np.argsort(lengths)
        ends = np.cumsum(lengths[order])
        while True:
            longest = int(np.searchsorted(ends, rng.integers(ends[-1]), "right"))  # each second is as likely
            count = max(1, self.samples // (int(lengths[order[longest]]) + PAUSE))
            audio, tokens, pad = [], [], torch.nn.utils.rnn.pad_sequence
            for number in order[max(0, longest + 1 - count) : longest + 1]:
                clip = self.clips[number]
                heard, text = self.cut(clip.id, read_audio(clip.path), clip.text, rng)
                audio.append(torch.from_numpy(change(heard, rng, text == clip.text)[0]))
                tokens.append(torch.from_numpy(self.tokenizer(text)))
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
        start = tokens.new_tensor([whisper_text.START, whisper_text.NO_TIMES]).expand(len(tokens), 2)
        *outputs, logits = whisper_text.decode(
            self.weights, torch.cat((start, self.known[tokens.clamp(min=0)]), 1), hidden
        )
        begin = whisper_text.BEFORE
        return [output[:, begin:].float() @ self.stretch.T for output in outputs], logits[:, begin:].float()

    def to(self, device: str) -> "Teacher":
        weights = {name: value.to(device) for name, value in self.weights.items()}
        return Teacher(weights, *(part.to(device) for part in (self.known, self.meaning, self.begins, self.stretch)))


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
    """Goes on where it stopped."""
    torch.manual_seed(recipe.asr["seed"])
    pupil, teacher = taught(recipe)
    write_statistics(recipe, pupil.frontend.output_size())
    for number, step in enumerate(recipe.data["begin"]):
        after = recipe.work / f"begin-{number}.pth"
        if after.exists():
            pupil.load_state_dict(torch.load(after, weights_only=True))
            continue
        learn = learn_resident if "minutes" in step else learn_listed
        learn(recipe, pupil, teacher, step)
        torch.save(pupil.state_dict(), after)
        (recipe.work / CHECKPOINT).unlink(missing_ok=True)
    torch.save(pupil.state_dict(), recipe.work / NAME)


def learn_resident(recipe: Recipe, pupil: Pupil, teacher: Teacher, step: dict[str, Any]) -> None:
    """As long as the step says, with all speech on the GPU."""
    from training.gpu import begin, corpus

    device = "cuda" if torch.cuda.is_available() else "cpu"
    heard = corpus.of_lists(recipe, recipe.work / "train-0", device, step)
    if pairs := step.get("pairs"):
        heard = heard.joined(int(pairs), LONGEST, np.random.default_rng(recipe.data["seed"]))
    begin.learn(pupil, teacher, heard, surroundings(), step, recipe.asr["seed"])


def learn_listed(recipe: Recipe, pupil: Pupil, teacher: Teacher, step: dict[str, Any]) -> None:
    """So many steps, on speech that is read from its files."""
    optimiser = torch.optim.AdamW(groups(pupil, step), fused=True, weight_decay=0.0)
    steps, rates = int(step["steps"]), [group["lr"] for group in optimiser.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, steps, pct_start=WARMING, cycle_momentum=False)
    kept: dict[str, Any] = {"pupil": pupil, "optimiser": optimiser, "schedule": schedule}
    done = resumed(recipe.work / CHECKPOINT, kept)
    for number, (audio, tokens) in zip(range(done + 1, steps + 1), batches(recipe, step, done), strict=False):
        parts = descend(pupil, teacher, optimiser, audio, tokens)
        schedule.step()
        if number % SAVING == 0 or number == steps:
            print(f"{number}/{steps}: {named(parts)}", flush=True)
            saved = {name: part.state_dict() for name, part in kept.items()}
            torch.save(saved | {"done": number}, recipe.work / CHECKPOINT)


def descend(
    pupil: Pupil, teacher: Teacher, optimiser: torch.optim.Optimizer, audio: Tensor, tokens: Tensor
) -> dict[str, Tensor]:
    """One step; returns the losses by name."""
    parts = differences(pupil, teacher, audio, tokens)
    optimiser.zero_grad()
    torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
    optimiser.step()
    return parts


def named(parts: dict[str, Tensor]) -> str:
    return ", ".join(f"{name} {part.item():.3f}" for name, part in parts.items())


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


def groups(pupil: Pupil, step: dict[str, Any]) -> list[dict[str, Any]]:
    """Of a step with `max_lr`, the largest step size of the encoder, and `ctc_step`, that of CTC over it. Weights that
    write into the stretched space between the decoder's blocks are larger, and move as much more."""
    max_lr = float(step["max_lr"])
    stretched = re.compile(r"(linear_out|w_2)\.")
    named = list(pupil.decoder.named_parameters())
    inner = [value for name, value in named if not stretched.search(name)]
    outer = [value for name, value in named if stretched.search(name)]
    return [
        {"params": list(pupil.encoder.parameters()), "lr": max_lr},
        {"params": inner, "lr": NEW * max_lr},
        {"params": outer, "lr": NEW * max_lr * whisper_text.STRETCH / 4},
        {"params": list(pupil.ctc.parameters()), "lr": float(step["ctc_step"]) * max_lr},
    ]


def write_statistics(recipe: Recipe, bins: int) -> None:
    """Mean and variance that `global_mvn` reads, of which the mean is -SCALE and the deviation SCALE."""
    mean, square = np.full(bins, -whisper.SCALE), np.full(bins, 2 * whisper.SCALE**2)
    np.savez(recipe.work / STATISTICS, count=1, sum=mean, sum_square=square)


def batches(recipe: Recipe, step: dict[str, Any], done: int = 0) -> DataLoader[Batch]:
    """For a step of this stage, other ones after so many. Another process changes the speech meanwhile."""
    heard = Heard(
        list(listed(recipe.work / "train-0")), Tokenizer(recipe), cut_off(recipe, step), surroundings(),
        step["augment"], int(step["batch_s"] * SAMPLE_RATE), recipe.data["seed"] + done,
    )  # fmt: skip
    return DataLoader(heard, batch_size=None, num_workers=1, prefetch_factor=4)


def differences(pupil: Pupil, teacher: Teacher, audio: Tensor, tokens: Tensor) -> dict[str, Tensor]:
    """Between ESPnet's networks and Whisper, or what is said, by name."""
    features, lengths = pupil.frontend(audio, tokens.new_full((len(audio),), audio.shape[1]))
    features = (features + whisper.SCALE) / whisper.SCALE
    with autocast(audio.device.type):
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
    log_probs = functional.log_softmax(pupil.ctc.ctc_lo(ours.float()), -1).transpose(0, 1)
    loss = functional.ctc_loss(log_probs, tokens.clamp(min=0), lengths, counts, reduction="sum", zero_infinity=True)
    return loss / counts.sum().clamp(min=1)


def spoken_differences(
    pupil: Pupil, teacher: Teacher, ours: Tensor, lengths: Tensor, theirs: Tensor, tokens: Tensor
) -> dict[str, Tensor]:
    """Of the decoder's blocks mean squares over those of Whisper, of the words that may follow the Kullback-Leibler
    divergence, and the cross entropy of what is said."""
    said, end = tokens != NO_TOKEN, len(teacher.known) - 1
    known, at = tokens.masked_fill(~said, end), functional.pad(said, (1, 0), value=True)  # the start, and each token
    before, after = functional.pad(known, (1, 0), value=end), functional.pad(known, (0, 1), value=end)
    with autocast(ours.device.type):
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
    """The mean square over the variance of each channel; nothing of a single one, which has none."""
    ours, target = ours.float().flatten(0, -2), target.float().flatten(0, -2)
    if len(target) < 2:
        return 0.0 * ours.sum()
    return functional.mse_loss(ours, target) / target.var(dim=0).mean()
