"""What tests of the clients share: a real server, recordings, and a proxy that is the network."""

import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.audiosockets.proxy import Proxy
from tests.live_server import LiveServer, live_server

RATE = 16_000
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(stream_speed=100.0, stream_history_s=60.0) as running:
        yield running


@pytest.fixture
def url(server: LiveServer) -> str:
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def proxy(server: LiveServer) -> Iterator[Proxy]:
    with Proxy(server.port) as running:
        yield running


@pytest.fixture
def stream(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses."""
    name: str = request.node.name
    return name.replace("[", "-").replace("]", "").replace("test_", "")[:64]


@pytest.fixture
def noise() -> bytes:
    """Four seconds of which no two blocks are alike."""
    return noise_of(4.0)


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., Path]:
    def write(pcm: bytes, channels: int = 1, rate: int = RATE) -> Path:
        path = tmp_path / "recorded.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((channels, 2, rate, 0, "NONE", ""))
            file.writeframes(pcm)
        return path

    return write


def noise_of(seconds: float, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).normal(0, 3000, round(seconds * RATE)).astype("<i2").tobytes()
