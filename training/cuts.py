"""Stage `cuts`: where a training utterance may be cut off: after a word, in Japanese after a kana, or within the next.

A draft hears an utterance that still goes on. A voice may know how long it spoke each word; the packed model aligns the
other texts with their audio. A curriculum step, or one of stage `begin`, ends the share `cut_off` of its utterances at
one of these places, audio and text alike: what is heard of the next word is not written.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio import Samples
from recognizer.decoding.export import load_exported
from recognizer.decoding.package import Package
from recognizer.decoding.results import Texts
from recognizer.models import resolve
from training.augment import Rng
from training.data import read_audio, synthetic
from training.recipe import Recipe

CUTS = "cuts.jsonl"
WITHIN = 0.6  # of the next word is heard at most


@dataclass(frozen=True)
class Listed:
    """An utterance of a training list, without the number of its repetition."""

    id: str
    path: Path
    text: str
    samples: int

    @property
    def key(self) -> str:
        """The same only as long as the utterance is."""
        return f"{self.id} {self.samples} {self.text}"


@dataclass(frozen=True)
class CutOff:
    """Ends a share of the utterances early."""

    share: float = 0.0
    places: dict[str, list[int]] | None = None  # by id: samples up to the end of the first word, the second, ...
    space: str = ""  # between two words

    def __call__(self, id: str, audio: Samples, text: str, rng: Rng) -> tuple[Samples, str]:
        places = (self.places or {}).get(id)
        if not places or rng.random() >= self.share:
            return audio, text
        number = int(rng.integers(len(places)))
        words = text.split(self.space) if self.space else list(text)
        return audio[: within([*places, len(audio)], number, rng)], self.space.join(words[: number + 1])


def within(ends: Sequence[int], word: int, rng: Rng) -> int:
    """Samples, from the ends of the words."""
    return int(ends[word] + rng.uniform(0, WITHIN) * (ends[word + 1] - ends[word]))


def cut_off(recipe: Recipe, step: dict[str, Any]) -> CutOff:
    """As a step of the curriculum wishes, or one of stage `begin`."""
    share = float(step.get("cut_off", 0.0))
    return CutOff(share, found_places(recipe, step), recipe.space) if share else CutOff()


def found_places(recipe: Recipe, step: dict[str, Any]) -> dict[str, list[int]]:
    """By id of a clip; nothing before stage `cuts`, which a step with `cut_off` wants."""
    found = {row["id"]: row["places"] for row in _rows(recipe)}
    if step.get("cut_off") and not found:
        raise SystemExit(f"a step of {recipe.name} has cut_off: {step['cut_off']}; run stage `cuts` first")
    return found


def cuts(recipe: Recipe) -> None:
    """Goes through the lists of the steps that cut off; goes on where it stopped."""
    files = resolve(f"bundled:{recipe.name}", Path("cache"))
    ready = load_exported(files, Path("cache"), os.cpu_count() or 1)
    texts, known, said = Texts(ready.vocabulary), {row["key"] for row in _rows(recipe)}, spoken_places(recipe)
    with (recipe.work / CUTS).open("a", buffering=1, encoding="utf-8") as file:
        for one in _wanted(recipe):
            if one.key not in known:
                known.add(one.key)
                found = said.get(one.id) or places(ready, texts, one.text, read_audio(one.path), recipe.space)
                file.write(json.dumps({"key": one.key, "id": one.id, "places": found}, ensure_ascii=False) + "\n")


def places(ready: Package, texts: Texts, text: str, audio: Samples, space: str) -> list[int]:
    """Samples between each word and the next; none where the model cannot find all of them."""
    tokens = texts.tokens(text)
    if tokens is None:
        return []
    _, log_probs = ready.networks.encode(ready.features(audio))
    words = texts.hypothesis(tokens, log_probs[0, list(tokens)], log_probs, len(audio), words=True).words
    if space.join(word.text for word in words) != text:
        return []
    return [(one.end + following.start) // 2 for one, following in zip(words, words[1:], strict=False)]


def _wanted(recipe: Recipe) -> Iterator[Listed]:
    for number, step in enumerate(recipe.curriculum):
        first = recipe.data.get("begin", []) if number == 0 else []
        if any(one.get("cut_off") for one in (step, *first)):
            yield from listed(recipe.work / f"train-{number}")


def listed(folder: Path) -> Iterator[Listed]:
    columns = [(folder / name).read_text(encoding="utf-8").splitlines() for name in ("wav.scp", "text", "speech_shape")]
    for path, text, samples in zip(*columns, strict=True):
        uid, _, path = path.partition(" ")
        yield Listed(clip_of(uid), Path(path), text.partition(" ")[2], int(samples.partition(" ")[2]))


def spoken_places(recipe: Recipe) -> dict[str, list[int]]:
    """What the voices know, by id of a clip."""
    return {clip.id: list(clip.places) for clip in synthetic(recipe) if clip.places}


def _rows(recipe: Recipe) -> list[dict[str, Any]]:
    file = recipe.work / CUTS
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def clip_of(uid: str) -> str:
    return uid.rpartition("-")[0]
