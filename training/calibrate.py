"""Stage `calibrate`: what the model's own scores mean as confidence, fitted on human speech that trained nothing.

Platt scaling (1999) of the mean log probability of the tokens; the two lines go into meta.yaml of the packed model.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.optimize import minimize

from recognizer.base import Hypothesis, Options, Request
from recognizer.limits import MIN_CONFIDENCE
from training.data import read_audio
from training.evaluate import bundled, evaluation_sets
from training.recipe import Recipe

Line = tuple[float, float]  # slope and offset
BINS = 10


@dataclass(frozen=True)
class Judged:
    """A confidence as the uncalibrated engine says it, and whether the text was right."""

    confidence: float
    right: bool


def judge(hypothesis: Hypothesis, reference: Sequence[str]) -> list[Judged]:
    """Each word, or character in Japanese; right when it stands in the longest common part."""
    words, expected = [word.text for word in hypothesis.words], list(reference)
    blocks = SequenceMatcher(None, words, expected, autojunk=False).get_matching_blocks()
    right = {n for block in blocks for n in range(block.a, block.a + block.size)}
    return [Judged(word.confidence, n in right) for n, word in enumerate(hypothesis.words)]


def fit(judged: Sequence[Judged]) -> Line:
    """Maximum likelihood, with Platt's targets, which keep a small set from being certain."""
    x = np.log([max(MIN_CONFIDENCE, one.confidence) for one in judged])
    right = np.array([one.right for one in judged])
    targets = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))

    def loss(line: NDArray[np.float64]) -> float:
        z = line[0] * x + line[1]
        return float(np.sum(np.logaddexp(0, z) - targets * z))

    slope, offset = minimize(loss, np.array([1.0, 0.0])).x
    return float(slope), float(offset)


def calibrated(one: Judged, line: Line) -> Judged:
    z = line[0] * np.log(max(MIN_CONFIDENCE, one.confidence)) + line[1]
    return Judged(float(1 / (1 + np.exp(-z))), one.right)


def calibration_error(judged: Sequence[Judged]) -> float:
    """Expected calibration error, ten equal bins (Guo et al. 2017, arXiv 1706.04599)."""
    confidence = np.array([one.confidence for one in judged])
    right = np.array([one.right for one in judged], np.float64)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(float((confidence - right)[bins == n].sum())) for n in range(BINS)]
    return sum(gaps) / len(judged)


def halves(judged: Sequence[Judged]) -> list[Judged]:
    """Each half as calibrated by the line of the other one: what a new recording may expect."""
    even, odd = judged[::2], judged[1::2]
    of_even, of_odd = fit(even), fit(odd)
    return [calibrated(one, of_odd) for one in even] + [calibrated(one, of_even) for one in odd]


def calibrate(recipe: Recipe) -> None:
    lang = recipe.data["lang"]
    engine = bundled(recipe, writes=False, calibrated=False)
    words: list[Judged] = []
    utterances: list[Judged] = []
    for name, clips in evaluation_sets(recipe):
        for clip in clips if "synthetic" not in name else ():
            request = Request(read_audio(clip.path.resolve()), True, Options(lang, words=True))
            for best in engine.transcribe([request])[0].hypotheses[:1]:
                words += judge(best, clip.heard if lang == "ja" else clip.heard.split())
                utterances.append(Judged(best.confidence, best.text == clip.heard))
    lines = {}
    print(
        "| confidence of | count | right % | calibration error, raw | calibrated (other half) |\n|---|---|---|---|---|"
    )
    for name, judged in (("word", words), ("utterance", utterances)):
        lines[name] = [round(value, 4) for value in fit(judged)]
        share = 100 * np.mean([one.right for one in judged])
        errors = f"{calibration_error(judged):.3f} | {calibration_error(halves(judged)):.3f}"
        print(f"| {name} | {len(judged)} | {share:.1f} | {errors} |")
    write_lines(Path("models") / f"{recipe.name}.zip", lines)


def write_lines(path: Path, lines: dict[str, list[float]]) -> None:
    """Into meta.yaml of the package; the other members stay as they are."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    meta = yaml.safe_load(members["meta.yaml"])
    meta["decoding"]["confidence"] = lines
    members["meta.yaml"] = yaml.safe_dump(meta).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
