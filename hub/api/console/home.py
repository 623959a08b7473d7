"""Home: what goes on now, how the last day went, and what waits for somebody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from aiohttp import web

from hub.accounts import health
from hub.accounts.book import LiveAccount, NotSetUp
from hub.accounts.health import Pause
from hub.api.console import figures, meaning
from hub.api.console.frame import SERVED, Pages, Visit, show
from hub.api.console.statistics import telling
from hub.config import Locale
from hub.db.pool import Connection
from hub.operators.model import Right
from hub.statistics import live, queries
from hub.statistics.live import Queue
from hub.statistics.model import Counts, Report, Span, Trouble

pages = Pages("home")

_DAY = timedelta(days=1)
_TROUBLES = 6


@dataclass(frozen=True, slots=True)
class Went:
    """How one channel went. `tells`: whether any of its accounts reports deliveries, so that a share means something."""

    channel: str
    counts: Counts
    tells: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """One account. `state`: active, paused, off or not_set_up."""

    name: str
    channel: str
    provider: str
    state: str
    pause: Pause | None = None
    missing: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Lately:
    """The last 24 hours. `until`: what was counted."""

    channels: Sequence[Went]
    total: Counts
    troubles: Sequence[Trouble]
    until: datetime | None
    stands_still: bool


@pages.get("/")
async def home(visit: Visit) -> web.StreamResponse:
    """`?part=live` is what changes by itself."""
    async with visit.hub.db.acquire() as connection:
        queues = await live.queues(connection, visit.shop.id, visit.now)
        handed = await live.handed_over(connection, visit.shop.id, visit.now)
        pauses = await health.pauses(connection)
        questions = await live.questions(connection, visit.shop.id)
        failed = await live.failed_events(connection, visit.shop.id)
        lately = await _lately(visit, connection) if visit.may(Right.STATISTICS) else None
    accounts = _accounts(visit, pauses)
    return show(
        visit,
        "page.html",
        title=visit.said["nav"]["home"],
        queues=queues,
        sums=_sums(queues),
        handed=sum(handed.values()),
        capped=partial(_capped, locale=visit.locale),
        lately=lately,
        accounts=accounts,
        unwell=[one for one in accounts if one.state in ("paused", "not_set_up")],
        questions=questions,
        failed=failed,
        served=visit.request.app[SERVED],
        means=partial(meaning.told, visit.said),
        count=partial(figures.count, locale=visit.locale),
        share=partial(figures.share, locale=visit.locale),
    )


def _capped(value: int, locale: Locale) -> str:
    """Where counting stopped there are more."""
    return figures.count(value, locale) + ("+" if value >= live.MOST else "")


def _sums(queues: Sequence[Queue]) -> Queue:
    """Over all channels; where one of them was not counted to its end, that many and more."""
    return Queue(
        "",
        queues[0].category if queues else live.LANES[0],
        min(sum(q.due for q in queues), live.MOST),
        min(sum(q.later for q in queues), live.MOST),
        sum(q.sending for q in queues),
        min((q.since for q in queues if q.since), default=None),
    )


async def _lately(visit: Visit, connection: Connection) -> Lately:
    span = Span(visit.now - _DAY, visit.now + timedelta(hours=1), visit.shop.settings.zone)
    found = await queries.report(connection, visit.shop.id, span)
    at = await queries.counted_at(connection)
    return Lately(
        channels=_went(visit, found),
        total=found.total,
        troubles=await queries.troubles(connection, visit.shop.id, span, limit=_TROUBLES),
        until=at,
        stands_still=live.is_late(at),
    )


def _went(visit: Visit, found: Report) -> list[Went]:
    tells = telling(visit, found)
    return [Went(line.key[0], line.counts, tells[line.key[0]]) for line in found.channels]


def _accounts(visit: Visit, pauses: Mapping[tuple[int, str], Pause]) -> list[Standing]:
    """In the order of the settings file."""
    return [
        _standing(visit, account, pauses.get((visit.shop.id, account.name)))
        for account in visit.hub.accounts.listed(visit.shop.id)
    ]


def _standing(visit: Visit, account: LiveAccount | NotSetUp, pause: Pause | None) -> Standing:
    name, channel, provider = account.name, str(account.channel), account.provider
    if not account.enabled:
        return Standing(name, channel, provider, "off")
    if isinstance(account, NotSetUp):
        return Standing(name, channel, provider, "not_set_up", missing=account.variables)
    if pause and pause.until > visit.now:
        return Standing(name, channel, provider, "paused", pause)
    return Standing(name, channel, provider, "active")
