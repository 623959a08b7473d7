"""How far an import is, how fast it goes and how long it will take, in numbers and in one line. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

_WINDOW = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Pace:
    """So much was done at that moment; what came since then gives the rate."""

    at: datetime
    done: int


def moved(pace: Pace | None, now: datetime, done: int) -> Pace:
    """The window to keep once `done` are done: it covers the last ten to twenty seconds, so that the rate is the
    present one and yet does not jump with each portion."""
    if pace is None:
        return Pace(now, done)
    if now - pace.at <= _WINDOW:
        return pace
    speed = (done - pace.done) / (now - pace.at).total_seconds()
    return Pace(now - _WINDOW / 2, done - round(speed * (_WINDOW / 2).total_seconds()))


def rate(pace: Pace | None, now: datetime, done: int) -> float | None:
    """A second; None: it has only just begun. Of an import that hangs it falls by and by."""
    if pace is None or now - pace.at < timedelta(seconds=1):
        return None
    return max(0.0, (done - pace.done) / (now - pace.at).total_seconds())


def left(total: int | None, done: int, speed: float | None) -> timedelta | None:
    """How long the rest will take at this rate; None: nobody can say."""
    if total is None or not speed:
        return None
    return timedelta(seconds=round(max(0, total - done) / speed))


def line(
    what: str,
    done: int,
    total: int | None,
    *,
    speed: float | None = None,
    rest: timedelta | None = None,
    faulty: int = 0,
) -> str:
    """`orders   43,000 of 100,000   43 %   1,180/s   0:48 left   3 faulty`; what is not known is left out."""
    parts = [what, f"{done:,}" if total is None else f"{done:,} of {total:,}"]
    if total:
        # Not 100 before the last one.
        parts.append(f"{min(done, total) * 100 // total} %")
    if speed is not None:
        parts.append(f"{speed:,.0f}/s")
    if rest is not None:
        parts.append(f"{clock(rest)} left")
    if faulty:
        parts.append(f"{faulty:,} faulty")
    return "   ".join(parts)


def clock(span: timedelta) -> str:
    """`0:48`, `12:05`, `3:00:09`."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
