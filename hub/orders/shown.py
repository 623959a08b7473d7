"""A question as a messenger shows it: text and buttons of each of its pages, within the messenger's limits. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from uuid import UUID

from channels.base import Button, Channel
from hub.content.formats import Formats, Unfit, formats
from hub.content.model import TAGS
from hub.notifications.interactive import Parts
from hub.orders.buttons import Action, Do, line_tag, lines_tag, parcel_tag
from hub.orders.model import (
    ACTIVE,
    AssemblyStatus,
    Question,
    QuestionLine,
    Repacked,
    RequestStatus,
    Task,
)
from hub.orders.pieces import Piece, cut, fitted, joined
from hub.orders.words import Words, words

Rows = tuple[tuple[Button, ...], ...]
Data = Callable[[Action], str]
"""What to put behind a button."""

_LONGEST_TITLE = 120
_LONGEST_LABEL = 40
"""VK's limit of a button; others cut sooner or later by the width of the phone."""
_LONGEST_SHOWN_URL = 200
_LONGEST_NAME = 60
_LONGEST_NAMES = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Where the reader of a question stands. `tag` names the line whose number is asked for."""

    do: Do = Do.START
    number: int = 0
    tag: bytes = b""

    @property
    def stored(self) -> str:
        return "" if self.do is Do.START else f"{self.do.value}:{self.number}:{self.tag.hex()}"


def page(stored: str) -> Page:
    """Of what `Page.stored` gave."""
    if not stored:
        return Page()
    do, number, tag = stored.split(":")
    return Page(Do(int(do)), int(number), bytes.fromhex(tag))


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom it is shown. `data` makes what is behind the buttons good for his chat alone. `back`: to where a
    question that was opened from the board returns. `above`: no storekeeper, but asked in his stead.
    `reminded`: by this message. `contacts`: those who read it, and may correct what they have answered; None: members
    of a group chat, each of whom is somebody else."""

    channel: Channel
    locale: str
    timezone: str
    data: Data
    back: Action | None = None
    above: bool = False
    reminded: bool = False
    contacts: frozenset[UUID] | None = None

    @property
    def words(self) -> Words:
        return words(self.locale)

    @property
    def formats(self) -> Formats:
        return formats(self.locale, self.timezone)

    def button(self, text: str, action: Action) -> Button:
        return Button(cut(text, _LONGEST_LABEL), self.data(action))

    def when(self, at: datetime, now: datetime) -> str:
        return self.formats.moment(at, now)


def shown(question: Question, reader: Reader, at: Page, now: datetime) -> Parts:
    """A page that is no more (its line was taken out) is shown as the start."""
    may_correct = correctable(question, reader.contacts, now)
    if not (question.status in ACTIVE or may_correct):
        at = Page()
    parts = _page(question, reader, at, now, may_correct=may_correct)
    return replace(parts, until=question.final_at if may_correct else None)


def correctable(question: Question, by: frozenset[UUID] | None, now: datetime) -> bool:
    """Whether an answered question may still be corrected by one of these contacts. `by`: as `Reader.contacts`."""
    return bool(
        _is_answered(question)
        and question.final_at
        and now < question.final_at
        and question.order_status not in _FINAL
        and (by is None or any(line.answerer in by for line in question.lines))
    )


def _page(
    question: Question, reader: Reader, at: Page, now: datetime, *, may_correct: bool
) -> Parts:
    line = next((one for one in question.lines if line_tag(one) == at.tag), None)
    if at.do is Do.HOW_MANY and line is not None:
        return _how_many(question, line, reader, at.number, now)
    if at.do is Do.LINES and len(question.lines) > 1:
        return _lines(question, reader, at.number, now)
    return _start(question, reader, now, may_correct=may_correct)


_FINAL = frozenset({"paid", "assembled", "shipped", "in_city", "at_pickup_point", "delivered"}) | {
    "returned",
    "cancelled",
}


