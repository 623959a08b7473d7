"""A portion of history written in one transaction: what the hub does not know is added, and nothing follows from it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from hub.contacts.model import Contact, ContactIn, Role
from hub.db.pool import UNFIT, Connection
from hub.errors import HubError
from hub.events import objects
from hub.events.model import digest_of, plain
from hub.events.objects import Seen
from hub.events.orders import as_order_in, news
from hub.events.people import named, patch
from hub.history import people
from hub.history.model import RowFault, Taken
from hub.history.reading import Numbered
from hub.ids import id_at
from hub.orders import bulk, warehouses
from hub.orders.model import Line, Order, OrderStatus
from hub.orders.placing import line_of
from hub.orders.request import OrderIn
from hub.resources import Hub
from hub.shops.registry import Shop
from hub.sources.base import Unreadable
from hub.sources.mapping import status_of
from hub.sources.model import CustomerFacts, Kind, LineFacts, OrderFacts, Source
from hub.sources.registry import platform_class

_BREATH = 25
"""Rows at a stretch: others wait for the same processor."""

# What single rows bring about: the others of their portion are none the worse for it.
_THEIR_FAULT = (UNFIT, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, HubError)


@dataclass(frozen=True, slots=True)
class Portion:
    """Where rows go, and when that happens."""

    hub: Hub
    conn: Connection
    shop: Shop
    source: Source
    now: datetime


async def take(
    hub: Hub,
    conn: Connection,
    shop: Shop,
    source: Source,
    kind: Kind,
    facts: Sequence[Numbered],
    *,
    now: datetime | None = None,
) -> Taken:
    """In the caller's transaction. Locks go contacts, orders, objects, as everywhere. A row that the database does not
    take is a fault; it is found by halves."""
    if not facts:
        return Taken()
    portion = Portion(hub, conn, shop, source, now or datetime.now(UTC))
    try:
        async with conn.transaction():
            return await _WAYS[kind](portion, facts)
    except _THEIR_FAULT as error:
        if len(facts) == 1:
            reason = error.detail if isinstance(error, HubError) else "does not fit the database"
            return Taken(faults=[RowFault(facts[0][0], reason)])
    half = len(facts) // 2
    first = await take(hub, conn, shop, source, kind, facts[:half], now=now)
    return first + await take(hub, conn, shop, source, kind, facts[half:], now=now)


# -- customers ------------------------------------------------------------------------------------------------------


async def _customers(portion: Portion, given: Sequence[Numbered]) -> Taken:
    """Whom the source has told of before is left alone; others are made, or changed as far as the source may."""
    conn, source = portion.conn, portion.source
    customers = [(row, one) for row, one in given if isinstance(one, CustomerFacts)]
    names = await people.names(
        conn, portion.hub.signer, portion.shop.id, source, [one for _, one in customers]
    )
    told = await _objects(conn, source, Kind.CUSTOMER, [one.id for _, one in customers if one.id])
    everybody = await people.held(conn, portion.shop.id, filter(None, names))
    faults, seen, before = [], [], set(everybody.held)
    counted: dict[str, bool] = {}
    for (row, one), name in zip(customers, names, strict=True):
        if name is None:
            faults.append(RowFault(row, "has neither an id nor an e-mail or a phone"))
        elif one.id not in told:
            said = everybody.say(name, patch(everybody.known(name), one, source))
            counted[name] = counted.get(name, False) or said
            if one.id:
                seen.append((name, one))
    found = await everybody.write(conn, portion.shop.id)
    await objects.add_many(
        conn,
        portion.shop.id,
        source.id,
        Kind.CUSTOMER,
        [
            Seen(one.id, one.changed_at, digest_of(one), contact_id=found[name].id)
            for name, one in seen
        ],
    )
    added = sum(name not in before for name in counted)
    changed = sum(said for name, said in counted.items() if name in before)
    known = len(customers) - len(faults) - added - changed
    return Taken(added, changed, known, faults)


# -- products -------------------------------------------------------------------------------------------------------


async def _products(portion: Portion, given: Sequence[Numbered]) -> Taken:
    seen = {
        one.id: Seen(one.id, one.changed_at, digest_of(one), facts=plain(one))
        for _, one in given
        if not isinstance(one, CustomerFacts)
    }
    added = await objects.add_many(
        portion.conn, portion.shop.id, portion.source.id, Kind.PRODUCT, list(seen.values())
    )
    return Taken(len(added), 0, len(given) - len(added))


# -- orders ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Draft:
    """An order that is to be added: `name` is its external_id, `buyer` his. `digest`: as `hub.events` keeps it of
    the same order, so that the platform's next call about it is known for a repeat."""

    row: int
    name: str
    facts: OrderFacts
    given: OrderIn
    status: OrderStatus
    buyer: str | None
    digest: bytes


