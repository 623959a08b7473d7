"""Tells people of an order's status, each what concerns him, in the transaction of the change."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any
from uuid import UUID

import structlog

from channels.base import Category
from hub.contacts.model import Role
from hub.content.model import Audience
from hub.errors import HubError
from hub.notifications import service as notifications
from hub.notifications.service import Sent
from hub.orders import people
from hub.orders.model import Line, Order, OrderStatus
from hub.orders.work import Work
from hub.rules import condition, facts, timers
from hub.rules import queries as rules
from hub.rules.model import Rule

log = structlog.get_logger()

_Part = tuple[Role, Sequence[UUID], Sequence[Line]]
"""Contacts of one role and the lines that concern them."""

_Told = tuple[UUID, str]
"""Who was told what: a contact and the template."""

# The people at the shelf get a question then, which says the same and more.
_ASKED_INSTEAD = frozenset({OrderStatus.AWAITING_STOCK, OrderStatus.PAID})


async def tell(work: Work, order: Order, reason: str = "") -> None:
    """Whoever the shop's rules name hears of the order's status, at once or when the rule's time has come. `reason` is
    told, too."""
    if work.quiet:
        return
    told: set[_Told] = set()
    for rule in await _in_force(work, order):
        if rule.delay:
            await _wait(work, order, rule)
        else:
            told |= await tell_by(work, order, rule, reason, but=told)


async def tell_as_new(work: Work, order: Order) -> None:
    """Of one that was further already when it was seen for the first time, those who are told of new ones hear all the
    same: somebody has to pack it. Not its buyer, who hears of its status, nor whoever has heard of it just now."""
    if work.quiet:
        return
    heard = await _heard_just_now(work)
    told: set[_Told] = set()
    for rule in await _in_force(work, order, OrderStatus.PLACED):
        if not rule.delay:
            others = replace(rule, audiences=rule.audiences - {Role.BUYER})
            known = {(who, rule.template) for who in heard}
            told |= await tell_by(work, order, others, but=told | known)


async def tell_by(
    work: Work, order: Order, rule: Rule, reason: str = "", *, but: Set[_Told] = frozenset()
) -> set[_Told]:
    """Whom this rule names; who was told what. `but`: what another rule has told, who need not hear it twice."""
    told: set[_Told] = set()
    for role, contacts, lines in await _heard_by(work, order, rule):
        news = [who for who in contacts if (who, rule.template) not in but]
        await _tell(work, order, rule, role, news, lines, reason)
        told |= {(who, rule.template) for who in news}
    if told:
        work.fired.append(rule.name)
    return told


async def still_holds(work: Work, order: Order, rule: Rule) -> bool:
    """Whether the rule's condition does, of the order as it is now."""
    return condition.holds(rule.condition, await _facts(work, order, [rule]))


async def hearers(work: Work, order: Order) -> frozenset[UUID]:
    """Whom `tell` writes to at once."""
    heard: set[UUID] = set()
    for rule in await _in_force(work, order):
        if not rule.delay:
            for _, contacts, _ in await _heard_by(work, order, rule):
                heard.update(contacts)
    return frozenset(heard)


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


async def _heard_just_now(work: Work) -> Set[UUID]:
    rows = await work.conn.fetch(
        "SELECT contact_id FROM notification WHERE id = ANY($1)", work.told
    )
    return {row["contact_id"] for row in rows}


async def _in_force(work: Work, order: Order, status: OrderStatus | None = None) -> list[Rule]:
    """The rules for that status, or the order's own, whose condition it fulfils."""
    found = await rules.of_event(work.conn, work.shop, f"order.{status or order.status}")
    known = await _facts(work, order, found)
    return [rule for rule in found if condition.holds(rule.condition, known)]


async def _facts(work: Work, order: Order, asked_by: Sequence[Rule]) -> Mapping[str, Any]:
    """What the conditions of these rules ask of. Most ask nothing, and nothing is read for them."""
    roots = frozenset[str]().union(*(condition.roots(rule.condition) for rule in asked_by))
    found: dict[str, Any] = {}
    if "order" in roots:
        found["order"] = _asked(order)
    if "contact" in roots:
        found["contact"] = await facts.of_contact(work.conn, work.shop.id, order.buyer_id)
    if "source" in roots:
        found["source"] = work.source or await facts.source_of(work.conn, order.id)
    return found


def _asked(order: Order) -> dict[str, Any]:
    """As its buyer's template has it, with the whole of it: a condition tells nobody anything."""
    shown: dict[str, Any] = data_of(order, Role.BUYER, order.lines)["order"]
    return shown | {
        "total": order.total,
        # Money as a number: "1990" and "1990.00" are the same.
        "lines": [{**_line(line), "price": line.price} for line in order.lines],
        "pieces": sum(line.quantity for line in order.lines),
        "labels_url": order.labels_url,
    }


async def _wait(work: Work, order: Order, rule: Rule) -> None:
    timer = await timers.put(
        work.conn,
        work.shop.id,
        rule,
        about=str(order.id),
        due_at=work.now + rule.delay,
        state=order.status,
    )
    work.timers.append(timer)
    work.fired.append(rule.name)


async def _heard_by(work: Work, order: Order, rule: Rule) -> list[_Part]:
    template = work.hub.catalog.find(work.shop.id, rule.template)
    if template is None:
        return []
    heard = rule.audiences
    found: list[_Part] = []
    if Role.BUYER in heard and order.buyer_id:
        found.append((Role.BUYER, [order.buyer_id], order.lines))
    if Role.SELLER in heard:
        sellers = _parts(order.lines, "seller_id")
        found += [(Role.SELLER, [seller_id], lines) for seller_id, lines in sellers.items()]
    if Role.WAREHOUSE in heard and not _is_asked_instead(order, rule):
        for warehouse_id, lines in _parts(order.lines, "warehouse_id").items():
            staff = await people.staff(work.conn, work.shop.id, warehouse_id)
            found.append((Role.WAREHOUSE, staff, lines))
    if Role.ADMIN in heard:
        found.append((Role.ADMIN, await people.admins(work.conn, work.shop.id), order.lines))
    return [part for part in found if template.channels(Audience(part[0]), None)]


def _is_asked_instead(order: Order, rule: Rule) -> bool:
    """Another text than the built-in one says something else than the question does."""
    return order.status in _ASKED_INSTEAD and rule.template == f"order.{order.status}"


async def _tell(
    work: Work,
    order: Order,
    rule: Rule,
    role: Role,
    contacts: Iterable[UUID],
    lines: Sequence[Line],
    reason: str,
) -> None:
    data = data_of(order, role, lines, reason=reason)
    template = work.hub.catalog.find(work.shop.id, rule.template)
    for contact_id in contacts:
        await send(
            work,
            contact_id,
            rule.template,
            data,
            # "Shipped" must not overtake "paid".
            ordering_key=f"order:{order.id}",
            category=template.category if template else Category.TRANSACTIONAL,
            channels=rule.channels,
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