def assembly(task: Task, reader: Reader, now: datetime) -> Parts:
    said, rows = reader.words, []
    number = task.order_number
    foot: list[Piece] = []
    match task.status:
        case AssemblyStatus.OPEN if task.waits:
            title = said.waits_title
            foot.append(Piece.plain(said.waits_lead))
        case AssemblyStatus.OPEN:
            title = said.again_title if task.again else said.assemble_title
            if task.asks:
                foot.append(Piece.plain(said.asks_more))
            foot.append(Piece.plain(said.again_lead if task.again else said.assemble_lead))
            done = Action(Do.ASSEMBLED, parcel_tag(task.lines))
            rows.append((reader.button(said.assembled, done),))
        case AssemblyStatus.ASSEMBLED:
            title = said.assembled_title
            if task.assembled_at:
                when = reader.when(task.assembled_at, now)
                who = _names([task.assembled_by]) or "—"
                foot.append(Piece.plain(said.assembled_by.format(who=who, time=when)))
            if task.labels_url:
                rows.append((Button(said.labels, url=task.labels_url),))
        case AssemblyStatus.CANCELLED:
            title = said.assembly_cancelled
            foot.append(Piece.plain(said.assembly_reasons[task.reason]))
    head = [Piece.bold(title.format(number=number)), *_place(task.warehouse_name)]
    if task.status is AssemblyStatus.OPEN and (how := _delivery(task, said)):
        head.append(Piece.plain(said.delivery.format(delivery=how)))
    lines = _to_pack(task, reader)
    return _parts(head, lines, foot, tuple(rows) + _way_back(reader), reader)


def _to_pack(task: Task, reader: Reader) -> list[Piece]:
    """The lines of the parcel; of one that is packed anew first what is taken out, and at each what is another."""
    changes = task.changes if task.again else ()
    out = [_taken_out(one, reader) for one in changes if not one.now]
    others = {one.line_id: one.was for one in changes if one.now}
    lines = [
        _line(i, replace(line, confirmed=None), task.currency, reader)
        for i, line in enumerate(task.lines, 1)
    ]
    return out + [
        joined([piece, _other(others[line.id], reader)], "\n") if line.id in others else piece
        for line, piece in zip(task.lines, lines, strict=True)
    ]


def _taken_out(one: Repacked, reader: Reader) -> Piece:
    said = reader.words
    pieces = said.pieces.format(number=reader.formats.number(one.was))
    found = [Piece.bold(cut(one.title, _LONGEST_TITLE))]
    if one.sku:
        found.append(Piece.plain(cut(one.sku, 60)))
    return joined([joined(found, " · "), Piece.plain(said.take_out.format(number=pieces))], "\n")


def _other(was: int, reader: Reader) -> Piece:
    said = reader.words
    pieces = said.pieces.format(number=reader.formats.number(was))
    return Piece.plain(said.was_packed.format(number=pieces) if was else said.put_in)


def _delivery(task: Task, said: Words) -> str:
    method, carrier, date = (task.delivery.get(name) for name in ("method", "carrier", "date"))
    # A method of the shop's own is shown in its own word.
    known = (said.methods.get(str(method), method), carrier, date)
    return ", ".join(str(value) for value in known if value)


def _start(question: Question, reader: Reader, now: datetime, *, may_correct: bool) -> Parts:
    said = reader.words
    rows: Rows = ()
    foot: list[Piece] = []
    if question.status in ACTIVE:
        foot += _waiting(question, reader, now)
        rows = _answers(question, reader)
    elif _is_answered(question):
        if question.answered_at:
            who, when = _names(question.answered_by), reader.when(question.answered_at, now)
            foot.append(Piece.plain(said.answered_by.format(who=who or "—", time=when)))
        if may_correct and question.final_at:
            until = reader.formats.time(question.final_at)
            foot.append(Piece.plain(said.may_correct.format(time=until)))
            rows = ((reader.button(said.correct, _correction(question)),),)
    else:
        foot += [Piece.plain(text) for text in [said.reasons.get(question.reason, "")] if text]
    return _parts(
        _head(_title(question, said), question),
        _all(question, reader),
        foot,
        rows + _way_back(reader),
        reader,
    )


