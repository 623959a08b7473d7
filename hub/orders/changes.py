"""Gives an order a status, with all that follows from it: questions, assemblies, messages. One way for shops,
staff and the hub itself."""

from dataclasses import replace
from uuid import UUID

from hub.notifications.edits import request_edits
from hub.orders import (
    asking,
    assembly_queries,
    events,
    packing,
    queries,
    rules,
    stock_queries,
    telling,
)
from hub.orders.model import OVER, STAGES, Answerer, Change, Line, Order, OrderStatus, Source
from hub.orders.work import Work

_NOBODY = Answerer(None)


async def enter(
    work: Work, order: Order, status: OrderStatus, source: Source, reason: str = ""
) -> Order:
    """The order with its new status, written. The caller has seen that it may be given it."""
    order = replace(order, status=status)
    await queries.add_change(work.conn, order, Change(status, work.now, source, reason=reason))
    if work.quiet:
        await queries.change(work.conn, order, work.now)
        return order
    if source is Source.API and rules.asks_for_stock(status, work.shop.settings.order):
        return await _await_stock(work, order, reason, news=True)
    await queries.change(work.conn, order, work.now)
    if source is Source.API and rules.ends_questions(status):
        await _close_questions(work, order)
    await _follow_assembly(work, order)
    await telling.tell(work, order, reason)
    return order


async def ask_again(work: Work, order: Order) -> Order:
    """Lines came in after the answer: the order waits for the shelf once more."""
    news = order.status is not OrderStatus.AWAITING_STOCK
    return await _await_stock(work, order, "", news=news)


async def _await_stock(work: Work, order: Order, reason: str, *, news: bool) -> Order:
    if order.status is not OrderStatus.AWAITING_STOCK:
        order = replace(order, status=OrderStatus.AWAITING_STOCK)
        change = Change(order.status, work.now, Source.HUB)
        await queries.add_change(work.conn, order, change)
    await queries.change(work.conn, order, work.now)
    await asking.ask(work, order, unasked(order))
    if news:
        await telling.tell(work, order, reason)
    return await settle(work, order.id)


def unasked(order: Order) -> list[Line]:
    """Lines that stand in no question."""
    return [line for line in order.lines if line.stock_request_id is None]


async def settle(work: Work, order_id: UUID, *, news: bool = False) -> Order:
    """Once every line is answered the order gets the status that follows, the backend the quantities and the
    buyer the news. `news`: an answer has come, or was changed, after the order had left `awaiting_stock`."""
    order = await reload(work, order_id)
    outcome = rules.outcome(order.lines)
    if outcome is None or not (news or order.status is OrderStatus.AWAITING_STOCK):
        return order
    order = replace(order, revision=order.revision + 1)
    if rules.ends_questions(order.told_status):
        # The shop has decided by itself; it hears what there is all the same.
        await queries.change(work.conn, order, work.now)
        await events.stock_confirmed(work, order)
        return order
    if outcome is not order.status:
        order = replace(order, status=outcome)
        await queries.add_change(work.conn, order, Change(outcome, work.now, Source.STAFF))
    await queries.change(work.conn, order, work.now)
    await events.stock_confirmed(work, order)
    await telling.tell(work, order)
    return order


async def settle_packing(work: Work, order: Order) -> None:
    """Nothing of a paid order is left to pack: the last open part was taken out of it, or is not on the shelf."""
    if order.status is not OrderStatus.PAID or await stock_queries.active(work.conn, order.id):
        return
    if await assembly_queries.all_done(work.conn, order.id):
        order = await enter(work, order, OrderStatus.ASSEMBLED, Source.HUB)
        await events.assembled(work, order)


async def reload(work: Work, order_id: UUID) -> Order:
    """The order as this transaction has written it."""
    order = await queries.by_id(work.conn, work.shop.id, order_id)
    assert order is not None  # noqa: S101 (its row is locked)
    return order


async def _close_questions(work: Work, order: Order) -> None:
    open_ = [row["id"] for row in await stock_queries.active(work.conn, order.id)]
    reason = asking.CANCELLED if order.status in OVER else asking.DECIDED
    await asking.close(work, order, open_, reason)


async def _follow_assembly(work: Work, order: Order) -> None:
    if order.status is OrderStatus.PAID:
        await packing.ask(work, order)
        return
    if STAGES[order.status] < STAGES[OrderStatus.ASSEMBLED]:
        return
    open_ = await assembly_queries.open_ones(work.conn, order.id)
    if order.status in OVER:
        await assembly_queries.cancel(work.conn, open_)
    else:
        await packing.pack(work, order, open_, _NOBODY, via=None)
    for assembly_id in open_:
        await request_edits(work.conn, assembly_id)
