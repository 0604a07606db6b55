"""What the fast search needs of a model, as files of one folder: ONNX networks, features, vocabulary."""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from recognizer.decoding.features import Features
from recognizer.decoding.networks import FLOAT32, Networks, OnnxNetworks
from recognizer.models import ModelFiles

VERSION = 4  # of these files; another one takes the place of the old
FEATURES, VOCABULARY, REFUSAL = "features.npz", "vocabulary.json", "unsupported.txt"


class UnsupportedError(Exception):
    """The fast search cannot be used with this model. Its text says what the model has."""


@dataclass(frozen=True)
class Vocabulary:
    """What token numbers mean."""

    tokens: tuple[str, ...]
    token_type: str  # "char" | "bpe" | "word"
    bpe_model: str | None  # path
    blank: int
    sos: int
    eos: int


@dataclass(frozen=True, eq=False)
class Package:
    """A model, ready to be searched."""

    networks: Networks
    features: Features
    vocabulary: Vocabulary


def folder_for(files: ModelFiles, cache_dir: Path, precision: str = FLOAT32) -> Path:
    """Where the export of exactly these files belongs: MODEL-STATE, so that those of another state can be told."""
    weights = files.asr_model_file.stat()
    state = f"{weights.st_size} {weights.st_mtime_ns} {VERSION} {precision} {_processor()}".encode()
    name = f"{_digest(str(files.asr_model_file).encode())}-{_digest(state + files.asr_train_config.read_bytes())}"
    return cache_dir.absolute() / "onnx" / name


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _processor() -> str:
    """What the packed weights depend on."""
    return f"{platform.machine()} {metadata.version('onnxruntime')} {instructions()}"


def instructions() -> str:
    """The kinds that the processor has, as Linux names them; nothing where it does not say."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def save(folder: Path, features: Features, vocabulary: Vocabulary) -> None:
    np.savez(folder / FEATURES, **{key: value for key, value in vars(features).items() if value is not None})
    (folder / VOCABULARY).write_text(json.dumps(asdict(vocabulary), ensure_ascii=False), encoding="utf-8")


def load(folder: Path, threads: int) -> Package:
    """Raises UnsupportedError when the export found that the model is of another kind; for broken files anything."""
    if (folder / REFUSAL).exists():
        raise UnsupportedError((folder / REFUSAL).read_text(encoding="utf-8"))
    values = dict(np.load(folder / FEATURES))
    arrays = {field.name: values[field.name] for field in fields(Features) if field.name in values}
    features = Features(**{name: value if value.ndim else value.item() for name, value in arrays.items()})
    threadpool_limits(1, "blas")  # numpy's own threads spin on after a product, on the cores that the networks want
    known = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
    vocabulary = Vocabulary(**{**known, "tokens": tuple(known["tokens"])})
    return Package(OnnxNetworks(folder, threads), features, vocabulary)