def _correction(question: Question) -> Action:
    if len(question.lines) > 1:
        return Action(Do.LINES)
    return Action(Do.HOW_MANY, line_tag(question.lines[0]))


def _waiting(question: Question, reader: Reader, now: datetime) -> list[Piece]:
    said, found = reader.words, []
    if reader.reminded:
        found.append(Piece.plain(said.reminder))
    if reader.above and question.warehouse_was_silent:
        found.append(Piece.plain(said.seller_asked))
    if question.deadline:
        late = question.status is not RequestStatus.OPEN or question.deadline < now
        text = said.overdue if late else said.answer_until
        found.append(Piece.plain(text.format(time=reader.when(question.deadline, now))))
    return found


def _answers(question: Question, reader: Reader) -> Rows:
    said, lines = reader.words, question.lines
    if len(lines) == 1:
        return _of_one(lines[0], reader)
    begun = len(question.open_lines) < len(lines)
    tag = lines_tag(lines)
    yes, no = (
        (said.rest_there, said.rest_missing) if begun else (said.all_there, said.nothing_there)
    )
    return (
        (reader.button(yes, Action(Do.ALL, tag, len(question.open_lines))),),
        (reader.button(no, Action(Do.NONE, tag, len(question.open_lines))),),
        (reader.button(said.line_by_line, Action(Do.LINES)),),
    )


def _of_one(line: QuestionLine, reader: Reader) -> Rows:
    said, tag = reader.words, line_tag(line)
    yes = said.one_there if line.asked == 1 else said.number_there.format(number=line.asked)
    rows: Rows = (
        (reader.button(yes, Action(Do.LINE, tag, line.asked)),),
        (reader.button(said.one_missing, Action(Do.LINE, tag, 0)),),
    )
    if line.asked > 1:
        rows += ((reader.button(said.how_many_button, Action(Do.HOW_MANY, tag)),),)
    return rows


