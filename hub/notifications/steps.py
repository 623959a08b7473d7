"""Opens the next channel of a plan, in the transaction of what made it necessary."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from channels.base import Category, Channel, Tells
from hub.contacts import addresses
from hub.db.pool import Db
from hub.ids import new_id
from hub.notifications import events
from hub.notifications.model import GAVE_UP, LIFETIME, DeliveryStatus, Plan, Strategy
from hub.notifications.progress import At, Standing, standing

TRIED = "CASE WHEN route LIKE '%/apart' THEN route ELSE route || '/apart' END"
"""In SQL, the route of a delivery that was tried and is to be tried again."""


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that can be handed to a worker."""

    category: Category
    id: UUID


class Owner(NamedTuple):
    """What of a notification its deliveries are made of. `plan`: as `stored` made it, or as it was stored."""

    id: UUID
    shop_id: int
    contact_id: UUID
    category: Category
    strategy: str
    ordering_key: str | None
    expires_at: datetime | None
    plan: Sequence[Mapping[str, Any]]


class NewDelivery(NamedTuple):
    """A row to be made. `has_next`: the plan has another channel after this one."""

    id: UUID
    shop_id: int
    notification_id: UUID
    contact_id: UUID
    address_id: UUID
    channel: str
    category: Category
    step: int
    ordering_key: str | None
    due_at: datetime
    give_up_at: datetime
    has_next: bool = False


def stored(plan: Plan, patience: timedelta) -> list[dict[str, Any]]:
    """The plan as its row keeps it: ids of addresses and no personal data. `patience`: how long a channel is
    tried while another one waits behind it."""
    seconds = patience.total_seconds()
    return [
        {
            "channel": step.channel,
            "addresses": [str(target.address_id) for target in step.targets],
            "until": step.until,
            "wait": step.wait.total_seconds() if step.wait is not None else None,
            "patience": seconds if i + 1 < len(plan.steps) else None,
        }
        for i, step in enumerate(plan.steps)
    ]


def step_deliveries(
    of: Owner, step: int, *, start: datetime, addresses: Iterable[UUID] | None = None
) -> list[NewDelivery]:
    """The rows of one step, one an address. `addresses`: the step's, where they are at hand as they were before they were
    stored."""
    planned = of.plan[step]
    takes_turns = of.strategy != Strategy.ALL
    lasts = LIFETIME[of.category]
    if takes_turns and planned["patience"] is not None:
        lasts = timedelta(seconds=planned["patience"])
    give_up_at = start + lasts
    if of.expires_at:
        give_up_at = min(give_up_at, of.expires_at)
    has_next = takes_turns and step + 1 < len(of.plan)
    # In the order of the fields: by their names it takes twice as long.
    return [
        NewDelivery(
            new_id(),
            of.shop_id,
            of.id,
            of.contact_id,
            address,
            planned["channel"],
            of.category,
            step,
            of.ordering_key,
            start,
            give_up_at,
            has_next,
        )
        for address in addresses or map(UUID, planned["addresses"])
    ]


async def add(
    db: Db,
    rows: Sequence[NewDelivery],
    *,
    handout_after: timedelta,
    waiting: Collection[UUID] = (),
) -> None:
    """`handout_after`: when the tick steps in, should the direct hand-out be lost; what is due later has no
    other hand-out, nor has what is `waiting`: deliveries of these notifications are the tick's from the beginning."""
    await db.execute(
        """
        INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category, step,
                              ordering_key, due_at, handout_at, give_up_at, route)
        SELECT t.id, t.shop_id, t.notification_id, t.contact_id, t.address_id, t.channel, t.category, t.step,
               t.ordering_key, t.due_at,
               CASE WHEN t.due_at > now() + interval '1 second' THEN t.due_at
                    WHEN t.waits THEN now() ELSE now() + $13 END,
               t.give_up_at,
               concat_ws('/', t.channel, coalesce(a.kind, ''), coalesce(a.provider, ''),
                         CASE WHEN t.has_next THEN 'next' ELSE 'last' END,
                         CASE WHEN t.ordering_key IS NOT NULL THEN 'apart' END)
          FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[],
                      $7::text[], $8::smallint[], $9::text[], $10::timestamptz[], $11::timestamptz[],
                      $12::boolean[], $14::boolean[])
            AS t (id, shop_id, notification_id, contact_id, address_id, channel, category, step,
                  ordering_key, due_at, give_up_at, has_next, waits)
          LEFT JOIN address AS a ON a.id = t.address_id
        """,
        # The fields in their order, once through the rows.
        *zip(*rows, strict=True),
        handout_after,
        [r.notification_id in waiting for r in rows],
    )


async def lock(db: Db, notifications: Collection[UUID]) -> None:
    """In the order in which everybody does, until the end of the caller's transaction."""
    await db.execute(
        "SELECT FROM notification WHERE id = ANY($1) ORDER BY id FOR UPDATE", list(notifications)
    )


