"""Statistics: what became of messages, over any time, as charts, tables and files."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

from aiohttp import web

from channels.base import Category, Channel, Tells
from hub.api.console import figures, meaning
from hub.api.console.frame import HEADERS, SERVED, Pages, Visit, show
from hub.api.console.messages import what_of
from hub.errors import NotFound
from hub.operators.model import Right
from hub.statistics import live, queries, series, tables
from hub.statistics.model import Counts, Line, Only, Point, Report, Span, Step, Trouble

pages = Pages("statistics")

PERIODS: Mapping[str, int] = {"today": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
"""Days up to today."""

_USUAL = "week"
_LONGEST = timedelta(days=3660)
_TROUBLES = 15
_TROUBLES_IN_A_FILE = 1000
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Asked:
    """`first` and `last`: days where the shop is. `period`: of `PERIODS`; empty: days of one's own choice."""

    span: Span
    only: Only
    period: str
    first: date
    last: date


@pages.get("/statistics", right=Right.STATISTICS)
async def statistics(visit: Visit) -> web.StreamResponse:
    asked = _asked(visit)
    async with visit.hub.db.acquire() as connection:
        report = await queries.report(connection, visit.shop.id, asked.span, asked.only)
        troubles = await queries.troubles(
            connection, visit.shop.id, asked.span, asked.only, limit=_TROUBLES
        )
        at = await queries.counted_at(connection)
    points = series.whole(report.points, asked.span, now=visit.now)
    tells = telling(visit, report)
    chosen = {name: visit.request.query.get(name) for name in _CHOICES}
    return show(
        visit,
        "page.html",
        title=visit.said["nav"]["statistics"],
        asked=asked,
        report=report,
        points=points,
        labels=_labels(points, asked.span, visit),
        drawn=_drawn(points, visit),
        troubles=troubles,
        at=at,
        stands_still=live.is_late(at),
        tells=tells,
        tells_any=any(tells.values()),
        delivered_share=_delivered_share(report, tells),
        named=partial(what_of, visit),
        served=visit.request.app[SERVED],
        files={table: visit.url(f"/statistics/{table}.csv", **chosen) for table in _TABLES},
        periods=[(visit.here(**_only(period=name)), name) for name in PERIODS],
        options=_options(visit),
        means=partial(meaning.told, visit.said),
        count=partial(figures.count, locale=visit.locale),
        share=partial(figures.share, locale=visit.locale),
        amount=partial(figures.amount, locale=visit.locale),
    )


