"""A platform's order made ours: its status weighed, its people found, its lines put, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any
from uuid import UUID

import orjson
from babel.numbers import list_currencies
from pydantic import ValidationError

from hub.config import OrderStatus
from hub.errors import Fault, Unprocessable
from hub.events import alarms, carts, objects, people
from hub.events.model import Claimed, Done, SetOff, digest_of
from hub.events.objects import Known, Seen
from hub.orders import changes, placing, queries, telling
from hub.orders.model import STAGES, Order
from hub.orders.request import OrderIn, RefIn
from hub.orders.rules import Ignored
from hub.orders.work import Work
from hub.sources.mapping import status_of
from hub.sources.model import Kind, LineFacts, OrderFacts, Result, Source
from hub.sources.registry import platform_class
from hub.wording import wording

_MOST_CODES = 100
_MOST_PIECES = 1_000_000
_CURRENCIES = frozenset(list_currencies())

# What an order may be said to be before the shelf has answered.
_BEFORE_SHELF = frozenset(
    {
        OrderStatus.PLACED,
        OrderStatus.AWAITING_STOCK,
        OrderStatus.CONFIRMED,
        OrderStatus.PARTIALLY_CONFIRMED,
        OrderStatus.PAID,
    }
)


TO_PACK = frozenset({OrderStatus.CONFIRMED, OrderStatus.PARTIALLY_CONFIRMED, OrderStatus.PAID})
"""First seen so, it is new to those who pack it."""


@dataclass(frozen=True, slots=True)
class Target:
    """`status` None: nothing new is said. `held`: what comes into force once the shelf has answered."""

    status: OrderStatus | None = None
    held: OrderStatus | None = None


async def apply_order(
    work: Work, claimed: Claimed, facts: OrderFacts, before: Known | None, at: datetime
) -> Done:
    """Raises `Unprocessable`: nothing of it can be an order here."""
    source = claimed.source
    if facts.parent:
        return Done(Result.IGNORED, "parent-order", keep=False)
    codes, unknown = news(facts.codes, before, source)
    digest = digest_in(facts, source)
    if before is not None and before.digest == digest and before.deleted_at is None:
        seen = _seen(claimed, at, digest, before)
        await objects.put(work.conn, work.shop.id, source.id, Kind.ORDER, seen)
        return Done(Result.REPEATED, contact_id=before.contact_id)
    known_as = await people.known_as(work, source, facts.customer)
    buyer, contact_id = known_as or (None, None)
    order = await _held(work, before, people.named(source, facts.id))
    if order and contact_id is None:
        # Not said this time: what is said of the order is his all the same.
        contact_id = order.buyer_id
    if unknown:
        await alarms.unknown_codes(work, source, unknown)
    asks = work.shop.settings.order.stock_confirmation and not work.quiet
    wanted = target(codes, source, order, asks=asks)
    if order is None and (why := not_yet(facts, wanted)):
        seen = Seen(claimed.object, at, digest, contact_id=contact_id)
        await objects.put(work.conn, work.shop.id, source.id, Kind.ORDER, seen)
        if unknown:
            return Done(Result.APPLIED, "unknown-status", contact_id)
        return Done(Result.IGNORED, why, contact_id)
    sellers = await people.sellers(work, source, facts.lines)
    given = as_order_in(facts, source, sellers, wanted.status, buyer, order)
    if order:
        given = settled(order, given, facts)
        if before and before.wrote:
            given = undone(order, given, before.wrote)
    placed = await _put(work, people.named(source, facts.id), given, facts, order)
    held = _still_held(before, wanted)
    said = _kept(before, codes)
    seen = Seen(claimed.object, at, digest, said, placed.order_id, contact_id, held)
    await objects.put(work.conn, work.shop.id, source.id, Kind.ORDER, seen)
    if contact_id and placed.created:
        await carts.ordered(work, source, contact_id, at)
    if placed.created and given.status in TO_PACK:
        await telling.tell_as_new(work, await changes.reload(work, placed.order_id))
    return _done(work, given, placed, facts, contact_id, unknown)


def not_yet(facts: OrderFacts, wanted: Target) -> str:
    """Why it is no order here: a draft, a basket that is not paid for, a word that means nothing; with its first status
    and a line it is one. Empty: it is."""
    if facts.codes and wanted.status is None:
        return "no-status"
    return "" if any(line.quantity > 0 for line in facts.lines) else "no-lines"


def digest_in(facts: OrderFacts, source: Source) -> bytes:
    """Of what is said, and of what the words come to: with another map the same order is news."""
    mapped = status_of(facts.codes, source.mapping, platform_class(source.platform).statuses)
    return digest_of(facts, str(mapped.target), str(mapped.paid))


def news(
    codes: Sequence[Sequence[str]], before: Known | None, source: Source
) -> tuple[list[str], tuple[str, ...]]:
    """Words that mean something here and were not said of this order before; and those that nobody knows."""
    statuses = platform_class(source.platform).statuses
    known = {**statuses, **source.mapping.statuses}
    said = set(before.codes) if before else set()
    fresh = [
        word
        for chain in codes
        if (word := next((one for one in chain if one in known), "")) and word not in said
    ]
    return list(dict.fromkeys(fresh)), status_of(codes, source.mapping, statuses).unknown


def target(codes: Sequence[str], source: Source, order: Order | None, *, asks: bool) -> Target:
    """What an order is to become by words that are new. `order`: as it is held; `asks`: whether the shop asks the
    shelf. Where it does, a platform that calls an order confirmed or paid at once does not answer for the shelf."""
    statuses = platform_class(source.platform).statuses
    mapped = status_of([[code] for code in codes], source.mapping, statuses)
    status = mapped.target
    if status is None or not asks or source.mapping.stock != "ask_first":
        return Target(status)
    held = OrderStatus.PAID if mapped.paid else None
    if order is None and status in _BEFORE_SHELF:
        return Target(OrderStatus.PLACED, held)
    # Marketplaces confirm by themselves, and shops when the money is there: the question stays open all the same. A
    # shop's own program that says "confirmed" in the hub's words has decided.
    asked = {OrderStatus.PAID} if source.platform == "generic" else _BEFORE_SHELF
    if order and order.status is OrderStatus.AWAITING_STOCK and status in asked:
        return Target(None, held)
    return Target(status)


def as_order_in(
    facts: OrderFacts,
    source: Source,
    sellers: Mapping[str, str],
    status: OrderStatus | None,
    buyer: str | None,
    held: Order | None = None,
) -> OrderIn:
    """As the shop itself would put it. What is not said is left out, what cannot be shown is dropped. `sellers`:
    external ids by line; `held`: as the order stands. Raises `Unprocessable`."""
    lines = _lines(facts.lines, source, sellers)
    if not lines and held:
        # All taken out: what was ordered stays to be seen.
        lines = [_as_given(line) for line in held.lines if line.seller]
    given: dict[str, Any] = {"number": facts.number[:100], "lines": lines}
    if status:
        given["status"] = status
    if buyer:
        given["buyer"] = {"external_id": buyer}
    currency = facts.currency.upper()
    if currency in _CURRENCIES:
        given["currency"] = currency
    if facts.total is not None and facts.total >= 0:
        given["total"] = _money(facts.total)
    if facts.delivery:
        given["delivery"] = {name: text[:500] for name, text in facts.delivery.items() if text}
    if _is_url(facts.labels_url):
        given["labels_url"] = facts.labels_url
    return read(given)


def read(given: Mapping[str, Any]) -> OrderIn:
    """Raises `Unprocessable`, naming the field and never its value."""
    try:
        return OrderIn.model_validate_json(orjson.dumps(given))
    except ValidationError as error:
        raise Unprocessable(
            faults=[
                Fault(
                    "".join(f"/{part}" for part in one["loc"]),
                    wording(one),
                )
                for one in error.errors(include_url=False, include_input=False)
            ]
        ) from None


def settled(order: Order, given: OrderIn, facts: OrderFacts) -> OrderIn:
    """A line of which the platform does not say who sells it, or where it lies, stays with whom it is."""
    said = {line.id: line for line in facts.lines}
    held = {line.id: line for line in order.lines}
    lines = []
    for line in given.lines:
        before, fact, changes = held.get(line.id), said.get(line.id), {}
        if before and fact and not fact.seller and before.seller:
            changes["seller"] = RefIn(external_id=before.seller)
        if before and fact and not fact.warehouse and before.warehouse:
            changes["warehouse"] = RefIn(external_id=before.warehouse)
        lines.append(line.model_copy(update=changes))
    return given.model_copy(update={"lines": tuple(lines)})


def undone(order: Order, given: OrderIn, wrote: Mapping[str, Any]) -> OrderIn:
    """The platform's lines without what the hub itself has written there: what the shelf lacked is not ordered less."""
    written: Mapping[str, int] = wrote.get("lines") or {}
    held = {line.id: line for line in order.lines}
    whole = given.model_dump(mode="json", exclude_unset=True)
    lines = whole["lines"]
    for line in lines:
        before = held.get(line["id"])
        if before and written.get(line["id"]) == line["quantity"]:
            line["quantity"] = before.quantity
    there = {line["id"] for line in lines}
    for id_, quantity in written.items():
        if quantity == 0 and id_ not in there and id_ in held and held[id_].seller:
            lines.append(_as_given(held[id_]))
    return read(whole)


