"""A line needs every point, also those of which there is nothing to tell. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from hub.statistics.model import Point, Span, Step
from hub.statistics.pace import HOUR, hour_of


def whole(points: Sequence[Point], span: Span, *, now: datetime) -> list[Point]:
    """With a point for each hour, day or month of the span that has begun."""
    known = {_name(point.at, span): point for point in points}
    return [known.get(_name(at, span)) or _nothing(at) for at in _beginnings(span) if at <= now]


def _name(at: datetime, span: Span) -> datetime | date:
    """Days by their date: where the clocks go back at midnight it comes twice, and PostgreSQL names a day by the second
    one."""
    return at if span.step is Step.HOUR else at.astimezone(span.zone).date()


def _beginnings(span: Span) -> Iterator[datetime]:
    at = span.since
    if span.step is Step.HOUR:
        begun = hour_of(at)
        # An hour that the beginning cuts is counted before it.
        at = begun if begun == at else begun + HOUR
        while at < span.until:
            yield at
            at += HOUR
        return
    day = at.astimezone(span.zone).date()
    if span.step is Step.MONTH:
        day = day.replace(day=1)
    while (at := datetime.combine(day, time(), span.zone).astimezone(UTC)) < span.until:
        yield at
        day += timedelta(days=1)
        if span.step is Step.MONTH:
            day = (day + timedelta(days=31)).replace(day=1)


def _nothing(at: datetime) -> Point:
    return Point(at, made=0, sent=0, delivered=0, read=0, clicked=0, failed=0, cost=Decimal(0))
