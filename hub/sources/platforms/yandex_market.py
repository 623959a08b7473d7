"""Yandex Market: its notifications name an order, the partner API says what is in it (yandex.ru/dev/market)."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pydantic import Field, SecretStr

from channels.base import BadHook, BaseUrl, Check, HookReply, Limits
from channels.http import Reply
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
from hub.sources.platforms.wire import answered, digest, object_of, zulu
from hub.sources.platforms.yandex_market_order import (
    FEWER,
    MOSCOW,
    SPEC,
    fewer,
    is_unborn,
    order_facts,
    read_item,
)
from hub.sources.values import first, instant, rows, table, text
from hub.sources.whitelist import kept

_WINDOW = timedelta(days=30)
_PAGE = 50

# What is written at the platform while we read may show a little later.
_OVERLAP = timedelta(minutes=2)

_ABOUT_ORDERS = frozenset(
    {
        "ORDER_CREATED",
        "ORDER_UPDATED",
        "ORDER_STATUS_UPDATED",
        "ORDER_CANCELLED",
        "ORDER_CANCELLATION_REQUEST",
        "ORDER_RETURN_CREATED",
        "ORDER_RETURN_STATUS_UPDATED",
    }
)
_BUYER_SHOWN = frozenset({"PROCESSING", "DELIVERY", "PICKUP"})

_ID = re.compile(r"[0-9]{1,18}")


class YandexMarketConfig(SourceConfig):
    """`business_id` is the account's, `campaign_id` the shop's in it; both are on the page of API settings.

    `buyer_phone`: take over the phone of buyers, which the Market shows for DBS orders only. It is a substitute
    that forwards calls and goes to another buyer later, so that it is left out otherwise.
    """

    token: SecretStr = Field(min_length=1)
    business_id: int = Field(gt=0)
    campaign_id: int = Field(gt=0)
    buyer_phone: bool = False
    base_url: BaseUrl = "https://api.partner.market.yandex.ru"


class YandexMarket:
    Config: ClassVar[type[SourceConfig]] = YandexMarketConfig
    platform: ClassVar[str] = "yandex_market"
    title: ClassVar[str] = "Yandex Market"
    # The Market puts this word at the end of the address that it is given.
    topics: ClassVar[tuple[str, ...]] = ("notification",)
    signed: ClassVar[bool] = False
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = {
        "PLACING": None,
        "RESERVED": None,
        "UNPAID": None,
        "PENDING": OrderStatus.PLACED,
        # Nearly every order comes so, and to the shop it is a new one: whether it is there is still to be asked.
        "PROCESSING": OrderStatus.PLACED,
        "PROCESSING/READY_TO_SHIP": OrderStatus.ASSEMBLED,
        "DELIVERY": OrderStatus.SHIPPED,
        "PICKUP": OrderStatus.AT_PICKUP_POINT,
        "DELIVERED": OrderStatus.DELIVERED,
        "CANCELLED": OrderStatus.CANCELLED,
        # Named, because it is written by us: who has heard that nothing is there need not hear this, too.
        "CANCELLED/SHOP_FAILED": OrderStatus.CANCELLED,
        "RETURNED": OrderStatus.RETURNED,
        "PARTIALLY_RETURNED": OrderStatus.RETURNED,
        # It may be packed.
        "financial:paid": OrderStatus.PAID,
        # "Other values may come and need not be handled", says the reference.
        "other": None,
    }
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {
        OrderStatus.PARTIALLY_CONFIRMED: FEWER,
        OrderStatus.REJECTED: "CANCELLED/SHOP_FAILED",
        OrderStatus.ASSEMBLED: "PROCESSING/READY_TO_SHIP",
    }
    # 10,000 calls an hour.
    limits: ClassVar[Limits] = Limits(per_second=2.5, concurrency=4)
    reads: ClassVar[tuple[Kind, ...]] = (Kind.ORDER,)
    rereads_open: ClassVar[bool] = False

    def __init__(self, config: YandexMarketConfig, http: ShopHttp, *, secret: str = "") -> None:  # noqa: ARG002
        self._config = config
        self._http = http
        self._shop = f"{config.base_url}/v2/campaigns/{config.campaign_id}"

    def hear(self, call: Call, *, now: datetime) -> Heard:
        """Nothing is signed, so that nothing is believed but that there is an order to read."""
        said = object_of(call.request.body)
        kind = text(said.get("notificationType"))
        if not kind:
            raise BadHook("notificationType is missing")
        answer = json.dumps({"version": "1.0.0", "name": "Vestnik", "time": zulu(now)})
        events = () if kind == "PING" else (self._event(kind, said),)
        return Heard(events, HookReply(answer, content_type="application/json"))

    def _event(self, kind: str, said: Mapping[str, Any]) -> Incoming:
        order, campaign = text(said.get("orderId")), text(said.get("campaignId"))
        told = first(said.get("updatedAt"), said.get("cancelledAt"), said.get("createdAt"))
        ignored = ""
        if kind not in _ABOUT_ORDERS or not order:
            # Chats, questions and reviews are answered in the Market's own pages.
            ignored = "not-an-order"
        elif campaign not in ("", str(self._config.campaign_id)):
            # One address serves all shops of an account.
            ignored = "another-shop"
        return Incoming(
            kind=None if ignored else Kind.ORDER,
            action=Action.CREATED if kind == "ORDER_CREATED" else Action.UPDATED,
            object=order,
            # The whole besides: two changes may lie within one second.
            key=f"{campaign}:{order}:{told}:{kind}:{digest(said)}",
            happened_at=instant(told, MOSCOW),
            ignored=ignored,
        )

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        if kind is not Kind.ORDER:
            raise Unreadable("the Market tells of orders only")
        return order_facts(payload, with_phone=self._config.buyer_phone)

    async def fetch(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        """The buyer is a call of its own, which the Market answers for DBS orders under way only."""
        order = await self._order(object_) if kind is Kind.ORDER else None
        if order is None or is_unborn(order):
            return None
        if order.get("programType") == "DBS" and order.get("status") in _BUYER_SHOWN:
            order = {**order, "buyer": await self._buyer(object_)}
        return kept(order, SPEC)

    async def _buyer(self, order: str) -> Mapping[str, Any]:
        try:
            said = answered(await self._call("GET", f"{self._shop}/orders/{order}/buyer"))
        except Impossible:
            # It has moved on meanwhile: an order without its buyer is better than none.
            return {}
        return table(said.get("result"))

    async def read(self, ask: Ask) -> Page:
        """By windows of the time of change, which the Market keeps to thirty days."""
        held, now = ask.position or {}, datetime.now(UTC)
        since = instant(held.get("from")) or ask.since
        until = instant(held.get("to")) or min(since + _WINDOW, now)
        dates = {"updateDateFrom": since.isoformat(), "updateDateTo": until.isoformat()}
        said = await self._orders({"dates": dates}, token=text(held.get("token")))
        # Of old orders the Market does not show the buyer any more, so that it need not be asked.
        thin = ask.purpose is Purpose.CATCH_UP
        orders = (order for order in rows(said.get("orders")) if not is_unborn(order))
        items = [read_item(order, may_be_thin=thin) for order in orders]
        if token := text(table(said.get("paging")).get("nextPageToken")):
            window = {"from": since.isoformat(), "to": until.isoformat()}
            return Page(items, {**window, "token": token}, True)
        more = now - until > _OVERLAP
        return Page(items, {"from": (until if more else until - _OVERLAP).isoformat()}, more)

    async def write(self, decision: Decision) -> None:
        order = await self._order(decision.object)
        if order is None:
            raise Impossible("the Market has no such order")
        state = f"{text(order.get('status'))}/{text(order.get('substatus'))}"
        url = f"{self._shop}/orders/{decision.object}"
        if decision.code == FEWER:
            if change := fewer(order, decision):
                await self._call("PUT", f"{url}/{change[0]}", json=change[1])
        elif not f"{state}/".startswith(f"{decision.code}/"):
            status, _, substatus = decision.code.partition("/")
            to = {"status": status, **({"substatus": substatus} if substatus else {})}
            await self._call("PUT", f"{url}/status", json={"order": to})

    async def check(self) -> Check:
        try:
            await self._orders({}, limit=1)
        except (Later, Trouble, Impossible) as error:
            return Check(False, f"Yandex Market does not show the shop's orders: {error}")
        return Check(True, "Yandex Market shows the shop's orders")

    async def _order(self, id_: str) -> Mapping[str, Any] | None:
        if not _ID.fullmatch(id_):
            return None
        asked = {"orderIds": [int(id_)]}
        # Without dates they look among what was ordered within thirty days; then among what has changed since.
        since = {"updateDateFrom": (datetime.now(UTC) - _WINDOW).isoformat()}
        for dates in ({}, {"dates": {**since, "updateDateTo": datetime.now(UTC).isoformat()}}):
            found = rows((await self._orders({**asked, **dates}, limit=1)).get("orders"))
            if found:
                return found[0]
        return None

    async def _orders(
        self, asked: Mapping[str, Any], *, limit: int = _PAGE, token: str = ""
    ) -> Mapping[str, Any]:
        params = {"limit": str(limit), **({"pageToken": token} if token else {})}
        url = f"{self._config.base_url}/v1/businesses/{self._config.business_id}/orders"
        mine = {"campaignIds": [self._config.campaign_id]}
        return answered(await self._call("POST", url, params=params, json={**mine, **asked}))

    async def _call(self, method: str, url: str, **options: Any) -> Reply:
        call = {"GET": self._http.get, "POST": self._http.post, "PUT": self._http.put}[method]
        return await call(
            url, headers={"Api-Key": self._config.token.get_secret_value()}, **options
        )
