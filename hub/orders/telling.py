"""Tells people of an order's status, each what concerns him, in the transaction of the change."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from hub.contacts.model import Role
from hub.errors import HubError
from hub.notifications import service as notifications
from hub.notifications.service import Sent
from hub.orders import people, rules
from hub.orders.model import Line, Order, OrderStatus
from hub.orders.work import Work

log = structlog.get_logger()

# The people at the shelf get a question then, which says the same and more.
_ASKED_INSTEAD = frozenset({OrderStatus.AWAITING_STOCK, OrderStatus.PAID})


async def tell(work: Work, order: Order, reason: str = "") -> None:
    """Whoever the shop's rules name hears of the order's status. `reason` is told, too."""
    if work.quiet:
        return
    for role, contacts, lines in await _heard_by(work, order):
        await _tell(work, order, role, contacts, lines, reason)


async def hearers(work: Work, order: Order) -> frozenset[UUID]:
    """Whom `tell` writes to."""
    return frozenset(who for _, contacts, _ in await _heard_by(work, order) for who in contacts)


async def send(
    work: Work, contact_id: UUID, template: str, data: Mapping[str, Any], **how: Any
) -> Sent | None:
    """As `notifications.service.send`. None: it could not be made (the person is gone, the shop's own text
    asks for what an order does not have), which is logged and stops nothing else."""
    try:
        sent = await notifications.send(
            work.hub, work.conn, work.shop, contact_id, template, data, **how
        )
    except HubError as error:
        log.warning(
            "orders.not_told",
            shop=work.shop.slug,
            contact=str(contact_id),
            template=template,
            code=error.code,
        )
        return None
    work.due.extend(sent.due)
    work.told.append(sent.id)
    return sent


def data_of(order: Order, role: Role, lines: Sequence[Line], *, reason: str = "") -> dict[str, Any]:
    """The variables of an order's template. What is not known is left out; the buyer's address is for the
    buyer alone, and so is what the whole order costs, but for the admins."""
    delivery = {k: v for k, v in order.delivery.items() if v is not None}
    if role is not Role.BUYER:
        delivery.pop("address", None)
    shown: dict[str, Any] = {
        "number": order.number,
        "external_id": order.external_id,
        "status": order.status,
        "currency": order.currency,
        "lines": [_line(line) for line in lines],
        "delivery": delivery,
    }
    if order.total is not None and role in (Role.BUYER, Role.ADMIN):
        shown["total"] = str(order.total)
    if tracking := delivery.get("tracking"):
        shown["tracking"] = tracking
    if order.labels_url and role is not Role.BUYER:
        shown["labels_url"] = order.labels_url
    if reason:
        shown["reason"] = reason
    return {"order": shown}


_Part = tuple[Role, Sequence[UUID], Sequence[Line]]
"""Contacts of one role and the lines that concern them."""


async def _heard_by(work: Work, order: Order) -> list[_Part]:
    template = work.hub.catalog.find(work.shop.id, f"order.{order.status}")
    if template is None:
        return []
    heard = rules.audiences(order.status, work.shop.settings.notify)
    found: list[_Part] = []
    if Role.BUYER in heard and order.buyer_id:
        found.append((Role.BUYER, [order.buyer_id], order.lines))
    if Role.SELLER in heard:
        sellers = _parts(order.lines, "seller_id")
        found += [(Role.SELLER, [seller_id], lines) for seller_id, lines in sellers.items()]
    if Role.WAREHOUSE in heard and order.status not in _ASKED_INSTEAD:
        for warehouse_id, lines in _parts(order.lines, "warehouse_id").items():
            staff = await people.staff(work.conn, work.shop.id, warehouse_id)
            found.append((Role.WAREHOUSE, staff, lines))
    if Role.ADMIN in heard:
        found.append((Role.ADMIN, await people.admins(work.conn, work.shop.id), order.lines))
    return [part for part in found if template.channels(part[0], None)]


async def _tell(
    work: Work,
    order: Order,
    role: Role,
    contacts: Iterable[UUID],
    lines: Sequence[Line],
    reason: str,
) -> None:
    data = data_of(order, role, lines, reason=reason)
    for contact_id in contacts:
        # "Shipped" must not overtake "paid".
        await send(
            work, contact_id, f"order.{order.status}", data, ordering_key=f"order:{order.id}"
        )


def _parts(lines: Sequence[Line], by: str) -> Mapping[UUID, list[Line]]:
    found: dict[UUID, list[Line]] = {}
    for line in lines:
        if (id_ := getattr(line, by)) is not None:
            found.setdefault(id_, []).append(line)
    return found


def _line(line: Line) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": line.id,
        "sku": line.sku,
        "title": line.title,
        "quantity": line.quantity,
    }
    if line.price is not None:
        shown["price"] = str(line.price)
    if line.confirmed is not None:
        shown["confirmed"] = line.confirmed
    if line.image_url:
        shown["image_url"] = line.image_url
    return shown
