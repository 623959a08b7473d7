"""What the statistics are about, and what they say. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo


class Step(StrEnum):
    """What one point of a chart stands for."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


_HOURS_UP_TO = timedelta(days=2)
_DAYS_UP_TO = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` to before `until`; days and months are those of `zone`."""

    since: datetime
    until: datetime
    zone: ZoneInfo

    @property
    def step(self) -> Step:
        long = self.until - self.since
        if long <= _HOURS_UP_TO:
            return Step.HOUR
        return Step.DAY if long <= _DAYS_UP_TO else Step.MONTH


@dataclass(frozen=True, slots=True)
class Only:
    """What is counted; None: everything."""

    channel: str | None = None
    category: str | None = None
    template: str | None = None


EVERYTHING = Only()


@dataclass(frozen=True, slots=True)
class Counts:
    """Deliveries. Each of `made` stands in exactly one of: sent and not `failed` or `doubtful` afterwards, `failed`,
    `doubtful` (nobody knows whether it went out), `expired`, `withdrawn`, `waiting`.

    `sent`: a provider took it, whatever became of it then. `delivered` has the read ones in it. `timed`: of how many the
    time to hand-over is known; `quick`: within 10 seconds, `soon`: within a minute, `waited`: all their seconds.
    """

    made: int = 0
    sent: int = 0
    delivered: int = 0
    read: int = 0
    clicked: int = 0
    failed: int = 0
    doubtful: int = 0
    expired: int = 0
    withdrawn: int = 0
    waiting: int = 0
    timed: int = 0
    quick: int = 0
    soon: int = 0
    waited: float = 0.0
    cost: Decimal = Decimal(0)

    @property
    def delivered_share(self) -> float | None:
        return _share(self.delivered, self.sent)

    @property
    def read_share(self) -> float | None:
        return _share(self.read, self.sent)

    @property
    def failed_share(self) -> float | None:
        return _share(self.failed, self.made)

    @property
    def quick_share(self) -> float | None:
        return _share(self.quick, self.timed)

    @property
    def wait(self) -> float | None:
        """Seconds to hand-over, on an average."""
        return self.waited / self.timed if self.timed else None


COUNTS = tuple(field.name for field in fields(Counts))
"""The columns of `delivery_hour` that are summed up."""


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, slots=True)
class Line:
    """`key`: the channel; channel, provider and account; the template (empty: the content came with the request)."""

    key: tuple[str, ...]
    counts: Counts


@dataclass(frozen=True, slots=True)
class Point:
    """An hour, day or month, from `at` on; the words are those of `Counts`."""

    at: datetime
    made: int
    sent: int
    delivered: int
    read: int
    clicked: int
    failed: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Report:
    """The most first; points in the order of time, those without anything are left out."""

    total: Counts
    points: Sequence[Point]
    channels: Sequence[Line]
    providers: Sequence[Line]
    templates: Sequence[Line]

    def by_channel(self) -> Mapping[str, Counts]:
        return {line.key[0]: line.counts for line in self.channels}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Deliveries that did not arrive, or wait, for one reason. `said`: the provider's words about the latest of them, with
    addresses taken out."""

    channel: str
    provider: str
    account: str
    status: str
    reason: str
    code: str
    deliveries: int
    delivery_id: UUID
    said: str = ""
