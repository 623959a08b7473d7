"""A platform that does what a test wants: its world is a table in the process, and every call of ours is kept."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from channels.base import Check, Limits
from hub.config import OrderStatus
from hub.sources import registry, values
from hub.sources.base import Ask, Call, Page, SourceConfig
from hub.sources.http import ShopHttp
from hub.sources.model import (
    Action,
    CartFacts,
    CustomerFacts,
    Decision,
    Facts,
    Heard,
    Incoming,
    Kind,
    LineFacts,
    OrderFacts,
    ProductFacts,
)


@dataclass
class World:
    """`pages`: what a reading finds, by kind, a list a page. `fault`: raised by the next calls."""

    pages: dict[Kind, list[Sequence[Incoming]]] = field(default_factory=dict)
    objects: dict[tuple[Kind, str], Mapping[str, Any]] = field(default_factory=dict)
    asked: list[Ask] = field(default_factory=list)
    written: list[Decision] = field(default_factory=list)
    faults: dict[str, Exception] = field(default_factory=dict)
    """By what is called: `write`, `fetch`, `check`, `subscribe`, or the kind that is read."""
    before: Callable[[str], None] = lambda _: None
    calls: int = 0
    """How many it takes to read an object."""
    subscribed: list[Mapping[str, str]] = field(default_factory=list)
    reads: Callable[[Ask], Awaitable[Page]] | None = None
    """Instead of what `pages` say."""
    fetches: Callable[[Kind, str], Awaitable[Mapping[str, Any] | None]] | None = None

    def meets(self, what: str) -> None:
        self.before(what)
        if fault := self.faults.get(what):
            raise fault


WORLD = World()


class ToyConfig(SourceConfig):
    base_url: str = "https://toy.example"


class Toy:
    Config: ClassVar[type[SourceConfig]] = ToyConfig
    platform: ClassVar[str] = "toy"
    title: ClassVar[str] = "Toy"
    topics: ClassVar[Sequence[str]] = ("events",)
    signed: ClassVar[bool] = True
    statuses: ClassVar[Mapping[str, OrderStatus | None]] = {
        "new": OrderStatus.PLACED,
        "accepted": OrderStatus.CONFIRMED,
        "paid": OrderStatus.PAID,
        "sent": OrderStatus.SHIPPED,
        "done": OrderStatus.DELIVERED,
        "thinking": None,
    }
    writes_as: ClassVar[Mapping[OrderStatus, str]] = {
        OrderStatus.CONFIRMED: "accepted",
        OrderStatus.PARTIALLY_CONFIRMED: "accepted",
    }
    limits: ClassVar[Limits] = Limits()
    reads: ClassVar[Sequence[Kind]] = (Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER)
    rereads_open: ClassVar[bool] = True

    def __init__(self, config: Any, http: ShopHttp, *, secret: str = "") -> None:
        self._secret = secret
        self._http = http

    def hear(self, call: Call, *, now: Any) -> Heard:
        return Heard()

    def facts(self, kind: Kind, payload: Mapping[str, Any]) -> Facts:
        match kind:
            case Kind.CUSTOMER:
                return _customer(payload)
            case Kind.PRODUCT:
                return ProductFacts(id=str(payload["id"]), title=payload["title"])
            case Kind.CART:
                return CartFacts(
                    id=str(payload["id"]),
                    customer=_customer(payload["customer"]) if "customer" in payload else None,
                    lines=_lines(payload),
                    total=values.money(payload.get("total")),
                    url=payload.get("url", ""),
                    changed_at=values.instant(payload.get("changed_at")),
                )
        return OrderFacts(
            id=str(payload["id"]),
            number=str(payload["id"]),
            codes=((payload["status"],),) if "status" in payload else (),
            lines=_lines(payload),
            customer=_customer(payload["customer"]) if "customer" in payload else None,
            changed_at=values.instant(payload.get("changed_at")),
            created_at=values.instant(payload.get("created_at")),
        )

    async def check(self) -> Check:
        WORLD.meets("check")
        return Check(True, "a toy shop")

    async def fetch(self, kind: Kind, object_: str) -> Mapping[str, Any] | None:
        WORLD.meets("fetch")
        for _ in range(WORLD.calls):
            await self._http._take()
        if WORLD.fetches:
            return await WORLD.fetches(kind, object_)
        return WORLD.objects.get((kind, object_))

    async def read(self, ask: Ask) -> Page:
        WORLD.asked.append(ask)
        WORLD.meets(ask.kind)
        if WORLD.reads:
            return await WORLD.reads(ask)
        at = ask.position["page"] if ask.position else 0
        pages = WORLD.pages.get(ask.kind, [])
        items = pages[at] if at < len(pages) else ()
        return Page(items, {"page": min(at + 1, len(pages))}, more=at + 1 < len(pages))

    async def write(self, decision: Decision) -> None:
        WORLD.meets("write")
        WORLD.written.append(decision)

    async def subscribe(self, hooks: Mapping[str, str]) -> Sequence[str]:
        WORLD.meets("subscribe")
        WORLD.subscribed.append(hooks)
        return list(hooks)


def _customer(payload: Mapping[str, Any]) -> CustomerFacts:
    return CustomerFacts(
        id=str(payload.get("id", "")),
        name=payload.get("name", ""),
        email=payload.get("email", ""),
        phone=payload.get("phone", ""),
    )


def _lines(payload: Mapping[str, Any]) -> tuple[LineFacts, ...]:
    return tuple(
        LineFacts(
            id=str(line["id"]),
            title=line.get("title", "Чайник"),
            quantity=Decimal(line.get("quantity", 1)),
            price=values.money(line.get("price", "1990.00")),
            warehouse=line.get("warehouse", ""),
        )
        for line in payload.get("lines", [{"id": "1"}])
    )


def order(id_: str, changed_at: str | None = None, **payload: Any) -> Incoming:
    """One as a reading finds it."""
    told = {"id": id_, **payload} | ({"changed_at": changed_at} if changed_at else {})
    return Incoming(
        Kind.ORDER,
        Action.UPDATED,
        id_,
        key=f"order:{id_}",
        happened_at=values.instant(changed_at),
        payload=told,
    )


@contextmanager
def at_hand(patch: pytest.MonkeyPatch) -> Iterator[World]:
    """The platform `toy` is known meanwhile, with an empty world."""
    global WORLD  # noqa: PLW0603
    WORLD = World()
    with patch.context() as known:
        known.setitem(registry.PLATFORMS, "toy", "tests.hub.events.toy:Toy")
        yield WORLD
