"""The mean and variance that `global_mvn` takes away: gathered from training speech, packed with the model."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from audio import SAMPLE_RATE
from recognizer.models import resolve
from training.augment import Surroundings
from training.data import STATISTICS
from training.pack import NAME, pack
from training.recipe import Recipe
from training.statistics import statistics
from training.train import write_config

pytestmark = pytest.mark.filterwarnings("default")  # torch's own
FRONTEND = {"fs": SAMPLE_RATE, "n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 80}
ASR = {"frontend_conf": FRONTEND, "token_type": "char", "normalize": "global_mvn"}
CURRICULUM = [{"augment": 0.0, "max_epoch": 1}]


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """One list of two utterances of noise, one of them much louder, and its statistics."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("training.statistics.surroundings", Surroundings)
    recipe = Recipe("x", {"seed": 1}, CURRICULUM, ASR, {"decoding": {"ctc_weight": 0.5}})
    (recipe.work / "train-0").mkdir(parents=True)
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.wav" for name in "ab"]
    for path, level in zip(paths, (0.01, 0.2), strict=True):
        soundfile.write(path, rng.standard_normal(SAMPLE_RATE) * level, SAMPLE_RATE)
    (recipe.work / "train-0" / "wav.scp").write_text("".join(f"{path.stem} {path}\n" for path in paths))
    statistics(recipe)
    return recipe


def test_the_mean_lies_between_silence_and_speech(recipe: Recipe) -> None:
    from espnet2.layers.global_mvn import GlobalMVN

    taken = GlobalMVN(recipe.work / STATISTICS)
    assert taken.mean.shape == taken.std.shape == (80,)
    assert ((taken.mean > -23) & (taken.mean < 5)).all() and ((taken.std > 1) & (taken.std < 10)).all()


def test_the_trainer_is_told_where_they_are(recipe: Recipe) -> None:
    write_config(recipe, 0)
    config = yaml.safe_load((recipe.work / "exp-0" / "recipe.yaml").read_text())
    assert config["normalize_conf"] == {"stats_file": str(recipe.work / STATISTICS)}


def test_they_are_packed(recipe: Recipe, tmp_path: Path) -> None:
    import torch

    from tests.tiny_model import CONFIG, build_tiny_model

    changes = {"normalize": "global_mvn", "normalize_conf": {"stats_file": str(recipe.work / STATISTICS)}}
    model, _ = build_tiny_model(**changes)
    torch.save(model.state_dict(), recipe.work / NAME)
    (recipe.work / "config.yaml").write_text(yaml.safe_dump(CONFIG | changes))
    pack(recipe)
    files = resolve("models/x.zip", tmp_path / "cache")
    stats = Path(yaml.safe_load(files.asr_train_config.read_text())["normalize_conf"]["stats_file"])
    assert stats.is_relative_to(tmp_path / "cache")
    assert stats.read_bytes() == (recipe.work / STATISTICS).read_bytes()
