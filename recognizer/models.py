"""A model reference -> the files of an ESPnet2 package, offline first.

References: `bundled:NAME`, a packed `.zip`, an unpacked directory with `meta.yaml`, an espnet_model_zoo name, a hub id.
A zip is unpacked once into the cache; what is cached loads without any network.
"""

import hashlib
import lzma
import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from audio import SAMPLE_RATE
from recognizer.base import ModelError

BUNDLED = Path(__file__).resolve().parent.parent / "models"
SAMPLE_RATES = (SAMPLE_RATE, str(SAMPLE_RATE), "16k")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # token lists are long: 0.2 s in Python
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True)
class ModelFiles:
    """Where the parts of a package lie, and how its makers decode with it."""

    name: str
    asr_train_config: Path
    asr_model_file: Path
    decoding: dict[str, Any] = field(default_factory=dict)  # search, ctc_weight, penalty, ngram_weight, ...
    lm_train_config: Path | None = None
    lm_file: Path | None = None
    ngram_file: Path | None = None  # of recognizer.decoding.ngram


class _DamagedError(ModelError):
    """The archive itself is broken; another copy may be whole."""


def resolve(reference: str, cache_dir: Path, bundled_dir: Path = BUNDLED) -> ModelFiles:
    """Raises ModelError with one sentence for the person who starts the server."""
    cache_dir = cache_dir.absolute()
    if reference.startswith("bundled:"):
        return _from_zip(reference, _bundled_path(reference, bundled_dir), cache_dir)
    path = Path(reference).expanduser()
    if path.is_dir():
        return _from_directory(reference, path.absolute(), cache_dir)
    if path.suffix == ".zip":
        return _from_zip(reference, path, cache_dir)
    if reference.startswith(("/", "./", "../", "~")) and not path.exists():
        raise ModelError(f"the model {path} does not exist")
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
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    folder = cache_dir / f"{path.stem}-{digest}"
    if not folder.exists():
        _unpack(path, folder)
    return _from_directory(reference, folder, cache_dir)


