"""How fast one connection may send: who is faster is read more slowly, and TCP holds the rest back."""

import asyncio
import time


class Pace:
    """`rate` units a second, after a first `burst`; one second's worth unless said otherwise."""

    def __init__(self, rate: float, burst: float | None = None) -> None:
        self._rate = rate
        self._burst = rate if burst is None else burst
        self._left = self._burst
        self._at = time.monotonic()

    def spend(self, amount: float, now: float) -> float:
        """Seconds to wait before the next message, at `now` seconds of the clock."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate) - amount
        self._at = now
        return max(0.0, -self._left / self._rate)

    async def wait(self, amount: float) -> None:
        if delay := self.spend(amount, time.monotonic()):
            await asyncio.sleep(delay)
