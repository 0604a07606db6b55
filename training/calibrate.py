"""Stage `calibrate`: what the model's own scores mean as confidence, fitted on human speech that trained nothing.

The two curves go into meta.yaml of the packed model; recognizer.decoding.results draws them.
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
from recognizer.decoding.results import MOST_CERTAIN, Curve, calibrated
from recognizer.limits import MIN_CONFIDENCE
from training.data import read_audio
from training.evaluate import bundled, evaluation_sets
from training.pack import write_package
from training.recipe import Recipe

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


def fit(judged: Sequence[Judged]) -> Curve:
    """Maximum likelihood; it rises. Platt's targets (1999) keep a small set from being certain."""
    p = np.clip([one.confidence for one in judged], MIN_CONFIDENCE, MOST_CERTAIN)
    x = np.stack((np.log(p), -np.log1p(-p), np.ones_like(p)))
    right = np.array([one.right for one in judged])
    targets = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))

    def loss(curve: NDArray[np.float64]) -> float:
        z = curve @ x
        return float(np.sum(np.logaddexp(0, z) - targets * z))

    a, b, c = minimize(loss, np.array([1.0, 1.0, 0.0]), bounds=[(0, None), (0, None), (None, None)]).x
    return float(a), float(b), float(c)


def calibration_error(judged: Sequence[Judged]) -> float:
    """Expected calibration error, ten equal bins (Guo et al. 2017, arXiv 1706.04599)."""
    confidence = np.array([one.confidence for one in judged])
    right = np.array([one.right for one in judged], np.float64)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(float((confidence - right)[bins == n].sum())) for n in range(BINS)]
    return sum(gaps) / len(judged)


def halves(judged: Sequence[Judged]) -> list[Judged]:
    """Each half as calibrated by the curve of the other one: what a new recording may expect."""
    pairs = ((judged[::2], fit(judged[1::2])), (judged[1::2], fit(judged[::2])))
    return [Judged(calibrated(one.confidence, curve), one.right) for half, curve in pairs for one in half]


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
    curves = {}
    print(
        "| confidence of | count | right % | calibration error, raw | calibrated (other half) |\n|---|---|---|---|---|"
    )
    for name, judged in (("word", words), ("utterance", utterances)):
        curves[name] = [round(value, 4) for value in fit(judged)]
        share = 100 * np.mean([one.right for one in judged])
        errors = f"{calibration_error(judged):.3f} | {calibration_error(halves(judged)):.3f}"
        print(f"| {name} | {len(judged)} | {share:.1f} | {errors} |")
    write_curves(Path("models") / f"{recipe.name}.zip", curves)


def write_curves(path: Path, curves: dict[str, list[float]]) -> None:
    """Into meta.yaml of the package; the other members stay as they are."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    meta = yaml.safe_load(members["meta.yaml"])
    meta["decoding"]["confidence"] = curves
    members["meta.yaml"] = yaml.safe_dump(meta).encode()
    write_package(path, members)
