import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosockets.backlog import Backlog, Chunk


def pcm(start: int, count: int) -> bytes:
    """Frames of two bytes that hold their own position."""
    return b"".join((n % 65536).to_bytes(2, "little") for n in range(start, start + count))


def test_what_was_taken_is_kept_until_it_is_acknowledged() -> None:
    backlog = Backlog(100, 2)
    backlog.append(pcm(0, 10))
    assert backlog.take(6) == Chunk(0, 6, pcm(0, 6))
    assert backlog.take(6) == Chunk(6, 10, pcm(6, 4))
    assert backlog.take(6) is None
    backlog.acknowledge(3)
    backlog.rewind()
    assert backlog.take(100) == Chunk(3, 10, pcm(3, 7))
    backlog.acknowledge(10)
    assert (len(backlog), backlog.room) == (0, 100)


def test_many_small_blocks_leave_as_one() -> None:
    backlog = Backlog(100, 2)
    for start in range(0, 20, 5):
        backlog.append(pcm(start, 5))
    assert backlog.take(12) == Chunk(0, 12, pcm(0, 12))


def test_when_it_is_full_the_oldest_go_and_are_counted() -> None:
    backlog = Backlog(8, 2)
    backlog.append(pcm(0, 6))
    backlog.take(6)
    backlog.append(pcm(6, 6))
    assert (backlog.start, backlog.end, backlog.dropped) == (4, 12, 4)
    backlog.rewind()
    assert backlog.take(100) == Chunk(4, 12, pcm(4, 8))


def test_what_cannot_be_is_refused() -> None:
    backlog = Backlog(8, 2)
    with pytest.raises(ValueError, match="3 bytes"):
        backlog.append(b"abc")
    with pytest.raises(ValueError, match="position 1"):
        backlog.acknowledge(1)
    with pytest.raises(ValueError, match="at least one"):
        Backlog(0, 2)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 30)),
        st.tuples(st.just("take"), st.integers(1, 30)),
        st.tuples(st.just("acknowledge"), st.floats(0, 1)),
        st.tuples(st.just("lose the link"), st.just(0)),
    ),
    max_size=60,
)


@given(steps, st.integers(1, 50))
def test_the_server_gets_every_frame_that_was_not_dropped(steps: list[tuple[str, float]], capacity: int) -> None:
    backlog, arrived = Backlog(capacity, 2), dict[int, bytes]()
    for what, amount in steps:
        if what == "append":
            backlog.append(pcm(backlog.end, int(amount)))
        elif what == "take" and (chunk := backlog.take(int(amount))):
            assert 0 < chunk.end - chunk.start <= amount
            assert chunk.pcm == pcm(chunk.start, chunk.end - chunk.start)
            arrived |= {n: b"" for n in range(chunk.start, chunk.end)}
        elif what == "acknowledge":
            backlog.acknowledge(int(amount * max(arrived, default=-1)) if arrived else 0)
        elif what == "lose the link":
            backlog.rewind()
        assert len(backlog) <= capacity
    backlog.rewind()
    while chunk := backlog.take(7):
        arrived |= {n: b"" for n in range(chunk.start, chunk.end)}
    missing = set(range(backlog.end)) - arrived.keys()
    assert len(missing) <= backlog.dropped
