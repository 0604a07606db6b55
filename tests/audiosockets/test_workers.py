import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from audiosockets import Block, Gap, Processor, Stream
from tests.audiosockets.clients import TOKEN, Live, Memory, Running, eventually, recording
from tests.audiosockets.conftest import RATE, noise_of

DEADLY = b"\x39\x30" * 1600  # a block that kills its process
BROKEN = b"\x3a\x30" * 1600  # one that it cannot process
UNSAYABLE = b"\x3b\x30" * 1600  # one whose answer JSON cannot say


class Heavy(Processor):
    """The first block is ready only after the second, which another process must have had."""

    layer = "heavy"
    workers = 2
    marker = ""  # a file that says that the second block is done

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.gaps = list[Gap]()

    def setup(self, stream: Stream) -> None:
        self.pid = os.getpid()

    def process(self, block: Block) -> dict[str, int]:
        if block.pcm == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        if block.pcm == BROKEN:
            raise ZeroDivisionError
        if block.pcm == UNSAYABLE:
            return {"start": float("nan")}  # type: ignore[dict-item]
        if self.marker and block.start == 0:
            eventually(Path(self.marker).exists)
        elif self.marker:
            Path(self.marker).touch()
        return {"pid": self.pid, "start": block.start}

    def process_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)


def heavy_run(url: str, stream: str, blocks: Sequence[bytes], **options: Any) -> tuple[Heavy, list[dict[str, int]]]:
    """Until each block was answered or lost."""
    with recording(url, stream) as (recorder, source):
        running = Running(heavy := Heavy(url, stream, token=TOKEN, **options))
        listening = Running(memory := Memory(url, stream, token=TOKEN, layers=("heavy",)))
        eventually(lambda: heavy.stream and memory.streams)
        for n, block in enumerate(blocks, 1):
            source.say(block)  # each in a message of its own
            eventually(lambda end: recorder.backlog.end == end and not recorder.backlog.unsent, n * RATE // 10)
        eventually(lambda: running.error or len(memory.events) == len(blocks) - blocks.count(DEADLY))
    running.join()
    listening.join()
    return heavy, [event.data for event in memory.events]


def test_processes_share_the_blocks_and_answers_keep_their_order(url: str, stream: str, tmp_path: Path) -> None:
    blocks = [noise_of(0.1, seed=n) for n in range(12)]
    heavy, answers = heavy_run(url, stream, blocks, marker=str(tmp_path / "second"))
    assert [answer["start"] for answer in answers] == [n * RATE // 10 for n in range(12)]
    pids = {answer["pid"] for answer in answers}
    assert len(pids) == 2 and os.getpid() not in pids
    assert not heavy.gaps


def test_what_a_method_raises_in_a_process_is_raised_here(url: str, stream: str) -> None:
    with pytest.raises(ZeroDivisionError):
        heavy_run(url, stream, [noise_of(0.1), BROKEN, noise_of(0.1)])


def test_an_answer_that_cannot_be_published_is_raised_here(url: str, stream: str) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        heavy_run(url, stream, [noise_of(0.1), UNSAYABLE, noise_of(0.1)])


def test_a_process_that_dies_costs_the_blocks_it_had(url: str, stream: str) -> None:
    with recording(url, stream) as (recorder, source):
        running = Running(heavy := Heavy(url, stream, token=TOKEN))
        listening = Running(memory := Memory(url, stream, token=TOKEN, layers=("heavy",)))
        eventually(lambda: heavy.stream and memory.streams)
        source.say(DEADLY)
        eventually(lambda: recorder.backlog.end and not recorder.backlog.unsent)  # a message of its own
        eventually(lambda: _tick(source) and memory.events)
    running.join()
    listening.join()
    parts = sorted([(gap.start, gap.end) for gap in heavy.gaps] + [(e.start, e.end) for e in memory.events])
    assert {gap.reason for gap in heavy.gaps} == {"worker"}
    assert parts[0] == (0, RATE // 10)
    assert all(before[1] == after[0] for before, after in zip(parts, parts[1:], strict=False))


def _tick(source: Live) -> bool:
    source.say(noise_of(0.1))
    return True


class Unable(Heavy):
    def setup(self, stream: Stream) -> None:
        raise ZeroDivisionError


def test_processes_that_cannot_begin_end_it(url: str, stream: str) -> None:
    with recording(url, stream) as (_, source):
        running = Running(Unable(url, stream, token=TOKEN))
        eventually(lambda: _tick(source) and running.error)
    with pytest.raises(RuntimeError, match="died 3 times"):
        running.join()
