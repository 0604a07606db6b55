"""LocalBackend with real processes: what happens to a job when its worker misbehaves."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import pytest

from audio import Draft, Utterance
from recognizer.base import Engine, ModelError, Options, RecognizerError, Transcript
from recognizer.worker import LocalBackend
from tests.fake_engine import (
    DIE,
    HANG,
    RAISE,
    FakeEngine,
    TogetherEngine,
    make_broken_engine,
    make_deadly_engine,
    make_engine_twice,
    spoken,
)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def run(
    scenario: Callable[[LocalBackend], Awaitable[None]],
    make_engine: Callable[[], Engine] = FakeEngine,
    *,
    workers: int = 1,
    max_waiting: int = 8,
    timeout_s: float = 20.0,
) -> None:
    """Runs the scenario and sees that no process and no descriptor is left."""

    async def main() -> None:
        await asyncio.to_thread(int)  # the thread pool's own descriptors
        backend = LocalBackend(make_engine, workers=workers, max_waiting=max_waiting, timeout_s=timeout_s)
        await backend.start()
        try:
            await scenario(backend)
        finally:
            await backend.close()

    asyncio.run(_warm())  # multiprocessing's resource tracker lives as long as we do
    before = descriptors()
    asyncio.run(main())
    assert active_children() == [] and descriptors() == before


async def _warm() -> None:
    backend = LocalBackend(FakeEngine, workers=1, max_waiting=1, timeout_s=20)
    await backend.start()
    await backend.close()


def say(backend: LocalBackend, *numbers: int) -> Awaitable[Transcript]:
    return backend.transcribe(Utterance(0, 0, spoken(*numbers)), Options())


def kill(pid: int) -> None:
    """Returns when the process has ended; it is left to be reaped by its parent."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def test_utterances_become_text() -> None:
    async def scenario(backend: LocalBackend) -> None:
        transcripts = await asyncio.gather(*(say(backend, n, n + 1) for n in (1, 5, 7)))
        assert [t.text for t in transcripts] == ["w1 w2", "w5 w6", "w7 w8"]
        assert transcripts[0].decode_seconds > 0

    run(scenario, workers=2)


def test_a_worker_that_dies_is_replaced_and_its_job_decoded_again(tmp_path: Path) -> None:
    async def scenario(backend: LocalBackend) -> None:
        before = backend.pids
        assert (await say(backend, DIE)).text == f"w{DIE}"
        assert backend.pids != before

    run(scenario, partial(FakeEngine, tmp_path))


def test_a_worker_that_is_killed_while_it_idles_is_replaced() -> None:
    async def scenario(backend: LocalBackend) -> None:
        os.kill(backend.pids[0], signal.SIGKILL)
        assert (await say(backend, 3)).text == "w3"

    run(scenario)


def test_a_worker_that_hangs_is_replaced_and_its_job_decoded_again(tmp_path: Path) -> None:
    async def scenario(backend: LocalBackend) -> None:
        assert (await say(backend, HANG)).text == f"w{HANG}"

    run(scenario, partial(FakeEngine, tmp_path), timeout_s=1.0)


def test_an_engine_that_takes_several_gets_what_waits(tmp_path: Path) -> None:
    async def scenario(backend: LocalBackend) -> None:
        transcripts = await asyncio.gather(*(say(backend, n) for n in range(1, 8)))
        assert [t.text for t in transcripts] == [f"w{n}" for n in range(1, 8)]

    run(scenario, partial(TogetherEngine, tmp_path))
    batches = [int(size) for size in (tmp_path / "batches").read_text().split()]
    assert sum(batches) == 7 and max(batches) == 4


def test_drafts_come_one_by_one_where_only_finals_gain(tmp_path: Path) -> None:
    async def scenario(backend: LocalBackend) -> None:
        drafts = (backend.transcribe(Draft(0, 0, spoken(n)), Options()) for n in range(1, 6))
        said = await asyncio.gather(*drafts, say(backend, 7), say(backend, 8), return_exceptions=True)
        assert [one.text for one in said[-2:] if isinstance(one, Transcript)] == ["w7", "w8"]

    run(scenario, partial(TogetherEngine, tmp_path))
    batches = [int(size) for size in (tmp_path / "batches").read_text().split()]
    assert set(batches) == {1, 2} and batches.count(2) == 1, "the finals together, each draft alone"


@pytest.mark.parametrize("marker", [RAISE, DIE])
def test_one_of_several_fails_alone(marker: int) -> None:
    async def scenario(backend: LocalBackend) -> None:
        said = await asyncio.gather(*(say(backend, n) for n in (1, 2, marker, 3)), return_exceptions=True)
        assert [one.text for one in said if isinstance(one, Transcript)] == ["w1", "w2", "w3"]
        assert isinstance(said[2], RecognizerError) and said[2].code == "recognizer_failed"

    run(scenario, TogetherEngine)


def test_a_job_that_kills_every_worker_is_given_up() -> None:
    async def scenario(backend: LocalBackend) -> None:
        with pytest.raises(RecognizerError) as error:
            await say(backend, DIE)
        assert error.value.code == "recognizer_failed"
        assert (await say(backend, 4)).text == "w4"

    run(scenario)


