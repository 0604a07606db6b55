"""Texts to speak: the prompt corpora, words, and sentences of our own."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data import manifest, normalise
from training.recipe import Recipe
from training.sentences import en, ja

GRAMMARS = {"ja": ja, "en": en}
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


def own(lang: str, count: int, seed: int) -> Iterator[Prompt]:
    for number, text in enumerate(GRAMMARS[lang].sentences(count, np.random.default_rng(seed))):
        yield Prompt(f"OWN_{number:05d}", text, "sentence")


def codes(lang: str, count: int, seed: int) -> Iterator[Prompt]:
    """Letters and numbers alone, where the grammar has them."""
    for number, text in enumerate(GRAMMARS[lang].codes(count, np.random.default_rng(seed)) if count else ()):
        yield Prompt(f"CODE_{number:05d}", text, "sentence")


def letter_by_letter(count: int) -> Iterator[str]:
    """Of the likeliest words and names of English, by wordfreq, those of three letters or more."""
    from wordfreq import top_n_list

    for word in top_n_list("en", count):
        if len(word) > 2 and word.isascii() and word.isalpha():
            yield " ".join(word)


def ljspeech() -> Iterator[Prompt]:
    for line in _lines("ljspeech_metadata.csv"):
        name, _, text = line.split("|")
        yield Prompt(name, text, "sentence")


def librispeech() -> Iterator[Prompt]:
    for line in _lines("librispeech_dev-clean.trans.txt"):
        name, text = line.split(" ", 1)
        yield Prompt(name, text.lower(), "sentence")


def words_ja() -> Iterator[str]:
    """The content words of the prompt corpora."""
    import pyopenjtalk

    kinds = ("名詞", "動詞", "形容詞", "副詞")
    for prompt in [*jsut(), *rohan()]:
        for word in pyopenjtalk.run_frontend(prompt.text):
            if word["pos"] in kinds and len(word["read"]) > 1:
                yield word["string"]


def words_en() -> Iterator[str]:
    for prompt in [*librispeech(), *ljspeech()]:
        yield from normalise(prompt.text).split()


CORPORA = {"ja": (jsut, rohan, ita), "en": (librispeech, ljspeech)}
WORDS = {"ja": words_ja, "en": words_en}


def plain(text: str) -> str:
    """What of a text is said, for comparison."""
    return re.sub(r"[\W_]", "", text.lower())


def sentences(recipe: Recipe) -> list[Prompt]:
    """Sentences of every corpus, and our own; without those that people speak in the `test` rows."""
    lang = recipe.data["lang"]
    tested = {plain(row["transcript"]) for row in manifest("test")}
    ours = own(lang, int(recipe.data["own_sentences"]), int(recipe.data["seed"]))
    corpora = (prompt for corpus in CORPORA[lang] for prompt in corpus())
    return [one for one in (*corpora, *ours) if plain(one.text) not in tested]


def words(recipe: Recipe, rng: np.random.Generator) -> list[Prompt]:
    """Words of the corpora, each once."""
    chosen = rng.permutation(list(dict.fromkeys(WORDS[recipe.data["lang"]]())))
    count = int(recipe.data["synthetic"]["words"])
    return [Prompt(f"WORD_{number:05d}", str(word), "word") for number, word in enumerate(chosen[:count])]


def prompts(recipe: Recipe) -> dict[str, list[Prompt]]:
    """`words`, `sentences` and `codes` to train on, `unseen` to evaluate with."""
    spoken = sentences(recipe)
    rng = np.random.default_rng(recipe.data["seed"])
    order = rng.permutation(len(spoken))
    unseen = int(recipe.data["synthetic"]["unseen_sentences"])
    return {
        "words": words(recipe, rng),
        "sentences": [spoken[i] for i in order[unseen:]],
        "codes": list(codes(recipe.data["lang"], int(recipe.data.get("codes", 0)), int(recipe.data["seed"]))),
        "unseen": [spoken[i] for i in order[:unseen]],
    }
