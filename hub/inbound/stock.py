"""An answer to a stock question in words: which question is meant, and what is said back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from channels.base import Channel
from hub.contacts.model import Contact, Role
from hub.db.pool import Db
from hub.ids import id_at
from hub.inbound.model import Answer, understood
from hub.inbound.words import Words
from hub.orders import service, stock_queries, views
from hub.orders.asking import CHANGED
from hub.orders.model import ACTIVE, CORRECTION, Answered, Answerer, Kind, Open, Question, Via
from hub.orders.pressing import may_answer
from hub.resources import Hub
from hub.shops.registry import Shop

_STAFF = frozenset({Role.WAREHOUSE, Role.SELLER, Role.ADMIN})
_SHOWN = 5
"""Numbers of orders in one SMS."""

_SIGNS = ("#", "№")
"""That platforms put before the number of an order, and people leave out."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Somebody at the shelf who writes. `contacts`: all that have the address, the latest first; `heard_at`: when he
    wrote."""

    hub: Hub
    shop: Shop
    channel: Channel
    contacts: Sequence[Contact]
    words: Words
    heard_at: datetime

    @property
    def staff(self) -> Sequence[Contact]:
        return [contact for contact in self.contacts if contact.role in _STAFF]

    async def reply_to(self, text: str) -> str | None:
        """Does what was said, and tells what came of it, or how to answer. Safe to do twice. None: of whoever
        writes nothing is asked."""
        if not self.staff:
            return None
        staff, db = [contact.id for contact in self.staff], self.hub.db
        open_ = await views.open_questions(db, self.shop.id, staff, at=self.heard_at)
        numbers = _numbers(open_)
        lately = await _answered_lately(db, self.shop.id, staff, at=self.heard_at)
        match understood(text, [*numbers, *lately]):
            case Answer(number=None) as said:
                return await self._take_unnamed(said, open_)
            case Answer(number=str() as number) as said:
                return await self._take(said, number, numbers)
        return self.words.how.format(number=numbers[0]) if numbers else None

    async def _take_unnamed(self, said: Answer, open_: Sequence[Open]) -> str:
        """To a question of which he could not know it is no answer."""
        known = [one for one in open_ if one.told]
        numbers = _numbers(known or open_)
        if not numbers:
            return self.words.nothing_open
        if not known or len(numbers) > 1:
            listed = ", ".join(numbers[:_SHOWN])
            return self.words.which.format(number=numbers[0], numbers=listed)
        ids = {one.id for one in known}
        questions = [one for one in await self._questions(numbers[0]) if one.id in ids]
        return await self._answer(questions, said) if questions else self.words.nothing_open

    async def _take(self, said: Answer, number: str, open_: Sequence[str]) -> str:
        questions = await self._questions(number)
        if questions:
            return await self._answer(questions, said)
        if not open_:
            return self.words.nothing_open
        return self.words.unknown.format(number=number, numbers=", ".join(open_[:_SHOWN]))

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
        fresh = [question for question in questions if not await self._knew_older(question)]
        if not fresh:
            return self.words.changed.format(number=number)
        changed, questions = len(fresh) < len(questions), fresh
        if said.quantity is not None:
            lines = [line for question in questions for line in question.lines]
            if len(lines) > 1:
                return self.words.several_lines.format(number=number)
            if said.quantity > lines[0].asked:
                return self.words.too_many.format(number=number, asked=lines[0].asked)
        # One person, one answer: of several questions the last word is enough.
        texts = [await self._one(question, said) for question in questions]
        return self.words.changed.format(number=number) if changed else texts[-1]

    async def _knew_older(self, question: Question) -> bool:
        """Whether he wrote before he could know what is asked now: then it is no answer to that."""
        if question.status not in ACTIVE:
            return False
        mine = [contact.id for contact in self.contacts]
        since, at = question.clock_from, self.heard_at
        return await stock_queries.knew_older(self.hub.db, question.id, mine, since=since, at=at)

    async def _one(self, question: Question, said: Answer) -> str:
        quantities = _quantities(question, said)
        answered = await service.answer(
            self.hub,
            self.shop,
            question.id,
            quantities,
            by=self._answerer(),
            via=self._via,
            put_at=question.clock_from,
            said_at=self.heard_at,
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
            is_newer = answered.closed == CHANGED and question.status in ACTIVE
            return (words.changed if is_newer else words.closed).format(number=number)
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


def _numbers(questions: Sequence[Open]) -> list[str]:
    """Each once, the first first."""
    return list(dict.fromkeys(one.number for one in questions))


def _quantities(question: Question, said: Answer) -> Mapping[str, int] | None:
    """None: whatever is open is there."""
    if said.there and said.quantity is None:
        return None
    lines = question.open_lines or question.lines
    return {line.id: said.quantity or 0 for line in lines}


async def _requests_of(db: Db, shop_id: int, number: str) -> list[UUID]:
    """The stock requests of the orders with that number, the oldest first. Where none has exactly this one, it may
    have been written without its sign."""
    for written in ([number], [f"{sign}{number}" for sign in _SIGNS]):
        rows = await db.fetch(
            """
            SELECT r.id FROM shop_order AS o JOIN stock_request AS r ON r.order_id = o.id
             WHERE o.shop_id = $1 AND lower(o.number) = ANY(ARRAY(SELECT lower(unnest($2::text[]))))
             ORDER BY r.id DESC LIMIT 50
            """,
            shop_id,
            written,
        )
        if rows:
            break
    return [row["id"] for row in reversed(rows)]


async def _answered_lately(
    db: Db, shop_id: int, contacts: Sequence[UUID], *, at: datetime
) -> list[str]:
    """Numbers of the orders whose questions they had answered so lately that they might correct themselves `at` that
    time."""
    rows = await db.fetch(
        """
        SELECT DISTINCT o.number FROM stock_answer AS a
          JOIN stock_request AS r ON r.id = a.stock_request_id
          JOIN shop_order AS o ON o.id = r.order_id
         WHERE a.id > $3 AND a.shop_id = $1 AND a.contact_id = ANY($2)
        """,
        shop_id,
        list(contacts),
        id_at(at - CORRECTION),
    )
    return [row["number"] for row in rows]
