"""Stage `synthesise`: prompts -> synthetic speech, in shards; a shard that is there is not made again.

Kokoro speaks on the GPU, if there is one: hours of speech in minutes.
"""

import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from audio import SAMPLE_RATE
from training.prompts import Prompt, prompts
from training.recipe import Recipe
from training.voices import Said, Speaker, asking, draw_speaker, kokoro, speaking

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
    pairs: float = 0.0  # of the speakers whose voice is between two


def synthesise(recipe: Recipe) -> None:
    shards = [shard for shard in planned(recipe) if not (shard.folder / "rows.jsonl").exists()]
    together = [shard for shard in shards if torch.cuda.is_available() and shard.voices[0].startswith("kokoro/")]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        alone = pool.map(make, [shard for shard in shards if shard not in together])
        for number, seconds in enumerate(chain(make_together(together), alone), start=1):
            print(f"{number}/{len(shards)}: {seconds / 60:.1f} min", flush=True)


def planned(recipe: Recipe) -> Iterator[Shard]:
    """Every take of the training prompts, or of its `first`; those kept for evaluation by a voice of their own."""
    data, texts = recipe.data["synthetic"], prompts(recipe)
    yield from _shards(recipe, "unseen", 0, texts["unseen"], [data["held_out_voice"]])
    for number, take in enumerate(data["takes"]):
        for name in take["prompts"]:
            chosen = texts[name][: take.get("first")]
            yield from _shards(recipe, name, number, chosen, take["voices"], take.get("pairs", 0.0))


def _shards(
    recipe: Recipe, name: str, take: int, texts: list[Prompt], voices: list[str], pairs: float = 0.0
) -> Iterator[Shard]:
    for at in range(0, len(texts), SHARD_PROMPTS):
        folder = recipe.work / "synthetic" / f"{name}-{take}-{at // SHARD_PROMPTS:03d}"
        seed = int(np.random.SeedSequence([recipe.data["synthetic"]["seed"], take, at]).generate_state(1)[0])
        chosen = texts[at : at + SHARD_PROMPTS]
        yield Shard(folder, chosen, recipe.data["lang"], voices, name != "unseen", seed, pairs)


def speakers(shard: Shard) -> list[Speaker]:
    """Of its prompts."""
    rng = np.random.default_rng(shard.seed)
    voices, pairs = shard.voices, shard.pairs
    return [draw_speaker(voices, rng, pairs) if shard.varied else Speaker(voices[0]) for _ in shard.prompts]


def make(shard: Shard) -> float:
    """Speaks one shard; returns its length in seconds."""
    speak, drawn = speaking(shard.lang), speakers(shard)
    said = (speak(prompt.text, speaker) for prompt, speaker in zip(shard.prompts, drawn, strict=True))
    return write(shard, drawn, said, repeat([], len(drawn)))


def make_together(shards: list[Shard], device: str = "cuda", count: int = 15) -> Iterator[float]:
    """Kokoro's shards, `count` at a time: thousands of utterances, of which many are about as long."""
    from training.voices import kokoro_gpu

    if not shards:
        return
    network = kokoro_gpu.loaded(kokoro.network()).to(device)
    for start in range(0, len(shards), count):
        chosen = shards[start : start + count]
        drawn = [speakers(shard) for shard in chosen]
        people = list(chain.from_iterable(drawn))
        asked = list(chain.from_iterable(map(_asked, chosen, drawn)))
        said: list[Said] = [None] * len(asked)
        places: list[list[int]] = [[]] * len(asked)
        wanted = [(number, *one) for number, one in enumerate(asked) if one]
        for index, audio, spoken in kokoro_gpu.speak(network, [utterance for _, _, utterance in wanted], device):
            number, text, utterance = wanted[index]
            said[number] = (text, people[number].heard(audio.cpu().numpy(), kokoro.SAMPLE_RATE))
            places[number] = between(text, kokoro.word_ends(utterance.tokens, spoken.tolist()), people[number])
        each, ends = iter(said), iter(places)
        for shard, ones in zip(chosen, drawn, strict=True):
            yield write(shard, ones, islice(each, len(ones)), islice(ends, len(ones)))


def between(text: str, ends: list[int], speaker: Speaker) -> list[int]:
    """Samples between the words of a text as they are heard, from those that Kokoro spoke; none if it counts others."""
    if len(ends) != text.count(" "):
        return []
    return [round(end * SAMPLE_RATE / (kokoro.SAMPLE_RATE * speaker.tract)) for end in ends]


def _asked(shard: Shard, drawn: list[Speaker]) -> list[tuple[str, kokoro.Utterance] | None]:
    ask = asking(shard.lang)
    return [ask(prompt.text, speaker) for prompt, speaker in zip(shard.prompts, drawn, strict=True)]


def write(shard: Shard, drawn: list[Speaker], said: Iterable[Said], places: Iterable[list[int]]) -> float:
    """Returns the length in seconds; `places`: samples between words. The rows are written last: they say that the
    shard is whole."""
    shard.folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for prompt, speaker, spoken, words in zip(shard.prompts, drawn, said, places, strict=True):
        if spoken is None:
            continue
        transcript, audio = spoken
        path = shard.folder / f"{prompt.id}.wav"
        soundfile.write(path, audio, SAMPLE_RATE, subtype="PCM_16")
        rows.append(
            {"path": path.name, "prompt": prompt.text, "transcript": transcript, "kind": prompt.kind}
            | {"voice": speaker.voice, "samples": len(audio), "places": words}
        )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (shard.folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    return sum(row["samples"] for row in rows) / SAMPLE_RATE  # type: ignore[no-any-return]
