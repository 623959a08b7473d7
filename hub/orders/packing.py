"""Asks the people at the shelf to make a paid order ready, and follows it while it changes."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import UUID

from hub.contacts.model import Role
from hub.notifications.edits import request_edits
from hub.orders import assembly_queries, parcels, people, stock_queries, telling
from hub.orders.asking import Place, places, unchanged
from hub.orders.model import Answerer, AssemblyStatus, Kind, Line, Order, OrderStatus, Packed, Via
from hub.orders.work import Work

FIRST = "order.assemble"
ANEW = "order.reassemble"
"""The template of the messages that ask whoever has packed once more."""

PUT_BACK = "stock.put_back"
"""The template of the messages that tell whoever was asked to pack that there is nothing to pack any more."""

FOLLOWED = frozenset({OrderStatus.PAID, OrderStatus.ASSEMBLED})
"""While an order is in these, whoever packs is told of what changes: later the parcel has left."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What each place has to pack as things stand, and the places of which something is being asked for."""

    parts: Mapping[Place, Sequence[Line]] = field(default_factory=dict)
    waiting: Set[Place] = frozenset()


@dataclass(frozen=True, slots=True)
class _Parcel:
    """How far a place is. `open`: the assembly that waits for it; `done`: the last one that it packed, and `packed`
    what lies in that; None: not known. `all`: these and the earlier ones."""

    open: UUID | None = None
    done: UUID | None = None
    packed: tuple[Packed, ...] | None = None
    all: tuple[UUID, ...] = ()


async def ask(work: Work, order: Order) -> None:
    """One assembly for each place that has something to pack and none yet."""
    known = await _known(work, order)
    for place, lines in (await _standing(work, order, known)).parts.items():
        if place not in known:
            await _ask(work, order, place, lines, FIRST)


async def standing(work: Work, order: Order) -> Standing:
    """See `parcels.to_pack`."""
    return await _standing(work, order, await _known(work, order))


async def _standing(work: Work, order: Order, known: Mapping[Place, _Parcel]) -> Standing:
    asked = {row["id"] for row in await stock_queries.active(work.conn, order.id)}
    waiting = [line for line in order.lines if line.stock_request_id in asked]
    ids = {line.id for line in waiting}
    parts = {}
    for place, lines in places(order.lines).items():
        packed = known.get(place, _Parcel()).packed or ()
        if here := parcels.to_pack(lines, ids, packed, _lying):
            parts[place] = here
    return Standing(parts, frozenset(places(waiting)))


def _lying(line: Line, old: Packed) -> Line:
    return replace(line, sku=old.sku, title=old.title, quantity=old.quantity, confirmed=None)


async def change(work: Work, order: Order, was: Standing) -> None:
    """The lines of a paid or packed order may be others now; `was`: how it stood before. What is open is for what there
    is now, or for nothing any more. A place that has packed something else than what is ordered now is asked anew, and
    one that has nothing left is told to put it back."""
    known = await _remembered(work, order, was)
    now = await _standing(work, order, known)
    for place, at in known.items():
        if not now.parts.get(place) and place not in now.waiting:
            await _take_back(work, order, place, at, was.parts.get(place, ()))
        elif at.open:
            await _follow(work, order, place, at, was, now)
    for place, lines in now.parts.items():
        if _is_news(order, known.get(place), was.parts.get(place, ()), lines):
            await _ask(work, order, place, lines, _template(known.get(place)))


def _is_news(
    order: Order, at: _Parcel | None, before: Sequence[Line], lines: Sequence[Line]
) -> bool:
    """Whether the place does not know yet that it has to pack these lines."""
    if at is None:
        # An order that came here packed was packed without a question; only what comes later is news.
        grew = parcels.grew(parcels.parcel(before), parcels.parcel(lines))
        return order.status is OrderStatus.PAID or bool(grew)
    return not at.open and not _lies(at, lines)


def _template(at: _Parcel | None) -> str:
    return ANEW if at and at.done else FIRST


def _lies(at: _Parcel, lines: Sequence[Line]) -> bool:
    """Whether this, and no more, lies in the parcel that was packed last."""
    return bool(lines) and at.packed is not None and _goods(lines) == parcels.goods(at.packed)


async def _remembered(work: Work, order: Order, was: Standing) -> Mapping[Place, _Parcel]:
    """How far each place is. What was packed before it was written down is what was ordered until now."""
    known = await _known(work, order)
    for place, at in known.items():
        if at.done and not at.open and at.packed is None:
            lies = parcels.parcel(was.parts.get(place, ()))
            await assembly_queries.remember(work.conn, at.done, lies)
            known[place] = replace(at, packed=lies)
    return known


async def pack(
    work: Work, order: Order, assemblies: Sequence[UUID], by: Answerer, *, via: Via | None
) -> None:
    """These are packed: with what there is to pack of their places."""
    parts = (await standing(work, order)).parts
    lies = {
        row["id"]: parcels.parcel(parts.get(_place(row), ()))
        for row in await assembly_queries.at_places(work.conn, order.id)
        if row["id"] in assemblies
    }
    await assembly_queries.assemble(work.conn, lies, by, via=via, now=work.now)


async def show(work: Work, before: Order, order: Order) -> None:
    """The messages that ask to pack it, and those that say who has, show of the order what is true now: its labels
    come when it is packed."""
    if _heading(before) != _heading(order):
        for row in await assembly_queries.at_places(work.conn, order.id):
            await request_edits(work.conn, row["id"])


