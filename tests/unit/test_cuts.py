"""Utterances that are cut off: audio and text end at the same word."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audio import SAMPLE_RATE
from recognizer.decoding.features import Features
from recognizer.decoding.package import Package, Vocabulary
from recognizer.decoding.results import Texts
from training import cuts as module
from training.cuts import CUTS, CutOff, cut_off, cuts, places
from training.recipe import Recipe

FRAMES, FRAME = 20, 800  # of one second, and samples of each
SPOKEN = {4: "か", 8: "な", 15: "を"}  # frame: token
TOKENS = ("<blank>", "<unk>", "か", "な", "を", "<sos/eos>")
AUDIO = np.linspace(0, 1, SAMPLE_RATE, dtype=np.float32)


class Heard:
    """Networks that hear SPOKEN whatever the audio."""

    def encode(self, _: Any) -> tuple[Any, Any]:
        log_probs = np.full((FRAMES, len(TOKENS)), -9.0, np.float32)
        log_probs[:, 0] = 0.0
        for frame, token in SPOKEN.items():
            log_probs[frame, [0, TOKENS.index(token)]] = -9.0, 0.0
        return None, log_probs


@pytest.fixture
def package() -> Package:
    features = Features(np.ones(512, np.float32), np.ones((257, 4), np.float32), 160, True)
    return Package(Heard(), features, Vocabulary(TOKENS, "char", None, 0, 5, 5))  # type: ignore[arg-type]


def test_places_are_between_the_words(package: Package) -> None:
    first, second = places(package, Texts(package.vocabulary), "かなを", AUDIO, "")
    assert 5 * FRAME <= first <= 8 * FRAME and 9 * FRAME <= second <= 15 * FRAME


@pytest.mark.parametrize("text", ["", "か", "あか", "か" * FRAMES], ids=["empty", "one", "unknown", "too long"])
def test_what_cannot_be_divided_has_no_place(package: Package, text: str) -> None:
    assert places(package, Texts(package.vocabulary), text, AUDIO, "") == []


@pytest.mark.parametrize("space, text", [("", "かなを"), (" ", "turn it on")])
def test_audio_and_text_end_together(space: str, text: str) -> None:
    cut, rng, ends = CutOff(1.0, {"a-b": [1_000, 2_000]}, space), np.random.default_rng(0), defaultdict(set)
    for _ in range(40):
        audio, said = cut("a-b", AUDIO, text, rng)
        ends[said].add(len(audio))
    words = text.split(space) if space else list(text)
    assert set(ends) == {words[0], space.join(words[:2])}
    for said, (first, last) in {words[0]: (1_000, 1_600), space.join(words[:2]): (2_000, 10_400)}.items():
        assert first <= min(ends[said]) < max(ends[said]) <= last


@pytest.mark.parametrize("cut", [CutOff(0.0, {"a": [100]}), CutOff(1.0, {"b": [100]}), CutOff(1.0, {"a": []})])
def test_others_stay_whole(cut: CutOff) -> None:
    audio, text = cut("a", AUDIO, "かなを", np.random.default_rng(0))
    assert audio is AUDIO and text == "かなを"


def test_the_stage_goes_on_where_it_stopped(tmp_path: Path, package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe("x", {"lang": "ja"}, [{}, {"cut_off": 0.3}], {}, {})
    monkeypatch.setattr(Recipe, "work", property(lambda self: tmp_path))
    monkeypatch.setattr(module, "resolve", lambda *_: None)
    monkeypatch.setattr(module, "load_exported", lambda *_: package)
    soundfile.write(tmp_path / "a.wav", AUDIO, SAMPLE_RATE)
    lists = tmp_path / "train-1"
    lists.mkdir()
    rows = [("a-x-0", "かなを"), ("a-x-1", "かなを"), ("empty-0", "")]
    for name, values in (("wav.scp", [tmp_path / "a.wav"] * 3), ("text", [text for _, text in rows])):
        (lists / name).write_text("".join(f"{row[0]} {value}\n" for row, value in zip(rows, values, strict=True)))
    (lists / "speech_shape").write_text("".join(f"{uid} {len(AUDIO)}\n" for uid, _ in rows))
    with pytest.raises(SystemExit, match="run stage `cuts` first"):
        cut_off(recipe, recipe.curriculum[1])
    for _ in range(2):
        cuts(recipe)
        found = [json.loads(line) for line in (tmp_path / CUTS).read_text(encoding="utf-8").splitlines()]
        assert [row["id"] for row in found] == ["a-x", "empty"] and len(found[0]["places"]) == 2
    whole, shorter = (
        {cut_off(recipe, step)("a-x", AUDIO, "かなを", np.random.default_rng(n))[1] for n in range(20)}
        for step in recipe.curriculum
    )
    assert whole == {"かなを"}
    assert shorter == {"か", "かな", "かなを"}
