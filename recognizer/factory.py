"""Settings -> one running backend for each model; languages that name the same model share it."""

import os
from functools import partial
from pathlib import Path

from recognizer.base import Backend
from recognizer.loading import EngineOptions, load_engine
from recognizer.models import resolve
from recognizer.worker import LocalBackend
from settings import Settings


def build_backends(settings: Settings) -> dict[str, Backend]:
    """Language -> backend, not started yet. Raises ModelError."""
    workers = settings.workers or len(os.sched_getaffinity(0))
    cache_dir = Path(settings.cache_dir)
    options = EngineOptions(
        settings.device,
        settings.decoding,
        settings.beam_size,
        settings.precision,
        settings.lm_weight,
        settings.worker_threads,
        cache_dir,
    )
    backends: dict[str, Backend] = {}
    for reference in dict.fromkeys(settings.models.values()):
        make_engine = partial(load_engine, resolve(reference, cache_dir), options)
        backends[reference] = LocalBackend(
            make_engine, workers=workers, max_waiting=settings.max_waiting, timeout_s=settings.decode_timeout_s
        )
    return {lang: backends[reference] for lang, reference in settings.models.items()}
