"""Texts to speak: the prompt corpora, words, and sentences of our own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.recipe import Recipe
from training.sentences import ja

PROMPTS = Path(os.environ.get("PROMPTS", "../shared/prompts"))


@dataclass(frozen=True)
class Prompt:
    """What shall be said; `kind` is `word` or `sentence`."""

    id: str
    text: str
    kind: str


def _lines(name: str) -> list[str]:
    return (PROMPTS / name).read_text(encoding="utf-8").splitlines()


def jsut() -> Iterator[Prompt]:
    for line in _lines("jsut_basic5000.tsv"):
        name, text = line.split("\t")[:2]
        yield Prompt(name, text, "sentence")


def rohan() -> Iterator[Prompt]:
    for line in _lines("rohan4600_plain.tsv"):
        name, text = line.split("\t")[:2]
        yield Prompt(name, text, "sentence")


def ita() -> Iterator[Prompt]:
    for line in _lines("ita_emotion100.txt") + _lines("ita_recitation324.txt"):
        name, rest = line.split(":", 1)
        yield Prompt(name, rest.split(",")[0], "sentence")


def own_ja(count: int, seed: int) -> Iterator[Prompt]:
    for number, text in enumerate(ja.sentences(count, np.random.default_rng(seed))):
        yield Prompt(f"OWN_{number:05d}", text, "sentence")


def japanese(recipe: Recipe) -> list[Prompt]:
    """Sentences of every corpus, and our own."""
    seed = int(recipe.data["seed"])
    return [*jsut(), *rohan(), *ita(), *own_ja(int(recipe.data["own_sentences"]), seed)]


def words_ja(count: int, rng: np.random.Generator) -> list[Prompt]:
    """`count` content words of the prompt corpora, each once."""
    import pyopenjtalk

    kinds = ("名詞", "動詞", "形容詞", "副詞")
    seen: dict[str, None] = {}
    for prompt in [*jsut(), *rohan()]:
        for word in pyopenjtalk.run_frontend(prompt.text):
            if word["pos"] in kinds and len(word["read"]) > 1:
                seen.setdefault(word["string"])
    chosen = rng.permutation(list(seen))[:count]
    return [Prompt(f"WORD_{number:05d}", str(word), "word") for number, word in enumerate(chosen)]


def prompts(recipe: Recipe) -> dict[str, list[Prompt]]:
    """`words` and `sentences` to train on, `unseen` to evaluate with."""
    sentences = japanese(recipe)
    rng = np.random.default_rng(recipe.data["seed"])
    order = rng.permutation(len(sentences))
    unseen = int(recipe.data["synthetic"]["unseen_sentences"])
    return {
        "words": words_ja(int(recipe.data["synthetic"]["words"]), rng),
        "sentences": [sentences[i] for i in order[unseen:]],
        "unseen": [sentences[i] for i in order[:unseen]],
    }
