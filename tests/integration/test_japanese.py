"""The bundled Japanese model on words of people that it never heard, as the service loads it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audio import SAMPLE_RATE, Samples
from recognizer.base import Engine, Options, Request
from recognizer.kana import reading
from tests.served import ROOT
from training.data import clip_of, held_out, manifest
from training.evaluate import KANA, Spoken, bundled, errors, padded, rate
from training.recipe import load_recipe

MODEL = ROOT / "models" / "ja-small.zip"
WORST = 40.0  # % kana CER; the card says what it was when the model was made
BOOST = 5.0
pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(not MODEL.exists(), reason="needs the bundled model"),
]


def written(engine: Engine, audio: Samples, *phrases: tuple[str, float], alternatives: int = 1) -> list[str]:
    options = Options("ja", max_alternatives=alternatives, phrases=phrases)
    return [hypothesis.text for hypothesis in engine.transcribe([Request(audio, True, options)])[0].hypotheses]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    from recognizer.loading import EngineOptions, load_engine
    from recognizer.models import resolve

    cache = ROOT / "cache"
    yield load_engine(resolve("bundled:ja-small", cache), EngineOptions("cpu", "two_pass", 5, "auto", 0.0, 1, cache))


@pytest.fixture(scope="module")
def unheard(speech_fixtures: Path) -> list[Spoken]:
    """Forty recordings of words that were held out of the training."""
    rows = [row for row in manifest("train") if row["path"].startswith("tofugu_ja")]
    clips = [clip_of(row) for row in rows]
    kept_back = held_out(load_recipe("ja-small"), clips)
    pairs = [(clip, row) for clip, row in zip(clips, rows, strict=True) if clip.id in kept_back]
    return [Spoken(clip.path, clip.text, row["transcript"]) for clip, row in pairs[:: len(pairs) // 40]]


def test_unheard_words_are_heard(unheard: list[Spoken]) -> None:
    rng, engine = np.random.default_rng(0), bundled(load_recipe("ja-small"), writes=False)
    heard = [engine.transcribe([Request(padded(one, rng), True, Options("ja"))])[0].text for one in unheard]
    assert rate([errors(KANA, text, one) for text, one in zip(heard, unheard, strict=True)]) < WORST
    assert sum(text == one.heard for text, one in zip(heard, unheard, strict=True)) >= len(unheard) // 5


def test_a_phrase_in_kanji_is_heard_by_its_reading(engine: Engine, unheard: list[Spoken]) -> None:
    """Some words are missed without their phrase; with it most of these are written as the phrase writes them."""
    rng = np.random.default_rng(0)
    audio = {one.written: padded(one, rng) for one in unheard if reading(one.written) == one.heard}
    missed = [word for word in audio if word not in written(engine, audio[word], alternatives=5)]
    found = [word for word in missed if word in written(engine, audio[word], (word, BOOST), alternatives=5)]
    assert len(missed) >= 5 and len(found) > len(missed) / 2


def test_phrases_change_nothing_else(engine: Engine, unheard: list[Spoken]) -> None:
    rng = np.random.default_rng(0)
    phrases = (("小鳥遊", BOOST), ("寿限無", BOOST))
    audio = [padded(one, rng) for one in unheard]
    changed = [one for one in audio if written(engine, one) != written(engine, one, *phrases)]
    assert len(changed) <= len(audio) // 20


@pytest.mark.parametrize("level", [0.0, 1e-4, 1e-3])
def test_nothing_is_heard_in_silence(engine: Engine, level: float) -> None:
    audio = np.random.default_rng(0).normal(0, level, 3 * SAMPLE_RATE).astype(np.float32)
    assert written(engine, audio) == []
