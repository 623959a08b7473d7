"""`/orders` for buyers: where each of their orders stands."""

from bots.conversation.present import Present
from bots.conversation.said import Page
from hub.db.pool import Db
from hub.orders import queries
from hub.orders.model import Line, Order
from hub.orders.pieces import cut
from hub.orders.words import words

_MOST = 10


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
    shown = "\n\n".join(_order(here, order) for order in found[:_MOST])
    return Page(f"{here.words.orders}\n\n{shown}")


def _order(here: Present, order: Order) -> str:
    status = words(here.locale).statuses[order.status]
    lines = [here.words.order_line.format(number=order.number, status=status)]
    if tracking := order.delivery.get("tracking"):
        lines.append(here.words.tracking.format(tracking=tracking))
    lines += [_part(here, line) for line in order.lines if _is_short(line)]
    return "\n".join(lines)


def _is_short(line: Line) -> bool:
    return line.confirmed is not None and line.confirmed < line.quantity


def _part(here: Present, line: Line) -> str:
    return here.words.order_parts.format(
        title=cut(line.title, 60), confirmed=line.confirmed, asked=line.quantity
    )
