"""Orders put, moved on and shown; answers from the shelf taken. Each use case is one transaction, after which
the workers are nudged."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.audit import log as audit
from hub.audit.model import Action, Actor
from hub.db.pool import Db
from hub.errors import NotFound
from hub.orders import answering, assembly_queries, placing, queries, stock_queries
from hub.orders.model import (
    Answered,
    Answerer,
    Assembled,
    Order,
    OrderDetails,
    OrderStatus,
    RequestStatus,
    StockRequest,
    Via,
)
from hub.orders.placing import Placed as Placed
from hub.orders.placing import move as move
from hub.orders.placing import place as place
from hub.orders.request import OrderIn, StatusIn
from hub.orders.rules import Ignored
from hub.orders.work import working
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
        placed = await placing.place(work, external_id, given)
        details = await get_order(work.conn, shop.id, external_id)
    return details, placed.created


async def set_status(
    hub: Hub,
    shop: Shop,
    external_id: str,
    given: StatusIn,
    *,
    now: datetime | None = None,
    noted_by: Actor | None = None,
) -> tuple[OrderDetails, Ignored | None]:
    """The order as it is now, and why the status changed nothing, where it did not. `noted_by`: who gave it that
    status by hand, for the audit log. Raises `NotFound`."""
    async with working(hub, shop, now) as work:
        order_id = await queries.lock(work.conn, shop.id, external_id)
        if order_id is None:
            raise _no_order()
        ignored = await placing.move(work, order_id, given)
        if noted_by and not ignored:
            more = {"status": str(given.status)}
            await audit.record(
                work.conn, shop.id, noted_by, Action.ORDER_MOVED, external_id, **more
            )
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
    put_at: datetime | None = None,
    said_at: datetime | None = None,
    goods: Mapping[str, str] | None = None,
    noted_by: Actor | None = None,
) -> Answered:
    """Quantities by line; lines left out stay open. None: whatever is still open is there.

    The first answer to a line wins. The one who gave it may change it for `CORRECTION` and until the order is
    paid; the same said again changes nothing. `seen`: what the answerer was shown, kept with the answer.
    `put_at`: the `clock_from` of the question that he answers; one that was put anew since is closed to him as `CHANGED`.
    `goods`: by line the `goods_tag` of what he was shown; where that is something else by now it is closed to him, too.
    `said_at`: when he said so, where that was before now: then it is no correction that comes too late.
    `noted_by`: who wrote it down for him, for the audit log.

    Raises `NotFound`, `Unprocessable` (a line that is not in it), `InvalidInput` (more than is asked for);
    pointers as in `{"lines": [{"id", "confirmed"}]}`.
    """
    async with working(hub, shop, now) as work:
        answered = await answering.answer(
            work,
            request_id,
            lines,
            by=by,
            via=via,
            seen=seen,
            put_at=put_at,
            said_at=said_at,
            goods=goods,
        )
        if noted_by and (answered.accepted or answered.corrected):
            await audit.record(work.conn, shop.id, noted_by, Action.STOCK_ANSWERED, request_id)
    return answered


async def assembled(
    hub: Hub,
    shop: Shop,
    assembly_id: UUID,
    *,
    by: Answerer,
    via: Via,
    now: datetime | None = None,
    seen: bytes | None = None,
    noted_by: Actor | None = None,
) -> Assembled:
    """This part of the order is packed; after the last one the order is `assembled`. Safe to say twice. `seen`: the
    `parcel_tag` of what he was shown; something else is not taken for packed. `noted_by`: as of an answer.

    Raises `NotFound`.
    """
    async with working(hub, shop, now) as work:
        done = await answering.assembled(work, assembly_id, by=by, via=via, seen=seen)
        if noted_by and done.first:
            await audit.record(work.conn, shop.id, noted_by, Action.ASSEMBLY_DONE, assembly_id)
    return done


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


def _no_order() -> NotFound:
    return NotFound("there is no order with this external_id")
