import asyncio

import numpy as np

from audio import Draft, Utterance
from session.jobs import MAX_UTTERANCES, Jobs

AUDIO = np.zeros(1, np.float32)


def test_finals_go_first_and_only_the_newest_draft_counts() -> None:
    async def main() -> None:
        jobs = Jobs()
        final, old, new = Utterance(0, 0, AUDIO), Draft(1, 0, AUDIO), Draft(1, 0, AUDIO)
        for job in (final, old, new):
            await jobs.put(job)
        assert [await jobs.get(), await jobs.get()] == [final, new]

    asyncio.run(main())


def test_a_final_replaces_its_drafts() -> None:
    async def main() -> None:
        jobs = Jobs()
        await jobs.put(Draft(0, 0, AUDIO))
        final = Utterance(0, 0, AUDIO)
        await jobs.put(final)
        assert await jobs.get() is final
        waiting = asyncio.create_task(jobs.get())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(main())


def test_who_waits_for_a_final_is_woken_by_it_alone() -> None:
    async def main() -> None:
        jobs = Jobs()
        waiting = asyncio.create_task(jobs.final_waits())
        await jobs.put(Draft(0, 0, AUDIO))
        await asyncio.sleep(0)
        assert not waiting.done()
        await jobs.put(Utterance(0, 0, AUDIO))
        await waiting

    asyncio.run(main())


def test_a_full_queue_makes_the_reader_wait() -> None:
    async def main() -> None:
        jobs = Jobs()
        for number in range(MAX_UTTERANCES):
            await jobs.put(Utterance(number, 0, AUDIO))
        late = asyncio.create_task(jobs.put(Utterance(99, 0, AUDIO)))
        await asyncio.sleep(0)
        assert not late.done()
        order = [(await jobs.get()).segment for _ in range(MAX_UTTERANCES + 1)]
        assert order == [*range(MAX_UTTERANCES), 99]
        await late

    asyncio.run(main())