async def _orders(portion: Portion, given: Sequence[Numbered]) -> Taken:
    conn, source, shop_id = portion.conn, portion.source, portion.shop.id
    orders = [(row, one) for row, one in given if isinstance(one, OrderFacts)]
    drafts, faults, unknown = await _drafts(portion, await _unknown(portion, orders))
    found = await _people(portion, drafts)
    wanted = {
        line.warehouse.external_id for d in drafts for line in d.given.lines if line.warehouse
    }
    places = await _places(conn, shop_id, wanted)
    made: dict[UUID, _Draft] = {}
    rows: list[Order] = []
    for draft in drafts:
        try:
            order = _order(portion, draft, found, places)
        except Unreadable as error:
            faults.append(RowFault(draft.row, str(error)))
            continue
        made[order.id] = draft
        rows.append(order)
    added = await bulk.add_quietly(conn, rows)
    seen = [_seen(source, made[row.id], row) for row in rows if row.id in added]
    await objects.add_many(conn, shop_id, source.id, Kind.ORDER, seen)
    known = len(orders) - len(faults) - len(added)
    return Taken(len(added), 0, known, faults, unknown)


async def _places(conn: Connection, shop_id: int, wanted: set[str]) -> Mapping[str, UUID]:
    """Those that are not known yet are made."""
    if not wanted:
        return {}
    await warehouses.ensure(conn, shop_id, wanted)
    return await warehouses.ids(conn, shop_id, wanted)


async def _unknown(
    portion: Portion, orders: Sequence[tuple[int, OrderFacts]]
) -> list[tuple[int, OrderFacts]]:
    """Those that the hub does not have, each once. What only holds others together is passed over."""
    wanted: dict[str, tuple[int, OrderFacts]] = {}
    for row, one in orders:
        if not one.parent:
            wanted.setdefault(named(portion.source, one.id), (row, one))
    rows = await portion.conn.fetch(
        "SELECT external_id FROM shop_order WHERE shop_id = $1 AND external_id = ANY($2)",
        portion.shop.id,
        list(wanted),
    )
    there = {row["external_id"] for row in rows}
    return [order for name, order in wanted.items() if name not in there]


async def _drafts(
    portion: Portion, orders: Sequence[tuple[int, OrderFacts]]
) -> tuple[list[_Draft], list[RowFault], frozenset[str]]:
    """What can be put, what cannot, and the states that no map names."""
    source = portion.source
    statuses = platform_class(source.platform).statuses
    customers = [facts.customer or CustomerFacts() for _, facts in orders]
    buyers = await people.names(
        portion.conn, portion.hub.signer, portion.shop.id, source, customers
    )
    drafts: list[_Draft] = []
    faults: list[RowFault] = []
    unknown: set[str] = set()
    for count, ((row, facts), buyer) in enumerate(zip(orders, buyers, strict=True), 1):
        mapped = status_of(facts.codes, source.mapping, statuses)
        unknown.update(mapped.unknown)
        if facts.codes and mapped.target is None and not mapped.unknown:
            # A draft, a basket that is not paid for: with its first status it is an order, and then it is news.
            continue
        status = mapped.target or OrderStatus.PLACED
        sellers = {line.id: _seller(source, line) for line in facts.lines}
        try:
            given = as_order_in(facts, source, sellers, status, buyer)
        except HubError as error:
            faults.append(RowFault(row, error.detail))
        else:
            digest = digest_of(facts, str(mapped.target), str(mapped.paid))
            name = named(source, facts.id)
            drafts.append(_Draft(row, name, facts, given, status, buyer, digest))
        if count % _BREATH == 0:
            await asyncio.sleep(0)
    return drafts, faults, frozenset(unknown)


