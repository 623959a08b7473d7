"""InSales: hooks by topic, and the admin API (docs: "InSales API", 01 to 10, of insales/insales-docs-source).

Nothing signs a hook: the unguessable address is the proof. Where that is not enough, `reread` takes a hook for a hint
only, and the object is read from the shop.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr

from channels.base import BadHook, BaseUrl, Check, Limits
from hub.config import OrderStatus
from hub.sources.base import (
    Ask,
    Call,
    Impossible,
    Later,
    Page,
    SourceConfig,
    Trouble,
)
from hub.sources.http import ShopHttp
from hub.sources.model import Action, Decision, Facts, Heard, Incoming, Kind
from hub.sources.platforms.insales_objects import FIELDS, PAID, facts_of
from hub.sources.platforms.insales_writing import changes_of
from hub.sources.platforms.wire import digest, json_of
from hub.sources.values import first, instant, rows, table, text
from hub.sources.whitelist import kept

_TOPICS: Mapping[str, tuple[Kind, Action]] = {
    "orders.create": (Kind.ORDER, Action.CREATED),
    "orders.update": (Kind.ORDER, Action.UPDATED),
    "orders.destroy": (Kind.ORDER, Action.DELETED),
    "products.create": (Kind.PRODUCT, Action.CREATED),
    "products.update": (Kind.PRODUCT, Action.UPDATED),
    # Singular, unlike the others.
    "client.create": (Kind.CUSTOMER, Action.CREATED),
    "client.update": (Kind.CUSTOMER, Action.UPDATED),
}
_LISTS: Mapping[Kind, str] = {
    Kind.ORDER: "orders",
    Kind.PRODUCT: "products",
    Kind.CUSTOMER: "clients",
}
# Products come with their texts, pictures and variants: a hundred of them may be too much for one answer.
_PER_PAGE: Mapping[Kind, int] = {Kind.ORDER: 100, Kind.CUSTOMER: 100, Kind.PRODUCT: 25}
_OVERLAP = timedelta(minutes=1)


class InSalesConfig(SourceConfig):
    """`login` and `password`: a key of the shop ("Apps", "For developers"). `reread`: hooks only say what to read."""

    base_url: BaseUrl
    login: Annotated[str, Field(pattern=r"^[^:]{1,200}$")]
    password: SecretStr = Field(min_length=1)
    reread: bool = False


class InSales:
    Config: ClassVar[type[SourceConfig]] = InSalesConfig
    platform: ClassVar[str] = "insales"
    title: ClassVar[str] = "InSales"
    topics: ClassVar[Sequence[str]] = tuple(_TOPICS)
    signed: ClassVar[bool] = False
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = {
        "new": OrderStatus.PLACED,
        "accepted": OrderStatus.CONFIRMED,
        "approved": OrderStatus.CONFIRMED,
        "dispatched": OrderStatus.SHIPPED,
        "delivered": OrderStatus.DELIVERED,
        "declined": OrderStatus.CANCELLED,
        "returned": OrderStatus.RETURNED,
        PAID: OrderStatus.PAID,
    }
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {
        OrderStatus.CONFIRMED: "accepted",
        OrderStatus.PARTIALLY_CONFIRMED: "accepted",
        OrderStatus.REJECTED: "declined",
    }
    # 500 calls in five minutes are allowed; a tenth is left to what else uses the same key.
    limits: ClassVar[Limits] = Limits(per_second=1.5, concurrency=4)
    reads: ClassVar[Sequence[Kind]] = (Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER)
    rereads_open: ClassVar[bool] = False

    def __init__(
        self,
        config: InSalesConfig,
        http: ShopHttp,
        *,
        secret: str = "",  # noqa: ARG002
    ) -> None:
        self._config = config
        self._http = http
        self._admin = f"{config.base_url}/admin"
        self._proof = (config.login, config.password.get_secret_value())

    def hear(self, call: Call, *, now: datetime) -> Heard:  # noqa: ARG002
        """Orders and clients come as they are, products as a list of up to ten."""
        if call.topic not in _TOPICS:
            raise BadHook("InSales has no such topic")
        if call.request.body.lstrip().startswith(b"<"):
            raise BadHook("the webhook sends XML: set its format_type to json")
        kind, action = _TOPICS[call.topic]
        body = json_of(call.request.body)
        given = body if kind is Kind.PRODUCT and isinstance(body, list) else [body]
        events = []
        for each in given:
            event = _incoming(kind, action, table(each), call.topic, thin=self._config.reread)
            if event is None:
                raise BadHook("the object has no id")
            events.append(event)
        return Heard(events)

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        return facts_of(kind, payload)

    async def check(self) -> Check:
        """Names the shop's own statuses, which its mapping is to give a meaning to."""
        try:
            account = table(await self._get(f"{self._admin}/account.json"))
            own = rows(await self._get(f"{self._admin}/custom_statuses.json"))
        except (Later, Trouble, Impossible) as fault:
            return Check(False, f"InSales cannot be used now: {fault}")
        name = first(account.get("title"), urlsplit(self._config.base_url).hostname)
        words = [f"custom:{text(row.get('permalink'))} ({text(row.get('title'))})" for row in own]
        statuses = f"; the shop's own statuses: {', '.join(words[:50])}" if words else ""
        return Check(True, f"InSales answers as {name}{statuses}")

    async def fetch(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        """A 404 comes with a page for people, whatever was asked for."""
        if kind not in _LISTS:
            return None
        found = await self._http.found_json(self._url(kind, object_), basic=self._proof)
        return kept(found, FIELDS[kind]) if isinstance(found, Mapping) else None

    async def read(self, ask: Ask) -> Page:
        """Always the "first page" after the last pair of time and id: by page numbers rows would be lost, as the
        list moves while it is read. An empty page is the end."""
        begun = ask.position or {}
        position = {
            "at": text(begun.get("at")) or ask.since.isoformat(timespec="seconds"),
            "id": text(begun.get("id")),
        }
        params = {"updated_since": position["at"], "per_page": str(_PER_PAGE[ask.kind])}
        if position["id"]:
            params["from_id"] = position["id"]
        if ask.kind is Kind.ORDER:
            # Shops clear their lists into the archive, where an order is an order still.
            params["with_deleted"] = "true"
        found = rows(await self._get(f"{self._admin}/{_LISTS[ask.kind]}.json", params=params))
        if not found:
            return Page((), _overlapping(position), more=False)
        after = {"at": text(found[-1].get("updated_at")), "id": text(found[-1].get("id"))}
        if instant(after["at"]) is None or not after["id"]:
            raise Later("rows without updated_at or id")
        items = [_incoming(ask.kind, Action.UPDATED, row, f"poll:{ask.kind}") for row in found]
        # A pair that does not move would be read for ever.
        return Page([item for item in items if item], after, more=after != position)

    async def subscribe(self, hooks: Mapping[str, str]) -> Sequence[str]:
        listed = await self._get(f"{self._admin}/webhooks.json", params={"per_page": "100"})
        there = {(text(row.get("topic")), text(row.get("address"))): row for row in rows(listed)}
        for topic, url in hooks.items():
            name = topic.replace(".", "/")
            hook = {"address": url, "topic": name, "format_type": "json"}
            known = there.get((name, url))
            if known is None:
                await self._http.post(
                    f"{self._admin}/webhooks.json", json={"webhook": hook}, basic=self._proof
                )
            elif text(known.get("format_type")) != "json":
                await self._http.put(
                    f"{self._admin}/webhooks/{text(known.get('id'))}.json",
                    json={"webhook": hook},
                    basic=self._proof,
                )
        return list(hooks)

    async def write(self, decision: Decision) -> None:
        """Reads first: what stands there already is not written again, and what is over is left alone."""
        url = self._url(Kind.ORDER, decision.object)
        order = table(await self._http.found_json(url, basic=self._proof))
        if not order:
            raise Impossible("the shop has no such order any more")
        if changes := changes_of(decision, order):
            await self._http.put(url, json={"order": changes}, basic=self._proof)

    async def _get(self, url: str, **options: Any) -> Any:
        return await self._http.get_json(url, basic=self._proof, **options)

    def _url(self, kind: Kind, object_: str) -> str:
        return f"{self._admin}/{_LISTS[kind]}/{quote(object_, safe='')}.json"


def _incoming(
    kind: Kind, action: Action, given: Mapping[str, Any], topic: str, *, thin: bool = False
) -> Incoming | None:
    """None: it says of nothing which it is. The content is part of the key: times are told in seconds, and a second
    may see two changes."""
    object_ = text(given.get("id"))
    if not object_:
        return None
    payload = kept(given, FIELDS[kind])
    at = text(given.get("updated_at"))
    return Incoming(
        kind,
        action,
        object_,
        key=f"{topic}:{object_}:{at}:{digest(payload)}",
        happened_at=instant(at),
        payload=None if thin and action is not Action.DELETED else payload,
    )


def _overlapping(position: Mapping[str, str]) -> Mapping[str, str]:
    """Where the next reading begins: the same pair, but of a list that ends just now a little before it. What is
    saved may show later than its time says, and a second may see two changes."""
    begin = datetime.now(UTC) - _OVERLAP
    at = instant(position["at"])
    if at is None or at < begin:
        return position
    return {"at": begin.isoformat(timespec="seconds"), "id": ""}
