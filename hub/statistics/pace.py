"""When an hour is counted anew. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)

PAUSE = timedelta(seconds=5)
"""Between two counts of an hour that is not over."""

LONGEST = timedelta(days=35)
"""How long after an hour its messages are still reported read, or sent because they were scheduled."""

_SHARE = 10
"""An hour waits a tenth of its age: what comes in late is rarer and less urgent the later it is."""

_BESIDE = timedelta(days=1)


def hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def is_due(hour: datetime, counted_at: datetime | None, *, now: datetime) -> bool:
    """Whether what was counted of it may be out of date by now. None: it was never counted."""
    if counted_at is None:
        return True
    age = counted_at - (hour + HOUR)
    return now - counted_at >= max(PAUSE, age / _SHARE)


def kept_open(shortest: timedelta) -> timedelta:
    """How long an hour is counted anew at all. `shortest`: how long deliveries are kept at least; what of them is gone
    must not be missing from the counts, too."""
    return min(LONGEST, shortest - _BESIDE)


def newest_first(hours: Iterable[datetime]) -> list[datetime]:
    return sorted(hours, reverse=True)
