"""The sheet on which a question is answered: what it shows, and what a filled-in one says. Pure.

Every field carries the quantity that its reader saw. Should the order change while he looks at it, his answer
still means what he read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.config import Locale
from hub.content.formats import Formats, Unfit
from hub.orders.buttons import goods_tag, parcel_tag
from hub.orders.model import ACTIVE, Question, QuestionLine, Repacked, RequestStatus, Task

LESS = "less"
"""The choice that a number is typed for; every other one is the number itself."""

_MOST_BUTTONS = 5
_MOST_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Own:
    """What the reader himself has answered before: by line, until when he may correct it; None: no more."""

    lines: Mapping[str, datetime | None] = field(default_factory=dict)

    def may_correct(self, line_id: str) -> bool:
        return self.lines.get(line_id) is not None

    @property
    def until(self) -> datetime | None:
        """When the first of them becomes final; None where there is nothing to correct."""
        return min((until for until in self.lines.values() if until), default=None)


@dataclass(frozen=True, slots=True)
class Filled:
    """One sheet as it came back. `said`: quantity by line. `choices` and `typed` as they were put in, to show
    them again; `faults` by line, as words of the page with what goes into them."""

    said: Mapping[str, int] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)
    goods: Mapping[str, str] = field(default_factory=dict)


def filled(form: Mapping[str, list[str]], said: Mapping[str, Any]) -> Filled:
    """`said`: the page's words. Of a field that came twice the last one counts."""
    fields = {name: values[-1].strip() for name, values in form.items()}
    seen = {id_: number for id_, text in _of(fields, "shown") if (number := _number(text))}
    goods = dict(_of(fields, "goods"))
    match fields.get("do"):
        case "all":
            return Filled(said=seen, seen=seen, goods=goods)
        case "none":
            return Filled(said=dict.fromkeys(seen, 0), seen=seen, goods=goods)
    choices, typed = dict(_of(fields, "line")), dict(_of(fields, "number"))
    answers: dict[str, int] = {}
    faults: dict[str, str] = {}
    for id_, choice in choices.items():
        text = typed.get(id_, "") if choice == LESS else choice
        number, most = _number(text), seen.get(id_, 0)
        if choice == LESS and not text:
            faults[id_] = said["number_missing"]
        elif number is None or number > most:
            faults[id_] = said["number_wrong"].format(most=most)
        else:
            answers[id_] = number
    return Filled(answers, choices, typed, faults, seen, goods)


