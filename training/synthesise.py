"""Stage `synthesise`: prompts -> synthetic speech, in shards; a shard that is there is not made again."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audio import SAMPLE_RATE
from training.prompts import Prompt, prompts
from training.recipe import Recipe
from training.voices import Speaker, draw_speaker, speaking

SHARD_PROMPTS = 200


@dataclass(frozen=True)
class Shard:
    """Some prompts and where their speech goes; `seed` makes each shard the same whenever it is made."""

    folder: Path
    prompts: list[Prompt]
    lang: str
    voices: list[str]
    varied: bool
    seed: int


def synthesise(recipe: Recipe) -> None:
    shards = [shard for shard in planned(recipe) if not (shard.folder / "rows.jsonl").exists()]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for number, seconds in enumerate(pool.map(make, shards), start=1):
            print(f"{number}/{len(shards)}: {seconds / 60:.1f} min", flush=True)


def planned(recipe: Recipe) -> Iterator[Shard]:
    """Every take of the training prompts, or of its `first`; those kept for evaluation by a voice of their own."""
    data, texts = recipe.data["synthetic"], prompts(recipe)
    yield from _shards(recipe, "unseen", 0, texts["unseen"], [data["held_out_voice"]])
    for number, take in enumerate(data["takes"]):
        for name in take["prompts"]:
            yield from _shards(recipe, name, number, texts[name][: take.get("first")], take["voices"])


def _shards(recipe: Recipe, name: str, take: int, texts: list[Prompt], voices: list[str]) -> Iterator[Shard]:
    for at in range(0, len(texts), SHARD_PROMPTS):
        folder = recipe.work / "synthetic" / f"{name}-{take}-{at // SHARD_PROMPTS:03d}"
        seed = int(np.random.SeedSequence([recipe.data["synthetic"]["seed"], take, at]).generate_state(1)[0])
        chosen = texts[at : at + SHARD_PROMPTS]
        yield Shard(folder, chosen, recipe.data["lang"], voices, name != "unseen", seed)


def make(shard: Shard) -> float:
    """Speaks one shard; returns its length in seconds. The rows are written last: they say that it is whole."""
    shard.folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(shard.seed)
    speak = speaking(shard.lang)
    rows: list[dict[str, Any]] = []
    spoken_samples = 0
    for prompt in shard.prompts:
        speaker = draw_speaker(shard.voices, rng) if shard.varied else Speaker(shard.voices[0])
        spoken = speak(prompt.text, speaker)
        if spoken is None:
            continue
        transcript, audio = spoken
        path = shard.folder / f"{prompt.id}.wav"
        soundfile.write(path, audio, SAMPLE_RATE, subtype="PCM_16")
        spoken_samples += len(audio)
        rows.append(
            {"path": path.name, "prompt": prompt.text, "transcript": transcript, "kind": prompt.kind}
            | {"voice": speaker.voice, "samples": len(audio)}
        )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (shard.folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    return spoken_samples / SAMPLE_RATE
