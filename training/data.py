"""Stage `data`: recorded human speech -> Kaldi-style folders that ESPnet2 reads.

Only rows whose role is `train` become training speech; `test` rows are never opened here.
"""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from audio import SAMPLE_RATE, Samples
from training.recipe import Recipe

FIXTURES = Path(os.environ.get("SPEECH_FIXTURES", "../shared/speech"))


@dataclass(frozen=True)
class Clip:
    """One recording or a piece of one, with what is said in it."""

    id: str
    speaker: str
    text: str
    audio: Samples


def manifest(role: str) -> list[dict[str, str]]:
    """The rows of the speech manifest with this role."""
    lines = (FIXTURES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["role"] == role]


def read_audio(path: str) -> Samples:
    audio: Samples
    audio, rate = soundfile.read(FIXTURES / path, dtype="float32")
    if rate != SAMPLE_RATE:
        raise SystemExit(f"{path} is at {rate} Hz; the fixtures are at {SAMPLE_RATE} Hz")
    return audio


def normalise(transcript: str) -> str:
    """Lower case, letters and apostrophes only, single spaces."""
    return " ".join(re.sub(r"[^a-z' ]", " ", transcript.lower()).split())


def recordings(corpora: list[str]) -> list[Clip]:
    return [
        Clip(row["id"].replace("/", "-"), row["speaker"], normalise(row["transcript"]), read_audio(row["path"]))
        for row in manifest("train")
        if row["path"].split("/")[0] in corpora
    ]


def digit_strings(clips: list[Clip], count: int, rng: np.random.Generator) -> Iterator[Clip]:
    """Isolated digits of one speaker in a row, so that words learned alone are heard together."""
    by_speaker = defaultdict(list)
    for clip in clips:
        if clip.speaker.startswith("fsdd_"):
            by_speaker[clip.speaker].append(clip)
    speakers = sorted(by_speaker)
    for number in range(count if speakers else 0):
        digits = by_speaker[speakers[number % len(speakers)]]
        chosen = [digits[i] for i in rng.integers(len(digits), size=rng.integers(2, 8))]
        gaps = [hiss(int(rng.integers(160, 5600)), rng) for _ in chosen]
        audio = np.concatenate([part for clip, gap in zip(chosen, gaps, strict=True) for part in (clip.audio, gap)])
        yield Clip(f"string-{number:05d}", chosen[0].speaker, " ".join(c.text for c in chosen), audio)


def silences(seconds: float, rng: np.random.Generator) -> Iterator[Clip]:
    """Noise and near silence whose transcript is empty: a model must learn to say nothing."""
    noises = [read_audio(row["path"]) for row in manifest("noise")]
    number, made = 0, 0.0
    while made < seconds:
        length = int(rng.uniform(0.8, 5.0) * SAMPLE_RATE)
        source = noises[number % len(noises)] if number % 3 else hiss(length, rng)
        start = rng.integers(max(1, len(source) - length))
        yield Clip(f"empty-{number:04d}", "noise", "", source[start : start + length])
        number, made = number + 1, made + length / SAMPLE_RATE


def hiss(samples: int, rng: np.random.Generator) -> Samples:
    level = 10 ** rng.uniform(-5, -3)
    noise: NDArray[np.float64] = rng.standard_normal(int(samples)) * level
    return noise.astype(np.float32)


def at_speed(clip: Clip, factor: float) -> Clip:
    """The clip spoken faster or slower, its pitch moving along."""
    if factor == 1.0:
        return clip
    audio = soxr.resample(clip.audio, round(SAMPLE_RATE * factor), SAMPLE_RATE)
    return replace(clip, id=f"{clip.id}-x{factor}", audio=audio.astype(np.float32))


def place(clip: Clip, recipe: Recipe, rng: np.random.Generator) -> Clip:
    """Silence of random length around the speech, and a random level."""
    low, high = recipe.data["pad_ms"]
    pads = [hiss(int(rng.uniform(low, high) * SAMPLE_RATE / 1000), rng) for _ in range(2)]
    audio = np.concatenate((pads[0], clip.audio, pads[1]))
    peak = 10 ** (rng.uniform(*recipe.data["level_db"]) / 20)
    return replace(clip, audio=(audio * peak / max(float(np.abs(audio).max()), 1e-4)).astype(np.float32))


def fits(clip: Clip, stage: dict[str, Any]) -> bool:
    """Whether a curriculum step takes this clip; digit strings and silences belong to every corpus."""
    corpus = clip.id.split("-")[0]
    wanted = corpus in ("string", "empty") or corpus in stage.get("corpora", [corpus])
    return wanted and len(clip.audio) <= stage["max_seconds"] * SAMPLE_RATE


def write_set(clips: list[Clip], folder: Path) -> None:
    """`wav.scp`, `text`, `speech_shape` and the audio itself."""
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    rows = []
    for clip in sorted(clips, key=lambda clip: clip.id):
        path = (folder / "audio" / f"{clip.id}.wav").resolve()
        soundfile.write(path, clip.audio, SAMPLE_RATE, subtype="PCM_16")
        rows.append((clip.id, path, clip.text, len(clip.audio)))
    for name, column in (("wav.scp", 1), ("text", 2), ("speech_shape", 3)):
        text = "".join(f"{row[0]} {row[column]}\n" for row in rows)
        (folder / name).write_text(text, encoding="utf-8")


def write_scp(role: str, path: Path) -> None:
    rows = [f"{row['id']} {(FIXTURES / row['path']).resolve()}\n" for row in manifest(role)]
    path.write_text("".join(rows), encoding="utf-8")


def tokens(clips: list[Clip]) -> list[str]:
    characters = sorted(set("".join(clip.text for clip in clips)) | set("abcdefghijklmnopqrstuvwxyz'"))
    return ["<blank>", "<unk>", *("<space>" if c == " " else c for c in characters), "<sos/eos>"]


def prepare(recipe: Recipe) -> None:
    rng = np.random.default_rng(recipe.data["seed"])
    clips = recordings(recipe.data["corpora"])
    held_out = set(recipe.data["held_out_speakers"])
    if missing := held_out - {clip.speaker for clip in clips}:
        raise SystemExit(f"held_out_speakers names nobody in the data: {sorted(missing)}")
    train = [clip for clip in clips if clip.speaker not in held_out]
    dev = [clip for clip in clips if clip.speaker in held_out]
    dev += digit_strings(dev, recipe.data["digit_strings"] // 20, rng)
    train += digit_strings(train, recipe.data["digit_strings"], rng)
    train += silences(recipe.data["empty_s"], rng)
    train = [at_speed(clip, factor) for factor in recipe.data["speeds"] for clip in train]
    for number, stage in enumerate(recipe.curriculum):
        kept = [clip for clip in train if fits(clip, stage)]
        write_set([place(clip, recipe, rng) for clip in kept], recipe.work / f"train-{number}")
    write_set([place(clip, recipe, rng) for clip in dev], recipe.work / "dev")
    write_scp("noise", recipe.work / "noise.scp")
    write_scp("rir", recipe.work / "rir.scp")
    (recipe.work / "tokens.txt").write_text("\n".join(tokens(train)) + "\n", encoding="utf-8")
    hours = sum(len(clip.audio) for clip in train) / SAMPLE_RATE / 3600
    print(f"train: {len(train)} utterances, {hours:.2f} h; dev: {len(dev)} utterances")
