"""`/orders` for the people at the shelf: everything that waits for them, each a button that opens it."""

from uuid import UUID

from bots.conversation.present import Present
from bots.conversation.said import Page
from channels.base import Button
from hub.orders import views
from hub.orders.buttons import Action, Do, data_for
from hub.orders.model import BoardItem, Kind
from hub.orders.pieces import cut
from hub.resources import Hub

# VK has room for six rows: five and one to turn pages.
_SIZE = 5
_LONGEST_LABEL = 40
_NOBODY = UUID(int=0)


async def page(hub: Hub, here: Present, number: int) -> Page:
    """`number` from 0; one beyond the end is the last one."""
    contacts = [contact.id for contact in here.staff]
    size = await views.board_size(hub.db, here.shop.id, contacts)
    if size == 0:
        return Page(here.words.board_empty)
    pages = -(-size // _SIZE)
    number = min(number, pages - 1)
    items = await views.board(hub.db, here.shop.id, contacts, offset=number * _SIZE, limit=_SIZE)
    text = here.words.board.format(count=size)
    if pages > 1:
        text += "\n" + here.words.board_more.format(page=number + 1, pages=pages)
    text += "\n\n" + "\n".join(_line(here, item) for item in items)
    rows: list[tuple[Button, ...]] = [(_button(hub, here, item, number),) for item in items]
    turns = [n for n in (number - 1, number + 1) if 0 <= n < pages]
    if turns:
        rows.append(tuple(_turn(hub, here, n, back=n < number) for n in turns))
    return Page(text, buttons=tuple(rows))


def _line(here: Present, item: BoardItem) -> str:
    when = f" · {here.when(item.deadline)}" if item.deadline else ""
    titles = ", ".join(cut(title, 40) for title in item.titles)
    more = "…" if item.line_count > len(item.titles) else ""
    return f"{_label(here, item)}{when}\n{titles}{more}".rstrip()


def _label(here: Present, item: BoardItem) -> str:
    words = here.words
    if item.waits:
        return words.board_waits.format(number=item.order_number)
    is_question = item.kind is Kind.STOCK
    text = words.board_question if is_question else words.board_assembly
    lines = item.open_count if is_question else item.line_count
    return text.format(number=item.order_number, lines=lines)


def _button(hub: Hub, here: Present, item: BoardItem, number: int) -> Button:
    action = Action(Do.OPEN, number=number)
    data = data_for(hub.signer, item.kind, item.id, here.digest, action)
    return Button(cut(_label(here, item), _LONGEST_LABEL), data)


def _turn(hub: Hub, here: Present, number: int, *, back: bool) -> Button:
    action = Action(Do.BOARD, number=number)
    data = data_for(hub.signer, Kind.STOCK, _NOBODY, here.digest, action)
    return Button("‹" if back else "›", data)
