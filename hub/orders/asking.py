"""Puts questions to the people at the shelf, changes them while they are open, and takes them back."""

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from channels.base import Channel
from hub.contacts.model import Role
from hub.notifications.edits import EDITABLE, request_edits
from hub.orders import events, people, rules, stock_queries, telling
from hub.orders.hours import Hours
from hub.orders.model import Kind, Line, Order
from hub.orders.rules import NextStep
from hub.orders.work import Work
from hub.webhooks.model import EventType

Place = tuple[UUID | None, UUID | None]
"""Seller and warehouse: one question, one assembly each."""

CANCELLED = "cancelled"
"""Why a question was closed: with its order."""

DECIDED = "decided"
"""Why a question was closed: the shop went on without waiting for the answer."""

CHANGED = "changed"
"""Why a question was closed: nothing of what it asked for is in the order any more."""

_EDITABLE = frozenset(EDITABLE)


async def ask(work: Work, order: Order, lines: Sequence[Line]) -> None:
    """Asks for lines nobody was asked for: within the place's question where one is open, else by a new one."""
    open_ = {
        (row["seller_id"], row["warehouse_id"]): row["id"]
        for row in await stock_queries.active(work.conn, order.id)
    }
    for place, part in places(lines).items():
        if place in open_:
            await _grow(work, order, open_[place], place, part)
        else:
            await _open(work, order, place, part)


async def _open(work: Work, order: Order, place: Place, lines: Sequence[Line]) -> None:
    seller_id, warehouse_id = place
    request_id = await stock_queries.open_request(
        work.conn,
        work.shop.id,
        order.id,
        seller_id=seller_id,
        warehouse_id=warehouse_id,
        now=work.now,
    )
    await stock_queries.ask_lines(work.conn, work.shop.id, order.id, request_id, lines)
    await _start_clock(work, request_id, warehouse_id)
    await _put_first(work, order, request_id, place, lines)
    await events.stock_request(work, EventType.STOCK_REQUEST_OPENED, request_id)


async def _grow(
    work: Work, order: Order, request_id: UUID, place: Place, lines: Sequence[Line]
) -> None:
    """The open question changes in place, and its time starts anew. Where the message cannot be changed it is put
    again."""
    await stock_queries.ask_lines(work.conn, work.shop.id, order.id, request_id, lines)
    await _start_clock(work, request_id, place[1])
    await request_edits(work.conn, request_id)
    again = unchanged(await stock_queries.asked(work.conn, request_id))
    if not again:
        return
    held = await stock_queries.lines(work.conn, request_id)
    open_ = [line for line in order.lines if line.id in held and held[line.id]["confirmed"] is None]
    roles = await _roles(work, place)
    for who in again:
        if who in roles:
            await put_question(work, order, request_id, who, roles[who], open_)


async def _roles(work: Work, place: Place) -> Mapping[UUID, Role]:
    """As what each is asked who may answer for the place now."""
    seller_id, warehouse_id = place
    roles = dict.fromkeys(await people.admins(work.conn, work.shop.id), Role.ADMIN)
    staff = await people.staff(work.conn, work.shop.id, warehouse_id)
    roles |= dict.fromkeys(staff, Role.WAREHOUSE)
    if seller_id:
        roles[seller_id] = Role.SELLER
    return roles


async def _start_clock(work: Work, request_id: UUID, warehouse_id: UUID | None) -> None:
    open_hours, zone = await hours_of(work, warehouse_id)
    settings = work.shop.settings.order
    step = rules.next_step(1, settings, work.now, open_hours, zone)
    await stock_queries.set_clock(
        work.conn,
        request_id,
        clock_from=work.now,
        next_step=1,
        next_step_at=step.at if step else None,
        deadline=rules.deadline(settings, work.now, open_hours, zone),
    )


async def following_step(
    work: Work, number: int, since: datetime, warehouse_id: UUID | None
) -> NextStep | None:
    """Step `number` of a question that waits since `since`, in working time of its place."""
    open_hours, zone = await hours_of(work, warehouse_id)
    return rules.next_step(number, work.shop.settings.order, since, open_hours, zone)


async def hours_of(work: Work, warehouse_id: UUID | None) -> tuple[Hours, ZoneInfo]:
    """A seller without a warehouse is always open."""
    row = await work.conn.fetchrow(
        "SELECT hours, timezone FROM warehouse WHERE id = $1", warehouse_id
    )
    if row is None:
        return {}, work.shop.settings.zone
    zone = ZoneInfo(row["timezone"]) if row["timezone"] else work.shop.settings.zone
    return {day: (opens, closes) for day, (opens, closes) in row["hours"].items()}, zone


async def _put_first(
    work: Work, order: Order, request_id: UUID, place: Place, lines: Sequence[Line]
) -> None:
    """To the staff of the place; where there is none that can be reached, to the seller."""
    seller_id, warehouse_id = place
    staff = await people.staff(work.conn, work.shop.id, warehouse_id)
    reached = [
        await put_question(work, order, request_id, who, Role.WAREHOUSE, lines) for who in staff
    ]
    if not any(reached) and seller_id:
        await stock_queries.seller_was_asked(work.conn, request_id)
        await put_question(work, order, request_id, seller_id, Role.SELLER, lines)


async def put_question(
    work: Work,
    order: Order,
    request_id: UUID,
    contact_id: UUID,
    role: Role,
    lines: Sequence[Line],
    *,
    template: str = "stock.request",
    step: int = 0,
    channels: Sequence[Channel] | None = None,
    exclude: Collection[Channel] = (),
) -> Channel | None:
    """The channel by which that person is asked; None: there is no way to him. `template` names how: what
    it shows comes from the question as it stands when the message leaves."""
    sent = await telling.send(
        work,
        contact_id,
        template,
        telling.data_of(order, role, lines),
        interaction={"kind": Kind.STOCK, "id": str(request_id)},
        channels=channels,
        exclude_channels=exclude,
    )
    if sent is None:
        return None
    await stock_queries.add_message(
        work.conn,
        work.shop.id,
        request_id,
        contact_id,
        notification_id=sent.id,
        step=step,
        channel=sent.channel,
    )
    return sent.channel


async def close(work: Work, order: Order, requests: Sequence[UUID], reason: str) -> None:
    """Nobody is asked any more, and the messages say so. A letter or an SMS cannot be changed: who was asked
    by one is told, unless he hears of the order's new status anyway."""
    if not requests:
        return
    await stock_queries.close(work.conn, requests, reason)
    for request_id in requests:
        await request_edits(work.conn, request_id)
        await _take_back(work, order, request_id, reason)


async def _take_back(work: Work, order: Order, request_id: UUID, reason: str) -> None:
    said = {"order": {"number": order.number}, "stock": {"reason": reason}}
    asked = unchanged(await stock_queries.asked(work.conn, request_id))
    if reason == CANCELLED and asked:
        hearing = await telling.hearers(work, order)
        asked = [who for who in asked if who not in hearing]
    for contact_id in asked:
        await telling.send(work, contact_id, "stock.cancelled", said)


def unchanged(asked: Mapping[UUID, Set[Channel]]) -> list[UUID]:
    """Who was asked by nothing but what cannot be changed: letters, SMS, pushes."""
    return [who for who, channels in asked.items() if channels and not channels & _EDITABLE]


def places(lines: Sequence[Line]) -> Mapping[Place, list[Line]]:
    """The lines of each place, in the order of the first one of each."""
    found: dict[Place, list[Line]] = {}
    for line in lines:
        found.setdefault((line.seller_id, line.warehouse_id), []).append(line)
    return found
