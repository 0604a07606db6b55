"""ESPnet2 model -> the files of recognizer.decoding.package, checked against torch. Runs once per model.

A process of its own (`python -m recognizer.decoding.export`), so that no worker keeps torch and ESPnet in memory.
"""

import fcntl
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audio import SAMPLE_RATE
from recognizer.base import ModelError
from recognizer.decoding import package
from recognizer.decoding.features import Features
from recognizer.decoding.networks import ENCODER, MEMORY, STEP, STEP_INT8, TorchNetworks, optimise
from recognizer.decoding.package import Package, UnsupportedError, Vocabulary
from recognizer.decoding.rescoring import attention_scores
from recognizer.models import ModelFiles

log = logging.getLogger("speech.recognizer")
ROOT = Path(__file__).resolve().parent.parent.parent
OPSET = 17
MAX_DIFFERENCE = 0.05  # of log probabilities; float32 in another order of sums gives 0.03 on untrained networks
PROBES_S = (0.5, 1.7, 4.3)  # seconds of the noises that check an export
TOKEN_TYPES = ("char", "bpe", "word")
TIMEOUT_S = 600


def ensure_exported(files: ModelFiles, cache_dir: Path) -> Path:
    """Returns the folder of the export; the first of several workers makes it. Raises ModelError."""
    folder = package.folder_for(files, cache_dir)
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            log.warning("the model %s is prepared for this processor; it happens once", files.name)
            _export_in_another_process(files, folder)
    return folder