def test_an_engine_that_raises_costs_one_utterance_and_tells_no_detail(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(backend: LocalBackend) -> None:
        with pytest.raises(RecognizerError) as error:
            await say(backend, RAISE)
        assert "secret" not in str(error.value)
        assert (await say(backend, 4)).text == "w4"

    run(scenario)
    assert "secret detail" in caplog.text, "the log says why"


def test_idle_workers_that_are_killed_cost_no_utterance() -> None:
    async def scenario(backend: LocalBackend) -> None:
        for pid in backend.pids:
            kill(pid)
        assert [t.text for t in await asyncio.gather(say(backend, 3), say(backend, 4))] == ["w3", "w4"]

    run(scenario, workers=2)


def test_a_free_worker_takes_over_the_job_of_one_that_does_not_come_back(tmp_path: Path) -> None:
    async def scenario(backend: LocalBackend) -> None:
        assert (await say(backend, DIE)).text == f"w{DIE}"

    run(scenario, partial(make_engine_twice, tmp_path), workers=2)


def test_too_many_waiting_utterances_are_refused() -> None:
    async def scenario(backend: LocalBackend) -> None:
        jobs = [asyncio.ensure_future(say(backend, n)) for n in range(1, 5)]
        await asyncio.sleep(0)
        with pytest.raises(RecognizerError) as error:
            await say(backend, 9)
        assert error.value.code == "overloaded"
        assert [(await job).text for job in jobs] == ["w1", "w2", "w3", "w4"]

    run(scenario, max_waiting=4)


def test_finals_go_before_drafts() -> None:
    async def scenario(backend: LocalBackend) -> None:
        order = list[str]()

        async def note(job: Awaitable[Transcript]) -> None:
            order.append((await job).text)

        draft = backend.transcribe(Draft(0, 0, spoken(5)), Options())
        await asyncio.gather(note(say(backend, 1)), note(draft), note(say(backend, 2)), note(say(backend, 3)))
        assert order == ["w1", "w2", "w3", "w5"] and backend.drafts_dropped == 0

    run(scenario)


def test_a_draft_that_waited_too_long_is_dropped_and_counted(tmp_path: Path) -> None:
    async def scenario(backend: LocalBackend) -> None:
        running = asyncio.ensure_future(say(backend, HANG))
        await asyncio.to_thread(wait_for, tmp_path / "hung")
        with pytest.raises(RecognizerError) as error:
            await backend.transcribe(Draft(0, 0, spoken(5)), Options())
        assert error.value.code == "overloaded" and backend.drafts_dropped == 1
        assert (await running).text == f"w{HANG}"

    run(scenario, partial(FakeEngine, tmp_path), timeout_s=1.0)


def test_a_backend_whose_utterances_wait_for_seconds_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr("recognizer.worker.LATE_S", 0.05)

    async def scenario(backend: LocalBackend) -> None:
        jobs = [asyncio.ensure_future(say(backend, HANG)), asyncio.ensure_future(say(backend, 1))]
        await asyncio.to_thread(wait_for, tmp_path / "hung")
        await asyncio.sleep(0.1)
        assert backend.late
        await asyncio.gather(*jobs)
        assert not backend.late

    run(scenario, partial(FakeEngine, tmp_path), timeout_s=1.0)


def test_a_client_that_goes_away_takes_its_job_along() -> None:
    async def scenario(backend: LocalBackend) -> None:
        jobs = [asyncio.ensure_future(say(backend, n)) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        jobs[1].cancel()
        assert [(await jobs[0]).text, (await jobs[2]).text] == ["w1", "w3"]

    run(scenario)


def test_a_job_that_was_cancelled_leaves_its_place(tmp_path: Path) -> None:
    async def scenario(backend: LocalBackend) -> None:
        running = asyncio.ensure_future(say(backend, HANG))
        await asyncio.to_thread(wait_for, tmp_path / "hung")
        waiting = [asyncio.ensure_future(say(backend, n)) for n in (1, 2)]
        await asyncio.sleep(0)
        for job in waiting:
            job.cancel()
        await asyncio.wait(waiting)
        third = asyncio.ensure_future(say(backend, 3))
        await asyncio.sleep(0)
        assert not third.done(), "it waits, it is not refused"
        await backend.close()
        await asyncio.gather(running, third, return_exceptions=True)

    run(scenario, partial(FakeEngine, tmp_path), max_waiting=2)


def test_close_answers_the_jobs_that_run_and_wait_and_those_that_come_later(tmp_path: Path) -> None:
    async def scenario(backend: LocalBackend) -> None:
        jobs = [asyncio.ensure_future(say(backend, HANG)), asyncio.ensure_future(say(backend, 1))]
        await asyncio.to_thread(wait_for, tmp_path / "hung")
        assert backend.ready
        await backend.close()
        assert not backend.ready
        for job in (*jobs, say(backend, 2)):
            with pytest.raises(RecognizerError) as error:
                await job
            assert error.value.code == "closed"

    run(scenario, partial(FakeEngine, tmp_path))


def test_the_log_has_one_line_for_each_utterance_and_no_text(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(backend: LocalBackend) -> None:
        await say(backend, 7)

    with caplog.at_level(logging.INFO, "speech.recognizer"):
        run(scenario)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "speech.recognizer"]
    assert "utterance of 0.30 s" in line and "w7" not in line


@pytest.mark.parametrize(
    "make_engine, sentence",
    [(make_broken_engine, "the model is broken"), (make_deadly_engine, "dies while it loads the model")],
)
def test_a_model_that_cannot_load_is_one_sentence(make_engine: Callable[[], Engine], sentence: str) -> None:
    async def scenario(backend: LocalBackend) -> None:
        raise AssertionError("it must not start")

    with pytest.raises(ModelError, match=sentence):
        run(scenario, make_engine, workers=2)
    assert active_children() == []
