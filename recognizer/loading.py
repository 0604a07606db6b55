"""Model files -> a loaded Engine. Called in a worker process; everything heavy is imported here."""

import ctypes
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recognizer.base import Engine, ModelError
from recognizer.espnet import DEFAULT_CTC_WEIGHT, build_model, load_stock_engine
from recognizer.kana import KanaEngine, WritingScores
from recognizer.models import ModelFiles

SEARCHES = ("two_pass", "exact", "ctc", "stock")
PRECISIONS = ("float32", "int8")


@dataclass(frozen=True)
class EngineOptions:
    """How a model is decoded; conf_sample.py explains each."""

    device: str  # auto | cpu | cuda
    decoding: str  # one of SEARCHES; auto: what the package names, or two_pass
    beam_size: int
    precision: str  # of the weights on a CPU, one of PRECISIONS; auto: what the package names, or float32
    lm_weight: float
    threads: int
    cache_dir: Path


def load_engine(files: ModelFiles, options: EngineOptions) -> Engine:
    """An engine that writes as people of its language do. Raises ModelError."""
    search = _chosen(files, "search", options.decoding, SEARCHES)
    precision = _chosen(files, "precision", options.precision, PRECISIONS)
    engine = _load_engine(files, replace(options, decoding=search, precision=precision))
    return KanaEngine(engine) if files.decoding.get("writes") == "kana" else engine


def _chosen(files: ModelFiles, name: str, wanted: str, allowed: Sequence[str]) -> str:
    """What is wanted; for `auto` what the package names, or the first that is allowed."""
    chosen = files.decoding.get(name, allowed[0]) if wanted == "auto" else wanted
    if chosen not in allowed:
        raise ModelError(f"meta.yaml of the model {files.name}: {name} must be one of {', '.join(allowed)}")
    return str(chosen)


def _load_engine(files: ModelFiles, options: EngineOptions) -> Engine:
    """A model that the fast search does not know gets ESPnet's own."""
    device = choose_device(options.device)
    if options.decoding == "stock":
        return _load_stock(files, device, options, "DECODING is 'stock'")
    import numba

    vars(numba.config)["CACHE_DIR"] = str(_compiled(options.cache_dir))  # our own folder may be read-only
    from recognizer.decoding.package import UnsupportedError

    try:
        return _load_fast_engine(files, device, options)
    except UnsupportedError as error:
        return _load_stock(files, device, options, f"the model has {error}")


def _load_stock(files: ModelFiles, device: str, options: EngineOptions, why: str) -> Engine:
    return load_stock_engine(files, device, options.beam_size, options.lm_weight, options.threads, why)


def _compiled(cache_dir: Path) -> Path:
    """Where numba keeps what it compiled of the search as it is now.

    numba itself compares one file only: it would go on with what it compiled of a function that another file calls.
    """
    digest = hashlib.sha256()
    for source in sorted((Path(__file__).parent / "decoding").glob("*.py")):
        digest.update(source.read_bytes())
    return cache_dir.absolute() / "numba" / digest.hexdigest()[:12]


def choose_device(wanted: str) -> str:
    """`auto`, `cpu` or `cuda` -> the torch device. Raises ModelError when CUDA is asked for and absent."""
    if wanted == "cpu" or (wanted == "auto" and not _has_driver()):
        return "cpu"
    import torch

    if wanted == "cuda" and not torch.cuda.is_available():
        raise ModelError("DEVICE is 'cuda', but torch finds no CUDA device; set DEVICE to 'auto' or 'cpu'")
    return "cuda" if torch.cuda.is_available() else "cpu"


def _has_driver() -> bool:
    """Whether NVIDIA's driver is here; asking torch would cost a second and 300 MB."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _load_fast_engine(files: ModelFiles, device: str, options: EngineOptions) -> Engine:
    """Raises UnsupportedError."""
    from recognizer.decoding.engine import FastEngine, Search
    from recognizer.decoding.language_model import LanguageModel

    defaults = {"ctc_weight": DEFAULT_CTC_WEIGHT, "penalty": 0.0, "joint_ngram_weight": 0.0}
    search = Search(
        options.decoding, options.beam_size, *(float(files.decoding.get(key, value)) for key, value in defaults.items())
    )
    language_model = None
    if options.lm_weight and files.lm_file is not None:
        language_model = LanguageModel(files, device, options.lm_weight)
    calibration = _calibration(files)
    ready, runtime = _package(files, device, options)
    description = f"{options.decoding} search, {runtime}"
    ngram = load_ngram(files, ready.vocabulary)
    others = rescorers(files, ready.vocabulary.tokens)
    return FastEngine(ready, search, device, calibration, description, language_model, ngram, others)


def _package(files: ModelFiles, device: str, options: EngineOptions) -> tuple[Any, str]:
    """The networks as a decoding.package.Package, and in words what runs them. Raises UnsupportedError."""
    from recognizer.decoding import export, package, parts

    refusal = "no ONNX Runtime for CUDA"
    if device == "cpu":
        try:
            exported = export.load_exported(files, options.cache_dir, options.threads, options.precision)
            return exported, f"ONNX Runtime, {options.precision}"
        except package.UnsupportedError as error:
            refusal = str(error)
    _set_threads(options.threads)
    ready = parts.checked_torch_package(*build_model(files.asr_train_config, files.asr_model_file), device)
    return ready, f"torch ({refusal})"


def load_ngram(files: ModelFiles, vocabulary: Any) -> Any:
    """What a package brings of its texts, weighted by its `ngram_weight`; None where it brings nothing.

    `word_reward`: for each word, where it is a model of words.
    """
    from recognizer.decoding.ngram import load

    weight, reward = (float(files.decoding.get(name, 0.0)) for name in ("ngram_weight", "word_reward"))
    if not (weight and files.ngram_file):
        return None
    return load(files.ngram_file, vocabulary.eos, weight, vocabulary.tokens, reward)


def _calibration(files: ModelFiles) -> Any:
    """What a package says its scores mean as confidence. Raises ModelError."""
    from recognizer.decoding.results import Calibration

    curves = files.decoding.get("confidence") or {}
    if any(len(curve) != 3 for curve in curves.values()):
        raise ModelError(f"meta.yaml of the model {files.name}: confidence must be three numbers each")
    return Calibration(**{name: tuple(curve) for name, curve in curves.items()})


def rescorers(files: ModelFiles, tokens: Sequence[str]) -> list[WritingScores]:
    """What a package asks for beside its own scores: `writing_weight` of Mozc's costs, for a model of kana."""
    weight = float(files.decoding.get("writing_weight", 0.0))
    return [WritingScores(tokens, weight)] if weight else []


def _set_threads(threads: int) -> None:
    import torch
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, "blas")  # numpy's; torch has its own
    torch.set_num_threads(threads)