def _of(fields: Mapping[str, str], kind: str) -> Sequence[tuple[str, str]]:
    return [
        (name.removeprefix(f"{kind}:"), text)
        for name, text in fields.items()
        if name.startswith(f"{kind}:")
    ]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at the page, and in which words. `said`: the page's. `above`: no storekeeper, but asked in his
    stead."""

    contact_id: UUID
    locale: Locale
    formats: Formats
    said: Mapping[str, Any]
    now: datetime
    above: bool

    def when(self, at: datetime) -> str:
        return self.formats.moment(at, self.now)


def question_sheet(
    question: Question,
    own: Own,
    reader: Reader,
    *,
    correcting: bool = False,
    back: Filled | None = None,
) -> dict[str, Any]:
    """What `answer.html` shows. `back`: a sheet that could not be taken as it was filled in."""
    said, number = reader.said, question.order_number
    closed = question.status is RequestStatus.CANCELLED
    correcting = correcting and own.until is not None and not closed
    to_fill = [] if closed else _to_fill(question, own, correcting=correcting)
    title = "closed_title" if closed else "title" if to_fill else "done_title"
    lines = [_line(one, question, own, reader, to_fill, back) for one in question.lines]
    return {
        "title": said[title].format(number=number),
        "notes": _correcting(question, own, reader)
        if correcting
        else _notes(question, own, reader, closed=closed, to_fill=bool(to_fill)),
        "lines": lines,
        "asks": bool(to_fill),
        "correcting": correcting,
        "shortcuts": {} if correcting else _shortcuts(question, to_fill, said),
        "by_line": len(to_fill) > 1 or any(line.asked > 1 for line in to_fill) or correcting,
        "correct_until": "" if closed or correcting else _until(own, reader, "correct_until"),
        "has_images": any(line["image_url"] for line in lines),
    }


def _to_fill(question: Question, own: Own, *, correcting: bool) -> list[QuestionLine]:
    if correcting:
        return [line for line in question.lines if own.may_correct(line.id)]
    return list(question.open_lines) if question.status in ACTIVE else []


def _shortcuts(
    question: Question, to_fill: Sequence[QuestionLine], said: Mapping[str, Any]
) -> Mapping[str, str]:
    """The words on the two large buttons."""
    if not to_fill:
        return {}
    if len(to_fill) < len(question.lines):
        return {"all": said["all_rest"], "none": said["none_rest"]}
    if len(to_fill) == 1 and to_fill[0].asked == 1:
        return {"all": said["all_one"], "none": said["none_one"]}
    return {"all": said["all"], "none": said["none"]}


def _notes(
    question: Question, own: Own, reader: Reader, *, closed: bool, to_fill: bool
) -> list[str]:
    said, notes = reader.said, []
    if question.warehouse_name:
        notes.append(question.warehouse_name)
    if closed:
        notes.append(said["reasons"].get(question.reason) or said["reasons"]["decided"])
    elif question.status is RequestStatus.ANSWERED:
        if not to_fill:
            notes.append(said["thanks_all"] if own.lines else said["answered"])
    else:
        if reader.above and question.warehouse_was_silent:
            notes.append(said["seller_asked"])
        if question.deadline:
            late = question.status is not RequestStatus.OPEN or question.deadline < reader.now
            text = said["overdue" if late else "until"]
            notes.append(text.format(time=reader.when(question.deadline)))
    return notes


def _correcting(question: Question, own: Own, reader: Reader) -> list[str]:
    notes = [question.warehouse_name] if question.warehouse_name else []
    return [*notes, _until(own, reader, "correct_lead")]


def _until(own: Own, reader: Reader, words: str) -> str:
    if own.until is None:
        return ""
    return str(reader.said[words]).format(time=reader.formats.time(own.until))


def _line(
    line: QuestionLine,
    question: Question,
    own: Own,
    reader: Reader,
    to_fill: Sequence[QuestionLine],
    back: Filled | None,
) -> dict[str, Any]:
    fills = line in to_fill
    held = "" if line.confirmed is None else _choice(line, line.confirmed)
    typed = str(line.confirmed) if held == LESS else ""
    choice = back.choices.get(line.id, held) if back else held
    return {
        "id": line.id,
        **_goods(line, question.currency, reader),
        "asked": line.asked,
        "goods": goods_tag(line.sku),
        "choices": _choices(line, reader.said) if fills else [],
        "choice": choice,
        "typed": back.typed.get(line.id, typed) if back else typed,
        "fault": back.faults.get(line.id, "") if back else "",
        "state": "" if fills else _state(line, reader.said),
        "there": bool(line.confirmed),
        "by": "" if fills else _by(line, own, reader),
    }


def _goods(line: QuestionLine, currency: str, reader: Reader) -> dict[str, str]:
    said = reader.said
    return {
        "title": line.title,
        "sku": said["sku"].format(sku=line.sku) if line.sku else "",
        "quantity": said["quantity"].format(number=reader.formats.number(line.asked)),
        "price": _price(line, currency, reader),
        "image_url": line.image_url or "",
        "change": "",
    }


def _price(line: QuestionLine, currency: str, reader: Reader) -> str:
    if line.price is None:
        return ""
    try:
        price = reader.formats.money(line.price, currency)
    except Unfit:
        # A price that cannot be shown must not keep anybody from answering.
        return ""
    each: str = reader.said["each"]
    return each.format(price=price) if line.asked > 1 else price


def _choices(line: QuestionLine, said: Mapping[str, Any]) -> list[dict[str, str]]:
    """Few pieces have a button each; of many, less than all is typed."""
    between: list[tuple[str, str]] = []
    if line.asked == 1:
        whole = said["yes"]
    else:
        whole = said["yes_of"].format(number=line.asked)
        between = (
            [(str(n), str(n)) for n in range(line.asked - 1, 0, -1)]
            if line.asked <= _MOST_BUTTONS
            else [(LESS, said["less"])]
        )
    found = [(str(line.asked), whole), *between, ("0", said["no"])]
    return [{"value": value, "text": text} for value, text in found]


def _choice(line: QuestionLine, confirmed: int) -> str:
    """The button that stands for a quantity."""
    typed = line.asked > _MOST_BUTTONS and 0 < confirmed < line.asked
    return LESS if typed else str(confirmed)


def _state(line: QuestionLine, said: Mapping[str, Any]) -> str:
    if line.confirmed is None:
        return ""
    text: str = said["whole"] if line.confirmed else said["missing"]
    return text.format(confirmed=line.confirmed, asked=line.asked)


def _by(line: QuestionLine, own: Own, reader: Reader) -> str:
    if line.answered_at is None:
        return ""
    said, time = reader.said, reader.when(line.answered_at)
    if line.id in own.lines:
        return str(said["by_you"].format(time=time))
    return str(said["by"].format(who=line.answered_by or said["somebody"], time=time))


def task_sheet(task: Task, reader: Reader) -> dict[str, Any]:
    """What `assembly.html` shows."""
    said, number = reader.said, task.order_number
    title = {"open": "title", "assembled": "done_title"}.get(task.status, "closed_title")
    if task.waits:
        title = "waits_title"
    elif task.again:
        title = "again_title"
    others = {one.line_id: one for one in task.changes if task.again and one.now}
    done = ""
    if task.assembled_at:
        words = said["by"] if task.assembled_by else said["by_somebody"]
        done = words.format(who=task.assembled_by, time=reader.when(task.assembled_at))
    return {
        "title": said[title].format(number=number),
        "warehouse": task.warehouse_name,
        "state": "waits" if task.waits else str(task.status),
        "parcel": parcel_tag(task.lines).hex(),
        "asks": task.asks,
        "closed": said["reasons"].get(task.reason, ""),
        "done": done,
        "labels_url": task.labels_url or "",
        "again": task.again,
        "out": [_taken_out(one, reader) for one in task.changes if task.again and not one.now],
        "lines": [
            _goods(line, task.currency, reader) | {"change": _change(others.get(line.id), reader)}
            for line in task.lines
        ],
        "has_images": any(line.image_url for line in task.lines),
    }


def seen_parcel(form: Mapping[str, list[str]]) -> bytes | None:
    """The `parcel_tag` of what the sheet showed; None: it is one of before it was in there."""
    try:
        return bytes.fromhex(form.get("parcel", [""])[-1]) or None
    except ValueError:
        return None


def _taken_out(one: Repacked, reader: Reader) -> dict[str, str]:
    said = reader.said
    return {
        "title": one.title,
        "sku": said["sku"].format(sku=one.sku) if one.sku else "",
        "quantity": said["quantity"].format(number=reader.formats.number(one.was)),
        "price": "",
        "image_url": "",
        "change": said["take_out"],
    }


def _change(one: Repacked | None, reader: Reader) -> str:
    """What to do to a line of the parcel; empty: it lies there as it should."""
    if one is None:
        return ""
    text: str = reader.said["was_packed"] if one.was else reader.said["put_in"]
    return text.format(number=reader.formats.number(one.was))
