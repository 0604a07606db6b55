"""conf.py and the environment (SPEECH_*) -> one frozen Settings, checked once, by name and range."""

import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import conf_sample
from access import valid_origin
from vad.segmenter import LIMITS


class SettingsError(Exception):
    """A setting is wrong. Names the setting, its value and what is allowed."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured; conf_sample.py explains each one."""

    title: str = conf_sample.TITLE
    version: str = conf_sample.VERSION
    log_level: str = conf_sample.LOG_LEVEL
    host: str = conf_sample.HOST
    port: int = conf_sample.PORT
    max_streams: int = conf_sample.MAX_STREAMS
    allowed_origins: str = conf_sample.ALLOWED_ORIGINS
    access_token: str = conf_sample.ACCESS_TOKEN
    channels: int = conf_sample.CHANNELS
    sample_rate_hz: int = conf_sample.SAMPLE_RATE_HZ
    sample_bits: int = conf_sample.SAMPLE_BITS
    models: Mapping[str, str] = None  # type: ignore[assignment]  # filled below: a mapping is no default
    default_lang: str = conf_sample.DEFAULT_LANG
    cache_dir: str = conf_sample.CACHE_DIR
    device: str = conf_sample.DEVICE
    workers: int = conf_sample.WORKERS
    worker_threads: int = conf_sample.WORKER_THREADS
    decoding: str = conf_sample.DECODING
    precision: str = conf_sample.PRECISION
    lm_weight: float = conf_sample.LM_WEIGHT
    beam_size: int = conf_sample.BEAM_SIZE
    decode_timeout_s: float = conf_sample.DECODE_TIMEOUT_S
    max_waiting: int = conf_sample.MAX_WAITING
    vad_threshold: float = conf_sample.VAD_THRESHOLD
    min_speech_ms: int = conf_sample.MIN_SPEECH_MS
    min_silence_ms: int = conf_sample.MIN_SILENCE_MS
    padding_ms: int = conf_sample.PADDING_MS
    max_utterance_ms: int = conf_sample.MAX_UTTERANCE_MS
    draft_interval_ms: int = conf_sample.DRAFT_INTERVAL_MS
    streams_open: bool = conf_sample.STREAMS_OPEN
    stream_history_s: float = conf_sample.STREAM_HISTORY_S
    stream_history_mb: float = conf_sample.STREAM_HISTORY_MB
    stream_grace_s: float = conf_sample.STREAM_GRACE_S
    stream_speed: float = conf_sample.STREAM_SPEED
    max_shared_streams: int = conf_sample.MAX_SHARED_STREAMS
    max_subscribers: int = conf_sample.MAX_SUBSCRIBERS
    max_listeners: int = conf_sample.MAX_LISTENERS
    save_audio: bool = conf_sample.SAVE_AUDIO
    save_dir: str = conf_sample.SAVE_DIR
    save_max_days: float = conf_sample.SAVE_MAX_DAYS
    save_max_mb: float = conf_sample.SAVE_MAX_MB

    def __post_init__(self) -> None:
        if self.models is None:
            object.__setattr__(self, "models", dict(conf_sample.MODELS))
        for field in fields(self):
            _require_type(field.name, getattr(self, field.name), _KINDS[field.name])
        for name, (low, high) in RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise SettingsError(_wrong(name, getattr(self, name), f"a number from {low:g} to {high:g}"))
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise SettingsError(_wrong(name, getattr(self, name), "one of " + ", ".join(map(repr, allowed))))
        if not all(map(valid_origin, self.allowed_origins.split())):
            wanted = "origins such as https://example.org, with spaces between them, or *"
            raise SettingsError(_wrong("allowed_origins", self.allowed_origins, wanted))
        if not self.models or not all(isinstance(v, str) and v for v in self.models.values()):
            raise SettingsError(_wrong("models", self.models, "a mapping of language to model reference"))
        if self.default_lang not in self.models:
            raise SettingsError(_wrong("default_lang", self.default_lang, f"one of {', '.join(self.models)}"))


_KINDS: dict[str, type] = {
    field.name: dict if field.name == "models" else type(field.default) for field in fields(Settings)
}
RANGES: dict[str, tuple[float, float]] = {
    "port": (1, 65535),
    "max_streams": (1, 100_000),
    "channels": (1, 1),
    "sample_rate_hz": (8_000, 192_000),
    "workers": (0, 256),
    "worker_threads": (1, 64),
    "beam_size": (1, 100),
    "lm_weight": (0, 5),
    "decode_timeout_s": (1, 600),
    "max_waiting": (1, 100_000),
    "vad_threshold": LIMITS["threshold"],
    **{name: limits for name, limits in LIMITS.items() if name != "threshold"},
    "stream_history_s": (0, 3600),
    "stream_history_mb": (1, 100_000),
    "stream_grace_s": (0, 86_400),
    "stream_speed": (1, 1000),
    "max_shared_streams": (0, 100_000),
    "max_subscribers": (1, 100_000),
    "max_listeners": (1, 1_000_000),
    "save_max_days": (0.01, 36_500),
    "save_max_mb": (1, 10_000_000),
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "sample_bits": (16, 32),
    "device": ("auto", "cpu", "cuda"),
    "decoding": ("auto", "two_pass", "exact", "ctc", "stock"),
    "precision": ("auto", "float32", "int8"),
}


def _wrong(name: str, value: object, allowed: str) -> str:
    return f"{name.upper()} is {value!r}; it must be {allowed}"


def _require_type(name: str, value: object, kind: type) -> None:
    number = kind is float and isinstance(value, int) and not isinstance(value, bool)
    exact = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not (number or exact):
        raise SettingsError(_wrong(name, value, f"of type {kind.__name__}"))


def _from_text(name: str, text: str) -> Any:
    """An environment variable is JSON where its setting is no string: 8000, true, {"en": "..."}."""
    if _KINDS[name] is str:
        return text
    try:
        return json.loads(text.lower() if _KINDS[name] is bool else text)
    except ValueError:
        raise SettingsError(_wrong(name, text, f"of type {_KINDS[name].__name__}")) from None


def _conf_values(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    spec = importlib.util.spec_from_file_location("conf", path)
    if spec is None or spec.loader is None:
        raise SettingsError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # conf.py is the user's own program: whatever it raises stops the start
        raise SettingsError(f"{path.name} cannot be read: {error}") from error
    return {name.lower(): value for name, value in vars(module).items() if name.isupper()}


def load_settings(conf: Path = Path("conf.py"), environment: Mapping[str, str] = os.environ) -> Settings:
    values = _conf_values(conf)
    for key, text in environment.items():
        if key.startswith("SPEECH_") and key != "SPEECH_FIXTURES":
            name = key.removeprefix("SPEECH_").lower()
            values[name] = _from_text(name, text) if name in _KINDS else text
    if unknown := sorted(values.keys() - _KINDS.keys()):
        raise SettingsError(f"unknown setting {unknown[0].upper()}; conf_sample.py lists them all")
    return Settings(**values)
