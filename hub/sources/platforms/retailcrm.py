"""retailCRM: a trigger names an order, the API (v5) says what is in it; what changed is in its history."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr

from channels.base import BadHook, BaseUrl, Check, Limits
from channels.proof import same
from hub.config import OrderStatus, Zone
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
from hub.sources.platforms.retailcrm_facts import (
    CUSTOMER,
    ORDER,
    STATUSES,
    customer_facts,
    order_facts,
)
from hub.sources.platforms.wire import digest, object_of
from hub.sources.values import first, instant, number, rows, table, text
from hub.sources.whitelist import Spec, kept

_PAGE = 100
_CLOCKS = timedelta(minutes=1)
_WHICH: Mapping[Kind, str] = {Kind.ORDER: "orders", Kind.CUSTOMER: "customers"}
_SPECS: Mapping[Kind, Spec] = {Kind.ORDER: ORDER, Kind.CUSTOMER: CUSTOMER}


def _whole(value: str) -> str:
    return value if value.endswith("/api/v5") else f"{value}/api/v5"


class RetailCrmConfig(SourceConfig):
    """`base_url`: the account's, `https://….retailcrm.ru`. `timezone`: the account's, in which it tells times. `site`: the
    code of one shop of the account, where the key sees several; empty: all that it sees."""

    base_url: Annotated[BaseUrl, AfterValidator(_whole)]
    api_key: SecretStr = Field(min_length=1)
    timezone: Zone = "Europe/Moscow"
    site: Annotated[str, Field(max_length=100)] = ""


class RetailCrm:
    Config: ClassVar[type[SourceConfig]] = RetailCrmConfig
    platform: ClassVar[str] = "retailcrm"
    title: ClassVar[str] = "retailCRM"
    topics: ClassVar[tuple[str, ...]] = ("events",)
    # The body of a trigger is written by hand and cannot be signed: the secret comes along as it is.
    signed: ClassVar[bool] = True
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = STATUSES
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {
        OrderStatus.CONFIRMED: "availability-confirmed",
        OrderStatus.REJECTED: "no-product",
        OrderStatus.ASSEMBLED: "assembling-complete",
    }
    # Ten a second for a key; half of them are left to the shop's other programs.
    limits: ClassVar[Limits] = Limits(per_second=5, concurrency=4)
    reads: ClassVar[tuple[Kind, ...]] = (Kind.CUSTOMER, Kind.ORDER)
    rereads_open: ClassVar[bool] = False

    def __init__(self, config: RetailCrmConfig, http: ShopHttp, *, secret: str = "") -> None:
        self._config = config
        self._http = http
        self._secret = secret
        self._zone = ZoneInfo(config.timezone)

    def hear(self, call: Call, *, now: datetime) -> Heard:
        request = call.request
        # A plus sign that is not escaped in an address is a space to whoever reads it.
        given = request.headers.get("x-vestnik-key") or request.query.get("key", "").replace(
            " ", "+"
        )
        if not self._secret or not same(given, self._secret):
            raise BadHook("the key does not match", forged=True)
        said = object_of(request.body)
        order, customer = text(said.get("order_id")), text(said.get("customer_id"))
        if not order and not customer:
            raise BadHook("order_id or customer_id is missing")
        told = text(said.get("changed_at"))
        event = Incoming(
            kind=Kind.ORDER if order else Kind.CUSTOMER,
            action=Action.UPDATED,
            object=order or customer,
            # A body that says no time is the same after each change: it must not be taken for a repeat.
            key=f"hook:{digest(said)}:{told or now.isoformat()}",
            happened_at=instant(told, self._zone),
        )
        return Heard([event])

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        if kind is Kind.CUSTOMER:
            return customer_facts(payload, self._zone)
        if kind is Kind.ORDER:
            return order_facts(payload, self._zone)
        raise Unreadable("retailCRM is read for orders and customers only")

    async def fetch(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        if kind not in _WHICH or not (object_.isascii() and object_.isdigit()):
            return None
        url = f"{self._config.base_url}/{_WHICH[kind]}/{object_}"
        said = await self._http.found_json(url, params={"by": "id"}, headers=self._key)
        found = table(table(said).get(kind.value))
        strange = self._config.site and first(found.get("site")) not in ("", self._config.site)
        return kept(found, _SPECS[kind]) if found and not strange else None

    async def read(self, ask: Ask) -> Page:
        if ask.purpose is Purpose.HISTORY:
            return await self._history(ask)
        return await self._changed(ask)

    async def _changed(self, ask: Ask) -> Page:
        """The history of changes goes on from the last one that was read; what it names is read as it is now."""
        held = ask.position or {}
        if since_id := text(held.get("since_id")):
            asked = {"filter[sinceId]": since_id}
        else:
            asked = {"filter[startDate]": f"{ask.since.astimezone(self._zone):%Y-%m-%d %H:%M:%S}"}
        said = await self._list(f"{_WHICH[ask.kind]}/history", asked)
        records = rows(said.get("history"))
        # The last change of each: id of the object -> its record.
        last = {
            id_: record
            for record in records
            if (id_ := text(table(record.get(ask.kind.value)).get("id")))
        }
        gone = [id_ for id_, record in last.items() if record.get("deleted") is True]
        found = await self._by_ids(ask.kind, [id_ for id_ in last if id_ not in gone])
        items = [self._item(ask.kind, id_, last[id_], found.get(id_)) for id_ in (*found, *gone)]
        read = max((number(record.get("id")) or 0 for record in records), default=0)
        position = {"since_id": str(int(read))} if read else held
        return Page(items, position, more=bool(read) and len(records) >= _PAGE)

    def _item(
        self,
        kind: Kind,
        id_: str,
        record: Mapping[str, Any],
        payload: Mapping[str, Any] | None,
    ) -> Incoming:
        return Incoming(
            kind=kind,
            action=Action.UPDATED if payload else Action.DELETED,
            object=id_,
            key=f"poll:{kind}:{id_}:{text(record.get('id'))}",
            happened_at=self._soon_after(instant(record.get("createdAt"), self._zone)),
            payload=payload,
        )

    @staticmethod
    def _soon_after(changed_at: datetime | None) -> datetime | None:
        """Their second is cut off, and their clock is another one: a change must not seem to lie before a reading that
        it was made after."""
        return min(changed_at + _CLOCKS, datetime.now(UTC)) if changed_at else None

    async def _by_ids(self, kind: Kind, ids: list[str]) -> dict[str, Mapping[str, Any]]:
        if not ids:
            return {}
        asked = {f"filter[ids][{place}]": id_ for place, id_ in enumerate(ids)}
        said = await self._list(_WHICH[kind], {**asked, **self._sites})
        return {
            text(one.get("id")): kept(one, _SPECS[kind]) for one in rows(said.get(_WHICH[kind]))
        }

    async def _history(self, ask: Ask) -> Page:
        page = int(number((ask.position or {}).get("page")) or 1)
        name = "filter[createdAtFrom]" if ask.kind is Kind.ORDER else "filter[dateFrom]"
        since = f"{ask.since.astimezone(self._zone):%Y-%m-%d}"
        which = _WHICH[ask.kind]
        said = await self._list(which, {name: since, **self._sites}, page=page)
        shown = table(said.get("pagination"))
        items = []
        for one in rows(said.get(which)):
            payload, id_ = kept(one, _SPECS[ask.kind]), text(one.get("id"))
            key = f"poll:{ask.kind}:{id_}:{digest(payload)}"
            items.append(Incoming(ask.kind, Action.UPDATED, id_, key, None, payload))
        more = bool(items) and page < (number(shown.get("totalPageCount")) or 0)
        total = number(shown.get("totalCount"))
        return Page(items, {"page": page + 1}, more, None if total is None else int(total))

    async def write(self, decision: Decision) -> None:
        """The status only: what a line that is missing comes to is decided by the shop's managers."""
        order = await self.fetch(Kind.ORDER, decision.object)
        if order is None:
            raise Impossible("retailCRM has no such order")
        if order.get("status") == decision.code:
            return
        form = {"by": "id", "order": json.dumps({"status": decision.code})}
        if site := text(order.get("site")):
            form["site"] = site
        url = f"{self._config.base_url}/orders/{decision.object}/edit"
        await self._http.post(url, data=form, headers=self._key)

    async def check(self) -> Check:
        try:
            await self._list("orders", self._sites)
        except (Later, Trouble, Impossible) as error:
            return Check(False, f"retailCRM does not show its orders: {error}")
        return Check(True, "retailCRM shows its orders")

    async def _list(
        self, what: str, asked: Mapping[str, str], *, page: int = 1
    ) -> Mapping[str, Any]:
        params = {"limit": str(_PAGE), "page": str(page), **asked}
        url = f"{self._config.base_url}/{what}"
        return table(await self._http.get_json(url, params=params, headers=self._key))

    @property
    def _key(self) -> Mapping[str, str]:
        return {"X-API-KEY": self._config.api_key.get_secret_value()}

    @property
    def _sites(self) -> Mapping[str, str]:
        return {"filter[sites][0]": self._config.site} if self._config.site else {}
