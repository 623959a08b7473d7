"""Working time of a place: how long after an instant so many hours of it have passed. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Hours = Mapping[str, tuple[str, str]]
"""Day -> opening and closing time. A day left out is closed; nothing at all: open day and night. A closing
time that is not later than the opening one is the next day's; `24:00` is the end of the day."""

_FURTHEST = 366


def after(start: datetime, working: timedelta, hours: Hours, zone: ZoneInfo) -> datetime:
    """The instant at which `working` has passed since `start`, counted while the place is open; in UTC.

    Nothing left to count ends at the first open instant from `start` on.
    """
    start = start.astimezone(UTC)
    if not hours:
        return start + working
    left = working
    for opening, closing in _spans(start, hours, zone):
        begin = max(start, opening)
        if closing <= begin:
            continue
        start = begin
        if closing - begin >= left:
            return begin + left
        left -= closing - begin
        start = closing
    # More than a year of it: nobody waits so long.
    return start


def _spans(start: datetime, hours: Hours, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """When the place is open, from the day before `start` on: that day's hours may reach over midnight."""
    first = start.astimezone(zone).date() - timedelta(days=1)
    for ahead in range(_FURTHEST + 1):
        day = first + timedelta(days=ahead)
        if given := hours.get(DAYS[day.weekday()]):
            yield _span(day, given, zone)


def _span(day: date, given: tuple[str, str], zone: ZoneInfo) -> tuple[datetime, datetime]:
    opens, closes = given
    ends_on = day
    if closes == "24:00" or closes <= opens:
        ends_on += timedelta(days=1)
    closing = "00:00" if closes == "24:00" else closes
    return _at(day, opens, zone), _at(ends_on, closing, zone)


def _at(day: date, clock: str, zone: ZoneInfo) -> datetime:
    # By the wall clock, so that a change to summer time moves no opening.
    return datetime.combine(day, time.fromisoformat(clock), tzinfo=zone).astimezone(UTC)
