"""Rules whose time has come: whatever still is as it was is told of. A chore of the tick."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from hub.db.pool import UNFIT, UNREACHABLE, Connection
from hub.events import telling
from hub.events.telling import Thing
from hub.notifications.steps import Due
from hub.orders import queries as orders
from hub.orders import telling as order_telling
from hub.orders.work import Work
from hub.resources import Hub
from hub.rules import queries, timers
from hub.rules.model import Rule, Timer
from hub.sources.model import Kind

log = structlog.get_logger()

# The tick waits for them: enough for an hour after a campaign has filled carts.
_AT_ONCE = 50
_AGAIN_AFTER = timedelta(minutes=1)
_PATIENT = timedelta(days=1)


class _Unreadable(Exception):
    """The rule was stored by another version and is refused by this one."""


async def due_rules(hub: Hub, connection: Connection) -> list[Due]:
    """Lets every rule go off whose time has come, each in a transaction of its own.

    One that fails by a bug, or whose rule cannot be read, is tried again a minute later, for a day, and holds up no
    other.
    """
    due: list[Due] = []
    for timer in await timers.due(connection, _AT_ONCE):
        shop = hub.shops.get(timer.shop_id)
        if shop is None:
            await timers.postpone(connection, timer, _AGAIN_AFTER)
            continue
        work = Work(hub, connection, shop, datetime.now(UTC))
        try:
            async with connection.transaction():
                await _go_off(work, timer)
        except _Unreadable as unreadable:
            log.error("rules.unreadable", shop=shop.slug, rule=timer.rule, problem=str(unreadable))
            await _failed(connection, timer)
            continue
        except Exception as error:
            if isinstance(error, UNREACHABLE) and not isinstance(error, UNFIT):
                raise
            log.exception("rules.failed", shop=shop.slug, rule=timer.rule, timer=str(timer.id))
            await _failed(connection, timer)
            continue
        due += work.due
    return due


async def _failed(connection: Connection, timer: Timer) -> None:
    if await timers.give_up(connection, timer, _PATIENT):
        # What it was about is old news by now.
        log.error("rules.given_up", rule=timer.rule, kind=timer.kind, timer=str(timer.id))
    else:
        await timers.fail(connection, timer, _AGAIN_AFTER)


async def _go_off(work: Work, timer: Timer) -> None:
    """What does not hold any more is dropped without a word."""
    if timer.kind is Kind.ORDER:
        # The order before the timer, as whoever changes the order does.
        await orders.lock_id(work.conn, UUID(timer.about))
    if not await timers.take(work.conn, timer):
        return
    rule = await queries.by_name(work.conn, work.shop, timer.rule)
    if rule is None or not rule.active:
        return
    if rule.fault:
        raise _Unreadable(rule.fault)
    if rule.event != timer.event:
        return
    if timer.kind is Kind.ORDER:
        await _of_order(work, timer, rule)
    else:
        await _of_thing(work, timer, rule)


async def _of_order(work: Work, timer: Timer, rule: Rule) -> None:
    order = await orders.by_id(work.conn, work.shop.id, UUID(timer.about))
    if order is None or order.status != timer.state:
        return
    if await order_telling.still_holds(work, order, rule):
        await order_telling.tell_by(work, order, rule)


async def _of_thing(work: Work, timer: Timer, rule: Rule) -> None:
    thing = await _found(work, timer)
    if thing is None or thing.state != timer.state:
        return
    if await telling.still_holds(work, thing, rule):
        await telling.tell_by(work, thing, rule)


async def _found(work: Work, timer: Timer) -> Thing | None:
    """As it was seen last. None: it is gone, or became an order."""
    if timer.kind is Kind.CUSTOMER:
        return await telling.customer(work.conn, work.shop.id, UUID(timer.about))
    source_id, _, object_ = timer.about.partition("/")
    row = await work.conn.fetchrow(
        """
        SELECT o.contact_id, o.digest, o.facts, s.name FROM source_object AS o
          JOIN source AS s ON s.id = o.source_id AND s.deleted_at IS NULL
         WHERE o.source_id = $1 AND o.kind = $2 AND o.object = $3 AND o.shop_id = $4
           AND o.deleted_at IS NULL AND o.facts IS NOT NULL
        """,
        UUID(source_id),
        timer.kind,
        object_,
        work.shop.id,
    )
    if row is None:
        return None
    return telling.seen(
        UUID(source_id),
        row["name"],
        timer.kind,
        object_,
        digest=row["digest"],
        contact_id=row["contact_id"],
        facts=row["facts"],
    )
