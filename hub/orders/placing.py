"""An order put or moved on inside a transaction of the caller: by the API, or as a shop's platform says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.errors import Fault, Unprocessable
from hub.ids import id_at, new_id
from hub.notifications.edits import request_edits
from hub.orders import (
    answering,
    asking,
    changes,
    packing,
    parcels,
    people,
    queries,
    rules,
    stock_queries,
    warehouses,
)
from hub.orders.model import STAGES, Change, Line, Order, OrderStatus, Source
from hub.orders.request import LineIn, OrderIn, StatusIn
from hub.orders.rules import Ignored
from hub.orders.work import Work


@dataclass(frozen=True, slots=True)
class Placed:
    """`ignored`: why its status changed nothing, where it did not."""

    order_id: UUID
    created: bool
    ignored: Ignored | None = None


async def place(
    work: Work,
    external_id: str,
    given: OrderIn,
    *,
    reason: str = "",
    at: datetime | None = None,
) -> Placed:
    """As `PUT /v1/orders/{external_id}`. `reason`: of its status; `at`: when a new order was made, so that it sorts
    among others of that time. Raises `Unprocessable` (an unknown buyer or seller)."""
    lines, buyer_id = await _resolved(work, given)
    order_id = await queries.lock(work.conn, work.shop.id, external_id)
    if order_id is None:
        order_id = await _add(work, external_id, given, lines, buyer_id, reason, at)
        if order_id is not None:
            return Placed(order_id, True)
        # Somebody else may have made it just now: his is the older one.
        order_id = await queries.lock(work.conn, work.shop.id, external_id)
        assert order_id is not None  # noqa: S101 (orders are never deleted)
    ignored = await _change(work, order_id, given, lines, buyer_id, reason)
    return Placed(order_id, False, ignored)


async def move(work: Work, order_id: UUID, given: StatusIn) -> Ignored | None:
    """Of an order that is locked. Why the status changed nothing, where it did not."""
    before = await changes.reload(work, order_id)
    order = replace(before, delivery=_delivery(before.delivery, given))
    if "labels_url" in given.model_fields_set:
        order = replace(order, labels_url=given.labels_url)
    await queries.change(work.conn, order, work.now)
    if not work.quiet:
        await packing.show(work, before, order)
    _, ignored = await _told(work, order, given.status, given.reason)
    return ignored


async def _resolved(work: Work, given: OrderIn) -> tuple[list[Line], UUID | None]:
    """Everybody and every place by their ids; places that are not known are made."""
    names = {line.seller.external_id for line in given.lines}
    if given.buyer:
        names.add(given.buyer.external_id)
    found = await people.named(work.conn, work.shop.id, names)
    faults = [
        fault
        for i, line in enumerate(given.lines)
        if (
            fault := warehouses.seller_fault(
                found, line.seller.external_id, f"/lines/{i}/seller/external_id"
            )
        )
    ]
    if given.buyer and given.buyer.external_id not in found:
        reason = "there is no contact with this external_id"
        faults.append(Fault("/buyer/external_id", reason))
    if faults:
        raise Unprocessable(faults=faults)
    wanted = {line.warehouse.external_id for line in given.lines if line.warehouse}
    places = await warehouses.ids(work.conn, work.shop.id, wanted)
    if missing := wanted - places.keys():
        await warehouses.ensure(work.conn, work.shop.id, missing)
        places = await warehouses.ids(work.conn, work.shop.id, wanted)
    lines = [line_of(line, found[line.seller.external_id][0], places) for line in given.lines]
    return lines, found[given.buyer.external_id][0] if given.buyer else None


def line_of(given: LineIn, seller_id: UUID, places: Mapping[str, UUID]) -> Line:
    """`places`: the ids of warehouses by the shop's own."""
    warehouse = given.warehouse.external_id if given.warehouse else None
    return Line(
        id=given.id,
        sku=given.sku,
        title=given.title,
        quantity=given.quantity,
        price=given.price,
        image_url=given.image_url,
        seller_id=seller_id,
        seller=given.seller.external_id,
        warehouse_id=places[warehouse] if warehouse else None,
        warehouse=warehouse,
    )


