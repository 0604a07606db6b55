"""How long a worker takes until it is ready, and what it costs in memory: ESPnet's own engine and the fast one.

A model of LaboroTV's size (90 M parameters) with random weights. The first start exports the model; the second is what
every later one is like. Then two workers at once: what they share counts half.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from recognizer.loading import EngineOptions, load_engine
from recognizer.models import ModelFiles

ROUNDS = 3


def worker(folder: str, decoding: str) -> None:
    """One worker process: says when it is ready, then its proportional set size in MB."""
    place = Path(folder)
    files = ModelFiles("random", place / "config.yaml", place / "model.pth")
    load_engine(files, EngineOptions("cpu", decoding, 5, "auto", 0.0, 1, place)).warm_up()
    print("ready", flush=True)
    sys.stdin.readline()
    rollup = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    sizes = {line.split()[0]: int(line.split()[1]) / 1000 for line in rollup[1:]}
    print(f"{sizes['Rss:']:.0f} {sizes['Pss:']:.0f}", flush=True)


def start(folder: str, decoding: str, count: int) -> tuple[float, list[tuple[float, float]]]:
    """Seconds until all are ready; resident and proportional set size of each, MB."""
    program = f"from benchmarks.startup import worker; worker({folder!r}, {decoding!r})"
    began = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-c", program]
    pipe = subprocess.PIPE
    workers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) for _ in range(count)]
    for one in workers:
        assert one.stdout is not None
        if one.stdout.readline() != b"ready\n":
            raise SystemExit(f"a worker with {decoding} did not start")
    took = time.perf_counter() - began
    sizes = []
    for one in workers:
        assert one.stdin is not None and one.stdout is not None
        one.stdin.write(b"\n")
        one.stdin.flush()
        resident, proportional = one.stdout.readline().split()
        sizes.append((float(resident), float(proportional)))
    for one in workers:
        one.communicate()
    return took, sizes


def main() -> None:
    from benchmarks.decoding import CLIP, make_model  # not above: a worker imports this module, but none of theirs
    from training.data import read_audio

    argparse.ArgumentParser(description=__doc__).parse_args()
    print("| engine | workers | start, s (each of the rounds) | resident, MB | proportional, MB a worker |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        make_model(False, Path(folder), read_audio(CLIP))
        print(f"| two_pass, first start with export | 1 | {start(folder, 'two_pass', 1)[0]:.1f} | | |", flush=True)
        for decoding in ("stock", "two_pass"):
            for count in (1, 2):
                rounds = [start(folder, decoding, count) for _ in range(ROUNDS)]
                times = " ".join(f"{took:.1f}" for took, _ in rounds)
                resident, proportional = rounds[-1][1][0]
                print(f"| {decoding} | {count} | {times} | {resident:.0f} | {proportional:.0f} |", flush=True)


if __name__ == "__main__":
    main()
