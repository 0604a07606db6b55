"""Stage `train`: ESPnet2's own trainer, once per step of the curriculum; resumes where it stopped.

Each of its processes takes its share of every batch. A step with `minutes` is for a GPU: `training.gpu`.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
import yaml

from training.augment import Surroundings, augmenter
from training.cuts import CutOff, clip_of, cut_off
from training.data import BPE_MODEL, STATISTICS, TOKENS, manifest, read_audio
from training.kernels import autocast, environment, on_grid, quicken
from training.onset import BlankBeforeSpeech
from training.recipe import Recipe, load_recipe

CONFIG = "recipe.yaml"


def folder(recipe: Recipe, number: int) -> Path:
    """Where a curriculum step leaves its checkpoints."""
    return recipe.work / f"exp-{number}"


def write_config(recipe: Recipe, number: int) -> None:
    """The complete ESPnet2 configuration of one curriculum step."""
    work = recipe.work
    train, dev = work / f"train-{number}", work / "dev"
    config = (
        recipe.asr
        | recipe.curriculum[number].get("asr", {})
        | {
            "output_dir": str(folder(recipe, number)),
            "token_list": str(work / TOKENS),
            "bpemodel": str(work / BPE_MODEL) if recipe.asr["token_type"] == "bpe" else None,
            "train_data_path_and_name_and_type": _inputs(train),
            "valid_data_path_and_name_and_type": _inputs(dev),
            "train_shape_file": [str(train / "speech_shape")],
            "valid_shape_file": [str(dev / "speech_shape")],
            "max_epoch": recipe.curriculum[number].get("max_epoch", 1),
            "dry_run": recipe.curriculum[number].get("max_epoch") == 0,  # writes the configuration and ends
            "resume": True,
            "use_tensorboard": False,
            "use_matplotlib": False,
            "ngpu": int(torch.cuda.is_available()),
            "use_amp": torch.cuda.is_available(),
            "multiprocessing_distributed": False,
            "dist_backend": "nccl" if torch.cuda.is_available() else "gloo",
        }
    )
    if config["normalize"] == "global_mvn":
        config["normalize_conf"] = {"stats_file": str(work / STATISTICS)}
    if number:
        config["init_param"] = [str(folder(recipe, number - 1) / "latest.pth")]
    folder(recipe, number).mkdir(parents=True, exist_ok=True)
    (folder(recipe, number) / CONFIG).write_text(yaml.safe_dump(config), encoding="utf-8")


def _inputs(folder: Path) -> list[tuple[str, str, str]]:
    return [[str(folder / "wav.scp"), "speech", "sound"], [str(folder / "text"), "text", "text"]]  # type: ignore[list-item]


def surroundings() -> Surroundings:
    """The recorded rooms and noises; what is said around a speaker is other speech of the manifest."""
    rooms = [read_audio(row["path"]) for row in manifest("rir")]
    noises = [read_audio(row["path"]) for row in manifest("noise")]
    voices = [read_audio(row["path"]) for row in manifest("train")[::40]]
    return Surroundings(rooms, noises, voices)


def augmented_task(strength: float, cut: CutOff) -> type:
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
                audio, text = cut(clip_of(uid), data["speech"], data["text"], rng)
                audio, onset = change(audio, rng, text == data["text"])
                changed = preprocess(uid, data | {"speech": audio, "text": text})
                return changed | {"onset": np.array([onset])}  # type: ignore[no-any-return]

            return augmented if train else preprocess

        @classmethod
        def build_collate_fn(cls, args: Any, train: bool) -> Any:
            collate = super().build_collate_fn(args, train)
            return lambda utterances: on_grid(collate(utterances))

        @classmethod
        def build_model(cls, args: Any) -> Any:
            model = super().build_model(args)
            quicken(model)
            BlankBeforeSpeech(model)
            return model

    return AugmentedTask


def train_resident(recipe: Recipe, number: int) -> None:
    """A step with `minutes`: its speech stays on the GPU, which changes it as well."""
    from training.gpu import corpus, loop

    device = "cuda" if torch.cuda.is_available() else "cpu"
    step = recipe.curriculum[number]
    heard = corpus.of_lists(recipe, recipe.work / f"train-{number}", device, step)
    loop.train(folder(recipe, number) / CONFIG, heard, surroundings(), step)


def train_step(recipe: Recipe, number: int) -> None:
    """One step of the curriculum, in one of its processes."""
    from espnet2.train import trainer

    if not torch.cuda.is_available():
        # ESPnet2's own mixed precision is for CUDA; this gives the forward pass the bfloat16 units of a CPU.
        # A context around the whole training would not do: weights cast once stay cached until it is left.
        trainer.autocast = lambda *_, **__: autocast()
    task: Any = augmented_task(float(recipe.curriculum[number]["augment"]), cut_off(recipe, recipe.curriculum[number]))
    task.main(cmd=["--config", str(folder(recipe, number) / CONFIG)])


def train(recipe: Recipe) -> None:
    """A process of one thread for each core, or one for each GPU: cores that wait for each other at every
    multiplication are far slower as soon as anything else runs."""
    processes = torch.cuda.device_count() or os.cpu_count() or 1
    for number, step in enumerate(recipe.curriculum):
        write_config(recipe, number)
        if "minutes" in step:
            if not (folder(recipe, number) / "latest.pth").exists():
                train_resident(recipe, number)
            continue
        launch = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        command = [sys.executable, "-m", *launch, "-m", "training.train", recipe.name, str(number)]
        subprocess.run(command, check=True, env=environment() | os.environ)


if __name__ == "__main__":
    train_step(load_recipe(sys.argv[1]), int(sys.argv[2]))
