"""Confidence: which words count as right, and whether the fitted curve says how often."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from recognizer.base import Hypothesis, Word
from recognizer.decoding.results import calibrated
from training.calibrate import Judged, calibration_error, fit, halves, judge, write_curves


def sure(count: int, seed: int = 0) -> list[Judged]:
    """An engine that is right as often as its confidence cubed."""
    rng = np.random.default_rng(seed)
    confidences = rng.uniform(0.05, 1, count)
    return [Judged(float(c), bool(rng.random() < c**3)) for c in confidences]


def test_words_are_right_where_they_stand_in_order() -> None:
    words = tuple(Word(text, 0, 1, 0.5) for text in "one two four three".split())
    judged = judge(Hypothesis("one two four three", 0.5, words), "one two three".split())
    assert [one.right for one in judged] == [True, True, False, True]


def test_calibration_finds_the_curve_and_removes_the_error() -> None:
    judged = sure(4_000)
    assert calibration_error(judged) > 0.15
    assert calibration_error(halves(judged)) < 0.03
    curve = fit(judged)
    moved = [calibrated(confidence, curve) for confidence in (0.0, 1e-3, 0.1, 0.5, 0.9, 0.99, 1.0)]
    assert moved == sorted(moved) and 0 < moved[0] and moved[-1] < 1


def test_what_is_calibrated_already_stays_as_it_is() -> None:
    rng = np.random.default_rng(2)
    judged = [Judged(float(c), bool(rng.random() < c)) for c in rng.uniform(0.02, 0.98, 4_000)]
    curve = fit(judged)
    assert all(calibrated(c, curve) == pytest.approx(c, abs=0.04) for c in (0.1, 0.3, 0.5, 0.7, 0.9))
    assert calibration_error(halves(judged)) < 0.03


def test_one_class_alone_is_not_certain() -> None:
    assert 0.5 < calibrated(0.5, fit([Judged(0.5, True)] * 8)) < 1


@pytest.mark.parametrize("right, error", [(0.9, 0.0), (0.4, 0.5)])
def test_the_expected_calibration_error(right: float, error: float) -> None:
    judged = [Judged(0.9, n < 10 * right) for n in range(10)]
    assert calibration_error(judged) == pytest.approx(error)


def test_the_curves_go_into_the_package(tmp_path: Path) -> None:
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.yaml", yaml.safe_dump({"decoding": {"ctc_weight": 0.4}}))
        archive.writestr("exp/model.pth", b"weights")
    write_curves(path, {"word": [2.0, 1.0, 0.5]})
    with zipfile.ZipFile(path) as archive:
        meta = yaml.safe_load(archive.read("meta.yaml"))
        assert archive.read("exp/model.pth") == b"weights"
    assert meta == {"decoding": {"ctc_weight": 0.4, "confidence": {"word": [2.0, 1.0, 0.5]}}}
