"""The real service as a process of its own, with the bundled model; ends with the block."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "en-small.zip"
PATIENCE_S = 120.0  # a slow machine loads the model in less


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def served(command: list[str], port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `command` until /readyz on `port` says yes; ends it with SIGTERM."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
    try:
        wait_until_ready(process, port)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        time.sleep(0.1)
    raise AssertionError(f"the service is not ready (exit code {process.poll()})")


@contextlib.contextmanager
def served_page() -> Iterator[int]:
    """`make run` without the installation; yields its port."""
    if not MODEL.exists():
        pytest.skip(f"{MODEL.name} is not in models/")
    port = free_port()
    program = [sys.executable, "-c", "import speech_api; speech_api.main()"]
    with served(program, port, SPEECH_PORT=str(port)):
        yield port
