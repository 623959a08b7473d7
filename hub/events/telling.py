"""Tells people of what is no order, by the shop's rules: of carts, customers and products."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from hub.contacts.model import Role
from hub.db.pool import Connection
from hub.orders import people
from hub.orders.telling import send
from hub.orders.work import Work
from hub.rules import condition, facts, queries, timers
from hub.rules.model import Rule
from hub.sources.model import Action, Kind

# Not the customer, who is a contact, nor what is the platform's own affair.
_SHOWN: Mapping[Kind, Sequence[str]] = {
    Kind.CART: ("id", "currency", "total", "url"),
    Kind.PRODUCT: (*("id", "title", "sku", "price", "currency", "url", "image_url", "quantity"),),
}
_SHOWN_OF_LINE = ("id", "sku", "title", "price", "image_url")


@dataclass(frozen=True, slots=True)
class Thing:
    """What an event was about. `about`: "source/object" of a cart or product, the contact's id of a customer; `state`:
    what must still be so when a rule's time comes; `contact_id`: whose it is; `data`: as templates see it; `source`:
    the source's name, where it is known."""

    kind: Kind
    about: str
    state: str = ""
    contact_id: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


def about(source_id: UUID, object_: str) -> str:
    return f"{source_id}/{object_}"


def seen(
    source_id: UUID,
    source: str,
    kind: Kind,
    object_: str,
    *,
    digest: bytes | None,
    contact_id: UUID | None,
    facts: Mapping[str, Any],
) -> Thing:
    """A cart or product, of what `source_object` keeps of it. It is as it was as long as the same is said of it."""
    state = digest.hex() if digest else ""
    data = {name: facts[name] for name in _SHOWN[kind] if name in facts}
    if "quantity" in data:
        data["quantity"] = _plain(data["quantity"])
    if kind is Kind.CART:
        data["lines"] = lines = [_line(line) for line in facts.get("lines", ())]
        data["pieces"] = _plain(sum((Decimal(str(line["quantity"])) for line in lines), Decimal(0)))
    return Thing(kind, about(source_id, object_), state, contact_id, data, source)


async def customer(
    conn: Connection, shop_id: int, contact_id: UUID, source: str = ""
) -> Thing | None:
    """None: he is gone. Of what he is his template has `contact`."""
    row = await conn.fetchrow(
        "SELECT external_id FROM contact WHERE shop_id = $1 AND id = $2", shop_id, contact_id
    )
    if row is None:
        return None
    data = {"id": row["external_id"]} if row["external_id"] else {}
    return Thing(Kind.CUSTOMER, str(contact_id), "", contact_id, data, source)


async def news(work: Work, thing: Thing, *, first: bool) -> None:
    """It was seen for the `first` time, or is another than it was. What is new is a change, too: a cart that is filled
    once and left has to be told of by the same rule."""
    if first:
        await fire(work, Action.CREATED, thing)
    await fire(work, Action.UPDATED, thing)


async def fire(work: Work, action: Action, thing: Thing) -> None:
    """What the shop's rules say of it, at once or when their time has come."""
    if work.quiet:
        return
    rules = await queries.of_event(work.conn, work.shop, f"{thing.kind}.{action}")
    known = await _facts(work, thing, rules)
    for rule in rules:
        if not condition.holds(rule.condition, known):
            continue
        if rule.delay:
            work.timers.append(await _wait(work, rule, thing))
            work.fired.append(rule.name)
        else:
            await tell_by(work, thing, rule)


async def still_holds(work: Work, thing: Thing, rule: Rule) -> bool:
    """Whether the rule's condition does, of the thing as it is now."""
    return condition.holds(rule.condition, await _facts(work, thing, [rule]))


async def tell_by(work: Work, thing: Thing, rule: Rule) -> None:
    """Whom this rule names, of those who have to do with it."""
    template = work.hub.catalog.find(work.shop.id, rule.template)
    if template is None:
        return
    hearers: list[tuple[Role, UUID]] = []
    if Role.BUYER in rule.audiences and thing.contact_id:
        hearers.append((Role.BUYER, thing.contact_id))
    if Role.ADMIN in rule.audiences:
        admins = await people.admins(work.conn, work.shop.id)
        hearers += [(Role.ADMIN, admin) for admin in admins]
    for role, contact_id in hearers:
        await send(
            work,
            contact_id,
            rule.template,
            _shown_to(role, thing),
            category=template.category,
            channels=rule.channels,
        )
    if hearers:
        work.fired.append(rule.name)


def _shown_to(role: Role, thing: Thing) -> dict[str, Any]:
    """Whoever has a cart's link is its customer to the shop: it is for him alone."""
    shown = dict(thing.data)
    if thing.kind is Kind.CART and role is not Role.BUYER:
        shown.pop("url", None)
    return {thing.kind.value: shown}


async def _facts(work: Work, thing: Thing, asked_by: Sequence[Rule]) -> Mapping[str, Any]:
    """What conditions ask of. Whose it is is read only where one asks."""
    known: dict[str, Any] = {thing.kind.value: _asked(thing.data), "source": thing.source}
    if any("contact" in condition.roots(rule.condition) for rule in asked_by):
        known["contact"] = await facts.of_contact(work.conn, work.shop.id, thing.contact_id)
    return known


async def _wait(work: Work, rule: Rule, thing: Thing) -> UUID:
    return await timers.put(
        work.conn,
        work.shop.id,
        rule,
        about=thing.about,
        due_at=work.now + rule.delay,
        state=thing.state,
    )


def _asked(data: Mapping[str, Any]) -> dict[str, Any]:
    """Money as a number: "1990" and "1990.00" are the same."""
    asked = dict(data)
    for name in ("total", "price"):
        if name in asked:
            asked[name] = Decimal(asked[name])
    if "lines" in asked:
        asked["lines"] = [_asked(line) for line in asked["lines"]]
    return asked


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: line[name] for name in _SHOWN_OF_LINE if line.get(name) not in (None, "")}
    return shown | {"quantity": _plain(line["quantity"])}


def _plain(number: Any) -> int | float:
    """A whole number where it is one."""
    exact = Decimal(str(number))
    return int(exact) if exact == exact.to_integral_value() else float(exact)