def _seller(source: Source, line: LineFacts) -> str:
    return named(source, line.seller) if line.seller else source.seller


async def _people(portion: Portion, drafts: Sequence[_Draft]) -> Mapping[str, Contact]:
    """Buyers and sellers by external_id. Of whom the hub knew already only gaps are filled; of the others the latest
    order counts."""
    source, sellers = portion.source, _sellers(portion, drafts)
    careful = people.careful(source)
    buyers = [draft.buyer for draft in drafts if draft.buyer]
    everybody = await people.held(portion.conn, portion.shop.id, [*buyers, *sellers])
    for name, title in sellers.items():
        if everybody.known(name) is None:
            everybody.say(name, ContactIn(role=Role.SELLER, name=title[:200]))
    for count, draft in enumerate(sorted(drafts, key=lambda one: _times(portion, one.facts)), 1):
        if draft.buyer and draft.facts.customer:
            rules = careful if draft.buyer in everybody.held else source
            given = patch(everybody.known(draft.buyer), draft.facts.customer, rules)
            everybody.say(draft.buyer, given)
        if count % _BREATH == 0:
            await asyncio.sleep(0)
    return await everybody.write(portion.conn, portion.shop.id)


def _sellers(portion: Portion, drafts: Iterable[_Draft]) -> dict[str, str]:
    """Their names by external_id."""
    found: dict[str, str] = {}
    for draft in drafts:
        for line in draft.facts.lines:
            title = line.seller_name or line.seller
            found[_seller(portion.source, line)] = title or portion.shop.settings.name
    return {name: title or name for name, title in found.items()}


def _order(
    portion: Portion, draft: _Draft, found: Mapping[str, Contact], places: Mapping[str, UUID]
) -> Order:
    """Raises `Unreadable` (a seller who is none)."""
    given = draft.given
    created_at, updated_at = _times(portion, draft.facts)
    buyer = found.get(draft.buyer) if draft.buyer else None
    return Order(
        id=id_at(created_at),
        shop_id=portion.shop.id,
        external_id=draft.name,
        number=given.number,
        status=draft.status,
        told_status=draft.status,
        buyer_id=buyer.id if buyer else None,
        buyer=draft.buyer,
        currency=given.currency or "RUB",
        total=given.total,
        delivery=_said(given),
        labels_url=given.labels_url,
        revision=0,
        created_at=created_at,
        updated_at=updated_at,
        lines=tuple(_line(line, found, places) for line in given.lines),
    )


def _said(given: OrderIn) -> dict[str, Any]:
    return given.delivery.model_dump(exclude_none=True) if given.delivery else {}


def _line(given: Any, found: Mapping[str, Contact], places: Mapping[str, UUID]) -> Line:
    seller = found[given.seller.external_id]
    if seller.role is not Role.SELLER:
        raise Unreadable(f"the seller of a line is a contact of role {seller.role}, not seller")
    return line_of(given, seller.id, places)


def _times(portion: Portion, facts: OrderFacts) -> tuple[datetime, datetime]:
    """When it was made and when last changed; never in the future, whose lists it would lead for ever."""
    created = min(facts.created_at or facts.changed_at or portion.now, portion.now)
    return created, min(max(facts.changed_at or created, created), portion.now)


def _seen(source: Source, draft: _Draft, order: Order) -> Seen:
    codes, _ = news(draft.facts.codes, None, source)
    return Seen(
        object=draft.facts.id,
        changed_at=order.updated_at,
        digest=draft.digest,
        codes=codes,
        order_id=order.id,
        contact_id=order.buyer_id,
    )


async def _objects(conn: Connection, source: Source, kind: Kind, ids: Sequence[str]) -> set[str]:
    rows = await conn.fetch(
        "SELECT object FROM source_object WHERE source_id = $1 AND kind = $2 AND object = ANY($3)",
        source.id,
        kind,
        ids,
    )
    return {row["object"] for row in rows}


_WAYS = {Kind.CUSTOMER: _customers, Kind.PRODUCT: _products, Kind.ORDER: _orders}
