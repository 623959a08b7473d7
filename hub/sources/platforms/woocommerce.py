"""WooCommerce 5.8 and later: signed hooks, and the REST API v3 (docs: woocommerce/woocommerce-rest-api-docs; where they
are silent, class-wc-webhook.php and the REST controllers of woocommerce/woocommerce).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import Field, SecretStr

from channels.base import BaseUrl, Check, Limits
from channels.http import NoReply, Reply
from hub.config import OrderStatus
from hub.sources.base import Ask, Call, Impossible, Later, Page, SourceConfig, Trouble
from hub.sources.http import ShopHttp
from hub.sources.model import Action, Decision, Facts, Heard, Incoming, Kind
from hub.sources.platforms.wire import digest, object_of
from hub.sources.platforms.woocommerce_hooks import KINDS, heard, incoming, is_ping, prove
from hub.sources.platforms.woocommerce_objects import (
    FIELDS,
    META,
    PAID,
    changed,
    facts_of,
    whitelisted,
)
from hub.sources.platforms.woocommerce_writing import changes_of
from hub.sources.values import instant, rows, table, text

_LISTS: Mapping[Kind, str] = {kind: f"{name}s" for name, kind in KINDS.items()}
_HOOKS = (
    *("order.created", "order.updated", "order.deleted"),
    *("customer.created", "customer.updated"),
    *("product.created", "product.updated", "product.deleted"),
)
_HOOKS_PER_PAGE = 100
_SECOND = timedelta(seconds=1)
_OVERLAP = timedelta(minutes=1)


class WooCommerceConfig(SourceConfig):
    """`base_url`: of the site, with the folder WordPress is in. `consumer_key` and `consumer_secret`: of a key with the
    right to read, and to write where hooks are to be set up or decisions written back. `meta`: names of free fields
    of orders to be kept for the mapping, beside those of parcels' numbers. `per_page`: how many are asked for at once."""

    base_url: BaseUrl
    consumer_key: Annotated[str, Field(pattern=r"^[^:]{1,200}$")]
    consumer_secret: SecretStr = Field(min_length=1)
    meta: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=20)] = ()
    per_page: Annotated[int, Field(ge=10, le=100)] = 50


