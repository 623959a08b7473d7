"""InSales: the admin API and hooks as "InSales API" of insales/insales-docs-source describes them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from channels.base import HookRequest
from hub.sources.base import Call
from tests.simulators.shops import ShopSimulator, merged, number_of, payload

MOSCOW = timezone(timedelta(hours=3))
STATUSES = ("new", "accepted", "approved", "dispatched", "delivered", "declined", "returned")

_TOPICS = (
    *("orders/create", "orders/update", "orders/destroy"),
    *("products/create", "products/update", "client/create", "client/update"),
)
_NOT_FOUND = "<!DOCTYPE html><html><body><h1>404</h1></body></html>"


class InSalesSimulator(ShopSimulator):
    """`allowed`: calls in five minutes, after which 503 with `Retry-After`; `custom`: the shop's own statuses and the
    system one each stands on; `webhooks`: as the API shows them."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = 500
        self.used = 0
        self.custom = {"novyy": "new", "v-punkte": "dispatched", "v-obrabotke": "accepted"}
        self.webhooks: list[dict[str, Any]] = []

    def routes(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/admin/account.json", self._account)
        router.add_get("/admin/custom_statuses.json", self._statuses)
        for name in ("orders", "clients", "products"):
            router.add_get(f"/admin/{name}.json", self._list)
            router.add_get(f"/admin/{name}/{{id}}.json", self._one)
        router.add_put("/admin/orders/{id}.json", self._change)
        router.add_get("/admin/webhooks.json", self._hooks)
        router.add_post("/admin/webhooks.json", self._add_hook)
        router.add_put("/admin/webhooks/{id}.json", self._change_hook)
        router.add_route("*", "/{rest:.*}", self._nothing)

    def order(self, **changes: Any) -> dict[str, Any]:
        """A new one, as a buyer places it now."""
        id_ = number_of(self.orders, 7340001)
        at = self.stamp()
        base = payload("insales", "order") | {"id": id_, "number": id_ - 7338959}
        order = merged(base, {"created_at": at, "updated_at": at, **changes})
        self.orders[str(id_)] = order
        return order

    def change(self, id_: str, **changes: Any) -> dict[str, Any]:
        """As a manager does it in the back office."""
        self.orders[id_].update(changes, updated_at=self.stamp())
        return self.orders[id_]

    def stamp(self) -> str:
        return self.now().astimezone(MOSCOW).isoformat(timespec="milliseconds")

    def call(self, topic: str, body: Any) -> Call:
        """A hook as it comes in. `topic`: as in the hub's URL."""
        headers = {"content-type": "application/json", "user-agent": "InSales"}
        raw = json.dumps(body, ensure_ascii=False).encode()
        return Call(topic, HookRequest("POST", headers, {}, raw))

    async def push(self, topic: str, id_: str) -> list[int]:
        """Tells all hooks of the topic ("orders/update") about the object; what they answered."""
        held = {"orders": self.orders, "client": self.customers, "products": self.products}
        one = held[topic.split("/")[0]][id_]
        body = json.dumps([one] if topic.startswith("products") else one).encode()
        headers = {"Content-Type": "application/json"}
        urls = [hook["address"] for hook in self.webhooks if hook["topic"] == topic]
        return [await self.deliver(url, body, headers) for url in urls]

    async def _guarded(self, request: web.Request) -> tuple[web.Response | None, Any]:
        """The answer to whoever is not let in, or the body."""
        if not self.let_in(request):
            return web.Response(status=401, text="HTTP Basic: Access denied.\n"), None
        self.used += 1
        if self.used > self.allowed:
            headers = {"Retry-After": "137", "API-Usage-Limit": f"{self.used}/{self.allowed}"}
            return web.Response(status=503, headers=headers, text="<html>Limit</html>"), None
        if request.method != "GET" and request.content_type != "application/json":
            said = "incorrect Content-Type, should be application/json"
            return web.json_response({"message": said}, status=422), None
        return None, await self.note(request)

    def _answer(self, body: Any, status: int = 200) -> web.Response:
        headers = {"API-Usage-Limit": f"{self.used}/{self.allowed}"}
        return web.json_response(body, status=status, headers=headers)

    async def _account(self, request: web.Request) -> web.Response:
        refused, _ = await self._guarded(request)
        return refused or self._answer({"id": 880012, "title": "Ромашка", "subdomain": "romashka"})

    async def _statuses(self, request: web.Request) -> web.Response:
        refused, _ = await self._guarded(request)
        own = [
            {"permalink": name, "title": name.title(), "system_status": system}
            for name, system in self.custom.items()
        ]
        return refused or self._answer(own)

    async def _list(self, request: web.Request) -> web.Response:
        refused, _ = await self._guarded(request)
        if refused:
            return refused
        found = self._kept(request)
        if request.query.get("with_deleted") is None:
            found = [row for row in found if not row.get("archived")]
        per_page = min(max(int(request.query.get("per_page", "10")), 10), 250)
        since = request.query.get("updated_since")
        if since is None:
            begin = (int(request.query.get("page", "1")) - 1) * per_page
            return self._answer(found[begin : begin + per_page])
        try:
            at = datetime.fromisoformat(since)
        except ValueError:
            return self._answer({"updated_since": ["is no time"]}, 422)
        after = (at.astimezone(MOSCOW), int(request.query.get("from_id", "0")))
        found = sorted((row for row in found if _pair(row) > after), key=_pair)
        return self._answer(found[:per_page])

    async def _one(self, request: web.Request) -> web.Response:
        refused, _ = await self._guarded(request)
        if refused:
            return refused
        found = [row for row in self._kept(request) if str(row["id"]) == request.match_info["id"]]
        return self._answer(found[0]) if found else _nothing()

    async def _change(self, request: web.Request) -> web.Response:
        refused, body = await self._guarded(request)
        if refused:
            return refused
        order = self.orders.get(request.match_info["id"])
        if order is None:
            return _nothing()
        wanted: Mapping[str, Any] = body["order"]
        if fault := self._fault(order, wanted):
            return self._answer(fault, 422)
        own = wanted.get("custom_status_permalink")
        if own:
            order["custom_status"] = {"permalink": own, "title": own}
            order["fulfillment_status"] = self.custom[own]
        elif status := wanted.get("fulfillment_status"):
            order["fulfillment_status"] = status
            # The shop's first own status on that system one takes its place.
            named = next((name for name, on in self.custom.items() if on == status), None)
            order["custom_status"] = {"permalink": named, "title": named} if named else None
        if paid := wanted.get("financial_status"):
            order["financial_status"] = paid
        self._lines(order, wanted.get("order_lines_attributes", ()))
        order["updated_at"] = self.stamp()
        return self._answer(order)

    def _fault(self, order: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, list[str]]:
        if wanted.get("custom_status_permalink", "novyy") not in self.custom:
            return {"custom_status": ["не найден"]}
        if wanted.get("fulfillment_status", "new") not in STATUSES:
            return {"fulfillment_status": ["имеет непредусмотренное значение"]}
        if wanted.get("financial_status", "paid") not in ("pending", "paid"):
            return {"financial_status": ["имеет непредусмотренное значение"]}
        ids = {line["id"] for line in order["order_lines"]}
        for line in wanted.get("order_lines_attributes", ()):
            if line["id"] not in ids:
                return {"order_lines": ["не найдена"]}
            if line["quantity"] < 1 and not line.get("_destroy"):
                return {"order_lines.quantity": ["может иметь значение большее 0"]}
        return {}

    def _lines(self, order: dict[str, Any], wanted: Sequence[Mapping[str, Any]]) -> None:
        by_id = {line["id"]: line for line in order["order_lines"]}
        for change in wanted:
            line = by_id[change["id"]]
            if change.get("_destroy"):
                order["order_lines"].remove(line)
                continue
            line["quantity"] = change["quantity"]
            line["total_price"] = line["sale_price"] * line["quantity"]
        if wanted:
            items = sum(line["total_price"] for line in order["order_lines"])
            order["items_price"] = items
            order["total_price"] = items + order["full_delivery_price"]

    async def _hooks(self, request: web.Request) -> web.Response:
        refused, _ = await self._guarded(request)
        return refused or self._answer(self.webhooks)

    async def _add_hook(self, request: web.Request) -> web.Response:
        refused, body = await self._guarded(request)
        if refused:
            return refused
        given = body["webhook"]
        pair = (given.get("address"), given.get("topic"))
        if given.get("topic") not in _TOPICS or not urlsplit(given.get("address", "")).hostname:
            return self._answer({"topic": ["не может быть пустым"]}, 422)
        if pair in {(hook["address"], hook["topic"]) for hook in self.webhooks}:
            return self._answer({"address": ["уже существует"]}, 422)
        # What is not said otherwise comes as XML.
        hook = {"id": len(self.webhooks) + 1, "format_type": "xml", "batch_size": 10, **given}
        self.webhooks.append(hook)
        return self._answer(hook, 201)

    async def _change_hook(self, request: web.Request) -> web.Response:
        refused, body = await self._guarded(request)
        if refused:
            return refused
        for hook in self.webhooks:
            if str(hook["id"]) == request.match_info["id"]:
                hook.update(body["webhook"])
                return self._answer(hook)
        return _nothing()

    async def _nothing(self, request: web.Request) -> web.Response:
        refused, _ = await self._guarded(request)
        return refused or _nothing()

    def _kept(self, request: web.Request) -> list[dict[str, Any]]:
        name = request.path.split("/")[2].removesuffix(".json")
        held = {"orders": self.orders, "clients": self.customers, "products": self.products}
        return list(held[name].values())


def _pair(row: Mapping[str, Any]) -> tuple[datetime, int]:
    return datetime.fromisoformat(row["updated_at"]).astimezone(MOSCOW), row["id"]


def _nothing() -> web.Response:
    """A page for people, whatever was asked for."""
    return web.Response(status=404, text=_NOT_FOUND, content_type="text/html")
