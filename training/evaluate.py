"""Stage `evaluate`: the packed model, loaded as the service loads it, on speech that trained nothing.

Prints the error rate per set with its 95 % bootstrap interval over utterances: words in English; in Japanese characters
of the text as written, and kana as the model hears them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import editdistance
import numpy as np

from audio import Samples
from recognizer.base import Engine, Options, Request
from recognizer.loading import EngineOptions, load_engine
from recognizer.models import resolve
from training.augment import hiss
from training.data import clip_of, held_out, manifest, read_audio, recordings, synthetic
from training.recipe import Recipe

PAD_SAMPLES = 3_200  # 0.2 s of faint noise on both sides, as the segmenter leaves it
MARKS = re.compile(r"[\W_]")  # punctuation is not spoken
Counts = tuple[int, int]  # errors, words or characters


@dataclass(frozen=True)
class Spoken:
    """One utterance of an evaluation set: what a model should write, as it hears it and as people read it."""

    path: Path
    heard: str
    written: str


@dataclass(frozen=True)
class Measure:
    """An error rate: its name, the engine's text and the reference it compares."""

    name: str
    writes: bool  # of kanji, not of kana
    units: Callable[[str], Sequence[str]]
    reference: Callable[[Spoken], str]


WORDS = Measure("WER", True, str.split, lambda one: one.heard)
CHARACTERS = Measure(
    "CER", True, lambda text: MARKS.sub("", unicodedata.normalize("NFKC", text)), lambda one: one.written
)
KANA = Measure("kana CER", False, lambda text: text.replace(" ", ""), lambda one: one.heard)


def measures(lang: str) -> tuple[Measure, ...]:
    return (CHARACTERS, KANA) if lang == "ja" else (WORDS,)


def evaluation_sets(recipe: Recipe) -> Iterator[tuple[str, list[Spoken]]]:
    """Human speech held out of training, human test speech, then synthetic speech: never one for the other."""
    rows = {clip_of(row).id: row for row in manifest("train") if row["lang"] == recipe.data["lang"]}
    human = recordings(recipe.data["corpora"])
    kept_back = held_out(recipe, human)
    for corpus in recipe.data["corpora"]:
        clips = [clip for clip in human if clip.corpus == corpus and clip.id in kept_back]
        yield f"{corpus}, held out", [Spoken(c.path, c.text, rows[c.id]["transcript"]) for c in clips]
    test = [row for row in manifest("test") if row["lang"] == recipe.data["lang"]]
    for corpus in sorted({row["path"].split("/")[0] for row in test}):
        chosen = [(clip_of(row), row["transcript"]) for row in test if row["path"].startswith(corpus + "/")]
        yield f"{corpus}, test", [Spoken(clip.path, clip.text, written) for clip, written in chosen]
    if unseen := list(synthetic(recipe, unseen=True)):
        yield "synthetic, unseen sentences and voice", [Spoken(c.path, c.text, c.prompt) for c in unseen]


def errors(measure: Measure, hypothesis: str, spoken: Spoken) -> Counts:
    reference = measure.units(measure.reference(spoken))
    return editdistance.eval(measure.units(hypothesis), reference), len(reference)


def errors_so_far(measure: Measure, hypothesis: str, spoken: Spoken) -> Counts:
    """Against the nearest beginning of what was said, the longest of those."""
    heard, reference = measure.units(hypothesis), measure.units(measure.reference(spoken))
    nearest = min((editdistance.eval(heard, reference[:end]), -end) for end in range(len(reference) + 1))
    return nearest[0], -nearest[1]


def rate(counts: Sequence[Counts]) -> float:
    """Error rate in per cent."""
    wrong, units = np.sum(counts, axis=0)
    return 100.0 * float(wrong) / max(1, int(units))


def interval(counts: Sequence[Counts], rng: np.random.Generator) -> tuple[float, float]:
    draws = rng.integers(len(counts), size=(1000, len(counts)))
    rates = [rate([counts[i] for i in draw]) for draw in draws]
    return float(np.percentile(rates, 2.5)), float(np.percentile(rates, 97.5))


def bundled(recipe: Recipe, *, writes: bool, calibrated: bool = True) -> Engine:
    """The packed model; with `writes` false it leaves kana as they are."""
    files = resolve(f"bundled:{recipe.name}", Path("cache"))
    for key in ([] if writes else ["writes"]) + ([] if calibrated else ["confidence"]):
        files.decoding.pop(key, None)
    beam = recipe.pack["decoding"]["beam_size"]
    return load_engine(files, EngineOptions("auto", "auto", beam, "auto", 0.0, 2, Path("cache")))


def padded(spoken: Spoken, rng: np.random.Generator) -> Samples:
    return np.concatenate((hiss(PAD_SAMPLES, rng), read_audio(spoken.path.resolve()), hiss(PAD_SAMPLES, rng)))


def evaluate(recipe: Recipe) -> None:
    """The table for the model card: finals, drafts of the same audio, and drafts when half of it has been heard."""
    rng, options = np.random.default_rng(0), Options(recipe.data["lang"])
    print("| set | utterances | measure | % | 95 % interval | % of drafts | of drafts halfway |")
    print("|---|---|---|---|---|---|---|")
    for measure in measures(recipe.data["lang"]):
        engine = bundled(recipe, writes=measure.writes)

        def text(audio: Samples, *, final: bool, engine: Engine = engine) -> str:
            return engine.transcribe([Request(audio, final, options)])[0].text

        for name, spoken in evaluation_sets(recipe):
            counts: list[tuple[Counts, ...]] = []
            for one in spoken:
                audio = padded(one, rng)
                whole = (errors(measure, text(audio, final=final), one) for final in (True, False))
                half = errors_so_far(measure, text(audio[: len(audio) // 2], final=False), one)
                counts.append((*whole, half))
            finals, drafts, halves = zip(*counts, strict=True)
            low, high = interval(finals, rng)
            figures = f"{rate(finals):.1f} | {low:.1f} to {high:.1f} | {rate(drafts):.1f} | {rate(halves):.1f}"
            print(f"| {name} | {len(spoken)} | {measure.name} | {figures} |", flush=True)
