"""What the shop's backend is told of orders and stock, in the transaction of what happened."""

from typing import Any
from uuid import UUID

from hub.orders import stock_queries
from hub.orders.model import Order
from hub.orders.work import Work
from hub.sources import inbox
from hub.webhooks import service as webhooks
from hub.webhooks.model import EventType


async def stock_request(work: Work, type_: EventType, request_id: UUID) -> None:
    """`data`: `{"stock_request": {…}, "order": {…}}`, the question in the shape in which the API shows it."""
    request = await stock_queries.by_id(work.conn, work.shop.id, request_id)
    assert request is not None  # noqa: S101 (its row is locked)
    shown = {
        "id": request.id,
        "status": request.status,
        "seller": request.seller,
        "warehouse": request.warehouse,
        "revision": request.revision,
        "opened_at": request.opened_at,
        "deadline": request.deadline,
        "answered_at": request.answered_at,
        "lines": [
            {
                "id": line.id,
                "sku": line.sku,
                "asked": line.asked,
                "confirmed": line.confirmed,
                "answered_by": line.answered_by,
                "answered_at": line.answered_at,
                "via": line.via,
            }
            for line in request.lines
        ],
    }
    order = {"external_id": request.order, "number": request.number}
    await webhooks.publish(
        work.conn,
        work.shop.id,
        type_,
        {"stock_request": shown, "order": order},
        contacts=await stock_queries.named(work.conn, request_id),
    )


async def stock_confirmed(work: Work, order: Order) -> None:
    """How many there are of each line. Sent again with a higher `revision` when an answer was corrected."""
    data = {
        "order": _order(order),
        "revision": order.revision,
        "lines": [
            {
                "id": line.id,
                "sku": line.sku,
                "asked": line.quantity,
                "confirmed": line.confirmed,
                "seller": line.seller,
                "warehouse": line.warehouse,
            }
            for line in order.lines
        ],
    }
    await webhooks.publish(
        work.conn,
        work.shop.id,
        EventType.ORDER_STOCK_CONFIRMED,
        data,
        contacts=list({line.seller_id for line in order.lines if line.seller_id}),
    )
    await _note_decision(work, order)


async def assembled(work: Work, order: Order) -> None:
    data = {"order": _order(order), "assembled_at": work.now}
    await webhooks.publish(work.conn, work.shop.id, EventType.ORDER_ASSEMBLED, data)
    await _note_decision(work, order)


async def _note_decision(work: Work, order: Order) -> None:
    """For the platform from which the order came."""
    lines = [
        {
            "id": line.id,
            "sku": line.sku,
            "asked": line.quantity,
            "confirmed": line.quantity if line.confirmed is None else line.confirmed,
        }
        for line in order.lines
    ]
    await inbox.note_decision(
        work.conn, work.shop.id, order.id, order.status, order.revision, lines
    )


def _order(order: Order) -> dict[str, Any]:
    return {
        "external_id": order.external_id,
        "number": order.number,
        "status": order.status,
    }
