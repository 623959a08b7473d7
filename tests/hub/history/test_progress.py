"""Rate, time left and the line of an import."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.history import progress
from hub.history.progress import Pace

BEGAN = datetime(2026, 1, 2, 10, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """Slow for a minute, then fast: what counts is how it goes now."""
    pace: Pace | None = None
    done = 0
    for second in range(60):
        done += 100
        pace = progress.moved(pace, at(second), done)
    for second in range(60, 90):
        done += 1000
        pace = progress.moved(pace, at(second), done)

    found = progress.rate(pace, at(89), done)

    assert found is not None
    assert 850 < found <= 1000


def test_the_rate_does_not_jump_when_the_window_moves() -> None:
    pace: Pace | None = None
    found = []
    for second in range(120):
        pace = progress.moved(pace, at(second), second * 500)
        found.append(progress.rate(pace, at(second), second * 500))

    assert all(rate == pytest.approx(500, abs=1) for rate in found[1:])


def test_an_import_that_hangs_gets_slower() -> None:
    pace = Pace(BEGAN, 0)

    rates = [progress.rate(pace, at(second), 1000) for second in (10, 100, 1000)]

    assert rates == [100, 10, 1]


def test_at_first_nobody_knows() -> None:
    assert progress.rate(None, BEGAN, 0) is None
    assert progress.rate(Pace(BEGAN, 0), at(0.5), 500) is None


@pytest.mark.parametrize(
    ("total", "done", "rate", "left"),
    [
        (1000, 400, 100.0, 6),
        (1000, 1000, 100.0, 0),
        # There were more than had been announced.
        (1000, 1200, 100.0, 0),
        (None, 400, 100.0, None),
        (1000, 400, None, None),
        (1000, 400, 0.0, None),
    ],
)
def test_what_is_left(total: int | None, done: int, rate: float | None, left: float | None) -> None:
    found = progress.left(total, done, rate)

    assert found == (None if left is None else timedelta(seconds=left))


def test_the_line_says_what_is_known() -> None:
    whole = progress.line(
        "orders", 43_000, 100_000, speed=1180.4, rest=timedelta(seconds=48), faulty=3
    )
    little = progress.line("orders", 43_000, None)

    assert whole == "orders   43,000 of 100,000   43 %   1,180/s   0:48 left   3 faulty"
    assert little == "orders   43,000"


def test_a_hundred_per_cent_is_the_last_one() -> None:
    assert "99 %" in progress.line("orders", 99_999, 100_000)
    assert "100 %" in progress.line("orders", 100_000, 100_000)


def test_long_waits_have_hours() -> None:
    assert progress.clock(timedelta(hours=3, seconds=9)) == "3:00:09"
