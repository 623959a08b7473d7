"""Shopify's Admin REST API and its webhooks: signed with the app's secret, 2xx within 5 seconds, retries with the old body.

As documented at shopify.dev: admin-rest (orders, pagination, rate limits, webhook), webhooks, client credentials grant.
"""

import base64
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import web

from tests.simulators.base import Simulator
from tests.simulators.shopify_hooks import Delivery, deliver

TOKEN = "shpat_0123456789abcdef0123456789abcdef"
CLIENT_ID = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
CLIENT_SECRET = "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"
VERSION = "2026-01"

_BUCKET, _LEAK = 40, 2.0
_LISTS = ("orders", "customers", "products")
_SCOPES = (
    "read_orders",
    "read_fulfillments",
    "read_customers",
    "read_products",
    "read_all_orders",
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ShopifySimulator(Simulator):
    """`objects`: by list and id. `scopes`: what the app may read; without `read_all_orders` nothing older than 60 days is
    there. `deliveries`: all that hooks were told. `full`: how full the bucket of calls is."""

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.secret = CLIENT_SECRET
        self.granted: set[str] = set()
        self.lifetime = 86399
        self.scopes = [*_SCOPES]
        self.objects: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in _LISTS}
        self.hooks: list[dict[str, Any]] = []
        self.deliveries: list[Delivery] = []
        self.calls: list[tuple[str, str]] = []
        self.marks: dict[str, dict[str, Any]] = {}
        self.full = 0.0
        self._leaked = time.monotonic()
        self._ids = 5_000_000_000_001
        self._clock = datetime.now(UTC).replace(microsecond=0)

    @property
    def orders(self) -> dict[int, dict[str, Any]]:
        return self.objects["orders"]

    def routes(self, app: web.Application) -> None:
        add, api = app.router.add_route, f"/admin/api/{VERSION}"
        add("POST", "/admin/oauth/access_token", self._grant)
        add("GET", "/admin/oauth/access_scopes.json", self._guarded(self._scopes))
        add("GET", f"{api}/{{list}}/count.json", self._guarded(self._count))
        add("GET", f"{api}/webhooks.json", self._guarded(self._list_hooks))
        add("POST", f"{api}/webhooks.json", self._guarded(self._add_hook))
        add("GET", f"{api}/{{list}}.json", self._guarded(self._list))
        add("GET", f"{api}/{{list}}/{{id}}.json", self._guarded(self._get))

    # --- what people in the shop do -------------------------------------------------------------------------------

    def now(self) -> str:
        """To the second, of the shop's own zone, and later than whatever was said before."""
        began = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        self._clock = max(began, self._clock + timedelta(seconds=1))
        return self._clock.astimezone(_zone()).isoformat(timespec="seconds")

    def add(self, list_: str, **fields: Any) -> int:
        self._ids += 1
        now = self.now()
        self.objects[list_][self._ids] = {
            "id": self._ids,
            "created_at": now,
            "updated_at": now,
            **fields,
        }
        return self._ids

    def change(self, id_: int, **fields: Any) -> None:
        self.orders[id_] |= {"updated_at": self.now(), **fields}

    def place(self, **fields: Any) -> int:
        """An order of two kettles and a cup, not paid yet."""
        number = 1001 + len(self.orders)
        customer = self.add(
            "customers",
            email=f"anna{number}@example.ru",
            first_name="Анна",
            last_name="Смирнова",
            phone=f"+7916000{number}",
            tags="vip, опт",
            email_marketing_consent={"state": "subscribed", "opt_in_level": "single_opt_in"},
        )
        return self.add("orders", **(self._order(number, customer) | fields))

    def pay(self, id_: int) -> None:
        self.change(id_, financial_status="paid")

    def ship(self, id_: int, *, whole: bool = True, **parcel: Any) -> None:
        """`parcel`: of the one that is sent now."""
        self._ids += 1
        sent = {"id": self._ids, "order_id": id_, "status": "success", "shipment_status": None}
        sent |= {"tracking_company": "СДЭК", "tracking_number": "1234567890", **parcel}
        self.change(
            id_,
            fulfillment_status="fulfilled" if whole else "partial",
            fulfillments=[*self.orders[id_]["fulfillments"], sent],
        )

    def track(self, id_: int, status: str) -> None:
        """What the carriers say of all of its parcels."""
        parcels = [
            {**parcel, "shipment_status": status} for parcel in self.orders[id_]["fulfillments"]
        ]
        self.change(id_, fulfillments=parcels)

    def cancel(self, id_: int, reason: str = "customer") -> None:
        self.change(id_, cancelled_at=self.now(), cancel_reason=reason, closed_at=self.now())

    # --- webhooks -------------------------------------------------------------------------------------------------

    def call(self, topic: str, body: Mapping[str, Any] | bytes, *, event: str = "") -> Delivery:
        """One delivery as it goes over the wire, not sent."""
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        proof = base64.b64encode(hmac.digest(self.secret.encode(), raw, "sha256")).decode()
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": proof,
            "X-Shopify-Shop-Domain": "romashka.myshopify.com",
            "X-Shopify-API-Version": VERSION,
            "X-Shopify-Webhook-Id": str(uuid4()),
            "X-Shopify-Event-Id": event or str(uuid4()),
            # Nine digits of a second, as Go writes them.
            "X-Shopify-Triggered-At": f"{self._clock:%Y-%m-%dT%H:%M:%S}.877041743Z",
        }
        return Delivery("", headers, raw)

    async def push(self, topic: str, id_: int) -> list[Delivery]:
        """Tells each hook of the topic of the object as it is now. A repeat, hours later, is `deliver` of the same."""
        list_ = "orders" if topic.startswith("orders/") else topic.partition("/")[0]
        told = [
            Delivery(hook["address"], delivery.headers, delivery.body)
            for hook in self.hooks
            if hook["topic"] == topic and (delivery := self.call(topic, self.objects[list_][id_]))
        ]
        self.deliveries += told
        for delivery in told:
            await deliver(delivery)
        return told

    # --- the API --------------------------------------------------------------------------------------------------

    async def _grant(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(("POST", request.path))
        asked = await request.json()
        right = {
            "client_id": CLIENT_ID,
            "client_secret": self.secret,
            "grant_type": "client_credentials",
        }
        if asked != right:
            text = "Oauth error invalid_client: The client secret is wrong"
            return web.Response(status=400, text=text, content_type="text/html")
        token = f"shpat_{uuid4().hex}"
        self.granted.add(token)
        answer = {
            "access_token": token,
            "scope": ",".join(self.scopes),
            "expires_in": self.lifetime,
        }
        return web.json_response(answer)

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.calls.append((request.method, request.path))
            token = request.headers.get("X-Shopify-Access-Token", "")
            if token not in {self.token, *self.granted}:
                return _error(401, "[API] Invalid API key or access token")
            now = time.monotonic()
            self.full = max(0.0, self.full - (now - self._leaked) * _LEAK)
            self._leaked = now
            if self.full + 1 > _BUCKET:
                return _error(429, "Exceeded 2 calls per second", {"Retry-After": "2.0"})
            self.full += 1
            response = await handler(request)
            response.headers["X-Shopify-Shop-Api-Call-Limit"] = f"{int(self.full)}/{_BUCKET}"
            return response

        return guarded

    async def _list(self, request: web.Request) -> web.StreamResponse:
        list_, query = request.match_info["list"], dict(request.query)
        if list_ not in _LISTS:
            return _error(404, "Not Found")
        if f"read_{list_}" not in self.scopes:
            return _error(403, "[API] This action requires merchant approval for the scope")
        limit, fields = int(query.get("limit", 50)), query.get("fields", "")
        if mark := query.pop("page_info", ""):
            for name in set(query) - {"limit", "fields"}:
                return _error(400, {name: f"{name} cannot be passed when page_info is present."})
            if mark not in self.marks:
                return _error(400, {"page_info": "Invalid value."})
            query = self.marks[mark]
        if limit > 250:
            return _error(400, {"limit": "must be 250 or less"})
        found = self._found(list_, query)
        page, rest = found[:limit], found[limit:]
        headers = {"Link": self._link(request, query, page[-1], limit)} if rest else {}
        if fields:
            wanted = fields.split(",")
            page = [{name: row[name] for name in wanted if name in row} for row in page]
        return web.json_response({list_: page}, headers=headers)

    def _found(self, list_: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = [row for row in self.objects[list_].values() if self._listed(list_, row, query)]
        field, _, way = str(query.get("order", "id asc")).partition(" ")
        found.sort(key=lambda row: (_sortable(row[field]), row["id"]), reverse=way == "desc")
        if after := query.get("after"):
            found = [row for row in found if (_sortable(row[field]), row["id"]) > tuple(after)]
        return found

    def _listed(self, list_: str, row: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
        for field in ("created_at", "updated_at"):
            since = query.get(f"{field}_min")
            if since and datetime.fromisoformat(row[field]) < datetime.fromisoformat(since):
                return False
        if list_ != "orders":
            return True
        old = datetime.now(UTC) - datetime.fromisoformat(row["created_at"]) > timedelta(days=60)
        if old and "read_all_orders" not in self.scopes:
            return False
        # Closed and cancelled ones have to be asked for.
        return query.get("status") == "any" or not (row.get("closed_at") or row.get("cancelled_at"))

    def _link(
        self, request: web.Request, query: Mapping[str, Any], last: Mapping[str, Any], limit: int
    ) -> str:
        """Marks with a sign that has to be escaped in a URL."""
        field = str(query.get("order", "id asc")).partition(" ")[0]
        mark = f"eyJ{uuid4().hex}=="
        self.marks[mark] = {**query, "after": [_sortable(last[field]), last["id"]]}
        following = urlencode({"limit": limit, "page_info": mark})
        former = urlencode({"limit": limit, "page_info": "eyJwcmV2aW91cyI6MX0="})
        url = f"{self.url}{request.path}"
        return f'<{url}?{former}>; rel="previous", <{url}?{following}>; rel="next"'

    async def _get(self, request: web.Request) -> web.StreamResponse:
        list_ = request.match_info["list"]
        found = self.objects.get(list_, {}).get(int(request.match_info["id"]))
        if found is None:
            return _error(404, "Not Found")
        return web.json_response({list_.removesuffix("s"): found})

    async def _count(self, request: web.Request) -> web.StreamResponse:
        found = self._found(request.match_info["list"], request.query)
        return web.json_response({"count": len(found)})

    async def _scopes(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"access_scopes": [{"handle": scope} for scope in self.scopes]})

    async def _list_hooks(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"webhooks": self.hooks})

    async def _add_hook(self, request: web.Request) -> web.StreamResponse:
        hook = (await request.json())["webhook"]
        if any((hook["topic"], hook["address"]) == (h["topic"], h["address"]) for h in self.hooks):
            return _error(422, {"address": ["for this topic has already been taken"]})
        self._ids += 1
        self.hooks.append({"id": self._ids, **hook})
        return web.json_response({"webhook": self.hooks[-1]}, status=201)

    def _order(self, number: int, customer: int) -> dict[str, Any]:
        kettle = {"title": "Чайник", "name": "Чайник - Синий", "sku": "A-1", "price": "1990.00"}
        cup = {"title": "Чашка", "name": "Чашка", "sku": "B-2", "price": "490.50"}
        return {
            "name": f"#{number}",
            "order_number": number,
            "email": f"anna{number}@example.ru",
            "phone": None,
            "customer": self.objects["customers"][customer],
            "customer_locale": "ru-RU",
            "currency": "RUB",
            "total_price": "4470.50",
            "current_total_price": "4470.50",
            "financial_status": "pending",
            "fulfillment_status": None,
            "cancelled_at": None,
            "cancel_reason": None,
            "closed_at": None,
            "token": uuid4().hex,
            "order_status_url": f"{self.url}/orders/{uuid4().hex}/authenticate?key=secret-of-{number}",
            "browser_ip": "203.0.113.7",
            "note_attributes": [],
            "shipping_address": {"city": "Москва", "address1": "Тверская, 1", "zip": "125009"},
            "shipping_lines": [{"title": "Курьер", "code": "courier", "price": "0.00"}],
            "line_items": [
                {
                    "id": number * 10,
                    "quantity": 2,
                    "current_quantity": 2,
                    "product_id": 1,
                    **kettle,
                },
                {
                    "id": number * 10 + 1,
                    "quantity": 1,
                    "current_quantity": 1,
                    "product_id": 2,
                    **cup,
                },
            ],
            "fulfillments": [],
            "refunds": [],
        }


def _zone() -> timezone:
    return timezone(timedelta(hours=3))


def _sortable(value: Any) -> Any:
    return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value


def _error(
    status: int, errors: str | Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.json_response({"errors": errors}, status=status, headers=headers)
