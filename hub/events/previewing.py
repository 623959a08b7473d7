"""What would come of a payload: read, mapped and weighed as a real one is, with nothing stored and nobody told."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hub.contacts import queries as contacts
from hub.contacts.addresses import Kind as AddressKind
from hub.contacts.model import Contact, ContactIn, Role
from hub.db.pool import Connection
from hub.errors import Conflict, Fault, Unprocessable
from hub.events import objects, people, views
from hub.events.apply import is_quiet
from hub.events.model import Claimed, plain
from hub.events.objects import Known
from hub.events.orders import TO_PACK, as_order_in, news, settled, target, undone
from hub.ids import new_id
from hub.orders import queries as orders
from hub.orders.model import Order, OrderStatus
from hub.orders.request import OrderIn
from hub.orders.rules import asks_for_stock, judged
from hub.resources import Hub
from hub.rules import queries as rules
from hub.rules.model import Rule
from hub.shops.registry import Shop
from hub.sources import service
from hub.sources.base import Trouble, Unreadable
from hub.sources.mapping import SourceMapping, overridden, status_of
from hub.sources.model import (
    Action,
    CartFacts,
    CustomerFacts,
    Facts,
    Kind,
    LineFacts,
    OrderFacts,
    Source,
    Via,
)
from hub.sources.registry import UnknownPlatform, platform_class
from hub.tokens import Signer


@dataclass(frozen=True, slots=True)
class ContactPreview:
    """`overwrites`: what is held there and would change."""

    external_id: str
    known: bool
    patch: Mapping[str, Any]
    overwrites: Sequence[str]


@dataclass(frozen=True, slots=True)
class StatusPreview:
    """`target`: what the order would become; `held`: what waits for the shelf; `tells`: names of rules."""

    codes: Sequence[Sequence[str]]
    target: str | None
    held: str | None
    unknown: Sequence[str]
    tells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Preview:
    facts: Mapping[str, Any]
    contact: ContactPreview | None
    order: Mapping[str, Any] | None
    status: StatusPreview | None
    notes: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def preview(
    hub: Hub,
    shop: Shop,
    source: Source,
    kind: Kind,
    payload: Mapping[str, Any] | None,
    *,
    event: UUID | None = None,
    mapping: SourceMapping | None = None,
) -> Preview:
    """Of `payload`, or of what `event` told. `mapping`: instead of the source's own.

    Raises `NotFound`, `Conflict` (nothing is kept of that event), `Unprocessable` (it cannot be read, or be an order).
    """
    if mapping is not None:
        source = replace(source, mapping=mapping, mapping_fault="")
    if payload is None and event is not None:
        payload = await _told(hub, shop, source, kind, event)
    facts = _read(hub, source, kind, payload or {})
    async with hub.db.acquire() as conn:
        return await _weighed(hub, conn, shop, source, kind, facts)


async def _weighed(
    hub: Hub, conn: Connection, shop: Shop, source: Source, kind: Kind, facts: Facts
) -> Preview:
    notes = list(_notes(facts))
    customer = facts if isinstance(facts, CustomerFacts) else getattr(facts, "customer", None)
    contact = await _contact(conn, hub.signer, shop, source, customer, notes)
    order: Mapping[str, Any] | None = None
    status = None
    before = await objects.known(conn, source.id, kind, facts.id)
    if isinstance(facts, OrderFacts) and not facts.parent:
        buyer = contact.external_id if contact else None
        order, status = await _order(conn, shop, source, facts, before, buyer, notes)
    if is_quiet(datetime.now(UTC), _claimed(source, kind, facts), facts, before):
        notes.append("it is old news: it would be taken over, and told to nobody")
    return Preview(_said(plain(facts)), contact, order, status, notes)


def _said(value: Any) -> Any:
    """Without what is empty, at whatever depth."""
    if isinstance(value, Mapping):
        inner = {name: _said(part) for name, part in value.items()}
        return {name: part for name, part in inner.items() if part not in (None, "", [], {})}
    return [_said(part) for part in value] if isinstance(value, list) else value


async def _told(hub: Hub, shop: Shop, source: Source, kind: Kind, event: UUID) -> Mapping[str, Any]:
    found = await views.by_id(hub.db, shop.id, event)
    if found.source_id != source.id or found.via == Via.WRITE:
        raise Conflict("the event is none that this source told")
    if found.kind != kind:
        raise Unprocessable(faults=[Fault("/kind", f"the event is about: {found.kind}")])
    if found.payload is None:
        raise Conflict("nothing is kept of what this event told: give the payload itself")
    return found.payload


def _read(hub: Hub, source: Source, kind: Kind, payload: Mapping[str, Any]) -> Facts:
    try:
        platform = service.live(hub.signer, hub.http, source, None)
        facts = platform.facts(kind, payload)
        return overridden(kind, payload, facts, source.mapping)
    except Unreadable as error:
        raise Unprocessable(faults=[Fault("/payload", str(error))]) from None
    except Trouble as trouble:
        raise Unprocessable(trouble.reason) from None
    except UnknownPlatform as error:
        raise Unprocessable(str(error)) from None


def _claimed(source: Source, kind: Kind, facts: Facts) -> Claimed:
    """As if it had just come."""
    now = datetime.now(UTC)
    return Claimed(
        id=new_id(),
        shop_id=source.shop_id,
        source=source,
        kind=kind,
        action=Action.UPDATED,
        object=facts.id,
        via=Via.API,
        happened_at=None,
        received_at=now,
        payload=None,
        quiet=False,
        tries=1,
        worker=new_id(),
    )


async def _contact(
    conn: Connection,
    signer: Signer,
    shop: Shop,
    source: Source,
    facts: CustomerFacts | None,
    notes: list[str],
) -> ContactPreview | None:
    if facts is None:
        return None
    reached = people.addresses(facts)
    for kind, value in ((AddressKind.EMAIL, facts.email), (AddressKind.PHONE, facts.phone)):
        if value and kind not in reached:
            notes.append(f"the customer's {kind} is none that can be written to, left out")
    external_id = await people.name_of(conn, signer, shop.id, source, facts)
    if external_id is None:
        notes.append(
            "nothing is said by which the customer could be known: nobody is told as buyer"
        )
        return None
    held = (await contacts.by_external_ids(conn, shop.id, [external_id])).get(external_id)
    given = people.patch(held, facts, source)
    patch = given.model_dump(mode="json", exclude_unset=True)
    return ContactPreview(external_id, held is not None, patch, _overwrites(held, given))


def _overwrites(held: Contact | None, given: ContactIn) -> list[str]:
    """Fields that hold something else by now."""
    if held is None:
        return []
    found: list[str] = [
        name
        for name in ("name", "locale")
        if name in given.model_fields_set
        and getattr(held, name) not in (None, "", getattr(given, name))
    ]
    addresses = {address.kind: address.value for address in held.addresses}
    for name in given.addresses.model_fields_set if given.addresses else ():
        new = getattr(given.addresses, name).value
        if addresses.get(AddressKind(name), new) != new:
            found.append(f"addresses.{name}")
    for name, value in (given.attributes or {}).items():
        if held.attributes.get(name, value) != value:
            found.append(f"attributes.{name}")
    return found


async def _order(
    conn: Connection,
    shop: Shop,
    source: Source,
    facts: OrderFacts,
    before: Known | None,
    buyer: str | None,
    notes: list[str],
) -> tuple[Mapping[str, Any] | None, StatusPreview]:
    order = await orders.by_external_id(conn, shop.id, people.named(source, facts.id))
    codes, unknown = news(facts.codes, before, source)
    wanted = target(codes, source, order, asks=shop.settings.order.stock_confirmation)
    given = None
    if order is None and facts.codes and wanted.status is None:
        notes.append("its status says nothing here: it is no order until it has one that does")
    elif order is None and not any(line.quantity > 0 for line in facts.lines):
        notes.append("it has no lines: it would be passed over")
    else:
        given = _given(source, facts, wanted.status, buyer, order, before)
    if order and facts.codes and not codes and not unknown:
        notes.append("its status was told before, or says nothing: it would stay as it is")
    if (said := _said_status(source, codes)) and wanted.status is not said:
        notes.append(f"{said} counts once the shelf has answered (mapping.stock is ask_first)")
    status = _becomes(shop, order, wanted.status, notes) if given else None
    tells = await _tells(conn, shop, order, status)
    shown = StatusPreview(
        codes=[list(chain) for chain in facts.codes],
        target=status,
        held=wanted.held,
        unknown=list(unknown),
        tells=[rule.name for rule in tells],
    )
    if any(rule.condition for rule in tells):
        notes.append("conditions of rules are not weighed here")
    return (given.model_dump(mode="json", exclude_unset=True) if given else None), shown


def _given(
    source: Source,
    facts: OrderFacts,
    status: OrderStatus | None,
    buyer: str | None,
    order: Order | None,
    before: Known | None,
) -> OrderIn:
    sellers = {line.id: _seller(source, line) for line in facts.lines}
    given = as_order_in(facts, source, sellers, status, buyer, order)
    if order is None:
        return given
    given = settled(order, given, facts)
    return undone(order, given, before.wrote) if before and before.wrote else given


async def _tells(
    conn: Connection, shop: Shop, order: Order | None, status: OrderStatus | None
) -> list[Rule]:
    found = await rules.of_event(conn, shop, f"order.{status}") if status else []
    if order is None and status in TO_PACK:
        new = await rules.of_event(conn, shop, f"order.{OrderStatus.PLACED}")
        found += [rule for rule in new if rule.audiences - {Role.BUYER} and not rule.delay]
    return found


def _said_status(source: Source, codes: Sequence[str]) -> OrderStatus | None:
    """What the words mean by themselves."""
    statuses = platform_class(source.platform).statuses
    return status_of([[code] for code in codes], source.mapping, statuses).target


def _becomes(
    shop: Shop, order: Order | None, wanted: OrderStatus | None, notes: list[str]
) -> OrderStatus | None:
    """What an order is in the end, when it is given that status; None: it stays."""
    if order is None:
        wanted = wanted or OrderStatus.PLACED
    elif wanted and (ignored := judged(order.status, order.told_status, wanted)):
        notes.append(f"the order is {order.status} already: {wanted} would be {ignored}")
        return None
    if wanted and asks_for_stock(wanted, shop.settings.order):
        return OrderStatus.AWAITING_STOCK
    return wanted


def _seller(source: Source, line: LineFacts) -> str:
    return people.named(source, line.seller) if line.seller else source.seller


def _notes(facts: Facts) -> Sequence[str]:
    """What is not taken as it was told."""
    found: list[str] = []
    if isinstance(facts, OrderFacts) and facts.parent:
        found.append("it only holds other orders together: it would be passed over")
    if isinstance(facts, OrderFacts | CartFacts):
        for line in facts.lines:
            found += _line_notes(line)
    return found


def _line_notes(line: LineFacts) -> Sequence[str]:
    if line.quantity <= 0:
        return [f"line {line.id}: none of it is ordered, left out"]
    found = []
    if line.quantity != line.quantity.to_integral_value():
        found.append(f"line {line.id}: {line.quantity} is taken up to whole pieces")
    if not line.title:
        found.append(f"line {line.id}: it has no title, its sku is shown instead")
    return found
