"""WooCommerce: the REST API v3 and hooks as woocommerce-rest-api-docs and the plugin's own code have them."""

import hashlib
import hmac
import html
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from aiohttp import web

from channels.base import HookRequest
from hub.sources.base import Call
from tests.simulators.shops import ShopSimulator, merged, number_of, payload

SITE = timezone(timedelta(hours=3))
"""The shop's own time, which its plain times are in."""
STATUSES = (
    *("pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "trash"),
)
_TOPICS = {
    f"{resource}.{event}"
    for resource in ("order", "product", "customer", "coupon")
    for event in ("created", "updated", "deleted")
}
_ORDERBY = {
    "orders": ("date", "id", "include", "title", "slug", "modified"),
    "products": ("date", "id", "include", "title", "slug", "modified", "price", "rating"),
    "customers": ("id", "include", "name", "registered_date"),
}
_API = "/wp-json/wc/v3"


class WooCommerceSimulator(ShopSimulator):
    """`own`: statuses that plugins added; `may_write`: what the key may do; `webhooks`: with their secrets."""

    def __init__(self) -> None:
        super().__init__()
        self.login, self.password = "ck_1", "cs_1"
        self.own: list[str] = ["assembly"]
        self.may_write = True
        self.webhooks: list[dict[str, Any]] = []

    def routes(self, app: web.Application) -> None:
        router = app.router
        for name in ("orders", "customers", "products"):
            router.add_get(f"{_API}/{name}", self._list)
            router.add_get(f"{_API}/{name}/{{id}}", self._one)
        router.add_put(f"{_API}/orders/{{id}}", self._change)
        router.add_get(f"{_API}/webhooks", self._hooks)
        router.add_post(f"{_API}/webhooks", self._add_hook)
        router.add_put(f"{_API}/webhooks/{{id}}", self._change_hook)

    def order(self, **changes: Any) -> dict[str, Any]:
        """A new one, as a buyer places it now."""
        id_ = number_of(self.orders, 727)
        base = payload("woocommerce", "order") | {"id": id_, "number": str(id_)}
        self.orders[str(id_)] = merged(base, {**self.stamps("created", "modified"), **changes})
        return self.orders[str(id_)]

    def change(self, id_: str, **changes: Any) -> dict[str, Any]:
        """As a manager does it in the back office."""
        self.orders[id_].update({**changes, **self.stamps("modified")})
        return self.orders[id_]

    def stamps(self, *names: str) -> dict[str, str]:
        """Times as it tells them: twice, and without a zone."""
        at = self.now()
        local, world = (_plain(at.astimezone(zone)) for zone in (SITE, UTC))
        return {f"date_{name}": local for name in names} | {
            f"date_{name}_gmt": world for name in names
        }

    def paid(self) -> dict[str, str]:
        return self.stamps("paid")

    def call(self, topic: str, body: Any, secret: str) -> Call:
        """A hook as it comes in."""
        raw = _written(body)
        return Call("events", HookRequest("POST", self._headers(topic, raw, secret), {}, raw))

    def ping(self, id_: int = 142) -> Call:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return Call("events", HookRequest("POST", headers, {}, f"webhook_id={id_}".encode()))

    async def push(self, topic: str, id_: str) -> list[int]:
        """Tells all active hooks of the topic ("order.updated") about the object; what they answered. Nothing is
        tried again, and who fails more than five times in a row is switched off."""
        resource, _, event = topic.partition(".")
        held = {"order": self.orders, "customer": self.customers, "product": self.products}
        raw = _written({"id": int(id_)} if event == "deleted" else held[resource][id_])
        answers = []
        for hook in self.webhooks:
            if hook["topic"] != topic or hook["status"] != "active":
                continue
            headers = self._headers(topic, raw, hook["secret"], hook["id"])
            answers.append(await self.deliver(hook["delivery_url"], raw, headers))
            if 200 <= answers[-1] < 303:
                hook["failure_count"] = 0
            elif hook["failure_count"] > 5:
                hook["status"] = "disabled"
            else:
                hook["failure_count"] += 1
        return answers

    def _headers(self, topic: str, raw: bytes, secret: str, id_: int = 142) -> dict[str, str]:
        resource, _, event = topic.partition(".")
        key = html.unescape(secret).encode()
        second = int(self.now().timestamp())
        return {
            "content-type": "application/json",
            "user-agent": "WooCommerce/9.4.2 Hookshot (WordPress/6.7)",
            "x-wc-webhook-source": f"{self.url}/",
            "x-wc-webhook-topic": topic,
            "x-wc-webhook-resource": resource,
            "x-wc-webhook-event": event,
            "x-wc-webhook-signature": b64encode(hmac.digest(key, raw, "sha256")).decode(),
            "x-wc-webhook-id": str(id_),
            # Of the hook and the second alone.
            "x-wc-webhook-delivery-id": hashlib.md5(f"{id_}{second}".encode()).hexdigest(),
        }

    async def _guarded(self, request: web.Request) -> tuple[web.Response | None, Any]:
        """The answer to whoever is not let in, or the body."""
        if not self.let_in(request):
            return _error(401, "woocommerce_rest_cannot_view"), None
        if request.method != "GET" and not self.may_write:
            return _error(401, "woocommerce_rest_authentication_error"), None
        return None, await self.note(request)

    async def _list(self, request: web.Request) -> web.Response:
        refused, _ = await self._guarded(request)
        if refused:
            return refused
        name, query = request.path.rsplit("/", 1)[1], request.query
        orderby = query.get("orderby", "name" if name == "customers" else "date")
        page, per_page = int(query.get("page", "1")), int(query.get("per_page", "10"))
        if orderby not in _ORDERBY[name] or not 1 <= per_page <= 100 or page < 1:
            return _error(400, "rest_invalid_param")
        try:
            found = [row for row in self._held(name).values() if _matches(row, query, name)]
        except ValueError:
            return _error(400, "rest_invalid_param")
        sort = {"id": "id", "modified": "date_modified_gmt"}.get(orderby, "date_created_gmt")
        back = query.get("order", "asc" if name == "customers" else "desc") == "desc"
        found.sort(key=lambda row: (row[sort], row["id"]), reverse=back)
        pages = -(-len(found) // per_page)
        headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(pages)}
        found = found[(page - 1) * per_page : page * per_page]
        if fields := query.get("_fields"):
            names = set(fields.split(","))
            found = [{name: row[name] for name in row if name in names} for row in found]
        return web.json_response(found, headers=headers)

    async def _one(self, request: web.Request) -> web.Response:
        refused, _ = await self._guarded(request)
        if refused:
            return refused
        found = self._held(request.path.split("/")[-2]).get(request.match_info["id"])
        return web.json_response(found) if found else _error(404, "woocommerce_rest_invalid_id")

    async def _change(self, request: web.Request) -> web.Response:
        refused, body = await self._guarded(request)
        if refused:
            return refused
        order = self.orders.get(request.match_info["id"])
        if order is None:
            return _error(400, "woocommerce_rest_shop_order_invalid_id")
        status = body.get("status", order["status"])
        ids = {line["id"] for line in order["line_items"]}
        if status not in (*STATUSES, *self.own):
            return _error(400, "rest_invalid_param")
        if any(line.get("id") not in ids for line in body.get("line_items", ())):
            return _error(400, "woocommerce_rest_invalid_item_id")
        for line in body.get("line_items", ()):
            _change_line(order, line)
        if "line_items" in body:
            items = sum(Decimal(line["total"]) for line in order["line_items"])
            order["total"] = str(items + Decimal(order["shipping_total"]))
        if status in ("processing", "completed") and not order["date_paid_gmt"]:
            # Whoever says so means that the money is there.
            order.update(self.paid())
        order.update({"status": status, **self.stamps("modified")})
        return web.json_response(order)

    async def _hooks(self, request: web.Request) -> web.Response:
        refused, _ = await self._guarded(request)
        if refused:
            return refused
        return web.json_response([_shown(hook) for hook in self.webhooks])

    async def _add_hook(self, request: web.Request) -> web.Response:
        """Pings the address at once; whoever does not answer 200 gets no hook that is in use."""
        refused, body = await self._guarded(request)
        if refused:
            return refused
        if body.get("topic") not in _TOPICS or not body.get("delivery_url"):
            return _error(400, "woocommerce_rest_webhook_invalid_topic")
        hook = {"id": len(self.webhooks) + 1, "status": "active", "failure_count": 0, **body}
        self.webhooks.append(hook)
        form = {"content-type": "application/x-www-form-urlencoded"}
        raw = f"webhook_id={hook['id']}".encode()
        hook["pinged"] = await self.deliver(hook["delivery_url"], raw, form)
        return web.json_response(_shown(hook), status=201)

    async def _change_hook(self, request: web.Request) -> web.Response:
        refused, body = await self._guarded(request)
        if refused:
            return refused
        for hook in self.webhooks:
            if str(hook["id"]) == request.match_info["id"]:
                hook.update(body)
                return web.json_response(_shown(hook))
        return _error(404, "woocommerce_rest_shop_webhook_invalid_id")

    def _held(self, name: str) -> dict[str, dict[str, Any]]:
        return {"orders": self.orders, "customers": self.customers, "products": self.products}[name]


def _matches(row: Mapping[str, Any], query: Mapping[str, str], name: str) -> bool:
    if name == "customers":
        role = query.get("role", "customer")
        return role in ("all", row["role"])
    if name == "orders" and row["status"] == "trash" and query.get("status") != "trash":
        return False
    after = query.get("modified_after")
    if after is None:
        return True
    at = datetime.fromisoformat(after)
    # One with a zone is turned to the shop's own time before it is compared, with whichever column.
    wall = at.astimezone(SITE).replace(tzinfo=None) if at.tzinfo else at
    column = "date_modified_gmt" if query.get("dates_are_gmt") == "true" else "date_modified"
    return bool(row[column] > _plain(wall))


def _change_line(order: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Sums stay as they are where only a quantity is said; zero takes the line out."""
    line = next(line for line in order["line_items"] if line["id"] == given["id"])
    if given.get("quantity") == 0:
        order["line_items"].remove(line)
        return
    line.update({name: given[name] for name in ("quantity", "total", "subtotal") if name in given})
    line["price"] = float(Decimal(line["total"]) / line["quantity"])


def _plain(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def _written(body: Any) -> bytes:
    """As PHP writes it: all but ASCII escaped, and the slashes, too."""
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode()


def _shown(hook: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in hook.items() if name not in ("secret", "pinged")}


def _error(status: int, code: str) -> web.Response:
    body = {"code": code, "message": "…", "data": {"status": status}}
    return web.json_response(body, status=status)
