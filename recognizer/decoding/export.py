"""ESPnet2 model -> the files of recognizer.decoding.package, checked against torch. Runs once per model.

A process of its own (`python -m recognizer.decoding.export`), so that no worker keeps torch and ESPnet in memory.
"""

import contextlib
import fcntl
import json
import logging
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from signal import SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, Signals
from typing import Any

from recognizer.base import ModelError
from recognizer.decoding import package
from recognizer.decoding.networks import ENCODER, FLOAT32, INT8, MEMORY, STEP, optimise
from recognizer.decoding.package import Package, UnsupportedError
from recognizer.decoding.parts import check, features_of, graphs_of, vocabulary_of
from recognizer.models import ModelFiles

log = logging.getLogger("speech.recognizer")
ROOT = Path(__file__).resolve().parent.parent.parent
OPSET = 17
TIMEOUT_S = 600
CRASHES = (SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV)  # of the exporter or of what it made, whenever it is tried


class _DamagedError(ModelError):
    """An export that does not load."""


def load_exported(files: ModelFiles, cache_dir: Path, threads: int, precision: str = FLOAT32) -> Package:
    """An export that does not load is made again, once. Raises ModelError and UnsupportedError."""
    folder = ensure_exported(files, cache_dir, precision)
    load = partial(_load, files, folder, threads)
    with contextlib.suppress(_DamagedError):
        return load()
    with _locked(folder):
        try:
            return load()  # another worker made it again meanwhile
        except _DamagedError as error:
            log.warning("%s and is made again", error)
        _export_in_another_process(files, folder, precision)
    return load()


def _load(files: ModelFiles, folder: Path, threads: int) -> Package:
    try:
        return package.load(folder, threads)
    except UnsupportedError:
        raise
    except Exception as error:  # whatever damaged files make numpy, json and ONNX Runtime raise
        message = f"the export of the model {files.name} in {folder} does not load ({type(error).__name__})"
        raise _DamagedError(message) from error


def ensure_exported(files: ModelFiles, cache_dir: Path, precision: str = FLOAT32) -> Path:
    """Returns the folder of the export; the first of several workers makes it. Raises ModelError."""
    folder = package.folder_for(files, cache_dir, precision)
    if folder.exists():
        return folder
    with _locked(folder):
        if not folder.exists():
            log.warning("the model %s is prepared for this processor; it happens once", files.name)
            _export_in_another_process(files, folder, precision)
    return folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Against all others who would make an export of the same model. Raises ModelError."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = open(folder.parent / f"{_model(folder)}.lock", "w")
    except OSError as error:
        raise ModelError(f"the folder {folder.parent} for exported models cannot be written: {error}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _model(folder: Path) -> str:
    """What the names of all exports of a model begin with."""
    return folder.name.partition("-")[0]


def _export_in_another_process(files: ModelFiles, folder: Path, precision: str) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f"{_model(folder)}-", dir=folder.parent))
    try:
        names = {"config": files.asr_train_config, "weights": files.asr_model_file, "to": draft, "precision": precision}
        task = json.dumps(names, default=str)
        command = [sys.executable, "-m", "recognizer.decoding.export"]
        done = subprocess.run(command, input=task, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S)
        if -done.returncode in CRASHES:
            _refuse(draft, f"an export that crashed ({Signals(-done.returncode).name})")
        elif done.returncode:
            raise ModelError(f"the model {files.name} cannot be used: {_last_line(done.stderr)}")
        draft.chmod(0o755)  # mkdtemp's own mode locks out the user the service runs as
        shutil.rmtree(folder, ignore_errors=True)  # there is one when it was damaged
        os.replace(draft, folder)
        _remove_outdated(folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"the model {files.name} cannot be prepared in {folder.parent}: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _refuse(folder: Path, reason: str) -> None:
    """Nothing but the reason is left in a folder."""
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / package.REFUSAL).write_text(reason, encoding="utf-8")


def _remove_outdated(folder: Path) -> None:
    """The exports for other processors, precisions, versions and files of this model, and what a killed one left.

    A worker that uses one has it mapped and does not notice.
    """
    for path in folder.parent.glob(f"{_model(folder)}-*"):
        if path != folder:
            shutil.rmtree(path, ignore_errors=True)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]


