"""The real service with the bundled model, as a process of its own."""

import contextlib
from collections.abc import Iterator

import pytest

from benchmarks.service import ROOT, free_port, running_service, served

__all__ = ["MODEL", "ROOT", "free_port", "served", "served_page"]
MODEL = ROOT / "models" / "en-small.zip"


@contextlib.contextmanager
def served_page() -> Iterator[str]:
    """`make run` without the installation; yields the URL of the page."""
    if not MODEL.exists():
        pytest.skip(f"{MODEL.name} is not in models/")
    with running_service() as url:
        yield url.replace("ws://", "http://").removesuffix("ws")
