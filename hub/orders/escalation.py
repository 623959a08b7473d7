"""What happens by the clock when nobody answers: reminders, and then others are asked. A chore of the tick."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from channels.base import Channel
from hub.contacts.model import Role
from hub.db.pool import UNREACHABLE, Connection
from hub.notifications import service as notifications
from hub.notifications.edits import request_edits
from hub.notifications.steps import Due
from hub.orders import asking, changes, events, people, queries, rules, stock_queries
from hub.orders.model import REMINDER, Kind, Line, Order, RequestStatus
from hub.orders.pressing import may_answer
from hub.orders.rules import Escalation
from hub.orders.work import Work
from hub.resources import Hub
from hub.webhooks.model import EventType

log = structlog.get_logger()

# The tick waits for them: enough for a morning when every question of the night is due at once.
_AT_ONCE = 50
_AGAIN_AFTER = timedelta(minutes=1)

_STATUS: Mapping[Escalation, RequestStatus] = {
    Escalation.OVERDUE: RequestStatus.OVERDUE,
    Escalation.SELLER: RequestStatus.ESCALATED,
    Escalation.ADMIN: RequestStatus.ESCALATED,
}

_EVENTS: Mapping[RequestStatus, EventType] = {
    RequestStatus.OVERDUE: EventType.STOCK_REQUEST_OVERDUE,
    RequestStatus.ESCALATED: EventType.STOCK_REQUEST_ESCALATED,
}


async def due_steps(hub: Hub, connection: Connection) -> list[Due]:
    """Takes the next step of every question whose time has come, each in a transaction of its own.

    One that fails by a bug is tried again a minute later and holds up no other.
    """
    due: list[Due] = []
    for request_id, shop_id, order_id in await stock_queries.due(connection, limit=_AT_ONCE):
        shop = hub.shops.get(shop_id)
        now = datetime.now(UTC)
        if shop is None:
            await stock_queries.postpone(connection, request_id, now + _AGAIN_AFTER)
            continue
        work = Work(hub, connection, shop, now)
        try:
            async with connection.transaction():
                await _take_step(work, order_id, request_id)
        except UNREACHABLE:
            raise
        except Exception:
            log.exception("escalation.failed", stock_request=str(request_id))
            await stock_queries.postpone(connection, request_id, now + _AGAIN_AFTER)
            continue
        due += work.due
    return due


async def _take_step(work: Work, order_id: UUID, request_id: UUID) -> None:
    await queries.lock_id(work.conn, order_id)
    request = await stock_queries.lock(work.conn, request_id)
    if request["next_step_at"] is None or request["next_step_at"] > work.now:
        # Answered, or begun anew, since it was looked for.
        return
    number, status = request["next_step"], RequestStatus(request["status"])
    what = rules.step(number, work.shop.settings.order)
    following = await asking.following_step(
        work, number + 1, request["clock_from"], request["warehouse_id"]
    )
    await stock_queries.took_step(
        work.conn,
        request_id,
        status=_STATUS.get(what, status) if what else status,
        next_step=number + 1,
        # After a night in which no hub ran, one step at a time all the same.
        next_step_at=max(following.at, work.now + _pause(work)) if following else None,
    )
    if what is None:
        # The settings have fewer steps than when it began.
        return
    order = await changes.reload(work, order_id)
    lines = [line for line in order.lines if line.stock_request_id == request_id]
    await _ask(work, order, request, what, lines)
    if what in _STATUS:
        await events.stock_request(work, _EVENTS[_STATUS[what]], request_id)
        await request_edits(work.conn, request_id)


def _pause(work: Work) -> timedelta:
    return min(timedelta(minutes=1), work.shop.settings.order.answer_within / 10)


async def _ask(
    work: Work,
    order: Order,
    request: Mapping[str, Any],
    what: Escalation,
    lines: Sequence[Line],
) -> None:
    match what:
        case Escalation.REMIND | Escalation.OVERDUE:
            await _remind(work, order, request, lines)
        case Escalation.SELLER:
            if request["seller_id"]:
                await stock_queries.seller_was_asked(work.conn, request["id"])
                await _escalate(work, order, request, [request["seller_id"]], Role.SELLER, lines)
        case Escalation.ADMIN:
            admins = await people.admins(work.conn, work.shop.id)
            await _escalate(work, order, request, admins, Role.ADMIN, lines)


async def _remind(
    work: Work, order: Order, request: Mapping[str, Any], lines: Sequence[Line]
) -> None:
    """Everybody who was asked and has still a say, by a channel that was not tried yet where there is one; and those
    who have joined the staff since, or can be reached only now, are asked like the others were."""
    asked = await stock_queries.asked(work.conn, request["id"])
    staff = await people.staff(work.conn, work.shop.id, request["warehouse_id"])
    for contact_id in dict.fromkeys([*asked, *staff]):
        if not await may_answer(work.conn, work.shop.id, Kind.STOCK, request["id"], [contact_id]):
            continue
        used = asked.get(contact_id, set())
        role = Role.SELLER if contact_id == request["seller_id"] else Role.WAREHOUSE
        await asking.put_question(
            work,
            order,
            request["id"],
            contact_id,
            role,
            lines,
            template=REMINDER if used else "stock.request",
            step=request["next_step"],
            exclude=used,
        )


async def _escalate(
    work: Work,
    order: Order,
    request: Mapping[str, Any],
    contacts: Sequence[UUID],
    role: Role,
    lines: Sequence[Line],
) -> None:
    """Each by the channel he likes best and, for it is late, by a second one: SMS rather than another."""
    for contact_id in contacts:
        ways = await notifications.reachable(work.hub, work.conn, work.shop, contact_id)
        second = [Channel.SMS] if Channel.SMS in ways[1:] else ways[1:2]
        for channel in (*ways[:1], *second):
            await asking.put_question(
                work,
                order,
                request["id"],
                contact_id,
                role,
                lines,
                template="stock.escalated",
                step=request["next_step"],
                channels=[channel],
            )
