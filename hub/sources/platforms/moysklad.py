"""MoySklad, JSON API 1.2: its hooks hold links only, so what they point to is read.

Facts: dev.moysklad.ru, pages general (dates, errors, expand), restrictions, dictionaries/webhook and
documents/customerOrder.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar, Self

import orjson
from pydantic import SecretStr, model_validator

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
)
from hub.sources.http import ShopHttp
from hub.sources.model import Action, Decision, Facts, Heard, Incoming, Kind
from hub.sources.platforms.moysklad_facts import (
    ENTITIES,
    PAID,
    ZONE,
    facts_of,
    incoming,
    whitelisted,
)
from hub.sources.values import instant, rows, table, text

# Lists longer than that are not expanded, without a word; nor are more positions in them. Expanded orders are large
# (each position with all that is known of its goods), and an answer has to stay within 4 MiB.
_MOST = 100
_ORDERS = 25

# What is changed now may become visible a moment later than what was changed after it.
_OVERLAP = timedelta(minutes=2)

_LONGEST_ADDRESS = 255

# Goods are not among them: an upload of prices would be a hook and a call for each.
_HOOKS = (
    ("customerorder", "CREATE"),
    ("customerorder", "UPDATE"),
    ("customerorder", "DELETE"),
    ("counterparty", "CREATE"),
    ("counterparty", "UPDATE"),
)

_EXPAND: Mapping[Kind, Mapping[str, str]] = {
    Kind.ORDER: {"expand": "agent,state,store,rate.currency,positions.assortment"}
}


class MoySkladConfig(SourceConfig):
    """`token`, or `login` and `password`. `hub_url`: where MoySklad reaches the hub, if not at its public address: what
    the hub writes is told to no hook below it. `currency`: of orders and goods that do not say theirs."""

    token: SecretStr = SecretStr("")
    login: str = ""
    password: SecretStr = SecretStr("")
    base_url: BaseUrl = "https://api.moysklad.ru/api/remap/1.2"
    hub_url: BaseUrl | None = None
    currency: str = "RUB"

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        pair = bool(self.login and self.password.get_secret_value())
        if bool(self.token.get_secret_value()) == pair:
            raise ValueError("needs a token, or a login and a password, and not both")
        return self


class MoySklad:
    Config: ClassVar[type[SourceConfig]] = MoySkladConfig
    platform: ClassVar[str] = "moysklad"
    title: ClassVar[str] = "MoySklad"
    topics: ClassVar[Sequence[str]] = ("events",)
    # It signs nothing: the address is the proof, and what comes only says where to look.
    signed: ClassVar[bool] = False
    # Those of a new account; everybody names theirs as they like.
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = {
        "Новый": OrderStatus.PLACED,
        "Подтвержден": OrderStatus.CONFIRMED,
        "Подтверждён": OrderStatus.CONFIRMED,
        PAID: OrderStatus.PAID,
        "Собран": OrderStatus.ASSEMBLED,
        "Отгружен": OrderStatus.SHIPPED,
        "Доставлен": OrderStatus.DELIVERED,
        "Возврат": OrderStatus.RETURNED,
        "Отменен": OrderStatus.CANCELLED,
        "Отменён": OrderStatus.CANCELLED,
    }
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {
        OrderStatus.CONFIRMED: "Подтвержден",
        OrderStatus.REJECTED: "Отменен",
        OrderStatus.ASSEMBLED: "Собран",
    }
    # 45 units in 3 seconds; since 1 December 2026 a call by a user's login or token costs 4 of them, which makes 11:
    # what may go at once, and then 3 seconds of this rate. 5 at a time.
    limits: ClassVar[Limits] = Limits(per_second=2.75, concurrency=4)
    reads: ClassVar[Sequence[Kind]] = (Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER)
    rereads_open: ClassVar[bool] = False

    def __init__(self, config: MoySkladConfig, http: ShopHttp, *, secret: str = "") -> None:  # noqa: ARG002
        self._config = config
        self._http = http
        pair = f"{config.login}:{config.password.get_secret_value()}".encode()
        token = config.token.get_secret_value()
        self._headers = {
            # Another encoding is answered with 415, another `Accept` with error 1062.
            "Accept": "application/json;charset=utf-8",
            "Accept-Encoding": "gzip",
            "Authorization": f"Bearer {token}" if token else f"Basic {b64encode(pair).decode()}",
        }

    def hear(self, call: Call, *, now: datetime) -> Heard:  # noqa: ARG002
        """What it wants to hear is 200 or 204: 202 would be a failure."""
        body = call.request.body
        try:
            told = orjson.loads(body)
        except ValueError:
            raise BadHook("it is no JSON") from None
        events = told.get("events") if isinstance(told, dict) else None
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise BadHook("events is no list of objects")
        # The same when it comes again.
        call_id = text(call.request.query.get("requestId"), 100) or sha256(body).hexdigest()
        at = instant(table(told.get("auditContext")).get("moment"), ZONE)
        return Heard([incoming(f"{call_id}:{n}", event, at) for n, event in enumerate(events)])

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        return facts_of(kind, payload, self._config.currency)

    async def fetch(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        if kind not in ENTITIES:
            return None
        found = await self._http.found_json(
            f"{self._url(kind)}/{object_}", params=_EXPAND.get(kind), headers=self._headers
        )
        # One in the bin is still answered for.
        if not isinstance(found, dict) or found.get("deleted"):
            return None
        return await self._whole(kind, found)

    async def read(self, ask: Ask) -> Page:
        """By time, not by number: what is changed meanwhile goes to the end of the list, and what stood behind it would
        move up over the edge of a page. Numbers count within one second only."""
        history = ask.purpose is Purpose.HISTORY and ask.kind is Kind.ORDER
        field = "created" if history else "updated"
        most = _ORDERS if ask.kind is Kind.ORDER else _MOST
        position = ask.position or {"at": _stamp(ask.since), "offset": 0}
        at, offset = str(position["at"]), int(position["offset"])
        params = {
            "filter": f"{field}>={at}",
            "order": f"{field},asc",
            "limit": str(most),
            "offset": str(offset),
            **_EXPAND.get(ask.kind, {}),
        }
        answer = await self._http.get_json(
            self._url(ask.kind), params=params, headers=self._headers
        )
        found = rows(table(answer).get("rows"))
        items = [_item(ask.kind, await self._whole(ask.kind, row)) for row in found]
        more = len(found) >= most
        last = max(at, *(text(row.get(field))[:19] for row in found)) if found else at
        after = {"at": last, "offset": offset + len(found) if more and last == at else 0}
        if found and not more and ask.purpose is Purpose.CATCH_UP:
            after["at"] = _stamp(_instant(last) - _OVERLAP)
        return Page(items, after, more, None if ask.position else _size(answer))

    async def write(self, decision: Decision) -> None:
        """The status alone: positions are the shop's books."""
        states = {text(state.get("name")): state for state in await self._states()}
        meta = states.get(decision.code, {}).get("meta")
        if not isinstance(meta, Mapping):
            raise Impossible(f"orders in MoySklad have no status {decision.code!r}")
        url = f"{self._url(Kind.ORDER)}/{decision.object}"
        headers = {**self._headers, **self._muting(decision.hooks)}
        await self._http.put(url, json={"state": {"meta": meta}}, headers=headers)

    async def subscribe(self, hooks: Mapping[str, str]) -> Sequence[str]:
        url = f"{self._config.base_url}/entity/webhook"
        address = hooks["events"]
        if len(address) > _LONGEST_ADDRESS:
            raise Impossible(f"MoySklad takes addresses of up to {_LONGEST_ADDRESS} characters")
        answer = await self._http.get_json(url, headers=self._headers)
        there = {
            (hook.get("entityType"), hook.get("action")): hook
            for hook in rows(table(answer).get("rows"))
            if hook.get("url") == address
        }
        for type_, action in _HOOKS:
            hook = there.get((type_, action))
            if hook is None:
                wanted = {"url": address, "action": action, "entityType": type_}
                await self._http.post(url, json=wanted, headers=self._headers)
            elif not hook.get("enabled"):
                # It switches off what failed for a week.
                own = f"{url}/{text(hook.get('id'))}"
                await self._http.put(own, json={"enabled": True}, headers=self._headers)
        return ["events"]

    async def check(self) -> Check:
        try:
            states = await self._states()
        except (Later, Trouble, Impossible) as problem:
            return Check(False, str(problem))
        names = ", ".join(text(state.get("name")) for state in states)
        return Check(True, f"MoySklad answers; its orders have the statuses: {names or 'none'}")

    def _url(self, kind: Kind) -> str:
        return f"{self._config.base_url}/entity/{ENTITIES[kind]}"

    def _muting(self, hooks: Mapping[str, str]) -> Mapping[str, str]:
        url = self._config.hub_url
        prefix = f"{url}/hooks/" if url else hooks.get("events", "")
        return {"X-Lognex-WebHook-DisableByPrefix": prefix} if prefix else {}

    async def _states(self) -> Sequence[Mapping[str, Any]]:
        url = f"{self._url(Kind.ORDER)}/metadata"
        return rows(table(await self._http.get_json(url, headers=self._headers)).get("states"))

    async def _whole(self, kind: Kind, found: Mapping[str, Any]) -> Mapping[str, Any]:
        """What may be stored; of an order all of its positions."""
        positions = table(found.get("positions"))
        lines = [*rows(positions.get("rows"))]
        while kind is Kind.ORDER and len(lines) < (_size(positions) or 0):
            url = f"{self._url(kind)}/{text(found.get('id'))}/positions"
            params = {"limit": str(_MOST), "offset": str(len(lines)), "expand": "assortment"}
            answer = await self._http.get_json(url, params=params, headers=self._headers)
            if not (more := rows(table(answer).get("rows"))):
                break
            lines += more
        return whitelisted(kind, {**found, "positions": {"rows": lines}})


def _item(kind: Kind, payload: Mapping[str, Any]) -> Incoming:
    id_, changed = text(payload.get("id")), text(payload.get("updated"))
    at = instant(changed, ZONE)
    return Incoming(kind, Action.UPDATED, id_, f"poll:{kind}:{id_}:{changed}", at, payload)


def _stamp(at: datetime) -> str:
    return at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


def _instant(stamp: str) -> datetime:
    return datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE)


def _size(collection: Any) -> int | None:
    size = table(table(collection).get("meta")).get("size")
    return size if isinstance(size, int) else None
