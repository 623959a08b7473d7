"""Yandex Market: orders of an account by the partner API, changes of them, notifications at a hook."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from aiohttp import ClientSession, web

from tests.simulators.base import Simulator

TOKEN = "ACMA:yandex-market-key-1"
BUSINESS = 2001
CAMPAIGN = 1001

_MOSCOW = timezone(timedelta(hours=3))
_MONTH = timedelta(days=30)
_BUYER_SHOWN = {"PROCESSING", "DELIVERY", "PICKUP"}
_MAY_BECOME = {
    "PROCESSING/STARTED": {"PROCESSING/READY_TO_SHIP", "CANCELLED/SHOP_FAILED"},
    "PROCESSING/READY_TO_SHIP": {"CANCELLED/SHOP_FAILED"},
}
_NOTIFICATIONS = {
    "created": ("ORDER_CREATED", "createdAt"),
    "updated": ("ORDER_STATUS_UPDATED", "updatedAt"),
    "cancelled": ("ORDER_CANCELLED", "cancelledAt"),
    "chat": ("CHAT_CREATED", "createdAt"),
    "strange": ("SOMETHING_NEW", "createdAt"),
}


class YandexMarketSimulator(Simulator):
    """`orders` by id, as `POST v1/businesses/{id}/orders` shows them; `buyers` by order for those of DBS; `calls`:
    what was asked, `written`: what was changed. `page`: how many orders a page has at most."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.orders: dict[str, dict[str, Any]] = {}
        self.buyers: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.written: list[tuple[str, dict[str, Any]]] = []
        self.page = 50
        self.busy = False
        self.campaign = CAMPAIGN
        """Of the shop that notifications name."""

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/businesses/{business}/orders", self._orders)
        app.router.add_get("/v2/campaigns/{campaign}/orders/{order}/buyer", self._buyer)
        for what in ("status", "items", "boxes"):
            app.router.add_put(f"/v2/campaigns/{{campaign}}/orders/{{order}}/{what}", self._change)

    def place(self, id_: str = "", **changes: Any) -> str:
        """A new order of two lines."""
        number = id_ or str(50_000_001 + len(self.orders))
        self.orders[number] = order(number) | changes
        return number

    def move(self, id_: str, code: str, **changes: Any) -> None:
        """`code`: status, or status/substatus."""
        status, _, substatus = code.partition("/")
        changed = {"status": status, "substatus": substatus or "STARTED", "updateDate": _now()}
        self.orders[id_] |= changed | changes

    def notification(self, id_: str, what: str = "updated") -> dict[str, Any]:
        """The body of a push about an order; `what` as in `push`."""
        if what == "ping":
            return {"notificationType": "PING", "time": _now()}
        kind, name = _NOTIFICATIONS[what]
        held = self.orders.get(id_, {})
        at = held.get("creationDate" if what == "created" else "updateDate", _now())
        said = {"notificationType": kind, "campaignId": self.campaign, name: at}
        if what in ("chat", "strange"):
            return said | {"chatId": 77}
        said["orderId"] = int(id_)
        if what == "updated":
            said |= {"status": held.get("status"), "substatus": held.get("substatus")}
        return said

    async def push(self, what: str, id_: str, url: str) -> int:
        """Calls a hook (`created`, `updated`, `cancelled`, `chat`, `strange`, `ping`) whose address is given without
        its last part, which the Market adds; the status of the answer."""
        said = self.notification(id_, what)
        async with (
            ClientSession() as session,
            session.post(f"{url}/notification", json=said) as answer,
        ):
            body = await answer.json(content_type=None)
            assert answer.status != 200 or {"version", "name", "time"} <= set(body)
            return answer.status

    async def _orders(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.calls.append((request.path_qs, asked))
        if refusal := self._refusal(request):
            return refusal
        if request.match_info["business"] != str(BUSINESS):
            return _error(403, "FORBIDDEN")
        if asked.get("campaignIds") not in (None, [CAMPAIGN]):
            return _error(403, "FORBIDDEN")
        try:
            found = [held for held in self.orders.values() if self._fits(held, asked)]
        except ValueError:
            return _error(400, "BAD_REQUEST")
        size = min(int(request.query.get("limit", 50)), 50, self.page)
        start = int(request.query.get("pageToken") or 0)
        more = {"nextPageToken": str(start + size)} if start + size < len(found) else {}
        page = deepcopy(found[start : start + size])
        return web.json_response({"orders": page, "paging": more})

    def _fits(self, held: dict[str, Any], asked: dict[str, Any]) -> bool:
        dates = asked.get("dates") or {}
        if asked.get("orderIds") and held["orderId"] not in asked["orderIds"]:
            return False
        if "updateDateFrom" not in dates:
            return _at(held["creationDate"]) >= datetime.now(UTC) - _MONTH
        since, until = _at(dates["updateDateFrom"]), _at(dates["updateDateTo"])
        if until - since > _MONTH + timedelta(seconds=1):
            raise ValueError("more than thirty days")
        return since <= _at(held["updateDate"]) < until

    async def _buyer(self, request: web.Request) -> web.Response:
        self.calls.append((request.path, {}))
        if refusal := self._refusal(request):
            return refusal
        held = self.orders.get(request.match_info["order"])
        if held is None:
            return _error(404, "NOT_FOUND")
        if held["programType"] != "DBS" or held["status"] not in _BUYER_SHOWN:
            return _error(400, "BAD_REQUEST")
        result = self.buyers.get(request.match_info["order"], {"type": "PERSON"})
        return web.json_response({"status": "OK", "result": result})

    async def _change(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        what, said = request.path.rpartition("/")[2], await request.json()
        held = self.orders.get(request.match_info["order"])
        if held is None:
            return _error(404, "NOT_FOUND")
        taken = self._status(held, said) if what == "status" else self._fewer(held, what, said)
        if not taken:
            return _error(400, "BAD_REQUEST")
        self.written.append((what, said))
        held["updateDate"] = _now()
        return web.json_response({"order": held}) if what == "status" else web.Response()

    def _status(self, held: dict[str, Any], said: dict[str, Any]) -> bool:
        to = said["order"]
        code = f"{to['status']}/{to.get('substatus', '')}"
        if code not in _MAY_BECOME.get(f"{held['status']}/{held['substatus']}", ()):
            return False
        held |= {"status": to["status"], "substatus": to.get("substatus", "")}
        return True

    def _fewer(self, held: dict[str, Any], what: str, said: dict[str, Any]) -> bool:
        """Never more than there was, and never of an order's only line."""
        if (held["status"], held["substatus"]) != ("PROCESSING", "STARTED"):
            return False
        if what == "items" and held["programType"] == "DBS":
            counts = {item["id"]: item["count"] for item in said["items"]}
        elif what == "boxes" and held["programType"] != "DBS" and said.get("allowRemove"):
            counts = {i["id"]: i["fullCount"] for box in said["boxes"] for i in box["items"]}
        else:
            return False
        before = {item["id"]: item["count"] for item in held["items"]}
        if len(before) == 1 or any(count > before.get(id_, 0) for id_, count in counts.items()):
            return False
        left = [item | {"count": counts.get(item["id"], 0)} for item in held["items"]]
        held["items"] = [item for item in left if item["count"]]
        return bool(held["items"])

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.busy:
            return _error(420, "LIMIT_EXCEEDED")
        if request.headers.get("Api-Key") != self.token:
            return _error(401, "UNAUTHORIZED")
        if request.match_info.get("campaign", str(CAMPAIGN)) != str(CAMPAIGN):
            return _error(403, "FORBIDDEN")
        return None


def order(number: str) -> dict[str, Any]:
    """As the API shows an order; with what the hub must not keep (a courier, a code, the buyer's words)."""
    return {
        "orderId": int(number),
        "campaignId": CAMPAIGN,
        "programType": "FBS",
        "status": "PROCESSING",
        "substatus": "STARTED",
        "creationDate": _now(),
        "updateDate": _now(),
        "paymentType": "POSTPAID",
        "paymentMethod": "CASH_ON_DELIVERY",
        "fake": False,
        "items": [_item(1, "KETTLE-1", "Чайник", 2, 3980), _item(2, "CUP-7", "Чашка", 3, 900)],
        "prices": {
            "payment": _rub(4880),
            "cashback": _rub(0),
            "delivery": {"payment": _rub(149)},
        },
        "delivery": {
            "type": "PICKUP",
            "serviceName": "Яндекс Доставка",
            "deliveryServiceId": 9,
            "deliveryPartnerType": "YANDEX_MARKET",
            "warehouseId": "wh-main",
            "dates": {"fromDate": "2026-12-03", "toDate": "2026-12-05"},
            "shipment": {"id": 8, "shipmentDate": "2026-12-01"},
            "transfer": {
                "courier": {"fullName": "Курьеров Пётр", "phone": "+79990000009"},
                "eac": {"eacCode": "4417"},
            },
        },
        "buyerType": "PERSON",
        "notes": "Позвоните за час",
        "cancelRequested": False,
    }


def _item(id_: int, sku: str, title: str, count: int, price: int) -> dict[str, Any]:
    return {
        "id": 700 + id_,
        "offerId": sku,
        "offerName": title,
        "count": count,
        "prices": {"payment": _rub(price), "subsidy": _rub(10)},
    }


def _rub(value: int) -> dict[str, Any]:
    return {"value": value, "currencyId": "RUR"}


def _now() -> str:
    return datetime.now(_MOSCOW).isoformat(timespec="microseconds")


def _at(written: str) -> datetime:
    return datetime.fromisoformat(written)


def _error(status: int, code: str) -> web.Response:
    answer = {"status": "ERROR", "errors": [{"code": code, "message": "Refused"}]}
    return web.json_response(answer, status=status)
