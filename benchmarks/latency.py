"""First interim after speech begins, and final after it ends, with N clients that speak in real time, until it is late.

Speech begins and ends where the voice detector says so (padding taken off); the final includes the pause of 500 ms.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import conf_sample
from audio import SAMPLE_RATE, Samples
from benchmarks.service import Heard, running_service, speak
from training.data import Clip, recordings
from training.recipe import load_recipe

CLIENTS = (1, 4, 8, 16, 24, 32, 40, 48, 64, 96, 128)
PLOT = Path("benchmarks/latency.svg")
TOO_LATE_S = 1.5  # 95th percentile of speech end to final; no more clients are tried
UTTERANCES = 8  # each client says so many, one after the other


def held_out_clips() -> list[Clip]:
    """AN4 speakers that trained nothing."""
    held_out = set(load_recipe("en-small").data["held_out_speakers"])
    return [clip for clip in recordings(["an4"]) if clip.speaker in held_out]


def speeches(count: int) -> list[Samples]:
    """A different order for each client."""
    clips = held_out_clips()
    rng = np.random.default_rng(0)
    gap = np.zeros(SAMPLE_RATE, np.float32)
    chosen = [[clips[i].audio for i in rng.permutation(len(clips))[:UTTERANCES]] for _ in range(count)]
    return [np.concatenate([gap, *(part for audio in parts for part in (audio, gap))]) for parts in chosen]


def delays(heard: Heard) -> tuple[list[float], list[float]]:
    """Milliseconds from speech start to the first interim, and from speech end to the final, a segment each."""
    interims: dict[int, float] = {}
    finals: dict[int, float] = {}
    for at, message in heard.messages:
        if message["type"] != "result" or not message["alternatives"]:
            continue
        if message["final"]:
            finals[message["segment"]] = at - (message["end_ms"] - conf_sample.PADDING_MS)
        else:
            interims.setdefault(message["segment"], at - (message["start_ms"] + conf_sample.PADDING_MS))
    return list(interims.values()), list(finals.values())


Delays = Sequence[float]  # ms


def spread(delays_ms: Delays) -> str:
    return " / ".join(f"{np.percentile(delays_ms, q) / 1000:.2f}" for q in (50, 95)) if delays_ms else "-"


async def measure(url: str, clients: int) -> tuple[list[float], list[float], int]:
    """Delays of all first interims and of all finals, ms, and how many utterances failed."""
    jobs = [speak(url, audio, delay_s=0.37 * n) for n, audio in enumerate(speeches(clients))]
    heard = await asyncio.gather(*jobs)
    pairs = [delays(one) for one in heard]
    interims = [delay for interim, _ in pairs for delay in interim]
    finals = [delay for _, final in pairs for delay in final]
    return interims, finals, sum(m["type"] == "failure" for h in heard for _, m in h.messages)


Row = tuple[int, Delays, Delays]  # clients, first interims, finals


def draw(rows: Sequence[Row], path: Path) -> None:
    """The curve over the number of clients: medians as lines, 95th percentiles as dots."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    clients = [row[0] for row in rows]
    for column, name, colour in ((1, "first interim after speech start", "C0"), (2, "final after speech end", "C1")):
        delays_ms = [row[column] for row in rows]
        axes.plot(clients, [np.percentile(each, 50) / 1000 for each in delays_ms], colour, label=f"{name} (median)")
        axes.plot(
            clients, [np.percentile(each, 95) / 1000 for each in delays_ms], colour + "o:", label="95th percentile"
        )
    axes.set(xlabel="clients that speak at the same time", ylabel="seconds", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print("| clients | finals | first interim after speech start, s (p50 / p95) | final after speech end | failures |")
    print("|---|---|---|---|---|")
    rows = list[Row]()
    with running_service() as url:
        for clients in CLIENTS:
            interims, finals, failures = asyncio.run(measure(url, clients))
            print(f"| {clients} | {len(finals)} | {spread(interims)} | {spread(finals)} | {failures} |", flush=True)
            rows.append((clients, interims, finals))
            if np.percentile(finals, 95) / 1000 > TOO_LATE_S:
                break
    draw(rows, PLOT)


if __name__ == "__main__":
    main()
