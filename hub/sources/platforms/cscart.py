"""CS-Cart and CS-Cart Multi-Vendor: its REST API 2.0, and the events that our add-on (`integrations/cscart`) posts.

The API gives strings, numbers and booleans for the same field, and `[]` for an empty map; orders carry the account keys
of carriers and payment systems. So everything is read through `values`, and only what `cscart_fields` names is kept.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from pydantic import Field, SecretStr

from channels.base import BadHook, BaseUrl, Check, Limits
from hub.config import OrderStatus
from hub.sources.base import (
    Ask,
    Call,
    Impossible,
    Later,
    Page,
    Purpose,
    SourceConfig,
    Trouble,
    Unreadable,
)
from hub.sources.http import ShopHttp
from hub.sources.model import Action, Decision, Facts, Heard, Incoming, Kind
from hub.sources.platforms import cscart_carts as carts
from hub.sources.platforms import cscart_fields as fields
from hub.sources.platforms.cscart_cut import cut
from hub.sources.platforms.cscart_lists import LISTS, Lists
from hub.sources.values import instant, table, text
from hub.webhooks import signing

_AT_ONCE = 4

# What a key of the event is called, and where the full form carries the object itself.
_ABOUT: Mapping[Kind, tuple[str, str]] = {
    Kind.ORDER: ("order_id", "order"),
    Kind.CUSTOMER: ("user_id", "customer"),
    Kind.PRODUCT: ("product_id", "product"),
}


class CsCartConfig(SourceConfig):
    """`login`: an administrator's e-mail; `currency`: the shop's primary one, which orders do not name; `vendors`: false
    for CS-Cart without vendors, whose `company_id` is a storefront; `rewrites`: false where `/api/…` is no address."""

    base_url: BaseUrl
    login: str = Field(min_length=1)
    api_key: SecretStr
    currency: str = Field("RUB", pattern=r"^[A-Z]{3}$")
    vendors: bool = True
    rewrites: bool = True


class CsCart:
    Config: ClassVar[type[SourceConfig]] = CsCartConfig
    platform: ClassVar[str] = "cscart"
    title: ClassVar[str] = "CS-Cart"
    topics: ClassVar[Sequence[str]] = ("events",)
    signed: ClassVar[bool] = True
    # Shops rename these and add their own; "N" is an order whose buyer has not come back from the payment page.
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = {
        "O": OrderStatus.PLACED,
        "P": OrderStatus.CONFIRMED,
        "C": OrderStatus.DELIVERED,
        # A payment that failed: the buyer may pay again, and a cancelled order would never come back from that.
        "F": None,
        "D": OrderStatus.CANCELLED,
        "I": OrderStatus.CANCELLED,
        # Backordered, and waiting for a call: orders all the same, and new ones where one begins so.
        "B": OrderStatus.PLACED,
        "Y": OrderStatus.PLACED,
        "N": None,
    }
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {
        OrderStatus.CONFIRMED: "P",
        OrderStatus.PARTIALLY_CONFIRMED: "P",
        OrderStatus.REJECTED: "I",
    }
    # None is published; a shop on shared hosting shall not feel us.
    limits: ClassVar[Limits] = Limits(per_second=10, concurrency=_AT_ONCE)
    reads: ClassVar[Sequence[Kind]] = (Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER, Kind.CART)
    rereads_open: ClassVar[bool] = True

    def __init__(self, config: CsCartConfig, http: ShopHttp, *, secret: str = "") -> None:
        self._config = config
        self._http = http
        self._secret = secret
        self._proof = (config.login, config.api_key.get_secret_value())

    def hear(self, call: Call, *, now: datetime) -> Heard:
        """Signed as Standard Webhooks have it; `{event, order_id, …}`, in the full form with the order itself."""
        request = call.request
        if not signing.verify([self._secret], request.headers, request.body, now=now):
            raise BadHook("the signature does not match", forged=True)
        try:
            body = table(orjson.loads(request.body))
            event = _incoming(body, request.headers["webhook-id"], now)
        except (orjson.JSONDecodeError, Unreadable) as error:
            reason = str(error) if isinstance(error, Unreadable) else "not JSON"
            raise BadHook(reason) from None
        return Heard((event,) if event else ())

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        currency, vendors = self._config.currency, self._config.vendors
        match kind:
            case Kind.ORDER:
                return fields.order(payload, currency=currency, vendors=vendors)
            case Kind.CUSTOMER:
                return fields.customer(payload)
            case Kind.PRODUCT:
                return fields.product(payload, currency=currency)
            case Kind.CART:
                shown = f"{self._config.base_url}/index.php?dispatch=checkout.cart"
                return carts.facts(payload, currency=currency, vendors=vendors, url=shown)

    async def check(self) -> Check:
        try:
            listed = await self._lists().page(LISTS[Kind.ORDER], 1, "desc", size=1)
        except Trouble as trouble:
            hint = "is the login the e-mail of an administrator whose API access is on?"
            return Check(ok=False, text=f"{trouble.reason}; {hint}")
        except (Later, Impossible) as error:
            return Check(
                ok=False,
                text=f"no list of orders: {error}; is base_url the shop's own, with https?",
            )
        return Check(ok=True, text=f"the shop answers, it has {listed.total} orders")

    async def fetch(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        found = await self._found(kind, object_)
        if kind is Kind.ORDER and found:
            parcel = await self._parcel(found)
            return {**found, "shipment": parcel} if parcel else found
        return found

    async def read(self, ask: Ask) -> Page:
        if ask.kind is Kind.CART:
            return await carts.read(self._lists(), ask)
        if ask.purpose is Purpose.CATCH_UP:
            return await self._lists().newest(ask)
        return await self._lists().history(ask)

    async def write(self, decision: Decision) -> None:
        """First the quantities, if some are missing, then the status: each is the same however often it is told. No
        `notify_user` is sent: the hub tells people itself."""
        short = [line for line in decision.lines if line.confirmed < line.asked]
        if short and any(line.confirmed for line in decision.lines):
            await self._cut(decision)
        if decision.code:
            await self._put(decision.object, {"status": decision.code})

    async def _cut(self, decision: Decision) -> None:
        """PUT takes all products of an order or none: what is not named is removed, options that are not named, too."""
        order = await self._raw(Kind.ORDER, decision.object)
        if order is None:
            raise Impossible("the shop has no such order any more")
        left = cut(order, {line.id: line.confirmed for line in decision.lines})
        if left is not None:
            await self._put(decision.object, {"products": left})

    async def _found(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        found = await self._raw(kind, object_)
        # An order whose buyer is still at the payment page is none yet; administrators are no customers.
        if found is None or fields.unfinished(kind, found) or fields.staff(kind, found):
            return None
        return fields.kept_of(kind, found)

    async def _raw(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        if not (object_.isascii() and object_.isdigit()):
            return None
        return table(await self._get(f"{LISTS[kind].name}/{object_}", {})) or None

    async def _parcel(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carrier and tracking number of the newest shipment, which the order itself does not have."""
        if not (newest := fields.newest_shipment(order)):
            return {}
        try:
            return fields.parcel(table(await self._get(f"shipments/{newest}", {})))
        except (Trouble, Impossible):
            # A login without the right to see shipments still brings orders.
            return {}

    def _lists(self) -> Lists:
        return Lists(self._get, self.fetch, self._found)

    async def _get(self, path: str, params: Mapping[str, str]) -> Any | None:
        url, query = self._address(path)
        return await self._http.found_json(url, params={**query, **params}, basic=self._proof)

    async def _put(self, order: str, change: Mapping[str, Any]) -> None:
        url, query = self._address(f"orders/{quote(order, safe='')}")
        await self._http.put(url, params=query, json=change, basic=self._proof)

    def _address(self, path: str) -> tuple[str, dict[str, str]]:
        if self._config.rewrites:
            return f"{self._config.base_url}/api/2.0/{path}", {}
        return f"{self._config.base_url}/api.php", {"_d": path, "ajax_custom": "1"}


def _incoming(body: Mapping[str, Any], key: str, now: datetime) -> Incoming | None:
    """None: the add-on only wants to know whether it is heard. Raises `Unreadable`."""
    if not (name := text(body.get("event"))):
        raise Unreadable("event is missing")
    if name == "ping":
        return None
    kind, _, action = name.partition(".")
    if kind not in _ABOUT or action not in tuple(Action):
        return Incoming(None, None, "", key, ignored="unknown-event")
    about, whole = _ABOUT[Kind(kind)]
    id_ = text(body.get(about), 20)
    if not (id_.isascii() and id_.isdigit()):
        raise Unreadable(f"{about} is missing, or no number")
    given = table(body.get(whole))
    if given and text(given.get(about)) != id_:
        raise Unreadable(f"{whole}.{about} is not {about}")
    return Incoming(
        Kind(kind),
        Action(action),
        id_,
        key,
        instant(body.get("occurred_at")),
        # Read as it was posted, by the shop's clock: by ours, as whatever the hub itself reads.
        {**fields.kept_of(Kind(kind), given), "read_at": now.isoformat()} if given else None,
        "unfinished" if fields.unfinished(Kind(kind), given) else "",
    )