def _lines(question: Question, reader: Reader, number: int, now: datetime) -> Parts:
    said, size = reader.words, lines_per_page(question, reader.channel)
    pages = -(-len(question.lines) // size)
    number = min(number, pages - 1)
    first = number * size
    here = question.lines[first : first + size]
    rows = tuple(_line_buttons(i, line, reader) for i, line in enumerate(here, first + 1))
    turns = _turns(Do.LINES, b"", number, pages, reader)
    rows += ((*turns, reader.button(said.back, Action(Do.START))),)
    foot = _waiting(question, reader, now) if question.status in ACTIVE else []
    if pages > 1:
        foot.append(Piece.plain(said.lines_page.format(page=number + 1, pages=pages)))
    shown_lines = [
        _line(i, line, question.currency, reader) for i, line in enumerate(here, first + 1)
    ]
    return _parts(_head(_title(question, said), question), shown_lines, foot, rows, reader)


def lines_per_page(question: Question, channel: Channel) -> int:
    """VK has room for ten buttons: three are for turning pages."""
    if channel is not Channel.VK:
        return 5
    return 3 if all(line.asked == 1 for line in question.lines) else 2


def _line_buttons(number: int, line: QuestionLine, reader: Reader) -> tuple[Button, ...]:
    tag = line_tag(line)
    mark = "" if line.confirmed is None else "• "
    yes = f"{mark}✅ {number}. {line.title}"
    row = [reader.button(yes, Action(Do.LINE, tag, line.asked))]
    if line.asked > 1:
        row.append(reader.button(f"{number}. 0…{line.asked}", Action(Do.HOW_MANY, tag)))
    row.append(reader.button(f"❌ {number}", Action(Do.LINE, tag, 0)))
    return tuple(row)


def _how_many(
    question: Question, line: QuestionLine, reader: Reader, number: int, now: datetime
) -> Parts:
    said, size = reader.words, 5 if reader.channel is Channel.VK else 25
    pages = -(-(line.asked + 1) // size)
    number = min(number, pages - 1)
    tag = line_tag(line)
    numbers = range(number * size, min((number + 1) * size, line.asked + 1))
    row = [reader.button(str(n), Action(Do.LINE, tag, n)) for n in numbers]
    rows: Rows = tuple(tuple(row[i : i + 5]) for i in range(0, len(row), 5))
    back = Action(Do.LINES) if len(question.lines) > 1 else Action(Do.START)
    turns = _turns(Do.HOW_MANY, tag, number, pages, reader)
    rows += ((*turns, reader.button(said.back, back)),)
    place = question.lines.index(line) + 1
    title = cut(line.title, _LONGEST_TITLE)
    foot = [
        *(_waiting(question, reader, now) if question.status in ACTIVE else []),
        Piece.bold(said.how_many.format(title=title, asked=line.asked)),
    ]
    lines = [_line(place, line, question.currency, reader)]
    return _parts(_head(_title(question, said), question), lines, foot, rows, reader)


def _turns(do: Do, tag: bytes, number: int, pages: int, reader: Reader) -> tuple[Button, ...]:
    tag = tag or Action(do).tag
    found = []
    if number > 0:
        found.append(reader.button("‹", Action(do, tag, number - 1)))
    if number < pages - 1:
        found.append(reader.button("›", Action(do, tag, number + 1)))
    return tuple(found)


def _way_back(reader: Reader) -> Rows:
    return ((reader.button(reader.words.to_board, reader.back),),) if reader.back else ()


def _title(question: Question, said: Words) -> str:
    if question.status in ACTIVE:
        return said.asked_title
    return said.answered_title if _is_answered(question) else said.cancelled_title


def _is_answered(question: Question) -> bool:
    return question.status is RequestStatus.ANSWERED


def _head(title: str, question: Question) -> list[Piece]:
    return [
        Piece.bold(title.format(number=question.order_number)),
        *_place(question.warehouse_name),
    ]


def _place(name: str) -> list[Piece]:
    return [Piece.plain(cut(name, _LONGEST_TITLE))] if name else []


def _all(question: Question, reader: Reader) -> list[Piece]:
    return [_line(i, line, question.currency, reader) for i, line in enumerate(question.lines, 1)]


def _line(number: int, line: QuestionLine, currency: str, reader: Reader) -> Piece:
    said = reader.words
    first = Piece.bold(f"{number}. {cut(line.title, _LONGEST_TITLE)}")
    pieces = [Piece.plain(cut(line.sku, 60))] if line.sku else []
    pieces.append(Piece.bold(said.pieces.format(number=reader.formats.number(line.asked))))
    if line.price is not None and (money := _money(line, currency, reader)):
        pieces.append(Piece.plain(money))
    if line.image_url:
        url = escape(line.image_url, quote=True)
        long = len(line.image_url) > _LONGEST_SHOWN_URL
        text = "" if long else f"{said.photo}: {line.image_url}"
        pieces.append(Piece(text, f'<a href="{url}">{said.photo}</a>'))
    second = joined(pieces, " · ")
    state = _state(line, said)
    found = [first, second, *([Piece.plain(state)] if state else [])]
    return joined(found, "\n")


def _money(line: QuestionLine, currency: str, reader: Reader) -> str:
    try:
        return reader.formats.money(line.price, currency)
    except Unfit:
        return ""


def _state(line: QuestionLine, said: Words) -> str:
    if line.confirmed is None:
        return ""
    text = said.none_there if line.confirmed == 0 else said.some_there
    text = text.format(confirmed=line.confirmed, asked=line.asked)
    return f"{text} — {_names([line.answered_by])}" if line.answered_by else text


def _names(names: Sequence[str]) -> str:
    """So short that they leave room for the lines, whatever people call themselves."""
    return cut(", ".join(cut(name, _LONGEST_NAME) for name in names), _LONGEST_NAMES)


def _parts(
    head: Sequence[Piece],
    lines: Sequence[Piece],
    foot: Sequence[Piece],
    rows: Rows,
    reader: Reader,
) -> Parts:
    whole = fitted(head, lines, foot, reader.words.more_lines)
    html = whole.html if reader.channel in TAGS else ""
    return Parts(whole.text, html, buttons=rows)
