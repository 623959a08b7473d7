"""What became of the shop's messages, counted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from aiohttp import web
from pydantic import Field

from channels.base import Category, Channel
from hub.api.body import Out, Query, answer, read_query
from hub.api.keys import HUB, SHOP
from hub.api.routes import Routes
from hub.contacts.instant import QueryInstant
from hub.errors import Fault, InvalidInput
from hub.shops.keys import Scope
from hub.statistics import queries
from hub.statistics.model import Counts, Only, Point, Report, Span, Trouble

routes = Routes("Statistics")

_USUAL = timedelta(days=7)
_LONGEST = timedelta(days=3660)
_ERRORS = 200


class By(StrEnum):
    TIME = "time"
    CHANNEL = "channel"
    ACCOUNT = "account"
    TEMPLATE = "template"
    ERROR = "error"


class StatisticsQuery(Query):
    since: QueryInstant | None = Field(default=None, description="Left out: a week before `until`.")
    until: QueryInstant | None = Field(default=None, description="Left out: now.")
    by: By = Field(
        default=By.TIME,
        description="time: by the hour for up to two days, by the day for up to 400, else by the month, as they are"
        " where the shop is.",
    )
    channel: Channel | None = None
    category: Category | None = None
    template: str | None = Field(default=None, min_length=1, max_length=255)


class CountsOut(Out):
    """Deliveries."""

    made: int = Field(description="All there are.")
    sent: int = Field(description="A provider took it, whatever became of it then.")
    delivered: int = Field(description="With those that were read.")
    read: int
    clicked: int
    failed: int
    unknown: int = Field(description="Nobody can tell whether it left.")
    expired: int
    withdrawn: int = Field(description="Suppressed, collapsed or cancelled.")
    waiting: int
    within_10_s: int = Field(description="Handed over within ten seconds of being due.")
    within_60_s: int
    cost: Decimal = Field(description="In the currencies of the accounts.")

    @classmethod
    def of(cls, counts: Counts) -> Self:
        return cls(
            made=counts.made,
            sent=counts.sent,
            delivered=counts.delivered,
            read=counts.read,
            clicked=counts.clicked,
            failed=counts.failed,
            unknown=counts.doubtful,
            expired=counts.expired,
            withdrawn=counts.withdrawn,
            waiting=counts.waiting,
            within_10_s=counts.quick,
            within_60_s=counts.soon,
            cost=counts.cost,
        )


class StatisticsOut(Out):
    since: datetime
    until: datetime
    counted_at: datetime | None = Field(
        description="When the present was last counted; receipts of older hours are counted in later, at last after a"
        " tenth of their age."
    )
    total: CountsOut
    items: list[dict[str, Any]] = Field(
        description="The most first, or in the order of time. time: `at` with some of the counts; channel, account (with"
        " `channel` and `provider`), template (null: content of the request): with all of them; error: `channel`,"
        " `provider`, `account`, `status`, `reason`, `code`, `text` (the provider's words about one of them, without"
        " addresses) and `deliveries`."
    )


@routes.get(
    "/v1/statistics",
    name="statistics.get",
    scope=Scope.READ,
    summary="Count messages",
    query=StatisticsQuery,
    answers={200: StatisticsOut},
)
async def statistics(request: web.Request) -> web.StreamResponse:
    """What was sent, delivered, read, clicked and refused in a time, and what it cost. It stays when the messages
    themselves are too old to be kept. Days that the time cuts are counted by the hour; what is older than a month is told
    by whole days of the shop."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, StatisticsQuery)
    until = query.until or datetime.now(UTC)
    since = query.since or until - _USUAL
    if not timedelta(0) < until - since <= _LONGEST:
        raise InvalidInput(
            faults=[Fault("/since", "must lie before `until`, by ten years at most")]
        )
    span = Span(since, until, shop.settings.zone)
    only = Only(query.channel, query.category, query.template)
    async with hub.db.acquire() as connection:
        report = await queries.report(connection, shop.id, span, only)
        troubles = []
        if query.by is By.ERROR:
            troubles = await queries.troubles(connection, shop.id, span, only, limit=_ERRORS)
        at = await queries.counted_at(connection)
    return answer(
        StatisticsOut(
            since=since,
            until=until,
            counted_at=at,
            total=CountsOut.of(report.total),
            items=list(_items(query.by, report, troubles)),
        )
    )


def _items(by: By, report: Report, troubles: list[Trouble]) -> Iterator[dict[str, Any]]:
    match by:
        case By.TIME:
            yield from map(_point, report.points)
        case By.CHANNEL:
            for line in report.channels:
                yield {"channel": line.key[0], **CountsOut.of(line.counts).model_dump()}
        case By.ACCOUNT:
            for line in report.providers:
                keys = dict(zip(("channel", "provider", "account"), line.key, strict=True))
                yield {**keys, **CountsOut.of(line.counts).model_dump()}
        case By.TEMPLATE:
            for line in report.templates:
                yield {"template": line.key[0] or None, **CountsOut.of(line.counts).model_dump()}
        case By.ERROR:
            yield from map(_trouble, troubles)


def _point(point: Point) -> dict[str, Any]:
    names = ("at", "made", "sent", "delivered", "read", "clicked", "failed", "cost")
    return {name: getattr(point, name) for name in names}


def _trouble(trouble: Trouble) -> dict[str, Any]:
    names = ("channel", "provider", "account", "status", "reason", "code", "deliveries")
    return {**{name: getattr(trouble, name) for name in names}, "text": trouble.said}