@pages.get("/statistics/{table}.csv", right=Right.STATISTICS)
async def file(visit: Visit) -> web.StreamResponse:
    """The same time and the same choice as on the page that names it."""
    asked, table = _asked(visit), visit.request.match_info["table"]
    if table not in _TABLES:
        raise NotFound
    async with visit.hub.db.acquire() as connection:
        if table == "errors":
            found = await queries.troubles(
                connection, visit.shop.id, asked.span, asked.only, limit=_TROUBLES_IN_A_FILE
            )
            head, rows = _errors(visit, found)
        else:
            report = await queries.report(connection, visit.shop.id, asked.span, asked.only)
            head, rows = _counted(visit, asked, report, table)
    name = f"{visit.shop.slug}-{table}-{asked.first}-{asked.last}.csv"
    return web.Response(
        text=tables.written(head, rows, locale=visit.locale),
        content_type="text/csv",
        charset="utf-8",
        headers={**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'},
    )


_CHOICES = ("period", "since", "until", "channel", "category", "template")
_TABLES = frozenset({"days", "channels", "providers", "templates", "errors"})
_COLUMNS = (
    "made",
    "sent",
    "delivered",
    "read",
    "clicked",
    "failed",
    "doubtful",
    "expired",
    "withdrawn",
    "waiting",
    "quick",
    "wait",
    "cost",
)


def _asked(visit: Visit) -> Asked:
    """Whatever stands in the address: what makes no sense is left out."""
    query, zone = visit.request.query, visit.shop.settings.zone
    today = visit.now.astimezone(zone).date()
    first, last = _date(query.get("since", "")), _date(query.get("until", ""))
    period = ""
    if first is None and last is None:
        period = query.get("period", "")
        period = period if period in PERIODS else _USUAL
        first, last = today - timedelta(days=PERIODS[period] - 1), today
    else:
        last = last or today
        first, last = sorted((first or last, last))
    first = max(first, last - _LONGEST)
    span = Span(_midnight(first, visit), _midnight(last + timedelta(days=1), visit), zone)
    channel, category = query.get("channel", ""), query.get("category", "")
    only = Only(
        channel if channel in set(Channel) else None,
        category if category in set(Category) else None,
        query.get("template", "")[:_LONGEST_NAME].replace("\0", "") or None,
    )
    return Asked(span, only, period, first, last)


def _date(text: str) -> date | None:
    """Of years that have a day before and after them in every zone."""
    with suppress(ValueError):
        day = date.fromisoformat(text)
        return day if 2000 <= day.year < 2200 else None
    return None


def _midnight(day: date, visit: Visit) -> datetime:
    return datetime.combine(day, time(), visit.shop.settings.zone).astimezone(UTC)


def _only(**query: Any) -> dict[str, Any]:
    """A period instead of days."""
    return {"since": None, "until": None, **query}


def _options(visit: Visit) -> Mapping[str, Sequence[tuple[str, str]]]:
    said = visit.said
    everything = ("", said["ui"]["all"])
    return {
        "channel": [everything, *((str(c), said["channels"][c]) for c in Channel)],
        "category": [everything, *((str(c), said["categories"][c]) for c in Category)],
    }


def telling(visit: Visit, report: Report) -> Mapping[str, bool]:
    """By channel: whether its providers report deliveries, so that a share means something."""
    return {
        line.key[0]: line.counts.delivered > 0
        or any(
            account.adapter.tells is not Tells.SENT
            for account in visit.hub.accounts.of(visit.shop.id, Channel(line.key[0]))
        )
        for line in report.channels
    }


def _delivered_share(report: Report, tells: Mapping[str, bool]) -> float | None:
    """Of what went by channels that report deliveries: the others would make it look as if little arrived."""
    told = [line.counts for line in report.channels if tells[line.key[0]]]
    sent = sum(counts.sent for counts in told)
    return sum(counts.delivered for counts in told) / sent if sent else None


def _labels(points: Sequence[Point], span: Span, visit: Visit) -> list[str]:
    """What each point is called in a table, in the time of the shop."""
    there = [point.at.astimezone(span.zone) for point in points]
    match span.step:
        case Step.HOUR:
            return [
                f"{at:%d.%m %H:%M}" if visit.locale == "ru" else f"{at:%d %b %H:%M}" for at in there
            ]
        case Step.DAY:
            return [f"{at:%d.%m.%Y}" if visit.locale == "ru" else f"{at:%Y-%m-%d}" for at in there]
        case Step.MONTH:
            return [f"{at:%m.%Y}" if visit.locale == "ru" else f"{at:%Y-%m}" for at in there]


def _drawn(points: Sequence[Point], visit: Visit) -> Mapping[str, Any]:
    """What the chart shows. Its clock is the operator's, the days are the shop's: a day begins at midnight on both."""
    said, shops, own = visit.said, visit.shop.settings.zone, visit.formats.zone
    moments = [point.at.astimezone(shops).replace(tzinfo=own) for point in points]
    return {
        "x": [round(at.timestamp()) for at in moments],
        "series": [
            {"label": said["counts"][name], "values": [getattr(point, name) for point in points]}
            for name in ("sent", "delivered", "read", "failed")
        ],
        "unit": "",
        "kind": "line" if len(points) > 1 else "bars",
    }


def _counted(
    visit: Visit, asked: Asked, report: Report, table: str
) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    said = visit.said
    if table == "days":
        drawn = ("made", "sent", "delivered", "read", "clicked", "failed", "cost")
        points = series.whole(report.points, asked.span, now=visit.now)
        head = [said["steps"][asked.span.step], *(said["counts"][name] for name in drawn)]
        labels = [_machine(point.at, asked.span) for point in points]
        return head, (
            [label, *(getattr(p, name) for name in drawn)]
            for label, p in zip(labels, points, strict=True)
        )
    lines: Mapping[str, tuple[Sequence[str], Sequence[Line]]] = {
        "channels": (("channel",), report.channels),
        "providers": (("channel", "provider", "account"), report.providers),
        "templates": (("template",), report.templates),
    }
    keys, found = lines[table]
    head = [
        *(said[key] for key in keys),
        *(said["counts"]["seconds" if name == "wait" else name] for name in _COLUMNS),
    ]
    return head, ([*line.key, *_cells(line.counts)] for line in found)


def _machine(at: datetime, span: Span) -> str:
    there = at.astimezone(span.zone)
    return {Step.HOUR: f"{there:%Y-%m-%d %H:%M}", Step.DAY: f"{there:%Y-%m-%d}"}.get(
        span.step, f"{there:%Y-%m}"
    )


def _cells(counts: Counts) -> list[Any]:
    wait = None if counts.wait is None else round(counts.wait, 1)
    return [wait if name == "wait" else getattr(counts, name) for name in _COLUMNS]


def _errors(
    visit: Visit, found: Sequence[Trouble]
) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    said = visit.said
    names = ("channel", "provider", "account", "status", "reason", "code", "means", "words")
    return [*(said[name] for name in names), said["deliveries"]], (
        [
            *(t.channel, t.provider, t.account, t.status, t.reason, t.code),
            *(meaning.told(said, t.reason, t.code), t.said, t.deliveries),
        ]
        for t in found
    )
