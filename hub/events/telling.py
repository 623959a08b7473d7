"""Tells people of what is no order, by the shop's rules: of carts, customers and products."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from hub.contacts.model import Role
from hub.orders import people
from hub.orders.telling import send
from hub.orders.work import Work
from hub.rules import condition, facts, queries, timers
from hub.rules.model import Rule
from hub.sources.model import Action, CartFacts, Kind, LineFacts, ProductFacts


@dataclass(frozen=True, slots=True)
class Thing:
    """What an event was about. `about`: "source/object" of a cart or product, the contact's id of a customer; `state`:
    what must still be so when a rule's time comes; `contact_id`: whose it is; `data`: as templates and conditions see
    it, JSON, and as `source_object.facts` keeps it; `source`: the source's name."""

    kind: Kind
    about: str
    state: str = ""
    contact_id: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


def about(source_id: UUID, object_: str) -> str:
    return f"{source_id}/{object_}"


def state_of(changed_at: datetime | None) -> str:
    """Of a cart or product: another time is another state."""
    return changed_at.astimezone(UTC).isoformat() if changed_at else ""


def cart_data(cart: CartFacts) -> dict[str, Any]:
    """Without its customer, who is a contact. What is not known is left out."""
    return _known(
        id=cart.id,
        currency=cart.currency,
        total=_money(cart.total),
        url=cart.url,
        pieces=_plain(sum((line.quantity for line in cart.lines), Decimal(0))),
        lines=[_line(line) for line in cart.lines],
    )


def product_data(product: ProductFacts) -> dict[str, Any]:
    """What is not known is left out; that there is none is known."""
    return _known(
        id=product.id,
        title=product.title,
        sku=product.sku,
        price=_money(product.price),
        currency=product.currency,
        url=product.url,
        image_url=product.image_url,
        quantity=_plain(product.quantity),
    )


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


def _line(line: LineFacts) -> dict[str, Any]:
    return _known(
        id=line.id,
        sku=line.sku,
        title=line.title,
        quantity=_plain(line.quantity),
        price=_money(line.price),
        image_url=line.image_url,
    )


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _plain(number: Decimal | None) -> int | float | None:
    """A whole number where it is one."""
    if number is None:
        return None
    return int(number) if number == number.to_integral_value() else float(number)
