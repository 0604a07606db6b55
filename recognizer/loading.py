"""Model files -> a loaded Engine. Called in a worker process; everything heavy is imported here."""

import ctypes
from pathlib import Path

from recognizer.base import Engine, ModelError
from recognizer.espnet import DEFAULT_CTC_WEIGHT, build_model, load_stock_engine
from recognizer.models import ModelFiles


def load_engine(
    files: ModelFiles, device: str, decoding: str, beam_size: int, threads: int, cache_dir: Path
) -> Engine:  # fmt: skip
    """`decoding`: exact | two_pass | ctc | stock; a model that the fast search does not know gets stock. Raises
    ModelError."""
    chosen = choose_device(device)
    if decoding == "stock":
        return load_stock_engine(files, chosen, beam_size, threads, "DECODING is 'stock'")
    import numba

    vars(numba.config)["CACHE_DIR"] = str(cache_dir.absolute() / "numba")  # the program's own folder may be read-only
    from recognizer.decoding.package import UnsupportedError

    try:
        return _load_fast_engine(files, chosen, decoding, beam_size, threads, cache_dir)
    except UnsupportedError as error:
        return load_stock_engine(files, chosen, beam_size, threads, f"the model has {error}")


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


def _load_fast_engine(
    files: ModelFiles, device: str, decoding: str, beam_size: int, threads: int, cache_dir: Path
) -> Engine:  # fmt: skip
    """Raises UnsupportedError."""
    from recognizer.decoding import export, package
    from recognizer.decoding.engine import FastEngine, Search
    from recognizer.decoding.results import Calibration

    search = Search(
        decoding,
        beam_size,
        float(files.decoding.get("ctc_weight", DEFAULT_CTC_WEIGHT)),
        float(files.decoding.get("penalty", 0.0)),
    )
    calibration = Calibration(**{k: tuple(v) for k, v in (files.decoding.get("confidence") or {}).items()})
    if device == "cpu":
        try:
            ready = package.load(export.ensure_exported(files, cache_dir), threads)
            return FastEngine(ready, search, device, calibration, f"{decoding} search, ONNX Runtime")
        except package.UnsupportedError as error:
            refusal = str(error)
    else:
        refusal = "no ONNX Runtime for CUDA"
    _set_threads(threads)
    ready = export.checked_torch_package(*build_model(files.asr_train_config, files.asr_model_file), device)
    return FastEngine(ready, search, device, calibration, f"{decoding} search, torch ({refusal})")


def _set_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
