"""What one session has to recognise: its finals in order and bounded, and of its drafts only the newest."""

import asyncio
from collections import deque

from audio import Draft, Utterance

MAX_UTTERANCES = 4  # waiting per session; when full we stop reading, and TCP slows the client


class Jobs:
    """One producer, one consumer."""

    def __init__(self) -> None:
        self._finals: deque[Utterance] = deque()
        self._draft: Draft | None = None
        self._changed = asyncio.Condition()

    async def put(self, job: Utterance) -> None:
        async with self._changed:
            if isinstance(job, Draft):
                self._draft = job
            else:
                await self._changed.wait_for(lambda: len(self._finals) < MAX_UTTERANCES)
                self._finals.append(job)
                self._draft = None  # it was a draft of this utterance
            self._changed.notify_all()

    async def final_waits(self) -> None:
        """Returns when there is a final to get."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._finals)

    async def get(self) -> Utterance:
        async with self._changed:
            await self._changed.wait_for(lambda: self._finals or self._draft)
            self._changed.notify_all()
            if self._finals:
                return self._finals.popleft()
            draft, self._draft = self._draft, None
            if draft is None:
                raise AssertionError("woken with nothing to do")
            return draft
