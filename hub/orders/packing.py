"""Asks the people at the shelf to make a paid order ready, and follows it while it changes."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from hub.contacts.model import Role
from hub.notifications.edits import request_edits
from hub.orders import assembly_queries, people, telling
from hub.orders.asking import Place, places, unchanged
from hub.orders.model import AssemblyStatus, Kind, Line, Order
from hub.orders.work import Work


async def ask(work: Work, order: Order) -> None:
    """One assembly for each place that has something to pack and none yet."""
    known = await _known(work, order)
    for place, lines in places(_packed(order)).items():
        if place not in known:
            await _ask(work, order, place, lines)


async def change(work: Work, before: Order, order: Order) -> None:
    """The lines of a paid order may be others now. What is open is for what there is now, or for nothing any more;
    where all was packed, more goods are a parcel of their own."""
    known = await _known(work, order)
    was, now = places(_packed(before)), places(_packed(order))
    for place, (assembly_id, status) in known.items():
        if status is AssemblyStatus.OPEN:
            await _follow(work, order, assembly_id, place, was.get(place, ()), now.get(place, ()))
    for place, lines in now.items():
        done = place in known and known[place][1] is AssemblyStatus.ASSEMBLED
        if place not in known or (done and _came(was.get(place, ()), lines)):
            await _ask(work, order, place, lines)


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
    work: Work,
    order: Order,
    assembly_id: UUID,
    place: Place,
    before: Sequence[Line],
    after: Sequence[Line],
) -> None:
    if not after:
        await assembly_queries.cancel(work.conn, [assembly_id])
    elif before == after:
        return
    await request_edits(work.conn, assembly_id)
    if _goods(before) != _goods(after):
        await _put_again(work, order, assembly_id, place, after)


async def _known(work: Work, order: Order) -> dict[Place, tuple[UUID, AssemblyStatus]]:
    """The latest assembly of each place that was not cancelled."""
    return {
        (row["seller_id"], row["warehouse_id"]): (row["id"], AssemblyStatus(row["status"]))
        for row in await assembly_queries.at_places(work.conn, order.id)
    }


def _packed(order: Order) -> list[Line]:
    return [line for line in order.lines if line.confirmed != 0]


def _came(before: Sequence[Line], after: Sequence[Line]) -> bool:
    """Whether there is more to pack than there was, or something else."""
    had = _goods(before)
    return any(
        id_ not in had or had[id_][0] != sku or had[id_][1] < pieces
        for id_, (sku, pieces) in _goods(after).items()
    )


def _goods(lines: Sequence[Line]) -> Mapping[str, tuple[str, int]]:
    """What is packed and how many of it, by line. A new title or price is packed like the old one."""
    return {
        line.id: (line.sku, line.quantity if line.confirmed is None else line.confirmed)
        for line in lines
    }


async def _ask(work: Work, order: Order, place: Place, lines: Sequence[Line]) -> None:
    seller_id, warehouse_id = place
    assembly_id = await assembly_queries.add(
        work.conn,
        work.shop.id,
        order.id,
        seller_id=seller_id,
        warehouse_id=warehouse_id,
        now=work.now,
    )
    staff = await people.staff(work.conn, work.shop.id, warehouse_id)
    reached = [
        await _put_task(work, order, assembly_id, who, Role.WAREHOUSE, lines) for who in staff
    ]
    if not any(reached) and seller_id:
        await assembly_queries.seller_was_asked(work.conn, assembly_id)
        await _put_task(work, order, assembly_id, seller_id, Role.SELLER, lines)


async def _put_again(
    work: Work, order: Order, assembly_id: UUID, place: Place, lines: Sequence[Line]
) -> None:
    """To those whose message cannot be changed. It shows how the assembly stands, so it says, too, that there is
    nothing to pack any more."""
    seller_id, warehouse_id = place
    staff = await people.staff(work.conn, work.shop.id, warehouse_id)
    for who in unchanged(await assembly_queries.asked(work.conn, assembly_id)):
        if who == seller_id:
            await _put_task(work, order, assembly_id, who, Role.SELLER, lines)
        elif who in staff:
            await _put_task(work, order, assembly_id, who, Role.WAREHOUSE, lines)


async def _put_task(
    work: Work,
    order: Order,
    assembly_id: UUID,
    contact_id: UUID,
    role: Role,
    lines: Sequence[Line],
) -> bool:
    sent = await telling.send(
        work,
        contact_id,
        "order.assemble",
        telling.data_of(order, role, lines),
        interaction={"kind": Kind.ASSEMBLY, "id": str(assembly_id)},
    )
    if sent is None:
        return False
    await assembly_queries.add_message(
        work.conn, work.shop.id, assembly_id, contact_id, notification_id=sent.id
    )
    return sent.channel is not None
