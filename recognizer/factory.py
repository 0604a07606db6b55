"""Settings -> one running backend for each model; languages that name the same model share it."""

import os
from functools import partial
from pathlib import Path

from recognizer.base import Backend
from recognizer.espnet import load_engine
from recognizer.models import resolve
from recognizer.worker import LocalBackend
from settings import Settings

CORES_PER_WORKER = 2  # one worker alone may use both; more users are served by more workers


def build_backends(settings: Settings) -> dict[str, Backend]:
    """Language -> backend, not started yet. Raises ModelError."""
    cores = os.cpu_count() or 1
    workers = settings.workers or max(1, cores // CORES_PER_WORKER)
    threads = max(1, cores // workers)
    backends: dict[str, Backend] = {}
    for reference in dict.fromkeys(settings.models.values()):
        files = resolve(reference, Path(settings.cache_dir))
        make_engine = partial(load_engine, files, settings.device, settings.beam_size, threads)
        backends[reference] = LocalBackend(
            make_engine, workers=workers, max_waiting=settings.max_waiting, timeout_s=settings.decode_timeout_s
        )
    return {lang: backends[reference] for lang, reference in settings.models.items()}
