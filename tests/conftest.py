"""What tests of every kind share."""

import os
import socket
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def speech_fixtures() -> Path:
    """The folder of recorded human speech; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("SPEECH_FIXTURES", ROOT.parent / "shared" / "speech"))
    if not (folder / "manifest.jsonl").exists():
        pytest.skip(f"no recorded speech in {folder} (set SPEECH_FIXTURES)")
    return folder


hypothesis.settings.register_profile("speech", deadline=None)  # timing never decides a test
hypothesis.settings.load_profile("speech")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt to reach another machine fails at once."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("the network is not to be used")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
