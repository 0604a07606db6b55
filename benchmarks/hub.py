"""Live streams: what a recorder loses and how old audio is when it was processed, over the number of processors.

`python -m benchmarks.hub [fanout|faults|soak]`; without an argument all three. Every processor waits `WORK_S` for each
block. The same measure of two other ways to process live audio: in the loop that fetches it from the sound card, and
behind a threaded socket server that writes to one processor after the other (benchmarks/threaded_server.py).
"""

import contextlib
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiosockets import Format
from benchmarks import hub_clients as clients
from benchmarks.hub_clients import Heard, Recorded, SoundCard
from benchmarks.latency import speeches
from benchmarks.service import ROOT, free_port, served

PROCESSORS = (1, 2, 4, 8, 16, 32, 64)
WORK_S = 0.005  # of each processor for each block
BLOCK_MS = 40
SECONDS = 15.0  # of a row
HOSTS = 8  # processes that the processors share
PLOT = Path("benchmarks/hub.svg")
SOAK_SECONDS, SOAK_STREAMS, SOAK_SUBSCRIBERS = 600.0, 32, 4
SOAK_FORMAT = Format(48_000, 2)
HEALTHY = 12  # processors beside those that misbehave
SETTLE_S, SETTLE_EACH_S = 4.0, 0.06  # until the audio begins: so long processors may take to connect


@dataclass
class Row:
    """Ages in seconds: from a block's last sample to the moment when a processor was done with it."""

    way: str
    processors: int
    lost_at_recorder: float  # share of the blocks
    lost_at_processors: float
    ages: Sequence[float]
    cpu: float  # of the process in the middle, share of a core

    def __str__(self) -> str:
        p50, p95, p99 = np.percentile(self.ages, (50, 95, 99)) * 1000 if len(self.ages) else [float("nan")] * 3
        return (
            f"| {self.processors} | {self.way} | {self.lost_at_recorder:.1%} | {self.lost_at_processors:.1%} "
            f"| {p50:.1f} / {p95:.1f} / {p99:.1f} | {self.cpu:.0%} |"
        )


HEAD = (
    "| processors | way | blocks lost at the recorder | at a processor "
    "| age when processed, ms (p50 / p95 / p99) | CPU |\n"
    "|---|---|---|---|---|---|"
)


def row(way: str, recorded: Recorded, heard: list[Heard], rate: int, cpu: float) -> Row:
    expected = recorded.frames * len(heard)
    got = sum(each.frames for each in heard)
    ages = ages_of(recorded.began, heard, rate)
    return Row(way, len(heard), recorded.lost / recorded.blocks, 1 - got / expected, ages, cpu)


def ages_of(began: float, heard: list[Heard], rate: int) -> list[float]:
    """Of the live blocks; what a late processor gets from the history is old."""
    return [
        at - (began + end / rate)
        for each in heard
        for end, at in zip(each.ends, each.done, strict=True)
        if end > each.joined
    ]


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def shares(count: int) -> list[range]:
    """Numbers of the processors of each host."""
    hosts = min(HOSTS, count)
    return [range(host, count, hosts) for host in range(hosts)]


