"""What the buttons under a question do: answers, and turning its pages. What is true is decided by the orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bots.conversation import board
from bots.conversation.present import Present
from bots.conversation.said import Page as Shown
from bots.conversation.said import Pressed, Reply
from hub.accounts.book import LiveAccount
from hub.notifications import interactive
from hub.notifications.edits import request_edit
from hub.notifications.interactive import Parts
from hub.orders import service, shown, views
from hub.orders.asking import CHANGED
from hub.orders.buttons import NO_TAG, Action, BadData, Do, are_lines, is_line, read
from hub.orders.messages import reader_of
from hub.orders.model import (
    ABOVE,
    ACTIVE,
    Answered,
    Answerer,
    Kind,
    Question,
    QuestionLine,
    RequestStatus,
    Via,
)
from hub.orders.pieces import cut
from hub.orders.pressing import may_answer
from hub.orders.shown import Page
from hub.resources import Hub

_LONGEST_NAME = 40
_TURNS = frozenset({Do.LINES, Do.HOW_MANY, Do.START, Do.OPEN})


@dataclass(frozen=True, slots=True)
class Presses:
    """One bot's. Safe to do twice: the second time says what the first one did."""

    hub: Hub
    account: LiveAccount

    async def answer(self, here: Present, pressed: Pressed) -> Reply:
        try:
            kind, about, action = read(self.hub.signer, pressed.data, here.digest)
        except BadData:
            return here.toast(here.words.old_button, pressed)
        if action.do is Do.BOARD:
            page = await board.page(self.hub, here, action.number)
            return _showing(here, pressed, page)
        mine = {contact.id for contact in here.contacts}
        if not await may_answer(self.hub.db, here.shop.id, kind, about, mine):
            return here.toast(here.words.not_yours, pressed)
        one = _Press(self.hub, self.account, here, pressed, kind, about, action)
        return await (one.on_question() if kind is Kind.STOCK else one.on_assembly())