def _as_given(line: Any) -> dict[str, Any]:
    return {
        "id": line.id,
        "sku": line.sku,
        "title": line.title,
        "quantity": line.quantity,
        "price": None if line.price is None else str(line.price),
        "image_url": line.image_url,
        "seller": {"external_id": line.seller},
        "warehouse": {"external_id": line.warehouse} if line.warehouse else None,
    }


def _lines(
    lines: Sequence[LineFacts], source: Source, sellers: Mapping[str, str]
) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for place, line in enumerate(lines, 1):
        quantity = int(line.quantity.to_integral_value(ROUND_CEILING))
        if quantity < 1:
            # Taken out of the order.
            continue
        id_ = "".join(filter(str.isprintable, line.id)).strip()[:90] or str(place)
        warehouse = people.named(source, line.warehouse) if line.warehouse else source.warehouse
        found[id_ if id_ not in found else f"{id_}-{place}"] = {
            "sku": line.sku[:100],
            "title": (line.title or line.sku or "—")[:500],
            "quantity": min(quantity, _MOST_PIECES),
            "price": None if line.price is None or line.price < 0 else _money(line.price),
            "image_url": line.image_url if _is_url(line.image_url) else None,
            "seller": {"external_id": sellers[line.id]},
            "warehouse": {"external_id": warehouse} if warehouse else None,
        }
    return [{"id": id_, **line} for id_, line in found.items()]


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _is_url(text: str) -> bool:
    plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= 2048
    return plain and text.startswith(("http://", "https://")) and len(text) > len("https://x")


