"""A real ESPnet2 package with random weights, small enough to make in a test."""

import argparse
import zipfile
from pathlib import Path
from typing import Any

import yaml

TOKENS = ["<blank>", "<unk>", "<space>", *"abcdefghijklmnopqrstuvwxyz", "<sos/eos>"]
LAYER = {"attention_heads": 2, "linear_units": 32, "num_blocks": 1}
CONFIG: dict[str, Any] = {
    "token_list": TOKENS,
    "token_type": "char",
    "input_size": None,
    "frontend": "default",
    "frontend_conf": {"fs": 16_000, "n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 80},
    "specaug": None,
    "specaug_conf": {},
    "normalize": "utterance_mvn",
    "normalize_conf": {},
    "preencoder": None,
    "preencoder_conf": {},
    "encoder": "conformer",
    "encoder_conf": {**LAYER, "output_size": 16, "input_layer": "conv2d", "cnn_module_kernel": 7},
    "postencoder": None,
    "postencoder_conf": {},
    "decoder": "transformer",
    "decoder_conf": LAYER,
    "ctc_conf": {},
    "joint_net_conf": None,
    "model": "espnet",
    "model_conf": {"ctc_weight": 0.3},
    "init": None,
    "bpemodel": None,
    "cleaner": None,
    "g2p": None,
    "non_linguistic_symbols": None,
    "use_preprocessor": True,
    "preprocessor": "default",
    "preprocessor_conf": {},
}


def build_tiny_model(**changes: Any) -> tuple[Any, argparse.Namespace]:
    """An ESPnetASRModel with random weights that are large enough to prefer something; and its arguments."""
    import torch

    from recognizer.espnet import quicken_import

    quicken_import()
    from espnet2.tasks.asr import ASRTask

    torch.manual_seed(1)
    args = argparse.Namespace(**{**CONFIG, **changes})
    model = ASRTask.build_model(args).eval()
    with torch.no_grad():
        for head in (model.ctc.ctc_lo, model.decoder.output_layer):
            head.weight *= 8
    return model, args


def write_tiny_model(path: Path) -> Path:
    """Packs it as `espnet2.main_funcs.pack_funcs.pack` would."""
    import torch
    from espnet2.tasks.asr import ASRTask

    torch.manual_seed(1)
    model = ASRTask.build_model(argparse.Namespace(**CONFIG))
    meta = {"yaml_files": {"asr_train_config": "exp/config.yaml"}, "files": {"asr_model_file": "exp/model.pth"}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.yaml", yaml.safe_dump(meta))
        archive.writestr("exp/config.yaml", yaml.safe_dump(CONFIG))
        with archive.open("exp/model.pth", "w") as file:
            torch.save(model.state_dict(), file)
    return path
