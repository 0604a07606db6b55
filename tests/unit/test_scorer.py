import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from audio import Samples
from vad.scorer import Scorer
from vad.silero import VadState


class Echo:
    """The probability of a frame is its first sample; remembers how large each batch was."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def score(self, frames: Sequence[Samples], states: Sequence[VadState]) -> list[float]:
        self.batches.append(len(frames))
        if any(frame[0] < 0 for frame in frames):
            raise RuntimeError("bad frame")
        return [float(frame[0]) for frame in frames]


def frames(*values: float) -> list[Samples]:
    return [np.full(512, value, np.float32) for value in values]


def test_streams_share_batches_and_keep_their_own_order() -> None:
    async def main() -> None:
        vad = Echo()
        scorer = Scorer(vad)
        jobs = [scorer.score(VadState(), frames(*([0.25] * n), 0.5)) for n in range(4)]
        assert await asyncio.gather(*jobs) == [[0.25] * n + [0.5] for n in range(4)]
        assert max(vad.batches) == 4 and sum(vad.batches) == 10
        assert await scorer.score(VadState(), []) == []
        await scorer.close()

    asyncio.run(main())


def test_a_stream_that_went_away_disturbs_nobody() -> None:
    async def main() -> None:
        scorer = Scorer(Echo())
        gone = asyncio.create_task(scorer.score(VadState(), frames(0.5)))
        stays = asyncio.create_task(scorer.score(VadState(), frames(0.75)))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == [0.75]
        await scorer.close()

    asyncio.run(main())


def test_a_failing_model_is_reported_and_the_next_call_works() -> None:
    async def main() -> None:
        scorer = Scorer(Echo())
        with pytest.raises(RuntimeError):
            await scorer.score(VadState(), frames(-1.0))
        assert await scorer.score(VadState(), frames(0.5)) == [0.5]
        await scorer.close()

    asyncio.run(main())
