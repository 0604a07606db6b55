"""Who sends faster than allowed waits as long as the surplus takes."""

import pytest

from hub.pace import Pace


def test_a_burst_is_free_and_the_rest_takes_its_time() -> None:
    pace = Pace(rate=100, burst=50)
    now = pace._at
    assert pace.spend(50, now) == 0
    assert pace.spend(10, now) == pytest.approx(0.1)
    assert pace.spend(10, now + 0.1) == pytest.approx(0.1)


def test_rest_refills_no_more_than_the_burst() -> None:
    pace = Pace(rate=100)
    assert pace.spend(150, pace._at + 1000) == pytest.approx(0.5)


def test_real_time_never_waits() -> None:
    pace = Pace(rate=4 * 16_000, burst=1_600)
    start = pace._at
    assert all(pace.spend(1_600, start + number / 10) == 0 for number in range(1, 100))
