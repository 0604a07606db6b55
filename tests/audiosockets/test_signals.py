import asyncio
import os
import signal
import threading

from audiosockets.signals import StopSignals


def test_the_first_signal_stops_and_the_second_is_pythons_own() -> None:
    async def main() -> int:
        stopped = asyncio.Event()
        times = 0

        def stop() -> None:
            nonlocal times
            times += 1
            stopped.set()

        with StopSignals(stop):
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.wait_for(stopped.wait(), 10)
            assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
        return times

    assert threading.current_thread() is threading.main_thread()
    assert asyncio.run(main()) == 1


def test_in_another_thread_signals_are_not_its_business() -> None:
    async def main() -> None:
        before = signal.getsignal(signal.SIGTERM)
        with StopSignals(lambda: None):
            assert signal.getsignal(signal.SIGTERM) is before

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join()
