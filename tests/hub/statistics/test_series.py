"""A line has every point."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hub.statistics import series
from hub.statistics.model import Point, Span, Step

BERLIN = ZoneInfo("Europe/Berlin")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), BERLIN).astimezone(UTC)


def _span(first: date, last: date) -> Span:
    return Span(_midnight(first), _midnight(last + timedelta(days=1)), BERLIN)


def _point(at: datetime) -> Point:
    return Point(at, made=1, sent=1, delivered=0, read=0, clicked=0, failed=0, cost=Decimal(0))


def test_days_follow_the_clocks_when_they_are_changed() -> None:
    span = _span(date(2026, 10, 24), date(2026, 10, 27))
    known = _point(_midnight(date(2026, 10, 26)))

    points = series.whole([known], span, now=span.until)

    assert span.step is Step.DAY
    assert [(p.at.astimezone(BERLIN).isoformat(), p.sent) for p in points] == [
        ("2026-10-24T00:00:00+02:00", 0),
        ("2026-10-25T00:00:00+02:00", 0),
        ("2026-10-26T00:00:00+01:00", 1),
        ("2026-10-27T00:00:00+01:00", 0),
    ]


def test_the_day_of_that_change_has_one_hour_more() -> None:
    span = _span(date(2026, 10, 25), date(2026, 10, 25))

    assert len(series.whole([], span, now=span.until)) == 25


def test_what_has_not_begun_is_no_nought() -> None:
    span = _span(date(2026, 11, 30), date(2026, 11, 30))

    assert len(series.whole([], span, now=span.since + timedelta(hours=3, minutes=1))) == 4


def test_years_are_told_by_the_month() -> None:
    span = _span(date(2025, 1, 15), date(2026, 3, 2))
    points = series.whole([], span, now=span.until)

    assert span.step is Step.MONTH
    assert len(points) == 15
    assert points[0].at == _midnight(date(2025, 1, 1))
    assert points[-1].at == _midnight(date(2026, 3, 1))
