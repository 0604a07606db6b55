"""A package of the model zoo as LaboroTV's is laid out, made by ESPnet's own `pack`: by name, by file, by directory."""

import argparse
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from recognizer.base import Options, Request
from recognizer.loading import EngineOptions, load_engine
from recognizer.models import resolve
from tests.tiny_model import CONFIG, LAYER, build_tiny_model

pytestmark = pytest.mark.filterwarnings("default")
NAME = "Shinji Watanabe/laborotv_asr_train_asr_conformer2_latest33_raw_char_sp_valid.acc.ave"
KANA = [chr(code) for code in range(ord("ぁ"), ord("ん") + 1)]
TOKENS = ["<blank>", "<unk>", *KANA, "日", "本", "語", "<sos/eos>"]
ENCODER = {**LAYER, "output_size": 16, "input_layer": "conv2d6", "cnn_module_kernel": 31, "macaron_style": False}
NOISE = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)


def write_language_model(folder: Path) -> None:
    import torch
    from espnet2.tasks.lm import LMTask

    config: dict[str, Any] = {"token_list": TOKENS, "lm": "transformer", "model": "lm", "model_conf": {}, "init": None}
    config["lm_conf"] = {"att_unit": 8, "head": 2, "unit": 8, "layer": 1, "embed_unit": 8}
    folder.mkdir(parents=True)
    model = LMTask.build_model(argparse.Namespace(**config))
    torch.save(model.state_dict(), folder / "valid.loss.ave.pth")
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True))


def write_acoustic_model(folder: Path, stats: Path) -> None:
    import torch

    changes = {
        "token_list": TOKENS,
        "encoder_conf": ENCODER,
        "normalize": "global_mvn",
        "normalize_conf": {"stats_file": str(stats)},
    }
    model, _ = build_tiny_model(**changes)
    folder.mkdir(parents=True)
    torch.save(model.state_dict(), folder / "valid.acc.ave_10best.pth")
    (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, **changes}, allow_unicode=True))


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe's own names; `pack` runs in the recipe's folder, as its run.sh does."""
    from espnet2.main_funcs.pack_funcs import pack

    recipe = tmp_path_factory.mktemp("laborotv")
    asr, lm = Path("exp/asr_train_asr_conformer2_latest33_raw_char_sp"), Path("exp/lm_train_lm_char")
    stats = Path("exp/asr_stats_raw_char_sp/train/feats_stats.npz")
    with pytest.MonkeyPatch.context() as inside:
        inside.chdir(recipe)
        stats.parent.mkdir(parents=True)
        features = np.random.default_rng(1).normal(size=(50, 80))
        np.savez(stats, count=50, sum=features.sum(0), sum_square=(features**2).sum(0))
        write_acoustic_model(asr, stats)
        write_language_model(lm)
        pack(
            files={"asr_model_file": asr / "valid.acc.ave_10best.pth", "lm_file": lm / "valid.loss.ave.pth"},
            yaml_files={"asr_train_config": asr / "config.yaml", "lm_train_config": lm / "config.yaml"},
            option=[stats],
            outpath="packed.zip",
        )
    return recipe / "packed.zip"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def by_name(packed: Path, cache: Path) -> str:
    """Into the place where the zoo's own downloader would put it."""
    from espnet_model_zoo.downloader import ModelDownloader, str_to_hash

    zoo = ModelDownloader(str(cache / "zoo"))
    url = zoo.get_url(NAME)
    folder = cache / "zoo" / str_to_hash(url)
    folder.mkdir(exist_ok=True)
    shutil.copy(packed, folder / zoo._get_file_name(url))
    return NAME


def by_directory(packed: Path, cache: Path) -> str:
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(cache / "unpacked")
    return str(cache / "unpacked")


def transcript(reference: str, cache: Path, decoding: str, lm_weight: float = 0.0) -> str:
    options = EngineOptions("cpu", decoding, 3, "auto", lm_weight, 1, cache)
    request = Request(NOISE, True, Options("ja"))
    return load_engine(resolve(reference, cache), options).transcribe([request])[0].text


def contents(reference: str, cache: Path) -> list[Any]:
    """What an engine reads of it, wherever that lies."""
    files = resolve(reference, cache)
    assert files.lm_file is not None
    config = yaml.safe_load(files.asr_train_config.read_text(encoding="utf-8"))
    stats = Path(config["normalize_conf"].pop("stats_file"))
    return [config, *(path.read_bytes() for path in (stats, files.asr_model_file, files.lm_file))]


def test_every_way_to_name_it_is_the_same_model(packed: Path, cache: Path, no_network: None) -> None:
    ways = [str(packed), by_directory(packed, cache), by_name(packed, cache)]
    (first, *others) = [contents(way, cache) for way in ways]
    assert others == [first, first]
    texts = [transcript(way, cache, "stock") for way in ways]
    assert texts[0] and len(set(texts)) == 1
    assert transcript(ways[2], cache, "exact") == texts[0]


def test_its_language_model_comes_with_it(packed: Path, cache: Path) -> None:
    assert transcript(by_name(packed, cache), cache, "exact", lm_weight=5.0)
