"""Ctrl-C in good order."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable


class StopSignals:
    """Ctrl-C and SIGTERM end what runs in the main thread in good order; a second one does not wait."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C is a KeyboardInterrupt
                    self._loop.add_signal_handler(number, self._handle)

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError):
                    self._loop.remove_signal_handler(number)

    def _handle(self) -> None:
        self.__exit__()
        self._stop()