async def _add(
    work: Work,
    external_id: str,
    given: OrderIn,
    lines: Sequence[Line],
    buyer_id: UUID | None,
    reason: str,
    at: datetime | None,
) -> UUID | None:
    """None: somebody else has just made it."""
    made_at = min(at, work.now) if at else work.now
    status = given.status or OrderStatus.PLACED
    order = Order(
        id=id_at(made_at) if at else new_id(),
        shop_id=work.shop.id,
        external_id=external_id,
        number=given.number,
        status=status,
        told_status=status,
        buyer_id=buyer_id,
        buyer=given.buyer.external_id if given.buyer else None,
        currency=given.currency or "RUB",
        total=given.total,
        delivery=_delivery({}, given),
        labels_url=given.labels_url,
        revision=0,
        created_at=made_at,
        updated_at=work.now,
        lines=tuple(lines),
    )
    if not await queries.add(work.conn, order):
        return None
    await queries.set_lines(work.conn, order, lines)
    await changes.enter(work, order, status, Source.API, reason)
    return order.id


async def _change(
    work: Work,
    order_id: UUID,
    given: OrderIn,
    lines: Sequence[Line],
    buyer_id: UUID | None,
    reason: str,
) -> Ignored | None:
    before = await changes.reload(work, order_id)
    was = packing.Standing()
    if before.status in packing.FOLLOWED:
        was = await packing.standing(work, before)
    after = _changed(before, given, lines, buyer_id)
    lost = _lost_lines(before, after)
    poorer = await stock_queries.withdraw(work.conn, lost)
    less = _lessened(before, after)
    await stock_queries.lessen(work.conn, less)
    await queries.set_lines(work.conn, after, after.lines)
    await queries.change(work.conn, after, work.now)
    if not work.quiet:
        await packing.show(work, before, after)
        for request_id in {line.stock_request_id for line in less if line.stock_request_id}:
            await request_edits(work.conn, request_id)
    ignored = None
    if given.status is not None:
        after, ignored = await _told(work, after, given.status, reason)
    if not work.quiet:
        await _review(work, before, after, poorer, was, less=bool(less))
    return ignored


def _changed(before: Order, given: OrderIn, lines: Sequence[Line], buyer_id: UUID | None) -> Order:
    given_fields = given.model_fields_set
    held = {line.id: line for line in before.lines}
    changed = replace(
        before,
        number=given.number,
        delivery=_delivery(before.delivery, given),
        currency=given.currency or before.currency,
        lines=tuple(_carried(held.get(line.id), line) for line in lines),
    )
    if "buyer" in given_fields:
        buyer = given.buyer.external_id if given.buyer else None
        changed = replace(changed, buyer_id=buyer_id, buyer=buyer)
    if "total" in given_fields:
        changed = replace(changed, total=given.total)
    if "labels_url" in given_fields:
        changed = replace(changed, labels_url=given.labels_url)
    return changed


def _carried(before: Line | None, after: Line) -> Line:
    """A line keeps its answer as long as the question is the same, or the answer decides the new one."""
    if before is None:
        return after
    confirmed = before.confirmed
    if not rules.same_question(before, after):
        confirmed = rules.still_there(before, after)
        if confirmed is None:
            return after
    return replace(after, stock_request_id=before.stock_request_id, confirmed=confirmed)


def _lessened(before: Order, after: Order) -> list[Line]:
    """Lines of which less is wanted now, with what there is of that by their answer."""
    held = {line.id: line for line in before.lines}
    return [
        line
        for line in after.lines
        if line.stock_request_id
        and line.id in held
        and not rules.same_question(held[line.id], line)
    ]


def _lost_lines(before: Order, after: Order) -> list[tuple[UUID, str]]:
    """(question, line) of what is not asked any more as it was."""
    kept = {line.id for line in after.lines if line.stock_request_id}
    return [
        (line.stock_request_id, line.id)
        for line in before.lines
        if line.stock_request_id and line.id not in kept
    ]


