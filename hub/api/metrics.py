"""What Prometheus reads: requests by route, and how much waits. No ids and no addresses in labels."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import asyncpg
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client import generate_latest as text_of
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from channels.base import Category
from hub import metrics as shared
from hub.accounts import health
from hub.accounts.health import Pause
from hub.api.keys import HUB, ROOM
from hub.api.patience import within
from hub.api.routes import PUBLIC, Routes
from hub.db.pool import UNREACHABLE
from hub.events import views
from hub.notifications.handout import waiting_routes
from hub.resources import Hub
from hub.room import Room, Short

REQUESTS = Counter("vestnik_http_requests", "Requests answered.", ["route", "method", "status"])
SECONDS = Histogram(
    "vestnik_http_request_seconds",
    "Time to the answer.",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 6, 30),
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_COUNTED = 100_000
_PATIENCE = timedelta(seconds=2)
_FRESH = timedelta(seconds=5).total_seconds()

routes = Routes("Service")


class RequestMetrics:
    """Keeps the labelled children at hand: finding them costs more than counting."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        # A method is whatever a client writes; only known ones become a label.
        method = method if method in _METHODS else "other"
        counter = self._counters.get((route, method, status))
        if counter is None:
            counter = REQUESTS.labels(route, method, str(status))
            self._counters[route, method, status] = counter
        counter.inc()
        histogram = self._histograms.get(route)
        if histogram is None:
            histogram = self._histograms[route] = SECONDS.labels(route)
        histogram.observe(seconds)


class Backlog(Collector):
    """What waits, as read from the database a moment ago. Counts stop at 100,000."""

    def __init__(self) -> None:
        self._families: list[GaugeMetricFamily] = []
        self._read_at = float("-inf")

    def collect(self) -> list[GaugeMetricFamily]:
        return self._families

    async def refresh(self, hub: Hub) -> None:
        """At most every 5 s. Raises what `UNREACHABLE` lists."""
        if time.monotonic() - self._read_at < _FRESH:
            return
        shops, now = list(hub.shops), datetime.now(UTC)
        counts = {c: await hub.db.fetchval(_DUE, shops, c, _COUNTED) for c in Category}
        waits = await waiting_routes(hub.db, shops, list(Category))
        since = {c: [w.since for w in waits if w.category is c] for c in Category}
        pauses = await health.pauses(hub.db)
        waiting = GaugeMetricFamily(
            "vestnik_deliveries_waiting",
            f"Deliveries that are due now and not sent yet (counted up to {_COUNTED}).",
            labels=["category"],
        )
        oldest = GaugeMetricFamily(
            "vestnik_oldest_due_seconds",
            "How long the oldest due delivery has been waiting.",
            labels=["category"],
        )
        for category in Category:
            waiting.add_metric([category], counts[category])
            age = now - min(since[category], default=now)
            oldest.add_metric([category], max(0.0, age.total_seconds()))
        accounts = GaugeMetricFamily(
            "vestnik_accounts_paused", "Accounts that are not used for now.", labels=["shop"]
        )
        for shop_id, shop in hub.shops.items():
            accounts.add_metric([shop.slug], _paused(hub, shop_id, pauses))
        self._families = [waiting, oldest, accounts, *await _events(hub, now)]
        self._read_at = time.monotonic()


class RoomMetrics(Collector):
    """What was found at the last look at the room there is."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def collect(self) -> list[GaugeMetricFamily]:
        closed = GaugeMetricFamily(
            "vestnik_intake_closed", "1: no new work is taken for want of that.", labels=["reason"]
        )
        for reason in Short:
            closed.add_metric([reason], reason in self._room.short)
        known = [
            GaugeMetricFamily(name, text, value=self._room.known[key])
            for key, (name, text) in _ROOM.items()
            if key in self._room.known
        ]
        return [closed, *known]


_ROOM = {
    "disk_free": ("vestnik_disk_free_bytes", "Free where the database is."),
    "disk_reserve": ("vestnik_disk_reserve_bytes", "Below that no new work is taken."),
    "database": ("vestnik_database_bytes", "The size of the database, where it has a limit."),
}

_DUE = """
SELECT count(*) FROM (
       SELECT FROM delivery
        WHERE shop_id = ANY($1) AND category = $2 AND status = 'queued' AND handout_at <= now()
        LIMIT $3) AS due
"""


async def _events(hub: Hub, now: datetime) -> list[GaugeMetricFamily]:
    """Of shops that have a source."""
    standing = await views.standing(hub.db, list(hub.shops), now)
    families = [
        GaugeMetricFamily(name, text.format(views.MOST_COUNTED), labels=["shop"])
        for name, text in _EVENTS.items()
    ]
    for shop_id, stands in standing.items():
        age = now - (stands.oldest_due_at or now)
        numbers = (
            stands.waiting,
            max(0.0, age.total_seconds()),
            stands.failed,
            stands.troubled,
        )
        for family, number in zip(families, numbers, strict=True):
            family.add_metric([hub.shops[shop_id].slug], number)
    return families


_EVENTS = {
    "vestnik_events_waiting": "Events of shops that are due now and not worked on yet (counted up to {}).",
    "vestnik_oldest_event_seconds": "How long the oldest of them has been due.",
    "vestnik_events_failed": "Events that came in within a day and were given up (counted up to {}).",
    "vestnik_sources_troubled": "Sources whose platform refuses us or is away.",
}


def _paused(hub: Hub, shop_id: int, pauses: Mapping[tuple[int, str], Pause]) -> int:
    """Of those that are in use; what is off or gone from the settings is missed by nobody."""
    now = datetime.now(UTC)
    names = [a.name for a in hub.accounts.all() if a.enabled and a.shop_id == shop_id]
    found = (pauses.get((shop_id, name)) for name in names)
    return sum(pause is not None and pause.until > now for pause in found)


BACKLOG = web.AppKey("backlog", Backlog)


@routes.get(
    "/metrics",
    name="metrics",
    scope=PUBLIC,
    summary="Metrics",
    answers={200: "text/plain"},
)
async def metrics(request: web.Request) -> web.StreamResponse:
    """Prometheus text format. It holds no personal data and asks for no key: keep it off the internet
    at your proxy. While the database is away the backlog is left out."""
    backlog = request.app[BACKLOG]
    text = shared.text()
    room = CollectorRegistry()
    room.register(RoomMetrics(request.app[ROOM]))
    text += text_of(room)
    try:
        await within(_PATIENCE, backlog.refresh(request.app[HUB]))
    except (*UNREACHABLE, asyncpg.PostgresError):
        pass
    else:
        waiting = CollectorRegistry()
        waiting.register(backlog)
        text += text_of(waiting)
    return web.Response(body=text, headers=shared.HEADERS)
