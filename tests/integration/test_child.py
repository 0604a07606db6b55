import asyncio
import os
import signal
from collections.abc import Callable

import pytest
import uvloop

from recognizer.base import ModelError, Options, Request, Transcript
from recognizer.child import Child, ChildDied
from tests.fake_engine import FakeEngine, make_broken_engine, spoken


def test_start_ask_kill_and_start_again() -> None:
    async def main() -> None:
        child = Child(FakeEngine)
        for _ in range(2):
            await child.start()
            (answer,) = await child.ask([Request(spoken(3), True, Options())])
            assert isinstance(answer, Transcript) and answer.text == "w3"
            await child.kill()
            assert child.pid is None
        with pytest.raises(ChildDied):
            await child.ask([Request(spoken(3), True, Options())])

    asyncio.run(main())


def test_a_dead_process_is_noticed() -> None:
    async def main() -> None:
        child = Child(FakeEngine)
        await child.start()
        os.kill(child.pid or 0, signal.SIGKILL)
        with pytest.raises(ChildDied):
            await child.ask([Request(spoken(3), True, Options())])
        await child.kill()

    asyncio.run(main())


def test_a_model_that_does_not_load_leaves_no_process() -> None:
    async def main() -> None:
        child = Child(make_broken_engine)
        with pytest.raises(ModelError, match="the model is broken"):
            await child.start()
        assert child.pid is None

    asyncio.run(main())


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_long_utterances_pass_on_either_event_loop(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        child = Child(FakeEngine)
        await child.start()
        for word in (3, 4):
            (answer,) = await child.ask([Request(spoken(word, seconds=60), True, Options())])
            assert isinstance(answer, Transcript) and answer.text == f"w{word}"
        await child.kill()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
