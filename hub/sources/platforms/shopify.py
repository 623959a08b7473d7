"""Shopify: signed webhooks that carry the whole object, and the Admin REST API for what they missed.

Facts: shopify.dev, webhooks (headers, retries, HMAC), admin-rest (orders, pagination, rate limits), client credentials
grant; headers that must be there: its official library for Node.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import parse_qs, urlsplit

import orjson
from pydantic import Field, SecretStr, model_validator

from channels.base import BadHook, BaseUrl, Check, Limits
from channels.http import Reply
from channels.proof import same
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
)
from hub.sources.http import ShopHttp
from hub.sources.model import Action, Facts, Heard, Incoming, Kind
from hub.sources.platforms.shopify_facts import ORDER_FIELDS, facts_of, whitelisted
from hub.sources.platforms.shopify_hooks import incoming
from hub.sources.platforms.shopify_states import STATUSES
from hub.sources.platforms.wire import answered
from hub.sources.values import first, instant, number, rows, table, text

# Shopify takes 250; orders are large (a line with all its prices and taxes), and an answer has to stay within 4 MiB.
_MOST = 50

# What is changed now may become visible a moment later than what was changed after it.
_OVERLAP = timedelta(minutes=2)

_LISTS: Mapping[Kind, str] = {
    Kind.ORDER: "orders",
    Kind.CUSTOMER: "customers",
    Kind.PRODUCT: "products",
}

# `orders/updated` is told of every change of an order, so the topics beside it would only say the same again. Goods are
# not among them: an upload of prices would be an event for each.
_HOOKS = (
    "orders/create",
    "orders/updated",
    "orders/delete",
    "fulfillments/update",
    "customers/create",
    "customers/update",
    "checkouts/create",
    "checkouts/update",
    "checkouts/delete",
)

_COUNTED_BY = ("created_at_min", "updated_at_min", "status")

_NEXT = re.compile(r'<([^>]+)>;\s*rel="?next"?')

# What is asked of the app; "read_all_orders" besides, for more than the last 60 days.
_SCOPES = ("read_orders", "read_fulfillments", "read_customers", "read_products")


class ShopifyConfig(SourceConfig):
    """`client_secret`: the app's, by which webhooks are signed. With `client_id` it gives tokens for a day; an older
    custom app has a `token` that stays."""

    base_url: BaseUrl
    client_secret: SecretStr = Field(min_length=1)
    client_id: str = ""
    token: SecretStr = SecretStr("")
    api_version: Annotated[str, Field(pattern=r"^20\d{2}-\d{2}$")] = "2026-01"

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if bool(self.token.get_secret_value()) == bool(self.client_id):
            raise ValueError("needs a client_id, or the token of an older app, and not both")
        return self


class Shopify:
    Config: ClassVar[type[SourceConfig]] = ShopifyConfig
    platform: ClassVar[str] = "shopify"
    title: ClassVar[str] = "Shopify"
    topics: ClassVar[Sequence[str]] = ("events",)
    # By a secret of Shopify's, not of ours.
    signed: ClassVar[bool] = False
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = STATUSES
    # An order's states follow from its payments and parcels; there is none that could be set.
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {}
    # 40 calls at once, and 2 more a second; other apps have buckets of their own.
    limits: ClassVar[Limits] = Limits(per_second=2, concurrency=4)
    reads: ClassVar[Sequence[Kind]] = (Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER)
    rereads_open: ClassVar[bool] = False

    def __init__(self, config: ShopifyConfig, http: ShopHttp, *, secret: str = "") -> None:  # noqa: ARG002
        self._config = config
        self._http = http
        self._api = f"{config.base_url}/admin/api/{config.api_version}"
        self._token = config.token.get_secret_value()
        self._until = 0.0

    def hear(self, call: Call, *, now: datetime) -> Heard:  # noqa: ARG002
        """Repeats carry the body of the first time, and when that was."""
        headers, body = call.request.headers, call.request.body
        key = self._config.client_secret.get_secret_value().encode()
        proof = b64encode(hmac.digest(key, body, "sha256")).decode()
        if not same(headers.get("x-shopify-hmac-sha256", ""), proof):
            raise BadHook("the signature does not match", forged=True)
        topic = text(headers.get("x-shopify-topic"), 100)
        if not topic:
            raise BadHook("the header X-Shopify-Topic is missing")
        try:
            told = orjson.loads(body)
        except ValueError:
            raise BadHook("it is no JSON") from None
        if not isinstance(told, dict):
            raise BadHook("it is no JSON object")
        telling = first(headers.get("x-shopify-event-id"), headers.get("x-shopify-webhook-id"))
        at = instant(headers.get("x-shopify-triggered-at"))
        return Heard([incoming(topic, told, telling or sha256(body).hexdigest(), at)])

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        return facts_of(kind, payload, self._config.base_url)

    async def fetch(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        name = _LISTS.get(kind)
        if name is None or not object_.isdigit():
            return None
        answer = await self._http.found_json(
            f"{self._api}/{name}/{object_}.json", headers=await self._proof()
        )
        found = table(answer).get(name.removesuffix("s"))
        return whitelisted(kind, found) if isinstance(found, Mapping) else None

    async def read(self, ask: Ask) -> Page:
        """In the order of time; a page's mark goes stale after a while, and then the time it stood at is begun with."""
        history = ask.purpose is Purpose.HISTORY
        field = "created_at" if history and ask.kind is Kind.ORDER else "updated_at"
        position = ask.position or {"at": ask.since.isoformat(timespec="seconds")}
        at, mark = str(position["at"]), text(position.get("page"), 2000)
        name = _LISTS[ask.kind]
        first_page = {f"{field}_min": at, "order": f"{field} asc", "limit": str(_MOST)}
        if ask.kind is Kind.ORDER:
            first_page |= {"status": "any", "fields": ORDER_FIELDS}
        reply = await self._page(f"{self._api}/{name}.json", first_page, mark)
        found = rows(answered(reply).get(name))
        last = text(found[-1].get(field)) if found else at
        items = [_item(ask.kind, whitelisted(ask.kind, row)) for row in found]
        total = None
        if history and ask.position is None:
            total = await self._count(f"{self._api}/{name}/count.json", first_page)
        if following := _following(reply):
            return Page(items, {"at": last, "page": following}, True, total)
        moment = instant(last)
        if found and moment and not history:
            last = (moment - _OVERLAP).isoformat(timespec="seconds")
        return Page(items, {"at": last}, False, total)

    async def subscribe(self, hooks: Mapping[str, str]) -> Sequence[str]:
        url, proof = f"{self._api}/webhooks.json", await self._proof()
        address = hooks["events"]
        answer = await self._http.get_json(url, params={"limit": "250"}, headers=proof)
        there = {
            hook.get("topic")
            for hook in rows(table(answer).get("webhooks"))
            if hook.get("address") == address
        }
        for topic in _HOOKS:
            if topic not in there:
                hook = {"topic": topic, "address": address, "format": "json"}
                await self._http.post(url, json={"webhook": hook}, headers=proof)
        return ["events"]

    async def check(self) -> Check:
        try:
            answer = await self._http.get_json(
                f"{self._config.base_url}/admin/oauth/access_scopes.json",
                headers=await self._proof(),
            )
        except (Later, Trouble, Impossible) as problem:
            return Check(False, str(problem))
        granted = {text(scope.get("handle")) for scope in rows(table(answer).get("access_scopes"))}
        # Whoever may write may read.
        lacking = [
            scope for scope in _SCOPES if not {scope, scope.replace("read_", "write_")} & granted
        ]
        if lacking:
            return Check(False, f"Shopify answers, but the app lacks {', '.join(lacking)}")
        whole = "" if "read_all_orders" in granted else "; orders of the last 60 days only"
        return Check(True, f"Shopify answers, and the app may read what it needs{whole}")

    async def _proof(self) -> dict[str, str]:
        if not self._config.client_id or monotonic() < self._until:
            return {"X-Shopify-Access-Token": self._token}
        grant = {
            "client_id": self._config.client_id,
            "client_secret": self._config.client_secret.get_secret_value(),
            "grant_type": "client_credentials",
        }
        url = f"{self._config.base_url}/admin/oauth/access_token"
        try:
            answer = answered(await self._http.post(url, json=grant))
        except Impossible:
            raise Trouble("credentials", "Shopify gives this app no token") from None
        self._token = text(answer.get("access_token"))
        if not self._token:
            raise Trouble("credentials", "Shopify gives this app no token")
        # A day, less a minute of grace.
        self._until = monotonic() + float(number(answer.get("expires_in")) or 0) - 60
        return {"X-Shopify-Access-Token": self._token}

    async def _page(self, url: str, first_page: Mapping[str, str], mark: str) -> Reply:
        proof = await self._proof()
        if mark:
            # Nothing else may stand beside it.
            only = {name: first_page[name] for name in ("limit", "fields") if name in first_page}
            try:
                return await self._http.get(url, params={**only, "page_info": mark}, headers=proof)
            except Impossible:
                pass
        return await self._http.get(url, params=first_page, headers=proof)

    async def _count(self, url: str, first_page: Mapping[str, str]) -> int | None:
        params = {name: since for name, since in first_page.items() if name in _COUNTED_BY}
        answer = await self._http.get_json(url, params=params, headers=await self._proof())
        count = table(answer).get("count")
        return count if isinstance(count, int) else None


def _following(reply: Reply) -> str:
    """The mark of the page after this one; empty: there is none."""
    link = _NEXT.search(reply.headers.get("link", ""))
    return parse_qs(urlsplit(link[1]).query).get("page_info", [""])[0] if link else ""


def _item(kind: Kind, payload: Mapping[str, Any]) -> Incoming:
    id_, changed = text(payload.get("id")), text(payload.get("updated_at"))
    key = f"poll:{kind}:{id_}:{changed}"
    return Incoming(kind, Action.UPDATED, id_, key, instant(changed), payload)
