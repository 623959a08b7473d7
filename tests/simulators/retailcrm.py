"""retailCRM: orders and customers by API v5, the history of their changes, a trigger that calls a hook."""

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import ClientSession, web

from tests.simulators.base import Simulator

API_KEY = "retailcrm-key-1"
ZONE = ZoneInfo("Europe/Moscow")

_LIMITS = {"20", "50", "100"}
_KNOWN = {
    "new",
    "availability-confirmed",
    "no-product",
    "assembling-complete",
    "delivering",
    "complete",
    "cancel-other",
}


class RetailCrmSimulator(Simulator):
    """`orders` and `customers` by id as text; `history`: what changed, oldest first; `written`: edits; `calls`: what was
    asked. `secret`: what the trigger's author has put into its header."""

    def __init__(self) -> None:
        super().__init__()
        self.key = API_KEY
        self.secret = ""
        self.orders: dict[str, dict[str, Any]] = {}
        self.customers: dict[str, dict[str, Any]] = {}
        self.history: list[dict[str, Any]] = []
        self.written: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.busy = False

    def routes(self, app: web.Application) -> None:
        app.router.add_get("/api/v5/{which:orders|customers}", self._list)
        app.router.add_get("/api/v5/{which:orders|customers}/history", self._changes)
        app.router.add_get("/api/v5/{which:orders|customers}/{id}", self._one)
        app.router.add_post("/api/v5/orders/{id}/edit", self._edit)

    def place(self, id_: str = "", **changes: Any) -> str:
        """A new order of two lines."""
        id_ = id_ or str(5001 + len(self.orders))
        self.orders[id_] = order(id_) | changes
        self.note("order", id_, created=True)
        return id_

    def move(self, id_: str, status: str, **changes: Any) -> None:
        self.orders[id_] |= {"status": status, "statusUpdatedAt": now()} | changes
        self.note("order", id_)

    def drop(self, id_: str) -> None:
        del self.orders[id_]
        self.note("order", id_, deleted=True)

    def note(self, kind: str, id_: str, **flags: bool) -> None:
        """A record of the history, as it comes with every change."""
        record = {
            "id": 9000 + len(self.history),
            "createdAt": now(),
            "field": "status",
            "source": "user",
        }
        self.history.append(record | flags | {kind: {"id": int(id_)}})

    async def push(self, what: str, id_: str, url: str) -> int:
        """What a trigger's "HTTP request" sends, as our page says to set it up; the status of the answer."""
        said = self.said(id_, what)
        headers = {"X-Vestnik-Key": self.secret}
        async with (
            ClientSession() as session,
            session.post(url, json=said, headers=headers) as answer,
        ):
            return answer.status

    def said(self, id_: str, what: str = "order") -> dict[str, Any]:
        """With the time, where the trigger's author has thought of it."""
        if what == "customer":
            return {"customer_id": id_}
        held = self.orders.get(id_, {})
        return {
            "order_id": id_,
            "status": held.get("status"),
            "changed_at": datetime.now(ZONE).isoformat(),
        }

    async def _one(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        which = request.match_info["which"]
        held = self._of(which).get(request.match_info["id"])
        if held is None or request.query.get("by") != "id":
            return _error(404, "Not found")
        return web.json_response({"success": True, which[:-1]: held})

    async def _list(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        which, query = request.match_info["which"], request.query
        ids = [value for name, value in query.items() if name.startswith("filter[ids]")]
        since = query.get("filter[createdAtFrom]", query.get("filter[dateFrom]", ""))
        site = query.get("filter[sites][0]")
        found = [
            held
            for id_, held in self._of(which).items()
            if (not ids or id_ in ids)
            and held["createdAt"] >= since
            and site in (None, held.get("site"))
        ]
        # The newest come first.
        found.reverse()
        limit, page = int(query["limit"]), int(query.get("page", 1))
        shown = found[(page - 1) * limit : page * limit]
        pagination = {
            "limit": limit,
            "totalCount": len(found),
            "currentPage": page,
            "totalPageCount": -(-len(found) // limit),
        }
        return web.json_response({"success": True, "pagination": pagination, which: shown})

    async def _changes(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        kind, query = request.match_info["which"][:-1], request.query
        since_id, since = int(query.get("filter[sinceId]", 0)), query.get("filter[startDate]", "")
        found = [
            record
            for record in self.history
            if kind in record and record["id"] > since_id and record["createdAt"] >= since
        ]
        limit = int(query["limit"])
        pagination = {"limit": limit, "totalCount": len(found), "currentPage": 1}
        answer = {"success": True, "generatedAt": now(), "history": found[:limit]}
        return web.json_response(answer | {"pagination": pagination})

    async def _edit(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        form = await request.post()
        held = self.orders.get(request.match_info["id"])
        if held is None or form.get("by") != "id":
            return _error(404, "Not found")
        changed = json.loads(str(form["order"]))
        if form.get("site") != held["site"] or changed.get("status") not in _KNOWN:
            return _error(400, "Order is not loaded")
        self.written.append(changed)
        self.move(request.match_info["id"], changed["status"])
        return web.json_response({"success": True, "id": held["id"]})

    def _of(self, which: str) -> dict[str, dict[str, Any]]:
        return self.orders if which == "orders" else self.customers

    def _refusal(self, request: web.Request) -> web.Response | None:
        self.calls.append(request.path_qs)
        if self.busy:
            return _error(503, "Service Temporarily Unavailable")
        if request.headers.get("X-API-KEY") != self.key:
            return _error(403, 'Wrong "apiKey" value.')
        if request.method == "GET" and request.query.get("limit", "20") not in _LIMITS:
            return _error(400, "Limit must be 20, 50 or 100")
        return None


def order(id_: str) -> dict[str, Any]:
    """As the API shows an order; with what the hub must not keep (notes, margins)."""
    return {
        "id": int(id_),
        "number": f"{id_}A",
        "externalId": f"site-{id_}",
        "site": "main",
        "status": "new",
        "createdAt": now(),
        "statusUpdatedAt": now(),
        "firstName": "Анна",
        "lastName": "Покупателева",
        "email": "anna@example.com",
        "phone": "+7 (999) 000-00-31",
        "managerComment": "Скидку больше не давать",
        "customerComment": "Домофон 12к",
        "totalSumm": 4880,
        "summ": 4880,
        "purchaseSumm": 2000.5,
        "currency": "RUB",
        "customer": {"type": "customer", "id": 31, "firstName": "Анна", "marginSumm": 900},
        "items": [
            _item(1, "KETTLE-1", "Чайник", 1990, 2),
            _item(2, "CUP-7", "Чашка", 300, 3),
        ],
        "delivery": {
            "code": "self-delivery",
            "service": {"name": "Самовывоз", "code": "office"},
            "address": {"text": "Москва, Примерная улица, 5"},
            "date": "2026-12-03",
            "netCost": 90,
        },
        "shipmentStore": "main-store",
        "customFields": {"gift": True},
    }


def _item(id_: int, article: str, name: str, price: int, quantity: int) -> dict[str, Any]:
    return {
        "id": 700 + id_,
        "initialPrice": price,
        "purchasePrice": 900.25,
        "discountTotal": 0,
        "quantity": quantity,
        "status": "new",
        "offer": {
            "id": 20 + id_,
            "externalId": f"o-{id_}",
            "article": article,
            "displayName": name,
        },
    }


def now() -> str:
    return f"{datetime.now(ZONE):%Y-%m-%d %H:%M:%S}"


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"success": False, "errorMsg": message}, status=status)