def _heading(order: Order) -> Sequence[str | None]:
    """What is shown beside the lines."""
    delivery = [order.delivery.get(name) for name in ("method", "carrier", "date")]
    return [order.number, order.currency, order.labels_url, *delivery]


async def _follow(
    work: Work, order: Order, place: Place, at: _Parcel, was: Standing, now: Standing
) -> None:
    assert at.open is not None  # noqa: S101 (the caller has looked)
    before, after = was.parts.get(place, ()), now.parts.get(place, ())
    if _lies(at, after):
        await assembly_queries.cancel(work.conn, [at.open])
    elif before == after and (place in was.waiting) == (place in now.waiting):
        return
    await request_edits(work.conn, at.open)
    # Where there is nothing to pack until the shelf has answered, its question is enough.
    if after and _goods(before) != _goods(after):
        await _put_again(work, order, at, place, after)


async def _take_back(
    work: Work, order: Order, place: Place, at: _Parcel, before: Sequence[Line]
) -> None:
    """Nothing in the order comes from this place any more. A message that only changes makes no sound, so whoever was
    asked to pack gets another one, too."""
    goods = at.packed or parcels.parcel(before)
    if not at.open and not at.packed:
        return
    await assembly_queries.cancel(work.conn, at.all)
    asked: dict[UUID, None] = {}
    for assembly_id in at.all:
        await request_edits(work.conn, assembly_id)
        asked |= dict.fromkeys(await assembly_queries.asked(work.conn, assembly_id))
    for who, role in await _with_a_say(work, place, asked):
        await telling.send(work, who, PUT_BACK, _put_back(order, role, goods))


def _put_back(order: Order, role: Role, goods: Sequence[Packed]) -> Mapping[str, Any]:
    data = telling.data_of(order, role, ())
    return {"order": data["order"] | {"lines": [asdict(one) for one in goods]}}


async def _known(work: Work, order: Order) -> dict[Place, _Parcel]:
    """How far each place is that was asked to pack something; what was taken back does not count."""
    found: dict[Place, _Parcel] = {}
    for row in await assembly_queries.at_places(work.conn, order.id):
        at = found.get(_place(row), _Parcel())
        if row["status"] == AssemblyStatus.OPEN:
            at = replace(at, open=row["id"])
        else:
            at = replace(at, done=row["id"], packed=assembly_queries.packed(row["packed"]))
        found[_place(row)] = replace(at, all=(*at.all, row["id"]))
    return found


def _place(row: Mapping[str, Any]) -> Place:
    return row["seller_id"], row["warehouse_id"]


def _goods(lines: Sequence[Line]) -> Mapping[str, tuple[str, int]]:
    return parcels.goods(parcels.parcel(lines))


async def _ask(
    work: Work, order: Order, place: Place, lines: Sequence[Line], template: str
) -> None:
    seller_id, warehouse_id = place
    assembly_id = await assembly_queries.add(
        work.conn,
        work.shop.id,
        order.id,
        seller_id=seller_id,
        warehouse_id=warehouse_id,
        now=work.now,
    )
    task = _Task(work, order, assembly_id, template, lines)
    staff = await people.staff(work.conn, work.shop.id, warehouse_id)
    reached = [await task.put(who, Role.WAREHOUSE) for who in staff]
    if not any(reached) and seller_id:
        await assembly_queries.seller_was_asked(work.conn, assembly_id)
        await task.put(seller_id, Role.SELLER)


async def _put_again(
    work: Work, order: Order, at: _Parcel, place: Place, lines: Sequence[Line]
) -> None:
    """To those whose message cannot be changed. It shows how the assembly stands, so it says, too, that a parcel is
    good as it was packed."""
    assert at.open is not None  # noqa: S101 (the caller has looked)
    task = _Task(work, order, at.open, _template(at), lines)
    asked = unchanged(await assembly_queries.asked(work.conn, at.open))
    for who, role in await _with_a_say(work, place, asked):
        await task.put(who, role)


async def _with_a_say(
    work: Work, place: Place, asked: Iterable[UUID]
) -> Sequence[tuple[UUID, Role]]:
    """Those who still pack for that place, and as what."""
    seller_id, warehouse_id = place
    roles = dict.fromkeys(await people.staff(work.conn, work.shop.id, warehouse_id), Role.WAREHOUSE)
    if seller_id:
        roles[seller_id] = Role.SELLER
    return [(who, roles[who]) for who in asked if who in roles]


@dataclass(frozen=True, slots=True)
class _Task:
    """What somebody is asked to pack, and by which template."""

    work: Work
    order: Order
    assembly_id: UUID
    template: str
    lines: Sequence[Line]

    async def put(self, contact_id: UUID, role: Role) -> bool:
        """Whether there is a way to him."""
        work = self.work
        sent = await telling.send(
            work,
            contact_id,
            self.template,
            telling.data_of(self.order, role, self.lines),
            interaction={"kind": Kind.ASSEMBLY, "id": str(self.assembly_id)},
        )
        if sent is None:
            return False
        await assembly_queries.add_message(
            work.conn, work.shop.id, self.assembly_id, contact_id, notification_id=sent.id
        )
        return sent.channel is not None
