"""Bad networks: namespaces whose links go down, and a proxy that needs no rights."""

from collections.abc import Callable
from pathlib import Path

import pytest

from audiosockets import File, Recorder
from benchmarks.network import measure, obstacle
from tests.audiosockets.clients import TOKEN, Memory, Running, eventually
from tests.audiosockets.conftest import RATE, noise_of
from tests.audiosockets.proxy import Proxy
from tests.served import MODEL


@pytest.mark.model
def test_machines_with_a_bad_network_between_them(tmp_path: Path) -> None:
    """Recorder, server and processor each in a namespace, 200 ms away, throttled, stalling, and with a link down."""
    if reason := obstacle():
        pytest.skip(reason)
    if not MODEL.exists():
        pytest.skip(f"{MODEL.name} is not in models/")
    assert measure(tmp_path, seconds=8.0, outage_s=2.0) == {"server": True, "processor": True}


def test_a_slow_and_stalling_network_loses_nothing(
    url: str, stream: str, proxy: Proxy, wav: Callable[..., Path]
) -> None:  # fmt: skip
    proxy.delay_s, proxy.bytes_per_s = 0.2, 200_000.0
    pcm = noise_of(4.0)
    recorder = Recorder(proxy.url, stream, File(wav(pcm)), token=TOKEN)
    running = Running(recorder)
    assert recorder.ready.wait(10)
    near, far = Memory(url, stream, token=TOKEN), Memory(proxy.url, stream, token=TOKEN)
    hearing = [Running(near), Running(far)]
    for seconds in (1, 2, 3):
        eventually(lambda position: far.blocks and far.blocks[-1].end >= position, seconds * RATE // 2)
        proxy.stall()
        eventually(lambda length: len(recorder.backlog) >= length or not recorder.source.live, RATE // 4)
        proxy.flow()
    running.join()
    for each in hearing:
        each.join()
    assert recorder.links == 1  # no connection was given up
    assert near.pcm == far.pcm == pcm
