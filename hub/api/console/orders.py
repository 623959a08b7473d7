"""Orders: what stands where, and the whole story of one."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from hub.api.console import guard
from hub.api.console.frame import Pages, Visit, form, masked_id, masked_name, see, show
from hub.api.console.orders_shown import asked, asked_id, id_in_path, page_of, person, staff_name
from hub.config import OrderStatus
from hub.content.formats import Unfit
from hub.errors import InvalidInput, NotFound
from hub.operators.model import Right
from hub.orders import desk, queries, service, views
from hub.orders.model import ACTIVE, OrderDetails, may_move
from hub.orders.request import StatusIn

pages = Pages("orders")

_AT_ONCE = 50
_LONGEST_REASON = 500


@pages.get("/orders")
async def listed(visit: Visit) -> web.StreamResponse:
    """The newest first. A number that only one order has leads to it at once."""
    text = asked(visit, "q").lstrip("№#").strip()
    status = asked(visit, "status")
    chosen = OrderStatus(status) if status in set(OrderStatus) else None
    if text:
        rows = await desk.named(visit.hub.db, visit.shop.id, text)
        if len(rows) == 1:
            return see(visit, f"/orders/{rows[0].id}")
    else:
        rows = await desk.orders(
            visit.hub.db,
            visit.shop.id,
            status=chosen,
            before=asked_id(visit, "before"),
            limit=_AT_ONCE + 1,
        )
    more, rows = len(rows) > _AT_ONCE, rows[:_AT_ONCE]
    return show(
        visit,
        "list.html",
        title=visit.said["nav"]["orders"],
        rows=[(row, masked_name(visit, row.buyer_name or row.buyer or "")) for row in rows],
        money=lambda value, currency: _money(visit, value, currency),
        older=visit.here(before=str(rows[-1].id)) if more and not text else "",
        newest=visit.here(before=None) if visit.request.query.get("before") else "",
        options=[(one.value, visit.said["order_statuses"][one]) for one in OrderStatus],
        chosen={"q": asked(visit, "q"), "status": chosen or ""},
    )


@pages.get("/orders/{id}")
async def one(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


@pages.post("/orders/{id}/status", right=Right.SEND)
async def moved(visit: Visit) -> web.StreamResponse:
    """By hand, as the shop's backend would say it: whoever is to hear of it does."""
    order = await _order(visit)
    filled = await form(visit)
    status, reason = filled.get("status", ""), filled.get("reason", "").strip()
    if status not in set(OrderStatus):
        return await _page(visit, fault=visit.said["status_missing"])
    if len(reason) > _LONGEST_REASON:
        raise InvalidInput(visit.said["reason_long"])
    given = StatusIn(status=OrderStatus(status), reason=reason)
    _, ignored = await service.set_status(
        visit.hub, visit.shop, order.order.external_id, given, noted_by=visit.actor
    )
    if filled.get("back"):
        back = guard.local(visit.request, filled["back"])
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": back})
    path = f"/orders/{order.order.id}"
    if ignored:
        return see(visit, path, note="ignored", kind="bad")
    return see(visit, path, note="moved")


async def _order(visit: Visit) -> OrderDetails:
    """Raises `NotFound`."""
    found = await queries.by_id(visit.hub.db, visit.shop.id, id_in_path(visit))
    if found is None:
        raise NotFound
    return await service.get_order(visit.hub.db, visit.shop.id, found.external_id)


async def _page(visit: Visit, *, fault: str = "") -> web.Response:
    details = await _order(visit)
    db, shop_id, order = visit.hub.db, visit.shop.id, details.order
    requests = [request.id for request in details.stock_requests]
    about = [*requests, *(assembly.id for assembly in details.assemblies)]
    sent = await desk.messages(db, shop_id, order.id)
    buyer = await desk.persons(db, shop_id, [order.buyer_id] if order.buyer_id else [])
    return show(
        visit,
        "one.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if fault else HTTPStatus.OK,
        title=visit.said["order_title"].format(number=order.number),
        details=details,
        order=order,
        external_id=masked_id(visit, order.external_id),
        buyer=person(visit, buyer[0]) if buyer else "",
        buyer_url=page_of(visit, "/people/{id}", order.buyer_id),
        delivery=_delivery(visit, order.delivery),
        questions=await views.questions(db, requests),
        tasks=await views.tasks(db, about),
        asked=await desk.asked(db, about),
        said_of=await desk.said(db, requests),
        sent=[(one, page_of(visit, "/messages/{id}", one.id)) for one in sent],
        money=lambda value, currency: _money(visit, value, currency),
        person=lambda who: person(visit, who),
        staff_name=lambda name: staff_name(visit, name),
        active=ACTIVE,
        titles={line.id: line.title for line in order.lines},
        onward=[("", visit.said["choose"]), *_onward(visit, order.status)],
        fault=fault,
    )


def _onward(visit: Visit, now: OrderStatus) -> list[tuple[str, str]]:
    """What the order may become. That it waits for the shelf is never said by hand: the hub asks by itself."""
    names = visit.said["order_statuses"]
    never = {OrderStatus.PLACED, OrderStatus.AWAITING_STOCK}
    return [(str(s), names[s]) for s in OrderStatus if may_move(now, s) and s not in never]


def _delivery(visit: Visit, given: Any) -> list[tuple[str, str]]:
    """What is known of it, in the order of its words. Where he lives is for those who may see addresses."""
    names, methods = visit.said["delivery"], visit.said["methods"]
    known = [(key, str(given[key])) for key in names if given.get(key) and key != "address"]
    found = [
        (names[key], methods.get(value, value) if key == "method" else value)
        for key, value in known
    ]
    if given.get("address"):
        hidden = visit.said["ui"]["hidden"]
        shown = str(given["address"]) if visit.may(Right.ADDRESSES) else hidden
        found.append((names["address"], shown))
    return found


def _money(visit: Visit, value: Any, currency: str) -> str:
    if value is None:
        return "–"
    try:
        return visit.formats.money(value, currency)
    except Unfit:
        return f"{value} {currency}"
