"""The real service in a process of its own, with a recogniser whose text is exact.

`python -m tests.e2e.resume.service PORT` runs it. It speaks symbolic audio: a steady level is a word, so each word
says by itself whether all of it arrived.
"""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from audio import SAMPLE_RATE, Samples
from benchmarks.service import free_port, wait_until_ready
from recognizer.base import Hypothesis, Request, Transcript, Word

ROOT = Path(__file__).resolve().parents[3]
FLOOR, STEP = 0.05, 0.04  # the level of word 0, and between two words
SHORTEST = SAMPLE_RATE // 10  # samples; shorter levels are edges
DECODE_S = 0.1  # a recogniser takes its time: there is something to be killed


def said(numbers: Sequence[int], seconds: float = 0.25) -> Samples:
    """The audio of these words."""
    return np.concatenate([np.full(int(seconds * SAMPLE_RATE), FLOOR + STEP * n, np.float32) for n in numbers])


def heard(audio: Samples) -> list[Word]:
    """A word that a stumbling browser interrupts is one word all the same."""
    numbers = np.rint((audio - FLOOR) / STEP).astype(int)
    numbers[np.abs(audio - (FLOOR + STEP * numbers)) > STEP / 4] = -1
    words: list[Word] = []
    at = 0
    for number, run in itertools.groupby(numbers):
        length, text = len(list(run)), f"w{number}"
        if words and words[-1].text == text:
            words[-1] = replace(words[-1], end=at + length)
        elif number >= 0 and length >= SHORTEST:
            words.append(Word(text, at, at + length, 0.9))
        at += length
    return words


class SymbolicEngine:
    device = "cpu"
    search = "levels"
    eager = True
    together = drafts_together = 1

    def warm_up(self) -> None:
        pass

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        time.sleep(DECODE_S)
        return [self._one(heard(request.audio)) for request in batch]

    def _one(self, words: list[Word]) -> Transcript:
        text = " ".join(word.text for word in words)
        return Transcript((Hypothesis(text, 0.9, tuple(words)),) if text else ())


class Service:
    """A server process from outside: start it, kill it, kill its worker, start it again."""

    def __init__(self, *command: str, **environment: str) -> None:
        """`environment` must make it listen on `self.port`."""
        self.port = free_port()
        self._command = [*(command or (sys.executable, "-m", "tests.e2e.resume.service")), str(self.port)]
        self._environment = {**os.environ, **environment, "SPEECH_PORT": str(self.port)}
        self.start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, cwd=ROOT, env=self._environment)

    def wait(self) -> None:
        wait_until_ready(self.process, self.port)

    def crash(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def restart(self) -> None:
        """As an administrator does: with SIGTERM."""
        self.stop()
        self.start()

    def kill_worker(self) -> None:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        workers = [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
        assert workers
        for worker in workers:
            os.kill(int(worker), signal.SIGKILL)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def main(port: int) -> None:
    import uvicorn

    from recognizer.worker import LocalBackend
    from settings import Settings
    from speech_api import UVICORN, create_app
    from tests.fake_engine import FakeVad

    backend = LocalBackend(SymbolicEngine, workers=1, max_waiting=8, timeout_s=20)
    app = create_app(Settings(allowed_origins="*"), {"en": backend}, FakeVad())  # the page is not of this port

    uvicorn.run(app, port=port, **UVICORN)


if __name__ == "__main__":
    main(int(sys.argv[1]))