class WooCommerce:
    Config: ClassVar[type[SourceConfig]] = WooCommerceConfig
    platform: ClassVar[str] = "woocommerce"
    title: ClassVar[str] = "WooCommerce"
    topics: ClassVar[Sequence[str]] = ("events",)
    signed: ClassVar[bool] = True
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = {
        "pending": OrderStatus.PLACED,
        "on-hold": OrderStatus.PLACED,
        "processing": OrderStatus.CONFIRMED,
        "completed": OrderStatus.DELIVERED,
        "cancelled": OrderStatus.CANCELLED,
        "refunded": OrderStatus.RETURNED,
        PAID: OrderStatus.PAID,
        # A payment that failed: the buyer may pay again, and a cancelled order would never come back from that.
        "failed": None,
        "trash": None,
    }
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {
        OrderStatus.CONFIRMED: "processing",
        OrderStatus.PARTIALLY_CONFIRMED: "processing",
        OrderStatus.REJECTED: "cancelled",
    }
    # None is documented: each call is a start of WordPress on the shop's own machine.
    limits: ClassVar[Limits] = Limits(per_second=4, concurrency=2)
    reads: ClassVar[Sequence[Kind]] = (Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER)
    rereads_open: ClassVar[bool] = False

    def __init__(self, config: WooCommerceConfig, http: ShopHttp, *, secret: str = "") -> None:
        self._http = http
        self._secret = secret
        self._api = f"{config.base_url}/wp-json/wc/v3"
        self._proof = (config.consumer_key, config.consumer_secret.get_secret_value())
        self._meta = META | set(config.meta)
        self._per_page = config.per_page

    def hear(self, call: Call, *, now: datetime) -> Heard:  # noqa: ARG002
        """The ping of a new hook has no signature; it says nothing, and wants 200 and no other success."""
        request = call.request
        if is_ping(request):
            return Heard()
        prove(request, self._secret)
        return Heard([heard(request.headers, object_of(request.body), self._meta)])

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        return facts_of(kind, payload)

    async def check(self) -> Check:
        try:
            reply = await self._get("orders", params={"per_page": "1"})
            _listed(reply)
        except (Later, Trouble, Impossible) as fault:
            return Check(False, f"WooCommerce cannot be used now: {fault}")
        return Check(True, f"WooCommerce answers; orders in it: {_total(reply) or 0}")

    async def fetch(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        if kind not in _LISTS:
            return None
        url = f"{self._api}/{_LISTS[kind]}/{quote(object_, safe='')}"
        found = await self._http.found_json(url, basic=self._proof)
        return whitelisted(kind, found, self._meta) if isinstance(found, dict) else None

    async def read(self, ask: Ask) -> Page:
        if ask.kind is Kind.CUSTOMER:
            return await self._read_customers(ask)
        return await self._read_changed(ask)

    async def subscribe(self, hooks: Mapping[str, str]) -> Sequence[str]:
        """The secret is said again each time: it may have been exchanged since."""
        there = {
            (text(row.get("topic")), text(row.get("delivery_url"))): text(row.get("id"))
            for row in _listed(await self._get("webhooks", params=_paged(1, _HOOKS_PER_PAGE)))
        }
        for url in hooks.values():
            for topic in _HOOKS:
                hook = {"topic": topic, "delivery_url": url, "secret": self._secret}
                hook |= {"name": f"Vestnik: {topic}", "status": "active"}
                known = there.get((topic, url))
                # Both take POST and PUT; a hook that failed too often is switched on again.
                where = f"{self._api}/webhooks/{known}" if known else f"{self._api}/webhooks"
                call = self._http.put if known else self._http.post
                await call(where, json=hook, basic=self._proof)
        return list(hooks)

    async def write(self, decision: Decision) -> None:
        """Reads first: sums of lines are told with their quantities, and what stands there is not written again."""
        url = f"{self._api}/orders/{quote(decision.object, safe='')}"
        order = table(await self._http.found_json(url, basic=self._proof))
        if not order:
            raise Impossible("the shop has no such order any more")
        if changes := changes_of(decision, order):
            await self._http.put(url, json=changes, basic=self._proof)

    async def _read_changed(self, ask: Ask) -> Page:
        """By the time of the last change, a page at a time from the last one seen: by page numbers alone rows would
        be lost, as the list moves while it is read. Pages count only within one second."""
        begun = ask.position or {}
        after = instant(begun.get("after")) or ask.since
        page = self._page(begun)
        params = {
            **_paged(page, self._per_page),
            "_fields": FIELDS[ask.kind],
            "orderby": "modified",
            "order": "asc",
            "dates_are_gmt": "true",
            # "After" leaves the second itself out. Without a Z: with one it is turned to the shop's own time.
            "modified_after": (after.astimezone(UTC) - _SECOND).strftime("%Y-%m-%dT%H:%M:%S"),
        }
        if ask.kind is Kind.ORDER:
            params["status"] = "any"
        reply = await self._get(_LISTS[ask.kind], params=params)
        found = _listed(reply)
        last = changed(found[-1]) if found else None
        more = len(found) >= self._per_page and last is not None
        moved = last is not None and last > after
        position: dict[str, Any] = {"after": (last if last and moved else after).isoformat()}
        if more and not moved:
            position |= {"page": page + 1, "of": self._per_page}
        elif not more:
            # What is saved may show later than its time says.
            begin = datetime.now(UTC) - _OVERLAP
            position["after"] = min(last if last and moved else after, begin).isoformat()
        total = _total(reply) if ask.position is None else None
        return Page(self._items(ask.kind, found), position, more=more, total=total)

    async def _read_customers(self, ask: Ask) -> Page:
        """The API does not tell which customers changed, only who is new: from the newest back to those known. Who
        changed comes by hook, and with the next order."""
        begun = ask.position or {}
        since = instant(begun.get("since")) or ask.since
        page = self._page(begun)
        params = {**_paged(page, self._per_page), "orderby": "registered_date", "order": "desc"}
        params |= {"role": "all", "_fields": FIELDS[Kind.CUSTOMER]}
        found = _listed(await self._get("customers", params=params))
        made = [instant(row.get("date_created_gmt")) for row in found]
        newest = instant(begun.get("newest")) or next((at for at in made if at), since)
        new = [row for row, at in zip(found, made, strict=True) if at is None or at >= since]
        more = len(found) >= self._per_page and len(new) == len(found)
        position: dict[str, Any] = {"since": max(newest, since).isoformat()}
        if more:
            position = {"since": since.isoformat(), "newest": newest.isoformat()}
            position |= {"page": page + 1, "of": self._per_page}
        return Page(self._items(Kind.CUSTOMER, new), position, more=more)

    def _page(self, begun: Mapping[str, Any]) -> int:
        """Pages of another length are counted anew."""
        return int(begun["page"]) if begun.get("of") == self._per_page else 1

    def _items(self, kind: Kind, found: Sequence[Mapping[str, Any]]) -> list[Incoming]:
        events = [
            incoming(kind, Action.UPDATED, row, f"poll:{kind}:{digest(row)}", self._meta)
            for row in found
            if text(row.get("id"))
        ]
        return [event for event in events if not event.ignored]

    async def _get(self, path: str, **options: Any) -> Reply:
        return await self._http.get(f"{self._api}/{path}", basic=self._proof, **options)


def _paged(page: int, per_page: int) -> dict[str, str]:
    return {"page": str(page), "per_page": str(per_page)}


def _total(reply: Reply) -> int | None:
    written = reply.headers.get("x-wp-total", "")
    return int(written[:12]) if written.isascii() and written.isdigit() else None


def _listed(reply: Reply) -> Sequence[Mapping[str, Any]]:
    """Raises `Later`: a page where a list was due is a shop under repair, or another place that it sent us to."""
    try:
        found = reply.json()
    except NoReply:
        raise Later("unreadable-answer") from None
    if not isinstance(found, list):
        raise Later("unreadable-answer")
    return rows(found)