async def _held(work: Work, before: Known | None, external_id: str) -> Order | None:
    """The order as it stands, held until the transaction ends; also one that came by another way."""
    order_id = await queries.lock(work.conn, work.shop.id, external_id)
    if order_id is None and before and before.order_id:
        # It has another id_prefix by now.
        order_id = before.order_id
        await queries.lock_id(work.conn, order_id)
    return await queries.by_id(work.conn, work.shop.id, order_id) if order_id else None


async def _put(
    work: Work, external_id: str, given: OrderIn, facts: OrderFacts, order: Order | None
) -> placing.Placed:
    name = order.external_id if order else external_id
    return await placing.place(work, name, given, reason=facts.reason[:500], at=facts.created_at)


def _kept(before: Known | None, codes: Sequence[str]) -> list[str]:
    return [*(before.codes if before else ()), *codes][-_MOST_CODES:]


def _still_held(before: Known | None, wanted: Target) -> str | None:
    """What waited for the shelf goes on waiting, unless the shop has decided without it."""
    if wanted.held:
        return wanted.held
    if before is None or wanted.status is None:
        return before.held_status if before else None
    waits = STAGES[wanted.status] < STAGES[OrderStatus.PAID]
    return before.held_status if waits else None


def _seen(claimed: Claimed, at: datetime, digest: bytes, before: Known) -> Seen:
    return Seen(
        claimed.object,
        at,
        digest,
        before.codes,
        before.order_id,
        before.contact_id,
        before.held_status,
    )


def _done(
    work: Work,
    given: OrderIn,
    placed: placing.Placed,
    facts: OrderFacts,
    contact_id: UUID | None,
    unknown: Sequence[str],
) -> Done:
    set_off = SetOff.of(work, facts.number, str(given.status or ""))
    if unknown:
        return Done(Result.APPLIED, "unknown-status", contact_id, set_off)
    match placed.ignored:
        case Ignored.LATE:
            return Done(Result.LATE, contact_id=contact_id, set_off=set_off)
        case Ignored.REPEATED if not work.told:
            return Done(Result.REPEATED, contact_id=contact_id, set_off=set_off)
        case _:
            return Done(Result.APPLIED, contact_id=contact_id, set_off=set_off)
