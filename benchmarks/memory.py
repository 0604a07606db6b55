"""Resident memory of one worker over thousands of utterances, each decoded as drafts and as a final."""

import argparse
import resource
from pathlib import Path

import numpy as np

from audio import SAMPLE_RATE
from benchmarks.latency import held_out_clips
from recognizer.base import Options, Request
from recognizer.loading import EngineOptions, load_engine
from recognizer.models import resolve

UTTERANCES = 2_000
EVERY = 250  # utterances, one row


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    cache = Path("cache")
    options = EngineOptions("cpu", "auto", 5, "auto", 0.0, 1, cache)
    engine = load_engine(resolve("bundled:en-small", cache), options)
    engine.warm_up()
    clips = held_out_clips()
    rng = np.random.default_rng(0)
    asked = Options("en", max_alternatives=5, words=True)
    print("| utterances | resident, MB |\n|---|---|")
    for number in range(UTTERANCES + 1):
        if number % EVERY == 0:
            print(f"| {number} | {resident_mb():.0f} |", flush=True)
        audio = clips[rng.integers(len(clips))].audio
        for length in (SAMPLE_RATE, 2 * SAMPLE_RATE, len(audio)):
            engine.transcribe([Request(audio[:length], length == len(audio), asked)])
        options_now = Options("en", phrases=((f"phrase {number % 100}", 2.0),))
        engine.transcribe([Request(audio, True, options_now)])


if __name__ == "__main__":
    main()
