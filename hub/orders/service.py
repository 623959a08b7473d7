"""Orders put, moved on and shown; answers from the shelf taken. Each use case is one transaction, after which
the workers are nudged."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.db.pool import Db
from hub.errors import Fault, NotFound, Unprocessable
from hub.ids import new_id
from hub.notifications.edits import request_edits
from hub.orders import (
    answering,
    asking,
    assembly_queries,
    changes,
    people,
    queries,
    rules,
    stock_queries,
    warehouses,
)
from hub.orders.model import (
    STAGES,
    Answered,
    Answerer,
    Assembled,
    Change,
    Line,
    Order,
    OrderDetails,
    OrderStatus,
    RequestStatus,
    Source,
    StockRequest,
    Via,
)
from hub.orders.request import DeliveryIn, LineIn, OrderIn, StatusIn
from hub.orders.rules import Ignored
from hub.orders.work import Work, working
from hub.resources import Hub
from hub.shops.registry import Shop


async def put_order(
    hub: Hub, shop: Shop, external_id: str, given: OrderIn, *, now: datetime | None = None
) -> tuple[OrderDetails, bool]:
    """The order as it is now, and whether it is new. Of a known order only new and changed lines are asked for
    again; a status behind the present one is kept as late.

    Raises `Unprocessable` (an unknown buyer or seller).
    """
    async with working(hub, shop, now) as work:
        lines, buyer_id = await _resolved(work, given)
        order_id = await queries.lock(work.conn, shop.id, external_id)
        created = order_id is None and await _add(work, external_id, given, lines, buyer_id)
        if not created:
            # Somebody else may have made it just now: his is the older one.
            order_id = order_id or await queries.lock(work.conn, shop.id, external_id)
            assert order_id is not None  # noqa: S101 (orders are never deleted)
            await _change(work, order_id, given, lines, buyer_id)
        details = await get_order(work.conn, shop.id, external_id)
    return details, created


async def set_status(
    hub: Hub, shop: Shop, external_id: str, given: StatusIn, *, now: datetime | None = None
) -> tuple[OrderDetails, Ignored | None]:
    """The order as it is now, and why the status changed nothing, where it did not. Raises `NotFound`."""
    async with working(hub, shop, now) as work:
        order_id = await queries.lock(work.conn, shop.id, external_id)
        if order_id is None:
            raise _no_order()
        order = await changes.reload(work, order_id)
        order = replace(order, delivery=_delivery(order.delivery, given.delivery))
        if "labels_url" in given.model_fields_set:
            order = replace(order, labels_url=given.labels_url)
        await queries.change(work.conn, order, work.now)
        order, ignored = await _told(work, order, given.status, given.reason)
        details = await get_order(work.conn, shop.id, external_id)
    return details, ignored


async def answer(
    hub: Hub,
    shop: Shop,
    request_id: UUID,
    lines: Mapping[str, int] | None,
    *,
    by: Answerer,
    via: Via,
    now: datetime | None = None,
    seen: Mapping[str, Any] | None = None,
) -> Answered:
    """Quantities by line; lines left out stay open. None: whatever is still open is there.

    The first answer to a line wins. The one who gave it may change it for `CORRECTION` and until the order is
    paid; the same said again changes nothing. `seen`: what the answerer was shown, kept with the answer.

    Raises `NotFound`, `Unprocessable` (a line that is not in it), `InvalidInput` (more than is asked for);
    pointers as in `{"lines": [{"id", "confirmed"}]}`.
    """
    async with working(hub, shop, now) as work:
        return await answering.answer(work, request_id, lines, by=by, via=via, seen=seen)


async def assembled(
    hub: Hub,
    shop: Shop,
    assembly_id: UUID,
    *,
    by: Answerer,
    via: Via,
    now: datetime | None = None,
) -> Assembled:
    """This part of the order is packed; after the last one the order is `assembled`. Safe to say twice.

    Raises `NotFound`.
    """
    async with working(hub, shop, now) as work:
        return await answering.assembled(work, assembly_id, by=by, via=via)


async def get_order(db: Db, shop_id: int, external_id: str) -> OrderDetails:
    """Raises `NotFound`."""
    order = await queries.by_external_id(db, shop_id, external_id)
    if order is None:
        raise _no_order()
    [details] = await _with_details(db, [order])
    return details


async def list_orders(
    db: Db,
    shop_id: int,
    *,
    status: OrderStatus | None = None,
    buyer: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[OrderDetails]:
    """The newest first; `before`: the last id of the page before."""
    orders = await queries.page(db, shop_id, status=status, buyer=buyer, before=before, limit=limit)
    return await _with_details(db, orders)


async def get_request(db: Db, shop_id: int, id_: UUID) -> StockRequest:
    """Raises `NotFound`."""
    request = await stock_queries.by_id(db, shop_id, id_)
    if request is None:
        raise NotFound("there is no stock request with this id")
    return request


async def list_requests(
    db: Db,
    shop_id: int,
    *,
    status: RequestStatus | None = None,
    warehouse: str | None = None,
    seller: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[StockRequest]:
    """The newest first; `before`: the last id of the page before."""
    return await stock_queries.page(
        db, shop_id, status=status, warehouse=warehouse, seller=seller, before=before, limit=limit
    )


async def answerer_named(db: Db, shop_id: int, by: str) -> Answerer:
    """Who answered by phone: the contact of that external_id, else whoever the caller means by it."""
    row = await db.fetchrow(
        "SELECT id, name FROM contact WHERE shop_id = $1 AND external_id = $2", shop_id, by
    )
    if row is None:
        return Answerer(None, by, by)
    return Answerer(row["id"], row["name"] or by, by)


async def _with_details(db: Db, orders: Sequence[Order]) -> list[OrderDetails]:
    ids = [order.id for order in orders]
    history = await queries.history(db, ids)
    requests = await stock_queries.of_orders(db, ids)
    assemblies = await assembly_queries.of_orders(db, ids)
    return [
        OrderDetails(
            order,
            tuple(history.get(order.id, ())),
            tuple(requests.get(order.id, ())),
            tuple(assemblies.get(order.id, ())),
        )
        for order in orders
    ]


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
    lines = [_line(line, found[line.seller.external_id][0], places) for line in given.lines]
    return lines, found[given.buyer.external_id][0] if given.buyer else None


def _line(given: LineIn, seller_id: UUID, places: Mapping[str, UUID]) -> Line:
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
    work: Work, external_id: str, given: OrderIn, lines: Sequence[Line], buyer_id: UUID | None
) -> bool:
    """False: somebody else has just made it."""
    status = given.status or OrderStatus.PLACED
    order = Order(
        id=new_id(),
        shop_id=work.shop.id,
        external_id=external_id,
        number=given.number,
        status=status,
        told_status=status,
        buyer_id=buyer_id,
        buyer=given.buyer.external_id if given.buyer else None,
        currency=given.currency or "RUB",
        total=given.total,
        delivery=_delivery({}, given.delivery),
        labels_url=given.labels_url,
        revision=0,
        created_at=work.now,
        updated_at=work.now,
        lines=tuple(lines),
    )
    if not await queries.add(work.conn, order):
        return False
    await queries.set_lines(work.conn, order, lines)
    await changes.enter(work, order, status, Source.API)
    return True


async def _change(
    work: Work, order_id: UUID, given: OrderIn, lines: Sequence[Line], buyer_id: UUID | None
) -> None:
    before = await changes.reload(work, order_id)
    after = _changed(before, given, lines, buyer_id)
    lost = _lost_lines(before, after)
    poorer = await stock_queries.withdraw(work.conn, lost)
    await queries.set_lines(work.conn, after, after.lines)
    await queries.change(work.conn, after, work.now)
    if given.status is not None:
        after, _ = await _told(work, after, given.status, "")
    await _review(work, after, poorer)


def _changed(before: Order, given: OrderIn, lines: Sequence[Line], buyer_id: UUID | None) -> Order:
    given_fields = given.model_fields_set
    held = {line.id: line for line in before.lines}
    changed = replace(
        before,
        number=given.number,
        delivery=_delivery(before.delivery, given.delivery),
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
    """A line keeps its answer as long as the question is the same."""
    if before is None or not rules.same_question(before, after):
        return after
    return replace(after, stock_request_id=before.stock_request_id, confirmed=before.confirmed)


def _lost_lines(before: Order, after: Order) -> list[tuple[UUID, str]]:
    """(question, line) of what is not asked any more as it was."""
    kept = {line.id for line in after.lines if line.stock_request_id}
    return [
        (line.stock_request_id, line.id)
        for line in before.lines
        if line.stock_request_id and line.id not in kept
    ]


def _delivery(before: Mapping[str, Any], given: DeliveryIn | None) -> dict[str, Any]:
    if given is None:
        return dict(before)
    after = {**before, **{name: getattr(given, name) for name in given.model_fields_set}}
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
        why = f"the order is {order.status} already"
        late = Change(status, work.now, Source.API, late=True, reason=why)
        await queries.add_change(work.conn, order, late)
    order = replace(order, told_status=status)
    await queries.change(work.conn, order, work.now)
    return order, ignored


async def _review(work: Work, order: Order, poorer: set[UUID]) -> None:
    """After its lines were changed: questions that lost lines are shown anew, closed or complete; what nobody
    was asked for is asked."""
    order = await changes.reload(work, order.id)
    open_ = {row["id"] for row in await stock_queries.active(work.conn, order.id)}
    if _waits_for_shelf(order) and changes.unasked(order):
        order = await changes.ask_again(work, order)
    elif order.status is OrderStatus.PAID:
        await asking.ask_to_assemble(work, order)
    for request_id in poorer & open_:
        await _review_request(work, order, request_id)
    await changes.settle(work, order.id)


def _waits_for_shelf(order: Order) -> bool:
    """Whether new lines are asked for: it waits for an answer, or has one and nobody has gone on from there."""
    waits = order.status is OrderStatus.AWAITING_STOCK
    answered = STAGES[order.status] == STAGES[OrderStatus.CONFIRMED]
    return waits or (answered and not rules.ends_questions(order.told_status))


async def _review_request(work: Work, order: Order, request_id: UUID) -> None:
    """What is left of a question after lines were taken out of it."""
    lines = await stock_queries.lines(work.conn, request_id)
    if not lines:
        await asking.close(work, order, [request_id], asking.CHANGED)
        return
    await request_edits(work.conn, request_id)
    if all(line["confirmed"] is not None for line in lines.values()):
        await answering.complete(work, request_id)


def _no_order() -> NotFound:
    return NotFound("there is no order with this external_id")
