"""A model reference -> the files of an ESPnet2 package, offline first.

References: `bundled:NAME`, a packed `.zip`, an unpacked directory with `meta.yaml`, an espnet_model_zoo name, a hub id.
A zip is unpacked once into the cache; what is cached loads without any network.
"""

import hashlib
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from audio import SAMPLE_RATE
from recognizer.base import ModelError

BUNDLED = Path(__file__).resolve().parent.parent / "models"
SAMPLE_RATES = (SAMPLE_RATE, str(SAMPLE_RATE), "16k")


@dataclass(frozen=True)
class ModelFiles:
    """Where the parts of a package lie, and how its makers decode with it."""

    name: str
    asr_train_config: Path
    asr_model_file: Path
    decoding: dict[str, Any] = field(default_factory=dict)  # beam_size, ctc_weight


def resolve(reference: str, cache_dir: Path, bundled_dir: Path = BUNDLED) -> ModelFiles:
    """Raises ModelError with one sentence for the person who starts the server."""
    if reference.startswith("bundled:"):
        return _from_zip(reference, _bundled_path(reference, bundled_dir), cache_dir)
    path = Path(reference).expanduser()
    if path.is_dir():
        return _from_directory(reference, path)
    if path.suffix == ".zip":
        return _from_zip(reference, path, cache_dir)
    if "/" not in reference or path.exists():
        raise ModelError(f"{reference!r} is no bundled:NAME, .zip, directory with meta.yaml, zoo name or hub id")
    return _from_zoo(reference, cache_dir)


def _bundled_path(reference: str, folder: Path) -> Path:
    path = folder / f"{reference.removeprefix('bundled:')}.zip"
    if not path.is_file() or path.parent != folder:
        known = ", ".join(sorted(f"bundled:{p.stem}" for p in folder.glob("*.zip"))) or "none"
        raise ModelError(f"no bundled model is named {reference!r}; there is {known}")
    return path


def _from_zip(reference: str, path: Path, cache_dir: Path) -> ModelFiles:
    if not path.is_file():
        raise ModelError(f"the model file {path} does not exist")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    folder = cache_dir / f"{path.stem}-{digest}"
    if not folder.exists():
        _unpack(path, folder)
    return _from_directory(reference, folder)


def _unpack(path: Path, folder: Path) -> None:
    """Beside its place first, then renamed: two servers that start together do not disturb each other."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        with zipfile.ZipFile(path) as archive:
            if bad := archive.testzip():
                raise ModelError(f"the model {path.name} is damaged: the checksum of {bad} is wrong")
            archive.extractall(draft)  # zipfile keeps every member inside the folder
        if not folder.exists():
            os.replace(draft, folder)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
        raise ModelError(f"the model {path.name} cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _from_directory(reference: str, folder: Path) -> ModelFiles:
    meta = _read_yaml(reference, folder / "meta.yaml")
    named = {**_mapping(meta.get("yaml_files")), **_mapping(meta.get("files"))}
    return _checked(reference, named, folder, _mapping(meta.get("decoding")))


def _checked(reference: str, named: dict[str, Any], folder: Path, decoding: dict[str, Any]) -> ModelFiles:
    paths = []
    for key in ("asr_train_config", "asr_model_file"):
        if key not in named:
            raise ModelError(f"meta.yaml of the model {reference} names no {key}")
        path = folder / str(named[key])
        if not path.is_file():
            raise ModelError(f"the file {named[key]} is missing in the model {reference}")
        paths.append(path)
    config = _read_yaml(reference, paths[0])
    rate = _mapping(config.get("frontend_conf")).get("fs", SAMPLE_RATE)
    if rate not in SAMPLE_RATES:
        raise ModelError(f"the model {reference} hears {rate} Hz; this service needs {SAMPLE_RATE} Hz")
    return ModelFiles(reference, paths[0], paths[1], decoding)


def _from_zoo(reference: str, cache_dir: Path) -> ModelFiles:
    """espnet_model_zoo's own downloader: progress bar, checksum where the server gives one, cached afterwards."""
    from espnet_model_zoo.downloader import ModelDownloader

    try:
        files = ModelDownloader(str(cache_dir / "zoo")).download_and_unpack(reference)
    except Exception as error:  # requests, huggingface_hub and zipfile each raise their own
        message = f"the model {reference} is not in {cache_dir} and cannot be downloaded ({type(error).__name__})"
        raise ModelError(message + "; is there a network, and does the name exist?") from error
    return _checked(reference, dict(files), Path("/"), {})


def _read_yaml(reference: str, path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"the file {path.name} is missing in the model {reference}") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ModelError(f"the file {path.name} of the model {reference} cannot be read") from error
    return _mapping(values)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
