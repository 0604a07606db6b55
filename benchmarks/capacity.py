"""500 silent clients and 8 speaking ones on one process: is every sample accounted for, and how late is the loop?"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

import numpy as np

from audio import SAMPLE_RATE
from benchmarks.latency import speeches
from benchmarks.service import running_service, speak

SILENT, SPEAKING, SECONDS = 500, 8, 30


async def measure(url: str) -> tuple[int, int]:
    """Returns how many clients lost something, and how many finals the speaking ones got."""
    hush = np.random.default_rng(0).normal(0, 1e-4, SECONDS * SAMPLE_RATE).astype(np.float32)
    silent = [speak(url, hush, delay_s=n * 0.01) for n in range(SILENT)]
    speaking = [speak(url, audio, delay_s=5 + n * 0.37) for n, audio in enumerate(speeches(SPEAKING))]
    heard = await asyncio.gather(*silent, *speaking)
    lost = sum(abs(one.received_ms - one.sent_ms) > 1 for one in heard)
    finals = sum(m["type"] == "result" and m["final"] for one in heard for _, m in one.messages)
    return lost, finals


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lags_file = Path(folder) / "lags.json"
        with running_service(lags_file, SPEECH_MAX_STREAMS=str(SILENT + SPEAKING)) as url:
            lost, finals = asyncio.run(measure(url))
        lags = np.array(json.loads(lags_file.read_text())) * 1000
    print("| silent | speaking | clients that lost a sample | finals | event-loop lag, ms (p50 / p99 / max) |")
    print("|---|---|---|---|---|")
    p50, p99 = np.percentile(lags, (50, 99))
    print(f"| {SILENT} | {SPEAKING} | {lost} | {finals} | {p50:.1f} / {p99:.1f} / {lags.max():.1f} |")


if __name__ == "__main__":
    main()