def write_onnx(graphs: dict[str, Any], bins: int, folder: Path) -> None:
    """Raises whatever torch's exporter raises."""
    import torch

    step = graphs[STEP]
    depth, heads, size = len(step.layers), step.heads, step.embedding.embedding_dim
    memory = [torch.randn(heads, size // heads, 7)] * depth + [torch.randn(heads, 7, size // heads)] * depth
    cached = [torch.randn(3, size)] * (2 * depth)
    tokens = torch.ones(2, dtype=torch.long)
    samples = {
        ENCODER: (torch.randn(1, 200, bins),),
        MEMORY: (torch.randn(50, graphs[MEMORY].attentions[0].linear_k.in_features),),
        STEP: (tokens, tokens, torch.zeros(2, 5), torch.zeros(2, 7), *memory, *cached),
    }
    for name, graph in graphs.items():
        inputs, outputs = _axes(depth)[name]
        with torch.no_grad():
            torch.onnx.export(
                graph.eval(),
                samples[name],
                str(folder / f"{name}.onnx"),
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes=inputs | outputs,
                opset_version=OPSET,
                dynamo=False,
            )


def quantise(folder: Path) -> None:
    """The networks of a folder get matrices of 8 bits, with a scale for each output; what comes in is rounded as it
    comes.

    An x86 processor without VNNI adds two products in 16 bits, which hold them only if the weights have 7.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    overflows = platform.machine() == "x86_64" and "vnni" not in package.instructions()
    for path in map(str, folder.glob("*.onnx")):
        quantize_dynamic(
            path, path, ["MatMul", "Gemm"], per_channel=True, reduce_range=overflows, weight_type=QuantType.QInt8
        )


Axes = dict[str, dict[int, str]]


def _axes(depth: int) -> dict[str, tuple[Axes, Axes]]:
    """Inputs and outputs of each graph, with the axes whose length varies. `depth`: layers of the decoder."""
    layers = range(depth)
    memory = {f"memory_k{n}": {2: "T"} for n in layers} | {f"memory_v{n}": {1: "T"} for n in layers}
    cached = {f"{kind}{n}": {0: "A"} for kind in ("keys", "values") for n in layers}
    added = {f"new_{kind}{n}": {0: "N"} for kind in ("keys", "values") for n in layers}
    masks = {"mask": {0: "N", 1: "A_plus_N"}, "heard": {0: "N", 1: "T"}}
    step = {"tokens": {0: "N"}, "at": {0: "N"}, **masks, **memory, **cached}
    return {
        ENCODER: ({"features": {1: "frames"}}, {"hidden": {0: "T"}, "log_probs": {0: "T"}}),
        MEMORY: ({"hidden": {0: "T"}}, memory),
        STEP: (step, {"log_probs": {0: "N"}, **added}),
    }


def export(config: Path, weights: Path, folder: Path, precision: str) -> None:
    """Raises ModelError for files that are broken."""
    from recognizer.espnet import build_model

    export_model(*build_model(config, weights), folder, precision)


def export_model(model: Any, args: Any, folder: Path, precision: str = FLOAT32) -> None:
    """The files of recognizer.decoding.package, or the reason why there are none."""
    try:
        features, vocabulary, graphs = features_of(model), vocabulary_of(model, args), graphs_of(model)
        package.save(folder, features, vocabulary)
        with tempfile.TemporaryDirectory(dir=folder) as raw:
            write_onnx(graphs, features.filters.shape[1], Path(raw))
            check(model, _optimised(Path(raw), folder))
            if precision == INT8:
                quantise(Path(raw))
                check(model, _optimised(Path(raw), folder), math.inf)  # its rounding is meant; it has to run
    except Exception as error:  # the exporter and ESPnet raise of all kinds; the stock search is left
        reason = (
            str(error) if isinstance(error, UnsupportedError) else f"an export that failed ({type(error).__name__})"
        )
        (folder / package.REFUSAL).write_text(reason, encoding="utf-8")


def _optimised(raw: Path, folder: Path) -> Package:
    for path in raw.glob("*.onnx"):
        optimise(path, folder / path.name)
    return package.load(folder, threads=1)


def main() -> None:
    task = json.load(sys.stdin)
    try:
        export(Path(task["config"]), Path(task["weights"]), Path(task["to"]), task["precision"])
    except ModelError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
