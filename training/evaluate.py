"""Stage `evaluate`: the packed model, loaded as the service loads it, on speech that trained nothing.

Prints word error rate per set with its 95 % bootstrap interval over utterances.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import editdistance
import numpy as np

from recognizer.base import Options, Request
from recognizer.loading import EngineOptions, load_engine
from recognizer.models import resolve
from training.data import Clip, hiss, manifest, normalise, read_audio, recordings
from training.recipe import Recipe

PAD_SAMPLES = 3_200  # 0.2 s of faint noise on both sides, as the segmenter leaves it
Counts = tuple[int, int]  # word errors, words


def evaluation_sets(recipe: Recipe) -> Iterator[tuple[str, list[Clip]]]:
    held_out = set(recipe.data["held_out_speakers"])
    clips = [clip for clip in recordings(recipe.data["corpora"]) if clip.speaker in held_out]
    for corpus in recipe.data["corpora"]:
        yield f"{corpus}, held-out speakers", [clip for clip in clips if clip.speaker.startswith(corpus)]
    test = [row for row in manifest("test") if row["lang"] == recipe.data["lang"]]
    for corpus in sorted({row["path"].split("/")[0] for row in test}):
        rows = [row for row in test if row["path"].startswith(corpus + "/")]
        yield (
            f"{corpus}, test",
            [
                Clip(row["id"], row.get("speaker", ""), normalise(row["transcript"]), read_audio(row["path"]))
                for row in rows
            ],
        )


def word_errors(hypothesis: str, reference: str) -> Counts:
    words = reference.split()
    return editdistance.eval(hypothesis.split(), words), len(words)


def rate(counts: Sequence[Counts]) -> float:
    """Word error rate in per cent."""
    errors, words = np.sum(counts, axis=0)
    return 100.0 * float(errors) / max(1, int(words))


def interval(counts: Sequence[Counts], rng: np.random.Generator) -> tuple[float, float]:
    draws = rng.integers(len(counts), size=(1000, len(counts)))
    rates = [rate([counts[i] for i in draw]) for draw in draws]
    return float(np.percentile(rates, 2.5)), float(np.percentile(rates, 97.5))


def evaluate(recipe: Recipe) -> None:
    files = resolve(f"bundled:{recipe.name}", Path("cache"))
    options = EngineOptions("auto", "two_pass", recipe.pack["decoding"]["beam_size"], False, 0.0, 2, Path("cache"))
    engine = load_engine(files, options)
    rng = np.random.default_rng(0)
    print("| set | utterances | WER % | 95 % interval | WER % of drafts |\n|---|---|---|---|---|")
    for name, clips in evaluation_sets(recipe):
        finals: list[Counts] = []
        drafts: list[Counts] = []
        for clip in clips:
            audio = np.concatenate((hiss(PAD_SAMPLES, rng), clip.audio, hiss(PAD_SAMPLES, rng)))
            for final, counts in ((True, finals), (False, drafts)):
                (transcript,) = engine.transcribe([Request(audio, final, Options("en"))])
                counts.append(word_errors(transcript.text, clip.text))
        low, high = interval(finals, rng)
        print(f"| {name} | {len(clips)} | {rate(finals):.1f} | {low:.1f} to {high:.1f} | {rate(drafts):.1f} |")