@contextlib.contextmanager
def pool(size: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that have imported what they need before anything is measured."""
    with ProcessPoolExecutor(size, multiprocessing.get_context("spawn")) as executor:
        for future in [executor.submit(clients.warm_up) for _ in range(size)]:
            future.result()
        yield executor


@dataclass
class Hub:
    """The real service."""

    url: str
    pid: int

    def run(self, executor: ProcessPoolExecutor, card: SoundCard, processors: int) -> tuple[Recorded, list[Heard]]:
        stream = f"stream-{processors}"
        recording = executor.submit(clients.record, self.url, stream, card)
        time.sleep(SETTLE_S / 4)  # a processor that comes before its stream would wait and ask again
        heard = self.hear(executor, stream, processors)
        return recording.result(), heard

    def hear(self, executor: ProcessPoolExecutor, stream: str, processors: int) -> list[Heard]:
        hosts = [
            executor.submit(clients.process_many, self.url, [stream] * len(share), WORK_S)
            for share in shares(processors)
        ]
        return [heard for host in hosts for heard in host.result()]


@contextlib.contextmanager
def service(**environment: str) -> Iterator[Hub]:
    port = free_port()
    environment = {"SPEECH_PORT": str(port), "SPEECH_LOG_LEVEL": "WARNING", **environment}
    with served([sys.executable, "-c", "import speech_api; speech_api.main()"], port, **environment) as process:
        yield Hub(f"http://127.0.0.1:{port}", process.pid)


@dataclass
class Threaded:
    port: int
    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        return self.process.pid

    def run(self, executor: ProcessPoolExecutor, card: SoundCard, processors: int) -> tuple[Recorded, list[Heard]]:
        hosts = [
            executor.submit(clients.process_many_threaded, self.port, [str(n) for n in share], WORK_S)
            for share in shares(processors)
        ]
        time.sleep(max(0.0, card.began - time.monotonic() - 0.5))
        recorded = executor.submit(clients.record_threaded, self.port, card).result()
        time.sleep(1)  # for what is on its way
        self.cpu_s = cpu_seconds(self.pid)
        self.process.terminate()
        return recorded, [heard for host in hosts for heard in host.result()]


@contextlib.contextmanager
def threaded_server() -> Iterator[Threaded]:
    command = [sys.executable, "-m", "benchmarks.threaded_server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Threaded(int(process.stdout.readline()), process)
        process.terminate()


def sound_card(processors: int) -> SoundCard:
    began = time.monotonic() + SETTLE_S + SETTLE_EACH_S * processors
    return SoundCard(Format(), SECONDS, BLOCK_MS, began)


def measure_loop(executor: ProcessPoolExecutor, processors: int) -> Row:
    card = sound_card(0)
    recorded, heard = executor.submit(clients.record_and_process, card, processors, WORK_S).result()
    return row("own loop", recorded, heard, card.format.sample_rate, 0)


def measure_threaded(executor: ProcessPoolExecutor, processors: int) -> Row:
    with threaded_server() as server:
        card = sound_card(processors)
        recorded, heard = server.run(executor, card, processors)
    return row("threaded server", recorded, heard, card.format.sample_rate, server.cpu_s / SECONDS)


def measure_hub(hub: Hub, executor: ProcessPoolExecutor, processors: int) -> Row:
    card = sound_card(processors)
    before = cpu_seconds(hub.pid)
    recorded, heard = hub.run(executor, card, processors)
    return row("hub", recorded, heard, card.format.sample_rate, (cpu_seconds(hub.pid) - before) / SECONDS)


def fanout() -> None:
    print(HEAD)
    rows = list[Row]()
    with service() as hub, pool(HOSTS + 1) as executor:
        for processors in PROCESSORS:
            for measured in (
                measure_loop(executor, processors),
                measure_threaded(executor, processors),
                measure_hub(hub, executor, processors),
            ):
                print(measured, flush=True)
                rows.append(measured)
    draw(rows, PLOT)
    assert all(not each.lost_at_recorder for each in rows if each.way == "hub"), "the hub's recorder lost blocks"


def faults() -> None:
    """Twelve healthy processors, alone and beside four that sleep, read nothing, send garbage and are killed."""
    pcm = (speeches(1)[0] * 32767).astype("<i2").tobytes()
    print(HEAD)
    texts = list[list[str]]()
    with service() as hub, pool(HOSTS + 2) as executor:
        for name, bad in (("hub", ()), ("hub, beside four bad ones", clients.MISBEHAVIOURS)):
            card, stream = speech_card(pcm), f"faults-{len(bad)}"
            recording = executor.submit(clients.record, hub.url, stream, card, "en")
            time.sleep(SETTLE_S / 4)
            written = executor.submit(clients.captions, hub.url, stream)
            with processes([(each, (hub.url, stream)) for each in bad]):
                before = cpu_seconds(hub.pid)
                heard = hub.hear(executor, stream, HEALTHY)
            cpu = (cpu_seconds(hub.pid) - before) / card.seconds
            print(row(name, recording.result(), heard, card.format.sample_rate, cpu), flush=True)
            texts.append(written.result())
        for name, bad in (("threaded server", ()), ("threaded server, beside four bad ones", clients.MISBEHAVIOURS)):
            with threaded_server() as server:
                card = speech_card(pcm)
                with processes([(clients.misbehave_threaded, (server.port, each.__name__)) for each in bad]):
                    recorded, heard = server.run(executor, card, HEALTHY)
            print(row(name, recorded, heard, card.format.sample_rate, server.cpu_s / card.seconds), flush=True)
    same = "the same" if texts[0] == texts[1] else f"NOT the same: {texts}"
    print(f"\nThe recogniser wrote {len(texts[0])} results, {same} in both runs of the hub.")


def speech_card(pcm: bytes) -> SoundCard:
    format = Format()
    seconds = len(pcm) / format.frame_bytes / format.sample_rate
    card = SoundCard(format, seconds, BLOCK_MS, time.monotonic() + 4 * SETTLE_S)
    card.speech = pcm
    return card


@contextlib.contextmanager
def processes(jobs: Sequence[tuple[Callable[..., None], tuple[Any, ...]]]) -> Iterator[None]:
    """They run beside what is inside; then they are killed."""
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=function, args=arguments) for function, arguments in jobs]
    for each in running:
        each.start()
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.join()


def draw(rows: Sequence[Row], path: Path) -> None:
    """Left what the recorder lost, right the 95th percentile of the ages."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, (losses, ages) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for way, marker in (("own loop", "s"), ("threaded server", "^"), ("hub", "o")):
        mine = [each for each in rows if each.way == way]
        counts = [each.processors for each in mine]
        losses.plot(counts, [each.lost_at_recorder * 100 for each in mine], marker + "-", label=way)
        ages.plot(counts, [np.percentile(each.ages, 95) * 1000 for each in mine], marker + "-", label=way)
    losses.set(xlabel="processors", ylabel="blocks lost at the recorder, %", xscale="log", ylim=(-3, 103))
    ages.set(xlabel="processors", ylabel="age, ms (95th percentile)", xscale="log", yscale="log")
    for axes in (losses, ages):
        axes.set_xticks(PROCESSORS, [str(n) for n in PROCESSORS])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def soak(seconds: float = SOAK_SECONDS) -> None:
    """Many streams at 48 kHz stereo on one server: is every sample there, and does its memory stay the same?"""
    streams = [f"soak-{n}" for n in range(SOAK_STREAMS)]
    with service(SPEECH_MAX_LISTENERS=str(SOAK_STREAMS * SOAK_SUBSCRIBERS)) as hub, pool(4) as executor:
        began = time.monotonic() + 15
        cpu_before = cpu_seconds(hub.pid)
        recorders = [
            executor.submit(clients.record_many, hub.url, streams[n::2], seconds, SOAK_FORMAT, began) for n in range(2)
        ]
        time.sleep(SETTLE_S)
        listeners = [
            executor.submit(clients.process_many, hub.url, streams[n::2] * SOAK_SUBSCRIBERS, 0.0, True)
            for n in range(2)
        ]
        memory = list[tuple[float, float]]()
        while not all(future.done() for future in recorders):
            memory.append((max(0.0, time.monotonic() - began), resident_mb(hub.pid)))
            time.sleep(min(30.0, seconds / 10))
        recorded = [each for future in recorders for each in future.result()]
        heard = [each for future in listeners for each in future.result()]
        cpu = (cpu_seconds(hub.pid) - cpu_before) / seconds
    report_soak(recorded, heard, memory, cpu)


def report_soak(
    recorded: list[Recorded], heard: list[Heard], memory: list[tuple[float, float]], cpu: float
) -> None:  # fmt: skip
    checksums = {each.stream: each.checksum for each in recorded}
    wrong = sum(each.checksum != checksums[each.stream] for each in heard)
    lost, blocks = sum(each.lost for each in recorded), sum(each.blocks for each in recorded)
    ages = ages_of(recorded[0].began, heard, SOAK_FORMAT.sample_rate)
    age = " / ".join(f"{ms:.0f}" for ms in np.percentile(ages, (50, 95, 99)) * 1000)
    print("| streams | subscribers | blocks recorded | lost | subscribers that missed a sample | age, ms | CPU |")
    print("|---|---|---|---|---|---|---|")
    print(f"| {len(recorded)} | {len(heard)} | {blocks} | {lost} | {wrong} | {age} | {cpu:.0%} |")
    print("\nResident memory of the server, MB:", ", ".join(f"{mb:.0f} at {at:.0f} s" for at, mb in memory))


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(arguments: Sequence[str]) -> None:
    chosen = {"fanout": fanout, "faults": faults, "soak": soak}
    for name in arguments or chosen:
        chosen[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
