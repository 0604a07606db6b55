"""Stages `average` and `pack`: the mean of the best checkpoints, in the model-zoo zip format, stored as float16."""

import shutil
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
import yaml

from training.data import BPE_MODEL, NGRAM, STATISTICS
from training.distil import NAME as BEGIN
from training.recipe import Recipe

NAME = "ave.pth"  # in a recipe's folder, where another recipe may begin with it, and in the package
CONFIG = "config.yaml"  # of ESPnet2, beside the checkpoints and in the package
HALF_BITS = 10  # of a float16's mantissa
KEPT_PREFIXES = ("encoder", "decoder", "frontend", "normalize", "ctc_conf", "model", "token_type", "joint_net")


def only_begun(recipe: Recipe) -> bool:
    """Whether the curriculum only says what stage `begin` has heard."""
    return bool(recipe.curriculum[-1].get("max_epoch") == 0)


def sources(recipe: Recipe) -> dict[Path, float]:
    """Weights and the share of each: of the steps of the curriculum, or of `begin`, that the recipe names; otherwise of
    all that are best the same."""
    if shares := recipe.pack.get("mean_of"):
        name = "begin-{}.pth" if only_begun(recipe) else "exp-{}/latest.pth"
        return {recipe.work / name.format(step): share for step, share in shares.items()}
    paths = [recipe.work / BEGIN] if only_begun(recipe) else best_checkpoints(recipe)
    return {path: 1 / len(paths) for path in paths}


def best_checkpoints(recipe: Recipe) -> list[Path]:
    """The kept checkpoints of the last step, best first by its criterion, also while training still runs."""
    phase, measure, mode = recipe.asr["best_model_criterion"][0]
    folder = recipe.work / f"exp-{len(recipe.curriculum) - 1}"
    resident = "minutes" in recipe.curriculum[-1]  # keeps nothing but its last weights
    state = folder / ("latest.pth" if resident else "checkpoint.pth")
    if not state.exists():
        raise SystemExit(f"no checkpoint in {folder}; run `python -m training train {recipe.name}` first")
    if resident:
        return [state]
    stats = torch.load(state, map_location="cpu", weights_only=False)["reporter"]["stats"]
    ranked = sorted(stats, key=lambda epoch: float(stats[epoch][phase][measure]), reverse=mode == "max")
    kept = [folder / f"{epoch}epoch.pth" for epoch in ranked[: int(recipe.asr["keep_nbest_models"])]]
    return [path for path in kept if path.exists()]


def mean_of(shares: Mapping[Path, float]) -> dict[str, torch.Tensor]:
    """The mean of the weights; counters are those of the first."""
    states = {path: torch.load(path, map_location="cpu", weights_only=True) for path in shares}
    first = states[next(iter(shares))]
    mean = {name: sum(share * states[path][name] for path, share in shares.items()) for name in first}
    return {name: mean[name] if value.is_floating_point() else value for name, value in first.items()}


def packed_config(path: Path) -> dict[str, Any]:
    """What stock `Speech2Text` needs of the training configuration; nothing that names a path of this machine."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    kept = {key: value for key, value in config.items() if key.startswith(KEPT_PREFIXES)}
    same = ("token_list", "bpemodel", "cleaner", "g2p", "input_size", "preencoder", "preencoder_conf", "postencoder")
    kept |= {key: config.get(key) for key in (*same, "postencoder_conf", "non_linguistic_symbols", "use_preprocessor")}
    return kept | {"specaug": None, "init": None, "preprocessor": "default", "version": config.get("version")}


def rounded(weights: torch.Tensor, bits: int) -> torch.Tensor:
    """As float16, matrices with so many bits of the mantissa: those that are left compress to little more."""
    halves, dropped = weights.half(), HALF_BITS - bits
    if halves.dim() < 2 or not dropped:
        return halves
    return (halves.view(torch.int16) + (1 << (dropped - 1)) & -(1 << dropped)).view(torch.float16)


def average(recipe: Recipe) -> None:
    """Writes the mean of the recipe's sources so far; the training may go on meanwhile."""
    shares = sources(recipe)
    weights, folder = mean_of(shares), next(iter(shares)).parent
    if only_begun(recipe):
        folder = recipe.work / f"exp-{len(recipe.curriculum) - 1}"
        weights = whole(folder / CONFIG, weights)
    torch.save(weights, recipe.work / NAME)
    shutil.copy(folder / CONFIG, recipe.work / CONFIG)
    said = ", ".join(f"{share:.2f} of {path.relative_to(recipe.work)}" for path, share in shares.items())
    print(f"{recipe.work / NAME}: {said}")


def whole(config: Path, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state of the model of a configuration with these weights in it."""
    from espnet2.tasks.asr import ASRTask

    model, _ = ASRTask.build_model_from_file(config, None, "cpu")
    model.load_state_dict(weights, strict=False)
    return dict(model.state_dict())


def pack(recipe: Recipe) -> None:
    if not (recipe.work / NAME).exists():
        raise SystemExit(f"no {recipe.work / NAME}; run `python -m training average {recipe.name}` first")
    config = packed_config(recipe.work / CONFIG)
    weights = torch.load(recipe.work / NAME, map_location="cpu", weights_only=True)
    bits = int(recipe.pack.get("mantissa_bits", HALF_BITS))
    halves = {name: rounded(w, bits) if w.dtype is torch.float32 else w for name, w in weights.items()}
    base = f"exp/asr_{recipe.name}"
    beside = [recipe.work / NGRAM] if "ngram_weight" in recipe.pack["decoding"] else []
    if config["bpemodel"]:
        beside.append(Path(config["bpemodel"]))
        config["bpemodel"] = f"{base}/{BPE_MODEL}"
    if config["normalize"] == "global_mvn":
        beside.append(Path(config["normalize_conf"]["stats_file"]))
        config["normalize_conf"]["stats_file"] = f"{base}/{STATISTICS}"
    decoding = recipe.pack["decoding"]
    if "ngram_weight" in decoding:
        decoding = {"ngram": f"{base}/{NGRAM}"} | decoding
    meta = {
        "espnet": "202511",
        "torch": str(torch.__version__).split("+")[0],
        "python": "3.11",
        "timestamp": datetime.now(UTC).timestamp(),
        "files": {"asr_model_file": f"{base}/{NAME}"},
        "yaml_files": {"asr_train_config": f"{base}/config.yaml"},
        "decoding": decoding,
    }
    target = Path("models") / f"{recipe.name}.zip"
    target.parent.mkdir(exist_ok=True)
    file = BytesIO()
    torch.save(halves, file)
    members: dict[str, str | bytes] = {"meta.yaml": yaml.safe_dump(meta)}
    members[f"{base}/config.yaml"] = yaml.safe_dump(config, allow_unicode=True)
    members |= {f"{base}/{path.name}": path.read_bytes() for path in beside}
    write_package(target, members | {f"{base}/{NAME}": file.getvalue()})
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


def write_package(path: Path, members: Mapping[str, str | bytes]) -> None:
    """LZMA, which unlike deflate tells the two bytes of a float16 apart: a sixth less."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
