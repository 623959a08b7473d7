"""Ozon: postings of FBS and rFBS by the Seller API, pushes at one address."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientSession, web

from tests.simulators.base import Simulator

CLIENT_ID = "150042"
API_KEY = "ozon-seller-key-1"

_OPEN = {"awaiting_packaging", "awaiting_deliver", "awaiting_registration", "awaiting_approve"}
_YEAR = timedelta(days=366)
_STATUS_OF = {
    "posting_created": "awaiting_packaging",
    "posting_transferring_to_delivery": "awaiting_deliver",
    "posting_in_carriage": "awaiting_deliver",
    "posting_driver_pick_up": "driver_pickup",
    "posting_delivered": "delivered",
    "posting_received": "delivered",
    "posting_canceled": "cancelled",
    "posting_awaiting_registration": "awaiting_registration",
    "posting_not_in_sort_center": "not_accepted",
    "posting_returned_to_warehouse": "not_accepted",
    "posting_in_arbitration": "arbitration",
}
_PUSHES = {
    "created": "TYPE_NEW_POSTING",
    "updated": "TYPE_STATE_CHANGED",
    "cancelled": "TYPE_POSTING_CANCELLED",
    "cutoff": "TYPE_CUTOFF_DATE_CHANGED",
    "stocks": "TYPE_STOCKS_CHANGED",
    "fbo": "TYPE_FBO_POSTING_NEW",
    "strange": "TYPE_SOMETHING_NEW",
}


class OzonSimulator(Simulator):
    """`orders`: postings by number, as `/v3/posting/fbs/get` shows them; `changed`: when each changed its status last,
    which Ozon knows and does not show; `calls`: what was asked; `page`: how many postings a page of
    the list has at most."""

    def __init__(self) -> None:
        super().__init__()
        self.key = API_KEY
        self.orders: dict[str, dict[str, Any]] = {}
        self.changed: dict[str, datetime] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.page = 1000

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/v3/posting/fbs/get", self._get)
        app.router.add_post("/v3/posting/fbs/list", self._list)
        app.router.add_post("/v3/posting/fbs/unfulfilled/list", self._unfulfilled)

    def place(self, number: str = "", **changes: Any) -> str:
        """A new posting of two products."""
        number = number or f"{24_000_001 + len(self.orders)}-0001-1"
        self.orders[number] = posting(number) | changes
        self.changed[number] = datetime.now(UTC)
        return number

    def move(self, number: str, substatus: str, **changes: Any) -> None:
        status = _STATUS_OF.get(substatus, "delivering")
        self.orders[number] |= {"status": status, "substatus": substatus} | changes
        self.changed[number] = datetime.now(UTC)

    def said(self, number: str, what: str = "updated") -> dict[str, Any]:
        """The body of a push; `what` as in `push`."""
        if what == "ping":
            return {"message_type": "TYPE_PING", "time": _now()}
        held = self.orders.get(number, {})
        at = self.changed.get(number, datetime.now(UTC)).isoformat().replace("+00:00", "Z")
        common = {
            "message_type": _PUSHES[what],
            "warehouse_id": 18_044_249_781_000,
            "seller_id": 15,
        }
        if what in ("stocks", "strange"):
            return common | {"items": [{"offer_id": "KETTLE-1", "updated_at": at}]}
        common["posting_number"] = number
        if what == "fbo":
            return common | {"uuid": "f0e1d2c3-0000-4000-8000-000000000001", "created_at": at}
        products = [{"sku": p["sku"], "quantity": p["quantity"]} for p in held.get("products", [])]
        if what == "created":
            return common | {"products": products, "in_process_at": held.get("in_process_at")}
        if what == "cutoff":
            return common | {"new_cutoff_date": _now(), "old_cutoff_date": _now()}
        moved = {"new_state": held.get("substatus"), "changed_state_date": at}
        if what == "cancelled":
            moved |= {"old_state": "posting_created", "products": products}
        return common | moved

    async def push(self, what: str, number: str, url: str) -> int:
        """Calls a hook (`created`, `updated`, `cancelled`, `cutoff`, `stocks`, `fbo`, `strange`, `ping`) and looks at the
        answer as strictly as Ozon does before it goes on to send; the status."""
        said = self.said(number, what)
        async with ClientSession() as session, session.post(url, json=said) as answer:
            assert answer.content_type == "application/json"
            body = await answer.json()
            if answer.status == 200:
                good = (
                    {"version", "name", "time"} == set(body)
                    if what == "ping"
                    else body == {"result": True}
                )
                assert good, body
            return answer.status

    async def _get(self, request: web.Request) -> web.Response:
        asked, refusal = await self._asked(request)
        if refusal:
            return refusal
        held = self.orders.get(asked.get("posting_number", ""))
        if held is None:
            return _error(404, 5, "POSTING_NOT_FOUND")
        return web.json_response({"result": _shown(held, asked)})

    async def _list(self, request: web.Request) -> web.Response:
        asked, refusal = await self._asked(request)
        if refusal:
            return refusal
        filter_ = asked.get("filter") or {}
        try:
            since, to = _at(filter_["since"]), _at(filter_["to"])
        except (KeyError, ValueError):
            return _error(400, 3, "PERIOD_IS_REQUIRED")
        if to - since > _YEAR:
            return _error(400, 3, "PERIOD_IS_TOO_LONG")
        changed = filter_.get("last_changed_status_date")
        found = [
            held
            for number, held in self.orders.items()
            if since <= _at(held["in_process_at"]) <= to
            and (not changed or _at(changed["from"]) <= self.changed[number] <= _at(changed["to"]))
        ]
        return self._some(found, asked, counted=False)

    async def _unfulfilled(self, request: web.Request) -> web.Response:
        asked, refusal = await self._asked(request)
        if refusal:
            return refusal
        filter_ = asked.get("filter") or {}
        if not {"cutoff_from", "cutoff_to"} <= set(filter_):
            return _error(400, 3, "CUTOFF_IS_REQUIRED")
        period = _at(filter_["cutoff_from"]), _at(filter_["cutoff_to"])
        found = [
            held
            for held in self.orders.values()
            if held["status"] in _OPEN and period[0] <= _at(held["shipment_date"]) <= period[1]
        ]
        return self._some(found, asked, counted=True)

    def _some(
        self, found: list[dict[str, Any]], asked: dict[str, Any], *, counted: bool
    ) -> web.Response:
        limit, offset = asked.get("limit", 0), asked.get("offset", 0)
        if not 1 <= limit <= 1000:
            return _error(400, 3, "LIMIT")
        end = offset + (limit if counted else min(limit, self.page))
        postings = [_shown(held, asked) for held in found[offset:end]]
        more = {"count": len(postings)} if counted else {"has_next": end < len(found)}
        return web.json_response({"result": {"postings": postings, **more}})

    async def _asked(self, request: web.Request) -> tuple[dict[str, Any], web.Response | None]:
        asked = await request.json()
        self.calls.append((request.path, asked))
        client, key = request.headers.get("Client-Id"), request.headers.get("Api-Key")
        if not client or not key:
            return asked, _error(401, 16, "Client-Id and Api-Key headers are required")
        if (client, key) != (CLIENT_ID, self.key):
            return asked, _error(403, 7, "Invalid Api-Key")
        return asked, None


def posting(number: str) -> dict[str, Any]:
    """As the API shows a posting; with what the hub must not keep (a courier, bar codes, what the shop earns)."""
    now = datetime.now(UTC)
    return {
        "posting_number": number,
        "order_id": 438_764_970,
        "order_number": number.rpartition("-")[0],
        "parent_posting_number": "",
        "status": "awaiting_packaging",
        "substatus": "posting_created",
        "delivery_method": {
            "id": 18_044_249_781_000,
            "name": "Ozon Логистика курьеру, Москва",
            "warehouse_id": 18_044_249_781_000,
            "warehouse": "Основной",
            "tpl_provider_id": 24,
            "tpl_provider": "Ozon Логистика",
        },
        "tracking_number": "",
        "tpl_integration_type": "ozon",
        "in_process_at": now.isoformat().replace("+00:00", "Z"),
        "shipment_date": (now + timedelta(days=2)).isoformat().replace("+00:00", "Z"),
        "delivering_date": None,
        "cancellation": {"cancel_reason_id": 0, "cancel_reason": "", "cancellation_type": ""},
        "customer": None,
        "addressee": None,
        "courier": {"name": "Курьеров Пётр", "phone": ""},
        "barcodes": {"upper_barcode": "%101%806044518", "lower_barcode": "23024930500000"},
        "financial_data": {"products": [{"product_id": 1, "payout": 1500.5}]},
        "products": [
            _product(147_451_959, "KETTLE-1", "Чайник", "1990.000000", 2),
            _product(147_451_960, "CUP-7", "Чашка", "300.000000", 3),
        ],
        "analytics_data": {"city": "Москва", "delivery_type": "PVZ", "is_premium": False},
    }


def _product(sku: int, offer: str, name: str, price: str, quantity: int) -> dict[str, Any]:
    return {
        "sku": sku,
        "offer_id": offer,
        "name": name,
        "price": price,
        "currency_code": "RUB",
        "quantity": quantity,
    }


def _shown(held: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    wanted = (asked.get("with") or {}).get("analytics_data")
    return deepcopy(held) | ({} if wanted else {"analytics_data": None})


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _at(written: str) -> datetime:
    return datetime.fromisoformat(written)


def _error(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message, "details": []}, status=status)
