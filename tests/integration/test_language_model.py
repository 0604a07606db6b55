"""The language model of a package: as in ESPnet's own search, and only when it is asked for."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from recognizer.base import ModelError
from recognizer.models import ModelFiles
from tests.tiny_model import TOKENS, build_tiny_model

pytestmark = pytest.mark.filterwarnings("default")
KINDS: dict[str, dict[str, Any]] = {
    "seq_rnn": {"unit": 8, "nlayers": 1},
    "transformer": {"att_unit": 8, "head": 2, "unit": 8, "layer": 1, "embed_unit": 8},
}


@pytest.fixture(scope="module", params=KINDS)
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    import torch

    from recognizer.espnet import quicken_import

    quicken_import()
    from espnet2.tasks.lm import LMTask

    folder: Path = tmp_path_factory.mktemp("lm")
    torch.manual_seed(0)
    config = {"token_list": TOKENS, "lm": request.param, "lm_conf": KINDS[request.param], "model": "lm"}
    config |= {"model_conf": {}, "init": None}
    model = LMTask.build_model(argparse.Namespace(**config))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 3
    torch.save(model.state_dict(), folder / "lm.pth")
    (folder / "lm.yaml").write_text(yaml.safe_dump(config))
    nowhere = folder / "asr"
    return ModelFiles("m", nowhere, nowhere, lm_train_config=folder / "lm.yaml", lm_file=folder / "lm.pth")


def test_steps_add_up_to_sentences(files: ModelFiles) -> None:
    from recognizer.decoding.language_model import LanguageModel

    model, end = LanguageModel(files, "cpu", 0.5), len(TOKENS) - 1
    sentences = [(4, 7, 7), (5,), ()]
    expected = model.sentences(sentences)
    for sentence, score in zip(sentences, expected, strict=True):
        states, total = model.begin(), 0.0
        for at, token in enumerate((*sentence, end)):
            scores, states = model.step(np.array([[end, *sentence[:at]]]), states)
            total += float(scores[0, token])
        assert total == pytest.approx(float(score), abs=1e-4)


def test_the_joint_search_equals_espnets(files: ModelFiles) -> None:
    import torch
    from espnet2.tasks.lm import LMTask

    from recognizer.decoding.joint import Heard, joint_search
    from recognizer.decoding.language_model import LanguageModel
    from recognizer.decoding.parts import checked_torch_package
    from recognizer.decoding.phrases import build
    from tests.integration.test_joint import search_of

    asr, args = build_tiny_model()
    ready = checked_torch_package(asr, args, "cpu")
    theirs, _ = LMTask.build_model_from_file(str(files.lm_train_config), str(files.lm_file), "cpu")
    for seed in range(4):
        audio = np.random.default_rng(seed).normal(0, 0.1, 16_000).astype(np.float32)
        hidden, log_probs = ready.networks.encode(ready.features(audio))
        (ours,) = joint_search(
            ready.networks, ready.vocabulary, [Heard(hidden, log_probs, build([]), 4, len(hidden))],
            ctc_weight=0.3, penalty=0.0, language_model=LanguageModel(files, "cpu", 0.7),
        )  # fmt: skip
        with torch.inference_mode():
            best = search_of(asr, 4, 0.3, 0.0, {"lm": theirs.lm.eval()}, {"lm": 0.7})(torch.from_numpy(hidden))[0]
        assert ours[0].score == pytest.approx(float(best.score), abs=1e-3)
        assert list(ours[0].tokens) == [token for token in best.yseq[1:].tolist() if token != asr.eos]


@pytest.mark.parametrize("kind", ["two_pass", "ctc"])
def test_a_heavy_one_decides_between_hypotheses(files: ModelFiles, kind: str, tmp_path: Path) -> None:
    from recognizer.base import Options, Request
    from recognizer.decoding import export, package
    from recognizer.decoding.engine import FastEngine, Search
    from recognizer.decoding.language_model import LanguageModel
    from recognizer.decoding.results import Calibration

    export.export_model(*build_tiny_model(), tmp_path)
    ready, search = package.load(tmp_path, 1), Search(kind, 4, 0.3)
    texts = {0.0: set[str](), 50.0: set[str]()}
    for weight, found in texts.items():
        model = LanguageModel(files, "cpu", weight) if weight else None
        engine = FastEngine(ready, search, "cpu", Calibration(), kind, model)
        for seed in range(4):
            audio = np.random.default_rng(seed).normal(0, 0.1, 16_000).astype(np.float32)
            found.add(engine.transcribe([Request(audio, True, Options())])[0].text)
    assert texts[0.0] != texts[50.0]


def test_a_broken_one_is_one_sentence(files: ModelFiles, tmp_path: Path) -> None:
    from recognizer.decoding.language_model import LanguageModel

    (tmp_path / "lm.pth").write_bytes(b"nothing")
    broken = ModelFiles("m", tmp_path, tmp_path, lm_train_config=files.lm_train_config, lm_file=tmp_path / "lm.pth")
    with pytest.raises(ModelError, match="the language model of m cannot be loaded"):
        LanguageModel(broken, "cpu", 0.5)
