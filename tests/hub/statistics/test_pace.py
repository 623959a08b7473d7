"""When an hour is counted anew."""

from datetime import UTC, datetime, timedelta

from hub.statistics import pace

HOUR = datetime(2026, 11, 30, 10, tzinfo=UTC)
OVER = HOUR + pace.HOUR


def test_one_that_was_never_counted_is_due() -> None:
    assert pace.is_due(HOUR, None, now=HOUR)


def test_one_that_is_not_over_is_counted_all_the_time() -> None:
    counted = HOUR + timedelta(minutes=20)

    assert not pace.is_due(HOUR, counted, now=counted + timedelta(seconds=4))
    assert pace.is_due(HOUR, counted, now=counted + pace.PAUSE)


def test_an_old_one_waits_a_tenth_of_its_age() -> None:
    counted = OVER + timedelta(hours=20)

    assert not pace.is_due(HOUR, counted, now=counted + timedelta(hours=1, minutes=59))
    assert pace.is_due(HOUR, counted, now=counted + timedelta(hours=2))


def test_it_is_never_counted_when_some_of_it_may_be_gone() -> None:
    assert pace.kept_open(timedelta(days=180)) == pace.LONGEST
    assert pace.kept_open(timedelta(days=7)) == timedelta(days=6)