async def advance(
    db: Db, notifications: Collection[UUID], *, too_late: Collection[UUID] = ()
) -> list[Due]:
    """Looks at each notification after one of its deliveries has moved or a wait is over: writes its status
    and opens the next step where the plan says so. Runs inside the caller's transaction.

    `too_late`: those of them that are not worth telling on another channel any more.
    """
    if not notifications:
        return []
    ids = list(notifications)
    # Two statements: the second one's snapshot is taken with the locks held, so that of two workers that
    # settle two devices of one person at once the later one sees both.
    await lock(db, ids)
    rows = await db.fetch(
        """
        SELECT n.id, n.shop_id, n.contact_id, n.category, n.strategy, n.plan, n.ordering_key,
               n.expires_at, n.step_at, n.status,
               n.shop_id IN (SELECT shop_id FROM webhook WHERE active) AS heard,
               (SELECT coalesce(jsonb_agg(jsonb_build_array(d.step, d.status, d.reason)), '[]')
                  FROM delivery AS d WHERE d.notification_id = n.id) AS deliveries
          FROM notification AS n WHERE n.id = ANY($1)
        """,
        ids,
    )
    now = datetime.now(UTC)
    opened: list[NewDelivery] = []
    changed: list[tuple[UUID, str, datetime | None]] = []
    told: dict[UUID, str] = {}
    for row in map(dict, rows):
        found = _standing(row, now, over=row["id"] in too_late)
        looks_at = row["step_at"] if found.waiting else None
        if found.next_step is not None:
            opened += step_deliveries(_owner(row), found.next_step, start=now)
            looks_at = step_at(row["plan"], found.next_step, now)
        if (found.status, looks_at) != (row["status"], row["step_at"]):
            changed.append((row["id"], found.status, looks_at))
        if row["heard"] and found.status != row["status"]:
            told[row["id"]] = found.status
    if changed:
        await _write(db, changed)
        await events.tell(db, told)
    if opened:
        await add(db, opened, handout_after=timedelta(seconds=10))
    return [Due(d.category, d.id) for d in opened]


async def _write(db: Db, changed: Sequence[tuple[UUID, str, datetime | None]]) -> None:
    await db.execute(
        """
        UPDATE notification AS n SET status = t.status, step_at = t.step_at
          FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS t (id, status, step_at)
         WHERE n.id = t.id AND n.id = ANY($1)
        """,
        *map(list, zip(*changed, strict=True)),
    )


def _owner(row: Mapping[str, Any]) -> Owner:
    values = {name: row[name] for name in Owner._fields}
    return Owner(**values | {"category": Category(row["category"])})


def _standing(row: Mapping[str, Any], now: datetime, *, over: bool) -> Standing:
    return standing(
        Strategy(row["strategy"]),
        [Tells(step["until"]) if step["until"] else None for step in row["plan"]],
        [
            At(step, DeliveryStatus(status), reason == GAVE_UP)
            for step, status, reason in row["deliveries"]
        ],
        step_at=row["step_at"],
        expires_at=now if over else row["expires_at"],
        now=now,
    )


def step_at(plan: Sequence[Mapping[str, Any]], step: int, start: datetime) -> datetime | None:
    """When a cascade looks at that step again; None for its last one and outside cascades."""
    wait = plan[step]["wait"]
    if wait is None or step + 1 >= len(plan):
        return None
    return start + timedelta(seconds=wait)


async def move_address(db: Db, address_id: UUID, channel: Channel, value: str) -> None:
    """The provider says that the address has a new value. A place's group keeps its place."""
    await db.execute(
        """
        UPDATE address AS a
           SET value = $2, digest = $3, value_since = now(), updated_at = now(),
               -- Of an address there is one anonymous receiver: where it is known already, that one stays it.
               one_off = a.one_off AND NOT EXISTS (
                   SELECT FROM address AS o WHERE o.shop_id = a.shop_id AND o.digest = $3 AND o.one_off AND o.id <> a.id)
         WHERE a.id = $1
        """,
        address_id,
        value,
        addresses.digest_at(channel, value),
    )
    # One that was bound once more by its new value before this was known is asked once.
    await db.execute(
        """
        WITH moved AS (
            DELETE FROM warehouse_chat AS h USING address AS a
             WHERE a.id = $1 AND h.contact_id = a.contact_id AND h.channel = $2
            RETURNING h.*
        )
        INSERT INTO warehouse_chat (shop_id, warehouse_id, contact_id, channel, value, created_at)
        SELECT shop_id, warehouse_id, contact_id, channel, $3, created_at FROM moved
        ON CONFLICT (warehouse_id, channel, value) DO NOTHING
        """,
        address_id,
        channel,
        value,
    )


async def move_chat(db: Db, shop_id: int, channel: Channel, chat: str, value: str) -> None:
    """The messenger itself says that the chat goes on under the address `value`: whoever has it follows, as with
    `move_address`. Safe to repeat. In the caller's transaction."""
    rows = await db.fetch(
        "SELECT id FROM address WHERE shop_id = $1 AND digest = $2 ORDER BY id FOR UPDATE",
        shop_id,
        addresses.digest_at(channel, chat),
    )
    for row in rows:
        await move_address(db, row["id"], channel, value)


async def let_pass(db: Db, notifications: Collection[UUID]) -> None:
    """These left the way without being sent: what their ordering key held back goes out at the tick's next
    turn. A row that somebody else holds at the moment is handed out by itself later."""
    await db.execute(
        """
        WITH freed AS (
            SELECT next.id
              FROM notification AS n
              JOIN delivery AS next
                ON next.contact_id = n.contact_id AND next.ordering_key = n.ordering_key
             WHERE n.id = ANY($1) AND n.ordering_key IS NOT NULL
               AND next.status = 'queued' AND next.due_at <= now() AND next.handout_at > now()
               FOR UPDATE OF next SKIP LOCKED
        )
        UPDATE delivery AS d SET handout_at = now() FROM freed WHERE d.id = freed.id
        """,
        list(notifications),
    )
