"""What goes on at this moment, as far as a glance at the database tells. Counts stop where nobody counts any more."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from channels.base import Category, Channel
from hub.db.partitions import first_id
from hub.db.pool import Db
from hub.notifications import routes
from hub.notifications.handout import waiting_routes
from hub.orders.model import ACTIVE

MOST = 10_000
"""More are not counted."""

LATELY = timedelta(minutes=1)

_HANDED_OUT = timedelta(minutes=2)
"""What a worker has in its lane is due again only then."""

LANES = (Category.SECURITY, Category.TRANSACTIONAL, Category.MARKETING)

_QUESTIONS = 5
_EVENTS = 5


@dataclass(frozen=True, slots=True)
class Queue:
    """Of one channel and category. `due`: to be sent now; `later`: waits for its time, for another try, or for an account
    that is paused. `since`: of the foremost. `sending`: at the provider right now."""

    channel: str
    category: Category
    due: int = 0
    later: int = 0
    sending: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Question:
    id: UUID
    order: str
    at: str
    status: str
    opened_at: datetime
    deadline: datetime | None


@dataclass(frozen=True, slots=True)
class Questions:
    """Which are still to be answered: how many, how many of them are late, and the oldest."""

    open: int
    late: int
    oldest: Sequence[Question]


@dataclass(frozen=True, slots=True)
class Failed:
    """What a shop's platform told and the hub could not make anything of."""

    source: str
    kind: str
    object: str
    reason: str
    at: datetime | None


async def queues(db: Db, shop_id: int, now: datetime) -> list[Queue]:
    """In the order of lanes, then of channels."""
    found: dict[tuple[Category, str], list[Queue]] = defaultdict(list)
    for waiting in await waiting_routes(db, [shop_id], list(Category)):
        route, category = routes.read(waiting.route), waiting.category
        channel = str(route.channel) if route else ""
        due = await _waiting(db, shop_id, category, waiting.route, now, due=True)
        later = await _waiting(db, shop_id, category, waiting.route, now, due=False)
        since = waiting.since if waiting.since <= now else None
        found[category, channel].append(Queue(channel, category, due, later, 0, since))
    for row in await db.fetch(
        "SELECT channel, category, count(*)::int AS sending FROM delivery"
        " WHERE status = 'sending' AND leased_until IS NOT NULL AND shop_id = $1 GROUP BY 1, 2",
        shop_id,
    ):
        category = Category(row["category"])
        found[category, row["channel"]].append(
            Queue(row["channel"], category, sending=row["sending"])
        )
    order = {str(channel): place for place, channel in enumerate(Channel)}
    together = [_together(parts) for parts in found.values()]
    return sorted(together, key=lambda q: (LANES.index(q.category), order.get(q.channel, -1)))


async def _waiting(
    db: Db, shop_id: int, category: Category, route: str, now: datetime, *, due: bool
) -> int:
    found: int = await db.fetchval(
        f"""
        SELECT count(*) FROM (
               SELECT FROM delivery
                WHERE shop_id = $1 AND category = $2 AND route = $3 AND status = 'queued'
                  AND handout_at {"<=" if due else ">"} $4 LIMIT $5) AS waiting
        """,  # noqa: S608 (constants)
        shop_id,
        category,
        route,
        now + _HANDED_OUT,
        MOST,
    )
    return found


def _together(parts: Sequence[Queue]) -> Queue:
    return Queue(
        parts[0].channel,
        parts[0].category,
        min(sum(p.due for p in parts), MOST),
        min(sum(p.later for p in parts), MOST),
        sum(p.sending for p in parts),
        min((p.since for p in parts if p.since), default=None),
    )


async def handed_over(db: Db, shop_id: int, now: datetime) -> Mapping[str, int]:
    """How many were lately, by account; those whose call is being made are among them."""
    rows = await db.fetch(
        """
        SELECT account, count(*)::int AS sent FROM (
               SELECT account FROM attempt WHERE id >= $2 AND shop_id = $1
                  AND coalesce(outcome, 'accepted') = 'accepted'
                ORDER BY id DESC LIMIT $3) AS lately
         GROUP BY account
        """,
        shop_id,
        first_id(now - LATELY),
        MOST,
    )
    return {row["account"]: row["sent"] for row in rows}


async def questions(db: Db, shop_id: int) -> Questions:
    active = [str(status) for status in ACTIVE]
    [row] = await db.fetch(
        """
        SELECT count(*)::int AS open, count(*) FILTER (WHERE status <> 'open')::int AS late FROM (
               SELECT status FROM stock_request
                WHERE shop_id = $1 AND status = ANY($2::text[]) LIMIT $3) AS asked
        """,
        shop_id,
        active,
        MOST,
    )
    # By each status apart: only so does an index give the oldest of them.
    rows = await db.fetch(
        """
        SELECT r.id, r.status, r.opened_at, r.deadline, coalesce(nullif(o.number, ''), o.external_id) AS "order",
               coalesce(nullif(w.name, ''), w.external_id, '') AS at
          FROM unnest($2::text[]) AS s (status)
         CROSS JOIN LATERAL (
               SELECT * FROM stock_request WHERE shop_id = $1 AND status = s.status ORDER BY id LIMIT $3) AS r
          JOIN shop_order AS o ON o.id = r.order_id
          LEFT JOIN warehouse AS w ON w.id = r.warehouse_id
         ORDER BY r.opened_at LIMIT $3
        """,
        shop_id,
        active,
        _QUESTIONS,
    )
    return Questions(row["open"], row["late"], [Question(**one) for one in rows])


async def failed_events(db: Db, shop_id: int) -> list[Failed]:
    """The latest first."""
    rows = await db.fetch(
        """
        SELECT s.name AS source, coalesce(e.kind, '') AS kind, e.object, e.reason, e.handled_at AS at
          FROM (SELECT * FROM shop_event WHERE shop_id = $1 AND result = 'failed' ORDER BY id DESC LIMIT $2) AS e
          JOIN source AS s ON s.id = e.source_id
         ORDER BY e.id DESC
        """,
        shop_id,
        _EVENTS,
    )
    return [Failed(**row) for row in rows]


def is_late(at: datetime | None) -> bool:
    """Whether the counting has stood still since then: no worker runs."""
    return at is not None and datetime.now(UTC) - at > timedelta(minutes=5)
