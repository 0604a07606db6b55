"""A recorder, the server and a processor in network namespaces of their own, with a bad network between them.

`python -m benchmarks.network` needs root and iproute2. A proxy delays both ways, throttles and stalls; then the link of
the recorder, and later that of the processor, is taken down. Afterwards both recordings of the stream must be the file.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.service import PATIENCE_S, ROOT, wait_until_ready

RATE = 16_000
SECONDS, OUTAGE_S = 90.0, 20.0
DELAY_S, BYTES_PER_S, STALL_EVERY_S, STALL_S = 0.2, 100_000, 5.0, 1.5
SERVICE_PORT, PROXY_PORT = 8000, 9000  # in the server's namespace
TOKEN = "shared-by-the-machines"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def obstacle() -> str | None:
    """Why namespaces cannot be had here."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        ip("netns", "add", "probe-audiosockets")
        ip("netns", "delete", "probe-audiosockets")
    except FileNotFoundError:
        return "network namespaces need iproute2"
    except subprocess.CalledProcessError as error:
        return f"network namespaces are not permitted here: {error.stderr.decode().strip()}"
    return None


@dataclass
class Machines:
    """Three namespaces; `recorder` and `processor` each have a link to `server`."""

    prefix: str

    def run(self, name: str, *command: str, **environment: str) -> subprocess.Popen[str]:
        inside = ["ip", "netns", "exec", f"{self.prefix}-{name}", *command]
        pipe = subprocess.PIPE
        return subprocess.Popen(inside, cwd=ROOT, env={**os.environ, **environment}, stderr=pipe, text=True)

    def link(self, name: str, state: str) -> None:
        """`state` is up or down; the far end is what changes, as when a cable is pulled out of a switch."""
        ip("-n", f"{self.prefix}-server", "link", "set", f"to-{name[:9]}", state)

    def address(self, name: str) -> str:
        """Of the server, as `name` sees it."""
        return {"recorder": "10.77.1.1", "processor": "10.77.2.1", "server": "127.0.0.1"}[name]


@contextlib.contextmanager
def machines() -> Iterator[Machines]:
    made = Machines(f"as{os.getpid()}")
    names = ("server", "recorder", "processor")
    try:
        for name in names:
            ip("netns", "add", f"{made.prefix}-{name}")
            ip("-n", f"{made.prefix}-{name}", "link", "set", "lo", "up")
        for name in names[1:]:
            _connect(made, name)
        yield made
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", f"{made.prefix}-{name}"], capture_output=True)


def _connect(made: Machines, name: str) -> None:
    here, there = f"{made.prefix}-server", f"{made.prefix}-{name}"
    near, address = f"to-{name[:9]}", made.address(name)
    ip("-n", here, "link", "add", near, "type", "veth", "peer", "name", "uplink", "netns", there)
    ip("-n", here, "address", "add", f"{address}/24", "dev", near)
    ip("-n", there, "address", "add", f"{address[:-1]}2/24", "dev", "uplink")
    for space, device in ((here, near), (there, "uplink")):
        ip("-n", space, "link", "set", device, "up")


@contextlib.contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    with process:
        try:
            yield process
        finally:
            process.terminate()


@contextlib.contextmanager
def server(made: Machines) -> Iterator[None]:
    """The service, and the proxy in front of it."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import speech_api; speech_api.main()"
    service = made.run(
        "server", sys.executable, "-c", program,
        SPEECH_PORT=str(SERVICE_PORT), SPEECH_LOG_LEVEL="WARNING", SPEECH_STREAM_HISTORY_S="60",
    )  # fmt: skip
    settings = map(str, (PROXY_PORT, SERVICE_PORT, DELAY_S, BYTES_PER_S, STALL_EVERY_S, STALL_S))
    proxy = made.run("server", sys.executable, "-m", "tests.audiosockets.proxy", *settings)
    with running(service), running(proxy):
        ready = f"from benchmarks.network import wait; wait({service.pid}, {SERVICE_PORT})"
        with made.run("server", sys.executable, "-c", ready) as waiting:
            assert waiting.wait(PATIENCE_S) == 0, "the service does not start"
        yield


def wait(pid: int, port: int) -> None:
    """Runs in the server's namespace."""

    class Process:
        def poll(self) -> int | None:
            return None if Path(f"/proc/{pid}").exists() else 1

    wait_until_ready(Process(), port)  # type: ignore[arg-type]


def audiosockets(made: Machines, name: str, *arguments: str) -> subprocess.Popen[str]:
    port = SERVICE_PORT if name == "server" else PROXY_PORT
    where = ["--server", f"http://{made.address(name)}:{port}", "--token", TOKEN, "-v"]
    return made.run(name, sys.executable, "-m", "audiosockets", *arguments, "talk", *where)


def measure(folder: Path, seconds: float, outage_s: float) -> dict[str, bool]:
    """Whether the recording of the stream on each machine is the file, sample for sample."""
    pcm = np.random.default_rng(0).normal(0, 3000, round(seconds * RATE)).astype("<i2").tobytes()
    with wave.open(str(folder / "talk.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(pcm)
    with machines() as made, server(made), contextlib.ExitStack() as stack:
        began = time.monotonic()
        recorder = audiosockets(made, "recorder", "record", "--file", str(folder / "talk.wav"))
        stack.enter_context(running(recorder))
        savers = [
            audiosockets(made, name, "run", "save", "--from", "0", "-o", f"folder={folder / name}")
            for name in ("server", "processor")
        ]
        for saver in savers:
            stack.enter_context(running(saver))
        for name in ("recorder", "processor"):
            time.sleep(max(0.0, began + seconds / 6 - time.monotonic()))
            made.link(name, "down")
            time.sleep(outage_s)
            made.link(name, "up")
            began = time.monotonic()
        for process in (recorder, *savers):
            _, said = process.communicate(timeout=3 * (seconds + outage_s) + PATIENCE_S)
            print(said, file=sys.stderr)
            assert process.returncode == 0, said
    return {name: recorded(folder / name) == pcm for name in ("server", "processor")}


def recorded(folder: Path) -> bytes:
    parts = []
    for path in sorted(folder.glob("*.wav")):
        with wave.open(str(path), "rb") as file:
            parts.append(file.readframes(file.getnframes()))
    return b"".join(parts)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    if (reason := obstacle()) is not None:
        return print(reason)
    with tempfile.TemporaryDirectory() as folder:
        same = measure(Path(folder), SECONDS, OUTAGE_S)
    print("| recording | link down, s | delay, ms | throttled to, kB/s | stalls | the file, sample for sample |")
    print("|---|---|---|---|---|---|")
    for name, whole in same.items():
        network = f"{DELAY_S * 1000:.0f} | {BYTES_PER_S / 1000:.0f} | {STALL_S:g} s every {STALL_EVERY_S:g} s"
        print(f"| beside the {name} | {OUTAGE_S:g} | {network} | {'yes' if whole else 'NO'} |")


if __name__ == "__main__":
    main()
