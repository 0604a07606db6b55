"""The real service in a process of its own, with a recogniser whose text is exact.

`python -m tests.e2e.resume.service PORT` runs it. It speaks symbolic audio: a steady level is a word, so each word
says by itself whether all of it arrived.
"""

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audio import SAMPLE_RATE, Samples
from recognizer.base import Hypothesis, Request, Transcript, Word

ROOT = Path(__file__).resolve().parents[3]
FLOOR, STEP = 0.05, 0.04  # the level of word 0, and between two words
SHORTEST = SAMPLE_RATE // 10  # samples; shorter levels are edges
DECODE_S = 0.1  # a recogniser takes its time: there is something to be killed


def said(numbers: Sequence[int], seconds: float = 0.25) -> Samples:
    """The audio of these words."""
    return np.concatenate([np.full(int(seconds * SAMPLE_RATE), FLOOR + STEP * n, np.float32) for n in numbers])


def heard(audio: Samples) -> list[Word]:
    numbers = np.rint((audio - FLOOR) / STEP).astype(int)
    numbers[np.abs(audio - (FLOOR + STEP * numbers)) > STEP / 4] = -1
    words, at = [], 0
    for number, run in itertools.groupby(numbers):
        length = len(list(run))
        if number >= 0 and length >= SHORTEST:
            words.append(Word(f"w{number}", at, at + length, 0.9))
        at += length
    return words


class SymbolicEngine:
    device = "cpu"
    search = "levels"
    eager = True

    def warm_up(self) -> None:
        pass

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        time.sleep(DECODE_S)
        return [self._one(heard(request.audio)) for request in batch]

    def _one(self, words: list[Word]) -> Transcript:
        text = " ".join(word.text for word in words)
        return Transcript((Hypothesis(text, 0.9, tuple(words)),) if text else ())


class Service:
    """The process from outside: start it, kill it, kill its worker, start it again."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.e2e.resume.service", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def wait(self) -> None:
        """Until it serves."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def restart(self) -> None:
        self.process.kill()
        self._end()
        self.start()

    def kill_worker(self) -> None:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        workers = [child for child in children if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]
        for worker in workers:
            subprocess.run(["kill", "-KILL", worker], check=True)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self._end()

    def _end(self) -> None:
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()


def main(port: int) -> None:
    import uvicorn

    from recognizer.worker import LocalBackend
    from settings import Settings
    from speech_api import UVICORN, create_app
    from tests.fake_engine import FakeVad

    backend = LocalBackend(SymbolicEngine, workers=1, max_waiting=8, timeout_s=20)
    app = create_app(Settings(allowed_origins="*"), {"en": backend}, FakeVad())  # the page is not of this port

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            print("ready", flush=True)

    Server(uvicorn.Config(app, port=port, **UVICORN)).run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
