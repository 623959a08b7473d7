"""An answer to a stock question in words: which question is meant, and what is said back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from channels.base import Channel
from hub.contacts.model import Contact, Role
from hub.db.pool import Db
from hub.inbound.model import Answer
from hub.inbound.words import Words
from hub.orders import service, views
from hub.orders.model import ACTIVE, Answered, Answerer, Kind, Question, Via
from hub.orders.pressing import may_answer
from hub.resources import Hub
from hub.shops.registry import Shop

_STAFF = frozenset({Role.WAREHOUSE, Role.SELLER, Role.ADMIN})
_SHOWN = 5
"""Numbers of orders in one SMS."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Somebody at the shelf who writes. `contacts`: all that have the address, the latest first."""

    hub: Hub
    shop: Shop
    channel: Channel
    contacts: Sequence[Contact]
    words: Words

    @property
    def staff(self) -> Sequence[Contact]:
        return [contact for contact in self.contacts if contact.role in _STAFF]

    async def open_numbers(self) -> list[str]:
        """Of the orders that wait for an answer of theirs, those waiting longest first."""
        found: list[str] = []
        for contact in self.staff:
            items = await views.board(
                self.hub.db, self.shop.id, contact.id, offset=0, limit=_SHOWN * 2
            )
            found += [item.order_number for item in items if item.kind is Kind.STOCK]
        return list(dict.fromkeys(found))[:_SHOWN]

    async def hint(self) -> str | None:
        """How to answer; None for those of whom nothing is asked."""
        numbers = await self.open_numbers()
        return self.words.how.format(number=numbers[0]) if numbers else None

    async def take(self, said: Answer) -> str | None:
        """Does what was said, and tells what came of it. Safe to do twice. None: whoever writes has no say."""
        if not self.staff:
            return None
        open_numbers = await self.open_numbers()
        number = said.number
        if number is None:
            if not open_numbers:
                return self.words.nothing_open
            if len(open_numbers) > 1:
                listed = ", ".join(open_numbers)
                return self.words.which.format(number=open_numbers[0], numbers=listed)
            [number] = open_numbers
        questions = await self._questions(number)
        if not questions:
            if not open_numbers:
                return self.words.nothing_open
            return self.words.unknown.format(number=number, numbers=", ".join(open_numbers))
        return await self._answer(questions, said)

    async def _questions(self, number: str) -> list[Question]:
        """Of that order, those in which this person has a say: the open ones, else the latest of all."""
        mine = {contact.id for contact in self.contacts}
        found = [
            id_
            for id_ in await _requests_of(self.hub.db, self.shop.id, number)
            if await may_answer(self.hub.db, self.shop.id, Kind.STOCK, id_, mine)
        ]
        known = await views.questions(self.hub.db, found)
        questions = [known[id_] for id_ in found if id_ in known]
        open_ = [q for q in questions if q.status in ACTIVE]
        return open_ or questions[-1:]

    async def _answer(self, questions: Sequence[Question], said: Answer) -> str:
        number = questions[0].order_number
        if said.quantity is not None:
            lines = [line for question in questions for line in question.lines]
            if len(lines) > 1:
                return self.words.several_lines.format(number=number)
            if said.quantity > lines[0].asked:
                return self.words.too_many.format(number=number, asked=lines[0].asked)
        # One person, one answer: of several questions the last word is enough.
        texts = [await self._one(question, said) for question in questions]
        return texts[-1]

    async def _one(self, question: Question, said: Answer) -> str:
        quantities = _quantities(question, said)
        answered = await service.answer(
            self.hub, self.shop, question.id, quantities, by=self._answerer(), via=self._via
        )
        return self._told(question, said, answered)

    @property
    def _via(self) -> Via:
        return Via(str(self.channel))

    def _answerer(self) -> Answerer:
        contact = self.staff[0]
        return Answerer(contact.id, contact.name, contact.external_id or "")

    def _told(self, question: Question, said: Answer, answered: Answered) -> str:
        number, words = question.order_number, self.words
        if answered.closed:
            return words.closed.format(number=number)
        if answered.accepted or answered.corrected:
            if not said.there or said.quantity == 0:
                return words.nothing_there.format(number=number)
            if said.quantity is not None:
                return words.some_there.format(number=number, quantity=said.quantity)
            return words.all_there.format(number=number)
        if answered.already:
            who = answered.already[0].who or words.somebody
            return words.already.format(number=number, who=who)
        return (words.too_late if answered.too_late else words.repeated).format(number=number)


def _quantities(question: Question, said: Answer) -> Mapping[str, int] | None:
    """None: whatever is open is there."""
    if said.there and said.quantity is None:
        return None
    lines = question.open_lines or question.lines
    return {line.id: said.quantity or 0 for line in lines}


async def _requests_of(db: Db, shop_id: int, number: str) -> list[UUID]:
    """The stock requests of the orders with that number, the oldest first."""
    rows = await db.fetch(
        """
        SELECT r.id FROM shop_order AS o JOIN stock_request AS r ON r.order_id = o.id
         WHERE o.shop_id = $1 AND lower(o.number) = lower($2)
         ORDER BY r.id DESC LIMIT 50
        """,
        shop_id,
        number,
    )
    return [row["id"] for row in reversed(rows)]