@dataclass(frozen=True, slots=True)
class _Press:
    """One press by somebody who has a say in it."""

    hub: Hub
    account: LiveAccount
    here: Present
    pressed: Pressed
    kind: Kind
    about: UUID
    action: Action

    async def on_question(self) -> Reply:
        question = await self._question()
        if question is None:
            return self.here.toast(self.here.words.old_button, self.pressed)
        if self.action.do in _TURNS:
            return await self._show(self._stands_still(question), self._turned())
        said = _said(question, self.action, self._answerer())
        if said is None:
            return await self._show(self.here.words.changed, Page())
        if not said:
            return await self._show(self._nothing_open(question), Page())
        # First, so that what the answer changes is shown on the right page at once.
        page = self._after(question, said)
        await self._turn(page)
        answered = await service.answer(
            self.hub,
            self.here.shop,
            self.about,
            said,
            by=self._answerer(),
            via=self._via,
            # It may be put anew before the answer is in.
            put_at=question.clock_from,
            said_at=self.here.said.heard_at,
        )
        return await self._show(self._told(question, said, answered), page)

    async def on_assembly(self) -> Reply:
        if self.action.do is not Do.ASSEMBLED:
            return await self._show("", Page())
        done = await service.assembled(
            self.hub,
            self.here.shop,
            self.about,
            by=self._answerer(),
            via=self._via,
            # A button of before the parcel was in it says nothing of that.
            seen=None if self.action.tag == NO_TAG else self.action.tag,
        )
        words = self.here.words
        text = words.assembled
        if done.closed:
            text = words.changed if done.closed == CHANGED else words.nothing_to_pack
        elif not done.first and done.at:
            text = words.assembled_already.format(
                who=self._who(done.who), time=self.here.when(done.at)
            )
        return await self._show(text, Page())

    async def _question(self) -> Question | None:
        return await views.question(self.hub.db, self.here.shop.id, self.about)

    @property
    def _via(self) -> Via:
        return Via(str(self.here.channel))

    def _answerer(self) -> Answerer:
        """In a group everybody is himself, known to the shop or not."""
        said, speaker = self.here.said, self.here.speaker
        if speaker is not None:
            return Answerer(speaker.id, speaker.name or said.name, speaker.external_id or "")
        return Answerer(None, said.name, f"{self.here.channel}:{said.person}")

    def _stands_still(self, question: Question) -> str:
        """Why a button does not turn to the lines any more; empty where it does."""
        if self.action.do not in (Do.LINES, Do.HOW_MANY) or question.status in ACTIVE:
            return ""
        if shown.correctable(question, self._contacts, datetime.now(UTC)):
            return ""
        if question.status is RequestStatus.CANCELLED:
            return self.here.words.closed
        by_others = all(line.answerer not in self._mine for line in question.lines)
        if self._contacts is not None and by_others:
            return self._already(question.lines[0])
        return self.here.words.too_late

    @property
    def _mine(self) -> frozenset[UUID]:
        return frozenset(contact.id for contact in self.here.contacts)

    @property
    def _contacts(self) -> frozenset[UUID] | None:
        """See `shown.Reader.contacts`."""
        return None if self.here.said.in_group else self._mine

    def _turned(self) -> Page:
        if self.action.do is Do.OPEN:
            return Page()
        tag = self.action.tag if self.action.do is Do.HOW_MANY else b""
        return Page(self.action.do, self.action.number, tag)

    def _after(self, question: Question, said: Mapping[str, int]) -> Page:
        """Back to the lines as long as some are open."""
        open_ = {line.id for line in question.open_lines} - said.keys()
        if self.action.do is not Do.LINE or not open_ or len(question.lines) == 1:
            return Page()
        [line_id] = said
        number = next(i for i, line in enumerate(question.lines) if line.id == line_id)
        return Page(Do.LINES, number // shown.lines_per_page(question, self.here.channel))

    def _nothing_open(self, question: Question) -> str:
        if question.status in ACTIVE or question.answered_at is None:
            return self.here.words.closed
        by = self._answerer()
        others = [line for line in question.lines if not _is_from(by, line)]
        if others:
            return self._already(others[0])
        may_correct = shown.correctable(question, self._contacts, datetime.now(UTC))
        return self.here.words.all_answered if may_correct else self.here.words.closed

    def _told(self, question: Question, said: Mapping[str, int], answered: Answered) -> str:
        words = self.here.words
        if answered.closed:
            is_newer = answered.closed == CHANGED and question.status in ACTIVE
            return words.changed if is_newer else words.closed
        if answered.accepted:
            line = next(one for one in question.lines if one.id == answered.accepted[0])
            if answered.complete or len(said) > 1:
                return words.accepted
            return words.accepted_line.format(confirmed=said[line.id], asked=line.asked)
        if answered.corrected:
            return words.corrected
        if answered.already:
            first = answered.already[0]
            asked = next(one.asked for one in question.lines if one.id == first.line_id)
            return self._other(first.who, first.confirmed, asked, first.at)
        return words.too_late if answered.too_late else words.repeated

    def _already(self, line: QuestionLine) -> str:
        if line.confirmed is None or line.answered_at is None:
            return self.here.words.closed
        return self._other(line.answered_by, line.confirmed, line.asked, line.answered_at)

    def _other(self, who: str, confirmed: int, asked: int, at: datetime) -> str:
        words = self.here.words
        text = words.already if confirmed else words.already_none
        return text.format(
            who=self._who(who), time=self.here.when(at), confirmed=confirmed, asked=asked
        )

    def _who(self, name: str) -> str:
        """Short enough to leave room for the rest: VK shows 90 characters for a moment."""
        return cut(name, _LONGEST_NAME) or self.here.words.somebody

    async def _delivery(self) -> UUID | None:
        return await interactive.delivery_at(
            self.hub.db, self.here.shop.id, self.account.name, self.pressed.message, self.about
        )

    async def _turn(self, page: Page) -> None:
        if delivery := await self._delivery():
            await interactive.turn(self.hub.db, self.here.shop.id, delivery, page.stored)

    async def _show(self, text: str, page: Page) -> Reply:
        """A message that asked is edited by those who edit all of them, so that nobody shows an older state over
        a newer one. A question opened from the board is changed here."""
        shop_id = self.here.shop.id
        if delivery := await self._delivery():
            await interactive.turn(self.hub.db, shop_id, delivery, page.stored)
            await request_edit(self.hub.db, shop_id, delivery)
            return self.here.toast(text, self.pressed)
        parts = await self._parts(page)
        if parts is None:
            return self.here.toast(text, self.pressed)
        found = Shown(parts.text, parts.html, parts.buttons)
        return _showing(self.here, self.pressed, found, text)

    async def _parts(self, page: Page) -> Parts | None:
        now, db = datetime.now(UTC), self.hub.db
        number = self.action.number if self.action.do is Do.OPEN else 0
        reader = reader_of(
            self.hub,
            self.kind,
            self.about,
            self.here.channel,
            self.here.digest,
            locale=self.here.locale,
            timezone=self.here.timezone,
            above=any(contact.role in ABOVE for contact in self.here.contacts),
            contacts=self._contacts,
            back=Action(Do.BOARD, number=number),
        )
        if self.kind is Kind.ASSEMBLY:
            task = await views.task(db, self.here.shop.id, self.about)
            return shown.assembly(task, reader, now) if task else None
        question = await self._question()
        return shown.shown(question, reader, page, now) if question else None


def _said(question: Question, action: Action, by: Answerer) -> Mapping[str, int] | None:
    """Quantities by line. None: what was shown is not what is asked now; empty: nothing is open any more."""
    if action.do is Do.LINE:
        line = next((one for one in question.lines if is_line(action.tag, one, question)), None)
        if line is None or action.number > line.asked:
            return None
        return {line.id: action.number}
    if not are_lines(action.tag, question):
        return None
    lines = question.open_lines
    own = all(_is_from(by, line) for line in question.lines)
    if not lines and own and action.number == len(question.lines):
        # Pressed before the message showed the first answer: the last word counts, as it does of a single line.
        lines = question.lines
    there = action.do is Do.ALL
    return {line.id: line.asked if there else 0 for line in lines}


def _is_from(by: Answerer, line: QuestionLine) -> bool:
    if by.contact_id or line.answerer:
        return by.contact_id == line.answerer
    return by.shown == line.answered_by


def _showing(here: Present, pressed: Pressed, page: Shown, text: str = "") -> Reply:
    return Reply(text, pressed.press, person=here.said.person, page=page, message=pressed.message)
