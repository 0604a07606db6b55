"""Rings and their readers: everything is read once and in order, or told to be missing."""

from hypothesis import given
from hypothesis import strategies as st

from hub.history import ITEM_OVERHEAD_BYTES, Gap, Item, Reader, Ring


def ring(**limits: int) -> Ring:
    return Ring(**{"max_items": 1 << 20, "max_bytes": 1 << 30, **limits})


def item(number: int, length: int = 10) -> Item:
    return Item(number * length, (number + 1) * length, number, b"x")


def read_all(reader: Reader) -> list[Item | Gap]:
    return [reader.read() for _ in iter(lambda: reader.waiting, False)]


def test_a_reader_gets_what_comes_after_it() -> None:
    held = ring()
    held.append(item(0))
    reader = Reader.at(held, 10)
    assert not reader.waiting
    held.append(item(1))
    assert reader.order == 1 and [r.start for r in read_all(reader)] == [10] and reader.position == 20


def test_a_late_reader_begins_with_the_item_that_holds_its_position() -> None:
    held = ring()
    for number in range(5):
        held.append(item(number))
    assert [r.start for r in read_all(Reader.at(held, 25))] == [20, 30, 40]


def test_what_was_let_go_before_a_reader_came_is_history() -> None:
    held = ring(max_items=2)
    for number in range(5):
        held.append(item(number))
    reader = Reader.at(held, 5)
    assert reader.order == -1 and reader.read() == Gap(5, 30, "history")
    assert [r.start for r in read_all(reader)] == [30, 40]


def test_what_a_slow_reader_did_not_take_is_told_with_its_range_and_number() -> None:
    held = ring(max_items=2)
    held.append(item(0))
    reader = Reader.at(held, 0)
    reader.read()
    for number in range(1, 6):
        held.append(item(number))
    assert reader.read() == Gap(10, 40, "slow", 3)
    assert [r.start for r in read_all(reader)] == [40, 50]


def test_a_gap_that_grows_before_it_is_told_is_one_gap() -> None:
    held = ring(max_items=1)
    for number in range(3):
        held.append(item(number))
    reader = Reader.at(held, 0)
    held.append(item(3))
    assert reader.read() == Gap(0, 30, "history", 0) and reader.position == 30


def test_seconds_and_bytes_bound_a_ring_but_leave_its_newest() -> None:
    held = ring(max_samples=25)
    for number in range(10):
        held.append(item(number))
    assert held.next - held.first == 3  # 25 samples lie in three items
    held = ring(max_bytes=1)
    held.append(item(0))
    held.append(item(1))
    assert (held.first, held.next) == (1, 2)
    held = ring(max_bytes=3 * ITEM_OVERHEAD_BYTES + 3)
    for number in range(10):
        held.append(item(number, 0))
    assert held.next - held.first == 3  # many small ones cost memory as well


@given(st.lists(st.booleans(), max_size=80), st.integers(1, 5))
def test_what_is_read_and_what_is_missing_cover_everything(reads: list[bool], size: int) -> None:
    held = ring(max_items=size)
    reader = Reader.at(held, 0)
    read: list[Item | Gap] = []
    number = 0
    for wants in reads:
        if wants and reader.waiting:
            read.append(reader.read())
        else:
            held.append(item(number))
            number += 1
    read += read_all(reader)
    edges = [(r.start, r.end) for r in read]
    assert [start for start, _ in edges] == [0, *(end for _, end in edges)][: len(edges)]
    assert reader.position == number * 10
    assert sum(r.count if isinstance(r, Gap) else 1 for r in read) == number
