"""A line needs every point, also those of which there is nothing to tell. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from hub.statistics.model import Point, Span, Step


def whole(points: Sequence[Point], span: Span, *, now: datetime) -> list[Point]:
    """With a point for each hour, day or month of the span that has begun."""
    known = {point.at: point for point in points}
    return [known.get(at) or _nothing(at) for at in _beginnings(span) if at <= now]


def _beginnings(span: Span) -> Iterator[datetime]:
    at = span.since
    if span.step is Step.HOUR:
        at = at.replace(minute=0, second=0, microsecond=0)
        while at < span.until:
            yield at
            at += timedelta(hours=1)
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
