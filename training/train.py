"""Stage `train`: ESPnet2's own trainer, once per step of the curriculum; resumes where it stopped."""

from pathlib import Path

import torch
import yaml

from training.recipe import Recipe


def stage_config(recipe: Recipe, number: int) -> Path:
    """Writes the complete ESPnet2 configuration of one curriculum step; returns its path."""
    work, folder = recipe.work, recipe.work / f"exp-{number}"
    train, dev = work / f"train-{number}", work / "dev"
    config = (
        recipe.asr
        | recipe.curriculum[number].get("asr", {})
        | {
            "output_dir": str(folder),
            "token_list": str(work / "tokens.txt"),
            "train_data_path_and_name_and_type": _inputs(train),
            "valid_data_path_and_name_and_type": _inputs(dev),
            "train_shape_file": [str(train / "speech_shape")],
            "valid_shape_file": [str(dev / "speech_shape")],
            "rir_scp": str(work / "rir.scp"),
            "noise_scp": str(work / "noise.scp"),
            "max_epoch": recipe.curriculum[number]["max_epoch"],
            "resume": True,
            "use_tensorboard": False,
            "use_matplotlib": False,
            "ngpu": int(torch.cuda.is_available()),
            "use_amp": torch.cuda.is_available(),
        }
    )
    if number:
        config["init_param"] = [str(work / f"exp-{number - 1}" / "latest.pth")]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _inputs(folder: Path) -> list[tuple[str, str, str]]:
    return [[str(folder / "wav.scp"), "speech", "sound"], [str(folder / "text"), "text", "text"]]  # type: ignore[list-item]


def train(recipe: Recipe) -> None:
    from espnet2.tasks.asr import ASRTask
    from espnet2.train import trainer

    if not torch.cuda.is_available():
        # ESPnet2's own mixed precision is for CUDA; this gives the forward pass the bfloat16 units of a CPU.
        # A context around the whole training would not do: weights cast once stay cached until it is left.
        trainer.autocast = lambda *_, **__: torch.autocast("cpu", dtype=torch.bfloat16)
    for number, _ in enumerate(recipe.curriculum):
        ASRTask.main(cmd=["--config", str(stage_config(recipe, number))])
