"""Stage `train`: ESPnet2's own trainer, once per step of the curriculum; resumes where it stopped.

Under torchrun each process takes its share of every batch.
"""

from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
import yaml

from training.augment import Surroundings, augmenter
from training.data import manifest, read_audio
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
            "max_epoch": recipe.curriculum[number]["max_epoch"],
            "resume": True,
            "use_tensorboard": False,
            "use_matplotlib": False,
            "ngpu": int(torch.cuda.is_available()),
            "use_amp": torch.cuda.is_available(),
            "multiprocessing_distributed": False,
            "dist_backend": "nccl" if torch.cuda.is_available() else "gloo",
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


def surroundings() -> Surroundings:
    """The recorded rooms and noises; what is said around a speaker is other speech of the manifest."""
    rooms = [read_audio(row["path"]) for row in manifest("rir")]
    noises = [read_audio(row["path"]) for row in manifest("noise")]
    voices = [read_audio(row["path"]) for row in manifest("train")[::40]]
    return Surroundings(rooms, noises, voices)


def augmented_task(strength: float) -> type:
    """ESPnet2's ASR task whose training utterances are changed anew each time they are read."""
    from espnet2.tasks.asr import ASRTask

    change = augmenter(surroundings(), strength)

    class AugmentedTask(ASRTask):  # type: ignore[misc]
        @classmethod
        def build_preprocess_fn(cls, args: Any, train: bool) -> Any:
            preprocess = super().build_preprocess_fn(args, train)

            def augmented(uid: str, data: dict[str, Any]) -> dict[str, Any]:
                # the trainer seeds this generator of each of its reading processes, differently in each epoch
                rng = np.random.default_rng((np.random.randint(2**31), crc32(uid.encode())))
                return preprocess(uid, data | {"speech": change(data["speech"], rng)})  # type: ignore[no-any-return]

            return augmented if train else preprocess

    return AugmentedTask


def train(recipe: Recipe) -> None:
    from espnet2.train import trainer

    if not torch.cuda.is_available():
        # ESPnet2's own mixed precision is for CUDA; this gives the forward pass the bfloat16 units of a CPU.
        # A context around the whole training would not do: weights cast once stay cached until it is left.
        trainer.autocast = lambda *_, **__: torch.autocast("cpu", dtype=torch.bfloat16)
    for number, step in enumerate(recipe.curriculum):
        augmented_task(float(step["augment"])).main(cmd=["--config", str(stage_config(recipe, number))])  # type: ignore[attr-defined]
