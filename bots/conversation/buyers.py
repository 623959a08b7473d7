"""`/orders` for buyers: where each of their orders stands."""

from bots.conversation.present import Present
from bots.conversation.said import Page
from hub.db.pool import Db
from hub.orders import queries
from hub.orders.model import Line, Order
from hub.orders.pieces import Piece, cut, fitted
from hub.orders.words import words

_MOST = 10
_MOST_LINES = 10
"""Of one order, so that it leaves room for the others."""


async def orders(db: Db, here: Present) -> Page:
    """The latest ones, the newest first."""
    found = [
        order
        for contact in here.contacts
        for order in await queries.of_buyer(db, here.shop.id, contact.id, limit=_MOST)
    ]
    if not found:
        return Page(here.words.orders_empty)
    found.sort(key=lambda order: order.id, reverse=True)
    head = [Piece.plain(here.words.orders)]
    shown = [Piece.plain(_order(here, order)) for order in found[:_MOST]]
    return Page(fitted(head, shown, [], here.words.orders_more).text)


def _order(here: Present, order: Order) -> str:
    known = words(here.locale)
    status = known.statuses[order.status]
    lines = [here.words.order_line.format(number=order.number, status=status)]
    if tracking := order.delivery.get("tracking"):
        lines.append(here.words.tracking.format(tracking=tracking))
    short = [_part(here, line) for line in order.lines if _is_short(line)]
    lines += short[:_MOST_LINES]
    if more := len(short[_MOST_LINES:]):
        lines.append(known.more_lines.format(number=more))
    return "\n".join(lines)


def _is_short(line: Line) -> bool:
    return line.confirmed is not None and line.confirmed < line.quantity


def _part(here: Present, line: Line) -> str:
    return here.words.order_parts.format(
        title=cut(line.title, 60), confirmed=line.confirmed, asked=line.quantity
    )
