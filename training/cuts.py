"""Stage `cuts`: where a training utterance may be cut off: between two words, in Japanese between two kana.

A draft hears an utterance that still goes on. The packed model aligns each text with its audio; a curriculum step ends
the share `cut_off` of its utterances at one of these places, audio and text alike.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio import Samples
from recognizer.decoding.export import load_exported
from recognizer.decoding.package import Package
from recognizer.decoding.results import Texts
from recognizer.models import resolve
from training.augment import Rng
from training.data import read_audio
from training.recipe import Recipe

CUTS = "cuts.jsonl"


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
    places: dict[str, list[int]] | None = None  # by id: samples after the first word, the second, ...
    space: str = ""  # between two words

    def __call__(self, uid: str, audio: Samples, text: str, rng: Rng) -> tuple[Samples, str]:
        places = (self.places or {}).get(_clip_of(uid))
        if not places or rng.random() >= self.share:
            return audio, text
        number = int(rng.integers(len(places)))
        words = text.split(self.space) if self.space else list(text)
        return audio[: places[number]], self.space.join(words[: number + 1])


def cut_off(recipe: Recipe, number: int) -> CutOff:
    """As a step of the curriculum wishes."""
    share = float(recipe.curriculum[number].get("cut_off", 0.0))
    if not share:
        return CutOff()
    if not (rows := _rows(recipe)):
        raise SystemExit(f"step {number} cuts utterances off: run stage `cuts` first")
    return CutOff(share, {row["id"]: row["places"] for row in rows}, recipe.space)


def cuts(recipe: Recipe) -> None:
    """Goes through the lists of the steps that cut off; goes on where it stopped."""
    files = resolve(f"bundled:{recipe.name}", Path("cache"))
    ready = load_exported(files, Path("cache"), os.cpu_count() or 1)
    texts, known = Texts(ready.vocabulary), {row["key"] for row in _rows(recipe)}
    with (recipe.work / CUTS).open("a", buffering=1, encoding="utf-8") as file:
        for one in _wanted(recipe):
            if one.key not in known:
                known.add(one.key)
                found = places(ready, texts, one.text, read_audio(one.path), recipe.space)
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
        if step.get("cut_off"):
            yield from _listed(recipe.work / f"train-{number}")


def _listed(folder: Path) -> Iterator[Listed]:
    columns = [(folder / name).read_text(encoding="utf-8").splitlines() for name in ("wav.scp", "text", "speech_shape")]
    for path, text, samples in zip(*columns, strict=True):
        uid, _, path = path.partition(" ")
        yield Listed(_clip_of(uid), Path(path), text.partition(" ")[2], int(samples.partition(" ")[2]))


def _rows(recipe: Recipe) -> list[dict[str, Any]]:
    file = recipe.work / CUTS
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def _clip_of(uid: str) -> str:
    return uid.rpartition("-")[0]