def _delivery(before: Mapping[str, Any], given: OrderIn | StatusIn) -> dict[str, Any]:
    if "delivery" not in given.model_fields_set:
        return dict(before)
    told = given.delivery
    if told is None:
        return {}
    after = {**before, **{name: getattr(told, name) for name in told.model_fields_set}}
    return {name: value for name, value in after.items() if value is not None}


async def _told(
    work: Work, order: Order, status: OrderStatus, reason: str
) -> tuple[Order, Ignored | None]:
    """What the shop says of the order's status, weighed against where the order stands."""
    ignored = rules.judged(order.status, order.told_status, status)
    if ignored is None:
        order = replace(order, told_status=status)
        return await changes.enter(work, order, status, Source.API, reason), None
    if ignored is Ignored.LATE:
        if await queries.came_late_last(work.conn, order.id) is status:
            return order, Ignored.REPEATED
        why = f"the order is {order.status} already"
        late = Change(status, work.now, Source.API, late=True, reason=why)
        await queries.add_change(work.conn, order, late)
        return order, ignored
    order = replace(order, told_status=status)
    await queries.change(work.conn, order, work.now)
    return order, ignored


async def _review(
    work: Work,
    before: Order,
    order: Order,
    poorer: set[UUID],
    was: packing.Standing,
    *,
    less: bool,
) -> None:
    """After its lines were changed: questions that lost lines are shown anew, closed or complete; what nobody
    was asked for is asked, and what is packed is what is ordered now. `was`: how it stood before. `less`: an
    earlier answer says now how many there are of fewer, and the shop charges for no more."""
    order = await changes.reload(work, order.id)
    open_ = {row["id"] for row in await stock_queries.active(work.conn, order.id)}
    if _waits_for_shelf(order) and changes.unasked(order):
        order = await changes.ask_again(work, order)
    elif order.status in packing.FOLLOWED and before.status is order.status:
        order = await _ask_for_more(work, before, order, was)
    complete = [await _review_request(work, order, request_id) for request_id in poorer & open_]
    if order.status in packing.FOLLOWED and before.status is order.status:
        await packing.change(work, order, was)
        await changes.settle_packing(work, order)
    is_news = any(complete) or (less and STAGES[order.status] <= STAGES[OrderStatus.ASSEMBLED])
    await changes.settle(work, order.id, news=is_news)


async def _ask_for_more(work: Work, before: Order, order: Order, was: packing.Standing) -> Order:
    """Goods that came to an order which is paid or packed. It keeps its status: buyers have heard of it."""
    if not rules.asks_for_more(before.lines, work.shop.settings.order):
        return order
    more: list[Line] = []
    for place, lines in asking.places(changes.unasked(order)).items():
        grew = parcels.grew(parcels.parcel(was.parts.get(place, ())), parcels.parcel(lines))
        more += [line for line in lines if line.id in grew]
    if more:
        await asking.ask(work, order, more)
    return await changes.reload(work, order.id)


def _waits_for_shelf(order: Order) -> bool:
    """Whether new lines are asked for: it waits for an answer, or has one and nobody has gone on from there."""
    waits = order.status is OrderStatus.AWAITING_STOCK
    answered = STAGES[order.status] == STAGES[OrderStatus.CONFIRMED]
    return waits or (answered and not rules.ends_questions(order.told_status))


async def _review_request(work: Work, order: Order, request_id: UUID) -> bool:
    """What is left of a question after lines were taken out of it. Whether all that is left was answered."""
    lines = await stock_queries.lines(work.conn, request_id)
    if not lines:
        await asking.close(work, order, [request_id], asking.CHANGED)
        return False
    await request_edits(work.conn, request_id)
    complete = all(line["confirmed"] is not None for line in lines.values())
    if complete:
        await answering.complete(work, request_id)
    return complete
