"""A CS-Cart Multi-Vendor shop: its REST API 2.0 with all that it does to whoever reads it, and the events of our add-on."""

import copy
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import encode_basic_auth, web

from hub.webhooks import signing
from tests.simulators.base import Simulator

PAYLOADS = Path(__file__).parent.parent / "sources" / "payloads" / "cscart"

SECRET = "whsec_" + "dmVzdG5pay1jc2NhcnQtc2ltdWxhdG9yLXNlY3JldCE="

# As its pages of docs have them: what a row of a list of orders tells.
_ROW = (
    *("order_id", "issuer_id", "user_id", "is_parent_order", "parent_order_id", "company_id"),
    *("timestamp", "firstname", "lastname", "email", "phone", "status", "total", "invoice_id"),
    "credit_memo_id",
)
_ID = {"orders": "order_id", "users": "user_id", "products": "product_id"}
_ID |= {"shipments": "shipment_id", "carts": "user_id"}


def payload(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return found


class CsCart(Simulator):
    """`kept`: objects by resource and id, as the API gives them; `changes`: (order, status before, status after) of
    each write; `forbidden`: resources that the login has no right to."""

    def __init__(self) -> None:
        super().__init__()
        self.login = "admin@shop.example"
        self.api_key = "k3y-of-the-admin"
        self.kept: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in _ID}
        self.codes = set("OPCFDBIYN")
        self.forbidden: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.changes: list[tuple[str, str, str]] = []
        self.rewrites = True
        self.most_rows = 250

    @property
    def orders(self) -> dict[str, dict[str, Any]]:
        return self.kept["orders"]

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/api/2.0/{path:.*}", self._pretty)
        app.router.add_route("*", "/api.php", self._plain)

    # --- What happens in the shop.

    def add_order(self, id_: str | int, *, at: float | None = None, **fields: Any) -> str:
        """Of the shape of `payloads/cscart/order.json`; `at`: when it was placed, now where it is not said (in whole
        seconds: the next one, so that it is not before a source that was made just now)."""
        order = copy.deepcopy(payload("order"))
        order["order_id"] = str(id_)
        order["timestamp"] = str(int(time.time() + 1 if at is None else at))
        order["updated_at"] = int(order["timestamp"])
        self.orders[str(id_)] = order | fields
        return str(id_)

    def add_user(self, id_: str | int, **fields: Any) -> str:
        self.kept["users"][str(id_)] = payload("user") | {"user_id": str(id_)} | fields
        return str(id_)

    def add_product(self, id_: str | int, **fields: Any) -> str:
        self.kept["products"][str(id_)] = payload("product") | {"product_id": str(id_)} | fields
        return str(id_)

    def add_cart(self, user: str | int, *, at: float | None = None, **fields: Any) -> str:
        """Of a registered user; it has the lines of the order of `payloads/cscart/order.json`."""
        cart = payload("cart") | {"user_id": str(user), "products": payload("order")["products"]}
        cart["date"] = str(int(time.time() + 1 if at is None else at))
        self.kept["carts"][str(user)] = cart | fields
        return str(user)

    def ship(self, order: str, tracking: str, carrier: str = "sdek") -> None:
        """The order names its shipments by commas, once there are any."""
        id_ = str(900 + len(self.kept["shipments"]))
        self.kept["shipments"][id_] = {
            "shipment_id": id_,
            "order_id": order,
            "carrier": carrier,
            "tracking_number": tracking,
            "products": {"2790217341": "2"},
        }
        before = self.orders[order]["shipment_ids"]
        self.orders[order]["shipment_ids"] = f"{before},{id_}" if before else id_

    def move(self, order: str, code: str) -> None:
        self.changes.append((order, self.orders[order]["status"], code))
        self.orders[order]["status"] = code

    # --- What the add-on posts.

    def event(
        self, event: str, id_: str, *, at: datetime | None = None, whole: bool = False, **more: str
    ) -> dict[str, Any]:
        """Its body; `whole`: the full form."""
        kind = event.partition(".")[0]
        about = {"order": "order_id", "customer": "user_id", "product": "product_id"}[kind]
        occurred = (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body: dict[str, Any] = {"event": event, about: id_, "occurred_at": occurred, **more}
        if whole:
            body[kind] = self.kept[f"{kind}s" if kind != "customer" else "users"][id_]
        return body

    def signed(
        self,
        body: Mapping[str, Any] | bytes,
        *,
        key: str = "",
        secret: str = SECRET,
        at: datetime | None = None,
    ) -> tuple[dict[str, str], bytes]:
        """Headers and bytes of one post; `key`: its `webhook-id`."""
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        moment = at or datetime.now(UTC)
        headers = signing.headers([secret], key or f"{moment.timestamp():.6f}", moment, raw)
        return {"content-type": "application/json", **headers}, raw

    # --- The API.

    async def _pretty(self, request: web.Request) -> web.Response:
        if not self.rewrites:
            return web.Response(status=404, text="<html>Not found</html>", content_type="text/html")
        return await self._answer(request, request.match_info["path"])

    async def _plain(self, request: web.Request) -> web.Response:
        return await self._answer(request, request.query.get("_d", ""))

    async def _answer(self, request: web.Request, path: str) -> web.Response:
        self.calls.append((request.method, path))
        due = encode_basic_auth(self.login, self.api_key)
        if request.headers.get("Authorization") != due:
            return web.json_response({"message": "Unauthorized", "status": 401}, status=401)
        name, _, id_ = path.strip("/").partition("/")
        if name in self.forbidden:
            return web.json_response({"message": "Forbidden", "status": 403}, status=403)
        if name not in self.kept:
            return web.json_response({"message": "Not found", "status": 404}, status=404)
        if not id_:
            return self._list(name, request.query)
        if (found := self.kept[name].get(id_)) is None:
            return web.json_response({"message": "Not found", "status": 404}, status=404)
        if request.method == "PUT":
            return await self._put(request, found)
        return web.json_response(found)

    def _list(self, name: str, query: Mapping[str, str]) -> web.Response:
        """Unfinished orders and parents are left out; `total_items` is a text, `page` a number, no page is an error."""
        page = int(query.get("page", 1))
        size = min(int(query.get("items_per_page", 10)), self.most_rows)
        order = query.get("sort_order", "desc")
        shown = [
            row
            for row in self.kept[name].values()
            if row.get("status") != "N" and row.get("is_parent_order") != "Y"
        ]
        at = "date" if name == "carts" else "timestamp"
        shown.sort(key=lambda row: (int(row[at]), int(row[_ID[name]])))
        if order == "desc":
            shown.reverse()
        rows = shown[(page - 1) * size : page * size]
        if name == "orders":
            rows = [{field: row.get(field) for field in _ROW} for row in rows]
        if name == "carts":
            # Only those of registered users who have something in them are asked for, of a week.
            assert (query["users_type"], query["period"]) == ("R", "HW")
            rows = [{field: row[field] for field in row if field != "products"} for row in rows]
        params = {
            "page": page,
            "items_per_page": str(size),
            "include_incompleted": False,
            "sort_by": query.get("sort_by", "date"),
            "sort_order": order,
            "total_items": str(len(shown)),
        }
        return web.json_response({name: rows, "params": params})

    async def _put(self, request: web.Request, order: dict[str, Any]) -> web.Response:
        """`products` takes the place of all there were; a line's options are those that are sent."""
        if request.content_type != "application/json":
            return web.json_response({"message": "Bad Request"}, status=400)
        given = await request.json()
        if "status" in given and given["status"] not in self.codes:
            return web.json_response({"message": "Bad Request"}, status=400)
        if "products" in given:
            order["products"] = self._replaced(order["products"], given["products"])
        if "status" in given:
            self.move(order["order_id"], given["status"])
        return web.json_response({"order_id": order["order_id"]})

    @staticmethod
    def _replaced(held: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        left: dict[str, Any] = {}
        for line in given.values():
            options = line.get("product_options") or []
            for id_, row in held.items():
                if (
                    row["product_id"] == str(line["product_id"])
                    and (row["extra"]["product_options"] or []) == options
                ):
                    left[id_] = row | {"amount": str(line["amount"])}
        return left
