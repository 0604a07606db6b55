"""The newest messages of one layer, and readers that each keep their own place in them.

Nothing is copied for a reader and nobody waits for one: what falls out of the ring is a gap to whoever comes too late.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

ITEM_OVERHEAD_BYTES = 300  # of an item beside its message, so that many small ones are bounded as well
Reason = Literal["slow", "recorder", "history"]


@dataclass(frozen=True, eq=False)
class Item:
    """One message, as it goes to every subscriber. Positions in samples of the stream."""

    start: int
    end: int
    order: int  # among the messages of all layers
    message: str | bytes

    @property
    def size(self) -> int:
        return len(self.message) + ITEM_OVERHEAD_BYTES


@dataclass(frozen=True)
class Gap:
    """What is not there."""

    start: int
    end: int
    reason: Reason
    count: int = 0  # messages, where that is known


class Ring:
    """Holds at most `max_items`, `max_bytes`, and `max_samples` behind the newest position (0: any)."""

    def __init__(self, *, max_items: int, max_bytes: int, max_samples: int = 0) -> None:
        self._items = deque[Item | Gap]()
        self._limits = (max_items, max_bytes, max_samples)
        self._bytes = 0
        self.first = 0  # number of the oldest item held; they are counted from 0
        self.lost_end = 0  # what ended before here may have been let go

    @property
    def next(self) -> int:
        """Number of the item that comes next."""
        return self.first + len(self._items)

    def __getitem__(self, number: int) -> Item | Gap:
        return self._items[number - self.first]

    def append(self, item: Item | Gap) -> None:
        self._items.append(item)
        self._bytes += _size(item)
        max_items, max_bytes, max_samples = self._limits
        while len(self._items) > 1 and (
            len(self._items) > max_items
            or self._bytes > max_bytes
            or (max_samples and self._items[0].end <= item.end - max_samples)
        ):
            self._drop()

    def find(self, position: int) -> int:
        """Number of the first item that ends behind `position`."""
        numbers = (number for number, item in enumerate(self._items, self.first) if item.end > position)
        return next(numbers, self.next)

    def _drop(self) -> None:
        item = self._items.popleft()
        self._bytes -= _size(item)
        self.first += 1
        self.lost_end = max(self.lost_end, item.end)


class Reader:
    """One reader's place in a ring."""

    def __init__(self, ring: Ring, number: int, position: int) -> None:
        self._ring = ring
        self._number = number  # of the item to read next
        self.position = position  # all before it was read, or told to be missing
        self._missed: Gap | None = None  # to be told first

    @classmethod
    def at(cls, ring: Ring, position: int) -> "Reader":
        """A reader of what is held behind a position."""
        reader = cls(ring, ring.find(position), position)
        if position < ring.lost_end:
            reader._missed = Gap(position, ring.lost_end, "history")
        return reader

    @property
    def waiting(self) -> bool:
        return self._missed is not None or self._number < self._ring.next

    @property
    def order(self) -> int:
        """Where the next message stands among those of all layers; what was missed comes first."""
        item = None if self._missed or self._number < self._ring.first else self._ring[self._number]
        return item.order if isinstance(item, Item) else -1

    def read(self) -> Item | Gap:
        """The next message, or what is missing before it. Only when something waits."""
        if self._number < self._ring.first:
            lost = self._ring.first - self._number
            self._number = self._ring.first
            self._missed = self._missed or Gap(self.position, self._ring.lost_end, "slow", lost)
        if self._missed is not None:
            gap, self._missed = self._missed, None
            self.position = max(self.position, self._ring.lost_end)
            return Gap(gap.start, max(gap.end, self._ring.lost_end), gap.reason, gap.count)
        item = self._ring[self._number]
        self._number += 1
        self.position = max(self.position, item.end)
        return item


def _size(item: Item | Gap) -> int:
    return item.size if isinstance(item, Item) else ITEM_OVERHEAD_BYTES