def _export_in_another_process(files: ModelFiles, folder: Path) -> None:
    draft = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        task = json.dumps(
            {"config": str(files.asr_train_config), "weights": str(files.asr_model_file), "to": str(draft)}
        )
        command = [sys.executable, "-m", "recognizer.decoding.export"]
        done = subprocess.run(command, input=task, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S)
        if done.returncode:
            raise ModelError(f"the model {files.name} cannot be used: {_last_line(done.stderr)}")
        draft.chmod(0o755)  # mkdtemp's own mode locks out the user the service runs as
        os.replace(draft, folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"the model {files.name} cannot be prepared in {folder.parent}: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]


def checked_torch_package(model: Any, args: Any, device: str) -> Package:
    """The model as it is in memory, searched without an export. Raises UnsupportedError."""
    ready = Package(TorchNetworks(graphs_of(model), "cpu"), features_of(model), vocabulary_of(model, args))
    check(model, ready)
    return ready if device == "cpu" else replace(ready, networks=TorchNetworks(graphs_of(model), device))


def check(model: Any, ready: Package) -> None:
    """Raises UnsupportedError."""
    difference = largest_difference(model, ready)
    if not difference <= MAX_DIFFERENCE:  # also when it is no number
        raise UnsupportedError(f"networks that differ by {difference:.2g} from ESPnet's when taken apart")


def features_of(model: Any) -> Features:
    """The frontend and normalisation of an ESPnetASRModel in numpy. Raises UnsupportedError."""
    import torch

    frontend, normalize = model.frontend, model.normalize
    if type(frontend).__name__ != "DefaultFrontend" or frontend.stft is None:
        raise UnsupportedError(f"a {type(frontend).__name__} frontend")
    stft, mel = frontend.stft, frontend.logmel
    if stft.normalized or not stft.onesided or mel.log_base is not None:
        raise UnsupportedError("a spectrum that is scaled in an unusual way")
    window = torch.ones(stft.win_length)
    if stft.window is not None:
        window = getattr(torch, f"{stft.window}_window")(stft.win_length)
    left = (stft.n_fft - stft.win_length) // 2
    padded = np.pad(window.numpy(), (left, stft.n_fft - stft.win_length - left))
    kind = type(normalize).__name__
    if kind not in ("GlobalMVN", "UtteranceMVN", "NoneType"):
        raise UnsupportedError(f"a {kind} normalisation")
    ready = Features(
        padded,
        mel.melmat.numpy(),
        stft.hop_length,
        stft.center,
        norm_means=bool(getattr(normalize, "norm_means", False)),
        norm_vars=bool(getattr(normalize, "norm_vars", False)),
    )
    if kind != "GlobalMVN":
        return ready
    return replace(ready, mean=normalize.mean.float().numpy(), std=normalize.std.float().numpy())


def graphs_of(model: Any) -> dict[str, Any]:
    """The torch modules to export. Raises UnsupportedError."""
    from recognizer.decoding import graphs

    if type(model).__name__ != "ESPnetASRModel" or type(model.decoder).__name__ != "TransformerDecoder":
        raise UnsupportedError(f"a {type(model.decoder).__name__} decoder")
    if model.ctc is None:
        raise UnsupportedError("no CTC branch")
    decoder = model.decoder
    return {ENCODER: graphs.EncoderGraph(model), MEMORY: graphs.MemoryGraph(decoder), STEP: graphs.StepGraph(decoder)}


def vocabulary_of(model: Any, args: Any) -> Vocabulary:
    """Raises UnsupportedError."""
    if args.token_type not in TOKEN_TYPES:
        raise UnsupportedError(f"tokens of type {args.token_type}")
    return Vocabulary(tuple(args.token_list), args.token_type, args.bpemodel, model.blank_id, model.sos, model.eos)


def write_onnx(graphs: dict[str, Any], bins: int, folder: Path) -> None:
    """Raises whatever torch's exporter raises."""
    import torch

    step = graphs[STEP]
    depth, heads, size = len(step.layers), step.layers[0].self_attn.h, step.embedding.embedding_dim
    memory = [torch.randn(heads, size // heads, 7)] * depth + [torch.randn(heads, 7, size // heads)] * depth
    cached = [torch.randn(heads, 3, size // heads)] * (2 * depth)
    tokens = torch.ones(2, dtype=torch.long)
    samples = {
        ENCODER: (torch.randn(1, 200, bins),),
        MEMORY: (torch.randn(50, graphs[MEMORY].attentions[0].linear_k.in_features),),
        STEP: (tokens, tokens, torch.zeros(2, 5), *memory, *cached),
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
    """Writes the decoder once more with weights of 8 bits; the encoder loses too much by it."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source, target = folder / f"{STEP}.onnx", folder / f"{STEP_INT8}.onnx"
    quantize_dynamic(str(source), str(target), weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])


Axes = dict[str, dict[int, str]]


def _axes(depth: int) -> dict[str, tuple[Axes, Axes]]:
    """Inputs and outputs of each graph, with the axes whose length varies. `depth`: layers of the decoder."""
    layers = range(depth)
    memory = {f"memory_k{n}": {2: "T"} for n in layers} | {f"memory_v{n}": {1: "T"} for n in layers}
    cached = {f"{kind}{n}": {1: "A"} for kind in ("keys", "values") for n in layers}
    added = {f"new_{kind}{n}": {1: "N"} for kind in ("keys", "values") for n in layers}
    step = {"tokens": {0: "N"}, "at": {0: "N"}, "mask": {0: "N", 1: "A_plus_N"}, **memory, **cached}
    return {
        ENCODER: ({"features": {1: "frames"}}, {"hidden": {0: "T"}, "log_probs": {0: "T"}}),
        MEMORY: ({"hidden": {0: "T"}}, memory),
        STEP: (step, {"log_probs": {0: "N"}, **added}),
    }


def largest_difference(model: Any, package: Package) -> float:
    """Between the log probabilities of ESPnet and those of the package, CTC and decoder, on noise."""
    import torch

    worst, vocabulary = 0.0, package.vocabulary
    rng = np.random.default_rng(0)
    for seconds in PROBES_S:
        audio = rng.normal(0, 0.1, int(seconds * SAMPLE_RATE)).astype(np.float32)
        tokens = tuple(int(token) for token in rng.integers(1, len(vocabulary.tokens) - 1, 6))
        with torch.inference_mode():
            encoded, _ = model.encode(torch.from_numpy(audio)[None], torch.tensor([len(audio)]))
            encoded = encoded[0] if isinstance(encoded, tuple) else encoded
            ctc = model.ctc.log_softmax(encoded)[0].numpy()
            ended, _ = model.decoder.score(torch.tensor([vocabulary.sos, *tokens]), None, encoded[0])
        hidden, ours = package.networks.encode(package.features(audio))
        memory = package.networks.memory(hidden)
        (scores,) = attention_scores(package.networks, memory, [tokens], vocabulary.sos, vocabulary.eos)
        worst = max(worst, float(np.abs(ours - ctc).max()), abs(float(scores[-1]) - float(ended[vocabulary.eos])))
    return worst


def export(config: Path, weights: Path, folder: Path) -> None:
    """Raises ModelError for files that are broken."""
    from recognizer.espnet import build_model

    export_model(*build_model(config, weights), folder)


def export_model(model: Any, args: Any, folder: Path) -> None:
    """The files of recognizer.decoding.package, or the reason why there are none."""
    try:
        features, vocabulary, graphs = features_of(model), vocabulary_of(model, args), graphs_of(model)
        package.save(folder, features, vocabulary)
        with tempfile.TemporaryDirectory(dir=folder) as raw:
            write_onnx(graphs, features.filters.shape[1], Path(raw))
            quantise(Path(raw))
            for path in Path(raw).glob("*.onnx"):
                optimise(path, folder / path.name)
        check(model, package.load(folder, threads=1))
    except Exception as error:  # the exporter and ESPnet raise of all kinds; the stock search is left
        reason = (
            str(error) if isinstance(error, UnsupportedError) else f"an export that failed ({type(error).__name__})"
        )
        (folder / package.REFUSAL).write_text(reason, encoding="utf-8")


def main() -> None:
    task = json.load(sys.stdin)
    try:
        export(Path(task["config"]), Path(task["weights"]), Path(task["to"]))
    except ModelError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
