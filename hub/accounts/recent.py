"""What one process saw of an account's calls lately, and whether that is reason to leave it alone. Pure."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

KEPT = 20
"""Calls that are remembered of an account."""

WINDOW = timedelta(seconds=30)
"""And for how long, save for failures in a row."""

IN_A_ROW = 5
"""Failures after each other, however long they took to gather."""

ENOUGH = 10
"""Calls of the window from which on half of them are a verdict."""

_ENOUGH_SLOW = 3


class Ended(NamedTuple):
    """One call. `at`: on the clock of the process, in seconds."""

    at: float
    failed: bool
    slow: bool


class Took(NamedTuple):
    """How long one call took, in seconds. `at`: when it ended."""

    at: float
    seconds: float


def fails(ended: Sequence[Ended], *, now: float) -> bool:
    """Five in a row, or at least half of ten or more."""
    last = ended[-IN_A_ROW:]
    if len(last) == IN_A_ROW and all(one.failed for one in last):
        return True
    lately = [one for one in ended if now - one.at <= WINDOW.total_seconds()]
    failed = sum(one.failed for one in lately)
    return len(lately) >= ENOUGH and failed * 2 >= len(lately)


def is_slow(
    ended: Sequence[Ended],
    under_way: Collection[float],
    *,
    now: float,
    slow_after: timedelta,
    concurrency: int,
) -> bool:
    """Most of what was seen lately took longer than `slow_after`. `under_way`: when those calls began that have no
    answer yet; one that should have had it by now counts as slow before it ends.

    Looked at twice: over the window, and over the time of one slow call. So an account that falls silent is
    found out at once, however many calls were quick before.
    """
    longest = slow_after.total_seconds()
    hanging = sum(now - began >= longest for began in under_way)
    # An account that takes few calls at once has no more to show.
    enough = min(_ENOUGH_SLOW, concurrency)
    for seconds in (longest, WINDOW.total_seconds()):
        lately = [one for one in ended if now - one.at <= seconds]
        slow = hanging + sum(one.slow for one in lately)
        if slow >= enough and slow * 2 > hanging + len(lately):
            return True
    return False


def usual(took: Sequence[Took], under_way: Collection[float], *, now: float) -> float | None:
    """Seconds that a call takes lately; None: there was none. `under_way`: as for `is_slow`; one that lasts longer
    than the others took tells before it ends."""
    ended = sorted(one.seconds for one in took if now - one.at <= WINDOW.total_seconds())
    middle = ended[len(ended) // 2] if ended else 0.0
    lasting = [now - began for began in under_way if now - began > middle]
    every = sorted([*ended, *lasting])
    return every[len(every) // 2] if every else None