def _unpack(path: Path, folder: Path) -> None:
    """Beside its place first, then renamed: two servers that start together do not disturb each other."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent))
    except OSError as error:
        raise ModelError(f"the folder {folder.parent} for unpacked models cannot be written: {error}") from error
    try:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(draft)  # zipfile keeps every member inside the folder, and checks what it writes
        draft.chmod(0o755)  # mkdtemp's own mode locks out the user the service runs as
        _take_place(draft, folder)
    except (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise _DamagedError(f"the model {path.name} cannot be unpacked: {error}") from error
    except (OSError, NotImplementedError, RuntimeError) as error:  # disk full, unknown compression, encrypted
        raise ModelError(f"the model {path.name} cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _take_place(draft: Path, folder: Path) -> None:
    try:
        os.replace(draft, folder)
    except OSError:
        if not folder.is_dir():  # else another server was first, with the same content
            raise


def _from_directory(reference: str, folder: Path, cache_dir: Path) -> ModelFiles:
    places = [folder / "meta.yaml", *sorted(folder.glob("*/meta.yaml"))]  # old packages: one level down
    meta = _read_yaml(reference, next((place for place in places if place.exists()), places[0]))
    named = {**_mapping(meta.get("yaml_files")), **_mapping(meta.get("files"))}
    for key in ("asr_train_config", "asr_model_file"):
        if key not in named:
            raise ModelError(f"meta.yaml of the model {reference} names no {key}")
    config = _member(reference, folder, named["asr_train_config"])
    weights = _member(reference, folder, named["asr_model_file"])
    rate = _mapping(_read_yaml(reference, config).get("frontend_conf")).get("fs", SAMPLE_RATE)
    if rate not in SAMPLE_RATES:
        raise ModelError(f"the model {reference} hears {rate} Hz; this service needs {SAMPLE_RATE} Hz")
    config, lm_config, lm_file = _with_absolute_paths(reference, config, folder, cache_dir), None, None
    if "lm_train_config" in named and "lm_file" in named:
        lm_file = _member(reference, folder, named["lm_file"])
        lm_config = _member(reference, folder, named["lm_train_config"])
        lm_config = _with_absolute_paths(reference, lm_config, folder, cache_dir)
    decoding = _mapping(meta.get("decoding"))
    ngram_file = _member(reference, folder, decoding["ngram"]) if "ngram" in decoding else None
    return ModelFiles(reference, config, weights, decoding, lm_config, lm_file, ngram_file)


def _member(reference: str, folder: Path, name: object) -> Path:
    """A file that meta.yaml names. `pack` writes an absolute name for what lay outside its working directory."""
    path = Path(os.path.normpath(folder / str(name).lstrip("/")))
    if not path.is_relative_to(folder):
        raise ModelError(f"meta.yaml of the model {reference} names a file outside of the model: {name}")
    if not path.is_file():
        raise ModelError(f"the file {name} is missing in the model {reference}")
    return path


def _with_absolute_paths(reference: str, config: Path, folder: Path, cache_dir: Path) -> Path:
    """The config, or a copy in the cache where the names of members (statistics, BPE model) are paths.

    The package itself stays as it is: it may be read-only, and it may be moved.
    """
    values = _read_yaml(reference, config)
    members = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    changed = {key: _absolute(value, members, folder) for key, value in values.items() if key != "token_list"}
    changed = {**values, **changed}
    if changed == values:
        return config
    digest = hashlib.sha256(str(folder).encode() + config.read_bytes()).hexdigest()[:12]
    copy = cache_dir / f"config-{digest}.yaml"
    if not copy.exists():
        cache_dir.mkdir(parents=True, exist_ok=True)
        draft = copy.with_suffix(f".{os.getpid()}")
        draft.write_text(yaml.dump(changed, Dumper=DUMPER, allow_unicode=True), encoding="utf-8")
        os.replace(draft, copy)
    return copy


def _absolute(value: object, members: set[str], folder: Path) -> object:
    if isinstance(value, dict):
        return {key: _absolute(part, members, folder) for key, part in value.items()}
    if isinstance(value, list):
        return [_absolute(part, members, folder) for part in value]
    if isinstance(value, str) and (name := os.path.normpath(value).lstrip("/")) in members:
        return str(folder / name)
    return value


def _from_zoo(reference: str, cache_dir: Path) -> ModelFiles:
    record = cache_dir / "zoo" / f"{hashlib.sha256(reference.encode()).hexdigest()[:12]}.path"  # where it went
    place = Path(record.read_text(encoding="utf-8")) if record.is_file() else None
    if place is None or not place.exists():
        place = _download(reference, cache_dir / "zoo")
        record.write_text(str(place), encoding="utf-8")
    if place.is_dir():
        return _from_directory(reference, place, cache_dir)
    try:
        return _from_zip(reference, place, cache_dir)
    except _DamagedError as error:
        place.unlink()
        raise ModelError(f"{error}; it was deleted, start again to download it once more") from error


def _download(reference: str, folder: Path) -> Path:
    """espnet_model_zoo's own downloader, with its progress bar: a zip of the zoo, or a snapshot of a hub id."""
    try:
        from espnet_model_zoo.downloader import ModelDownloader

        zoo = ModelDownloader(str(folder))
        on_hub = "huggingface.co" in zoo.get_url(reference)
        return Path(zoo.huggingface_download(reference) if on_hub else zoo.download(reference))
    except Exception as error:  # requests, huggingface_hub and pandas each raise their own
        message = f"the model {reference} is not in {folder.parent} and cannot be downloaded ({type(error).__name__})"
        raise ModelError(message + "; is there a network, and does the name exist?") from error


def _read_yaml(reference: str, path: Path) -> dict[str, Any]:
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except FileNotFoundError:
        raise ModelError(f"the file {path.name} is missing in the model {reference}") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ModelError(f"the file {path.name} of the model {reference} cannot be read") from error
    return _mapping(values)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
