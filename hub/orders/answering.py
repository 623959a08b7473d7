"""Takes what people at the shelf say: how many there are, and that a parcel is made ready."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.errors import Fault, InvalidInput, NotFound, Unprocessable
from hub.notifications.edits import request_edits
from hub.orders import (
    asking,
    assembly_queries,
    changes,
    events,
    packing,
    queries,
    stock_queries,
    views,
)
from hub.orders.buttons import goods_tag, parcel_tag
from hub.orders.judging import Held, judge
from hub.orders.model import (
    CORRECTION,
    Answered,
    Answerer,
    Assembled,
    AssemblyStatus,
    Order,
    OrderStatus,
    RequestStatus,
    Source,
    Via,
    may_move,
)
from hub.orders.work import Work
from hub.webhooks.model import EventType


async def answer(
    work: Work,
    request_id: UUID,
    said: Mapping[str, int] | None,
    *,
    by: Answerer,
    via: Via,
    seen: Mapping[str, Any] | None = None,
    put_at: datetime | None = None,
    said_at: datetime | None = None,
    goods: Mapping[str, str] | None = None,
) -> Answered:
    """See `hub.orders.service.answer`."""
    order_id = await stock_queries.order_of(work.conn, work.shop.id, request_id)
    if order_id is None:
        raise NotFound("there is no stock request with this id")
    await queries.lock_id(work.conn, order_id)
    request = await stock_queries.lock(work.conn, request_id)
    order = await changes.reload(work, order_id)
    held = await _held(work, order, request_id)
    is_newer = put_at is not None and put_at < request["clock_from"]
    if is_newer or _are_others(order, goods or {}):
        # As with an old button: nothing was said of what is asked now.
        older = Answered(closed=asking.CHANGED)
        await _log(work, request_id, older, held, said, by, via, seen)
        return older
    superseded = not any(line.current for line in held.values())
    lines = _everything(held) if said is None else dict(said)
    _check(lines, held)
    answered = judge(
        held,
        lines,
        by,
        request=RequestStatus(request["status"]),
        reason=request["reason"] or (asking.CHANGED if superseded else ""),
        order=order.status,
        said_at=min(said_at or work.now, work.now),
    )
    was = await packing.standing(work, order) if order.status in packing.FOLLOWED else None
    await _write(work, request_id, answered, held, lines, by, via)
    await _log(work, request_id, answered, held, said, by, via, seen)
    if answered.accepted or answered.corrected:
        await _follow(work, order, request_id, answered, was)
    return answered


def _are_others(order: Order, goods: Mapping[str, str]) -> bool:
    return any(goods[line.id] != goods_tag(line.sku) for line in order.lines if line.id in goods)


async def _held(work: Work, order: Order, request_id: UUID) -> dict[str, Held]:
    rows = await stock_queries.lines(work.conn, request_id)
    current = {line.id for line in order.lines if line.stock_request_id == request_id}
    return {
        line_id: Held(
            asked=row["asked"],
            confirmed=row["confirmed"],
            answered_by=row["answered_by"],
            answered_label=row["answered_label"],
            answered_name=row["answered_name"],
            answered_at=row["answered_at"],
            final_at=row["final_at"],
            current=line_id in current,
        )
        for line_id, row in rows.items()
    }


def _everything(held: Mapping[str, Held]) -> dict[str, int]:
    """What is still open is there. Where nothing is, all of it is said: so the second one to press hears who
    was first, and the first one corrects himself."""
    open_ = {id_: line.asked for id_, line in held.items() if line.confirmed is None}
    return open_ or {id_: line.asked for id_, line in held.items()}


def _check(lines: Mapping[str, int], held: Mapping[str, Held]) -> None:
    unknown = [
        Fault(f"/lines/{i}/id", "is not a line of this stock request")
        for i, id_ in enumerate(lines)
        if id_ not in held
    ]
    if unknown:
        raise Unprocessable(faults=unknown)
    beyond = [
        Fault(f"/lines/{i}/confirmed", f"must be 0 to {held[id_].asked}, as many as are asked for")
        for i, (id_, confirmed) in enumerate(lines.items())
        if not 0 <= confirmed <= held[id_].asked
    ]
    if beyond:
        raise InvalidInput(faults=beyond)


async def _write(
    work: Work,
    request_id: UUID,
    answered: Answered,
    held: Mapping[str, Held],
    lines: Mapping[str, int],
    by: Answerer,
    via: Via,
) -> None:
    for line_id in (*answered.accepted, *answered.corrected):
        await stock_queries.answer_line(
            work.conn,
            request_id,
            line_id,
            lines[line_id],
            by,
            via=via,
            now=work.now,
            # A correction makes the time for corrections no longer.
            final_at=held[line_id].final_at or work.now + CORRECTION,
        )


async def _log(
    work: Work,
    request_id: UUID,
    answered: Answered,
    held: Mapping[str, Held],
    said: Mapping[str, int] | None,
    by: Answerer,
    via: Via,
    seen: Mapping[str, Any] | None,
) -> None:
    there = {id_: {"asked": line.asked, "confirmed": line.confirmed} for id_, line in held.items()}
    result = {
        "accepted": answered.accepted,
        "corrected": answered.corrected,
        "repeated": answered.repeated,
        "already": [one.line_id for one in answered.already],
        "too_late": answered.too_late,
        "closed": answered.closed,
    }
    await stock_queries.log_answer(
        work.conn,
        work.shop.id,
        request_id,
        by,
        via=via,
        lines=said,
        seen=there if seen is None else seen,
        result={word: value for word, value in result.items() if value},
        now=work.now,
    )


async def _follow(
    work: Work,
    order: Order,
    request_id: UUID,
    answered: Answered,
    was: packing.Standing | None,
) -> None:
    """`was`: how an order stood that is paid or assembled; what is there is packed, too."""
    await request_edits(work.conn, request_id)
    if not answered.complete:
        return
    await complete(work, request_id)
    news = bool(answered.corrected) or was is not None
    order = await changes.settle(work, order.id, news=news)
    if was is not None:
        await packing.change(work, order, was)
        await changes.settle_packing(work, order)


async def complete(work: Work, request_id: UUID) -> None:
    """The last line of the question was answered, or an answer in full was changed."""
    await stock_queries.complete(work.conn, request_id, work.now)
    await events.stock_request(work, EventType.STOCK_REQUEST_ANSWERED, request_id)


async def assembled(
    work: Work, assembly_id: UUID, *, by: Answerer, via: Via, seen: bytes | None = None
) -> Assembled:
    """See `hub.orders.service.assembled`."""
    order_id = await assembly_queries.order_of(work.conn, work.shop.id, assembly_id)
    if order_id is None:
        raise NotFound("there is no assembly with this id")
    await queries.lock_id(work.conn, order_id)
    row = await assembly_queries.lock(work.conn, assembly_id)
    match AssemblyStatus(row["status"]):
        case AssemblyStatus.CANCELLED:
            return Assembled(first=False, closed="cancelled")
        case AssemblyStatus.ASSEMBLED:
            who = row["assembled_name"] or row["assembled_label"]
            return Assembled(first=False, who=who, at=row["assembled_at"])
    task = await views.task(work.conn, work.shop.id, assembly_id)
    assert task is not None  # noqa: S101 (its row is locked)
    if task.waits or (seen and seen != parcel_tag(task.lines)):
        # He has packed what he was shown, which is not what is ordered now.
        return Assembled(first=False, closed=asking.CHANGED)
    order = await changes.reload(work, order_id)
    await packing.pack(work, order, [assembly_id], by, via=via)
    await request_edits(work.conn, assembly_id)
    if not await assembly_queries.open_ones(work.conn, order_id):
        await _all_packed(work, order)
    return Assembled(first=True, who=by.shown, at=work.now)


async def _all_packed(work: Work, order: Order) -> None:
    """An order that was packed before it changed keeps its status; the backend hears that it is ready once more. A paid
    one of which something is being asked for waits for the answer."""
    if order.status is OrderStatus.PAID and await stock_queries.active(work.conn, order.id):
        return
    if may_move(order.status, OrderStatus.ASSEMBLED):
        order = await changes.enter(work, order, OrderStatus.ASSEMBLED, Source.STAFF)
    if order.status is OrderStatus.ASSEMBLED:
        await events.assembled(work, order)
