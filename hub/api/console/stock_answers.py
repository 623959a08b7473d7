"""An answer noted for somebody who called: what the page behind his own link would take, with his name to it."""

from contextlib import suppress
from uuid import UUID

from aiohttp import web

from hub.api import answer_sheet
from hub.api import pages as public
from hub.api.answer_sheet import Filled, Own, Reader, question_sheet, seen_parcel, task_sheet
from hub.api.console.frame import Visit, form, see, show
from hub.api.console.guard import Form
from hub.api.console.orders_shown import asked_id, id_in_path, person, staff_name
from hub.api.console.stock import is_late, pages, status_of, to_board
from hub.errors import InvalidInput, NotFound, Unprocessable
from hub.operators.model import Right
from hub.orders import desk, links, service, views
from hub.orders.asking import CHANGED
from hub.orders.desk import Person
from hub.orders.links import Asked
from hub.orders.model import ACTIVE, Answered, Answerer, AssemblyStatus, Kind, Question, Task, Via

_OTHER = "other"
"""Somebody who is none of those whom the hub knows of; he is named in words."""

_LONGEST_NAME = 100


@pages.get("/stock/{id}")
async def question(visit: Visit) -> web.StreamResponse:
    """`?correct=`: whose answers are to be corrected."""
    return await _page(visit, await _question(visit), correct=asked_id(visit, "correct"))


@pages.post("/stock/{id}", right=Right.STOCK)
async def answered(visit: Visit) -> web.StreamResponse:
    """The same use case as a press in a messenger; the one who said so is who answered."""
    about, filled = await _question(visit), await form(visit)
    said = public.words(visit.locale)["answer"]
    sheet = answer_sheet.filled({name: filled.all(name) for name in filled}, said)
    known = await desk.who_may_say(visit.hub.db, visit.shop.id, about)
    by = await _answerer(visit, filled, known)
    if by is None or sheet.faults:
        correct = by.contact_id if by and "correcting" in filled else None
        return await _page(
            visit, about, correct=correct, back=sheet, filled=filled, nobody=by is None
        )
    path = f"/stock/{about.id}"
    if not sheet.said:
        return see(visit, path, note="empty", kind="bad")
    try:
        done = await service.answer(
            visit.hub,
            visit.shop,
            about.id,
            sheet.said,
            by=by,
            via=Via.CONSOLE,
            seen={"asked": dict(sheet.seen), "noted_by": str(visit.operator.id)},
            goods=sheet.goods,
            noted_by=visit.actor,
        )
    except (InvalidInput, Unprocessable):
        # Lines or quantities are not those that the form showed any more.
        return see(visit, path, note="changed_meanwhile", kind="bad")
    note = _note(done)
    return see(visit, path, note=note, kind="bad" if note in _REFUSED else "good")


_REFUSED = frozenset({"changed_meanwhile", "closed", "already", "too_late"})


def _note(done: Answered) -> str:
    if done.closed:
        return "changed_meanwhile" if done.closed == CHANGED else "closed"
    if done.already:
        return "already"
    if done.too_late:
        return "too_late"
    return "answered" if done.complete else "noted"


@pages.get("/stock/packing/{id}")
async def task(visit: Visit) -> web.StreamResponse:
    return await _task_page(visit, await _task(visit))


@pages.post("/stock/packing/{id}", right=Right.STOCK)
async def packed(visit: Visit) -> web.StreamResponse:
    about, filled = await _task(visit), await form(visit)
    known = await desk.who_may_pack(visit.hub.db, visit.shop.id, about.id)
    by = await _answerer(visit, filled, known)
    if by is None:
        return await _task_page(visit, about, filled=filled, nobody=True)
    done = await service.assembled(
        visit.hub,
        visit.shop,
        about.id,
        by=by,
        via=Via.CONSOLE,
        seen=seen_parcel({"parcel": [filled.get("parcel", "")]}),
        noted_by=visit.actor,
    )
    if done.closed == CHANGED:
        return see(visit, f"/stock/packing/{about.id}", note="changed_meanwhile", kind="bad")
    if not done.first:
        return see(visit, f"/stock/packing/{about.id}", note="packed_before", kind="bad")
    return to_board(visit, "packed", tab="packing")


async def _question(visit: Visit) -> Question:
    """Raises `NotFound`."""
    found = await views.question(visit.hub.db, visit.shop.id, id_in_path(visit))
    if found is None:
        raise NotFound
    return found


async def _task(visit: Visit) -> Task:
    """Raises `NotFound`."""
    found = await views.task(visit.hub.db, visit.shop.id, id_in_path(visit))
    if found is None:
        raise NotFound
    return found


async def _answerer(visit: Visit, filled: Form, known: list[Person]) -> Answerer | None:
    """Who said so, as the form names him. None: it does not, or nobody there could have."""
    who = filled.get("who", "")
    if who == _OTHER:
        name = " ".join(filled.get("name", "").split())
        if not name or len(name) > _LONGEST_NAME:
            return None
        return await service.answerer_named(visit.hub.db, visit.shop.id, name)
    with suppress(ValueError):
        id_ = UUID(who)
        return next(
            (Answerer(one.id, one.name, one.external_id or "") for one in known if one.id == id_),
            None,
        )
    return None


async def _page(
    visit: Visit,
    about: Question,
    *,
    correct: UUID | None = None,
    back: Filled | None = None,
    filled: Form | None = None,
    nobody: bool = False,
) -> web.Response:
    db, shop_id = visit.hub.db, visit.shop.id
    known = await desk.who_may_say(db, shop_id, about)
    owned = (
        {one.id: await _own(visit, about, one.id) for one in known}
        if _may_correct(visit, about)
        else {}
    )
    correctable = [one for one in known if one.id in owned and owned[one.id].until]
    corrects = next((one for one in correctable if one.id == correct), None)
    reader = _reader(visit, corrects.id if corrects else None)
    sheet = question_sheet(
        about,
        owned[corrects.id] if corrects else Own(),
        reader,
        correcting=corrects is not None,
        back=back,
    )
    told = (await desk.asked(db, [about.id])).get(about.id, [])
    return show(
        visit,
        "question.html",
        status=status_of(faulty=back is not None),
        title=visit.said["question_title"].format(number=about.order_number),
        about=about,
        late=is_late(visit, about),
        active=ACTIVE,
        sheet=sheet,
        sheet_words=reader.said,
        told=told,
        said_of=(await desk.said(db, [about.id])).get(about.id, []),
        titles={line.id: line.title for line in about.lines},
        person=lambda who: person(visit, who),
        staff_name=lambda name: staff_name(visit, name),
        corrects=corrects,
        correctable=[(one.id, person(visit, one)) for one in correctable],
        may_answer=visit.may(Right.STOCK),
        **_who(visit, known, filled, nobody=nobody),
    )


def _may_correct(visit: Visit, about: Question) -> bool:
    return bool(visit.may(Right.STOCK) and about.final_at and about.final_at > visit.now)


async def _own(visit: Visit, about: Question, contact_id: UUID) -> Own:
    asked = Asked(visit.shop.id, Kind.STOCK, about.id, contact_id)
    return Own(await links.own_answers(visit.hub.db, asked, now=visit.now))


async def _task_page(
    visit: Visit, about: Task, *, filled: Form | None = None, nobody: bool = False
) -> web.Response:
    db = visit.hub.db
    known = await desk.who_may_pack(db, visit.shop.id, about.id)
    reader = _reader(visit, None, of="assembly")
    return show(
        visit,
        "packing.html",
        status=status_of(faulty=nobody),
        title=visit.said["packing_title"].format(number=about.order_number),
        about=about,
        is_open=about.status is AssemblyStatus.OPEN and not about.waits,
        sheet=task_sheet(about, reader),
        sheet_words=reader.said,
        told=(await desk.asked(db, [about.id])).get(about.id, []),
        person=lambda who: person(visit, who),
        staff_name=lambda name: staff_name(visit, name),
        may_answer=visit.may(Right.STOCK),
        **_who(visit, known, filled, nobody=nobody),
    )


def _who(
    visit: Visit, known: list[Person], filled: Form | None, *, nobody: bool
) -> dict[str, object]:
    """What the choice of the one who said so shows. Nobody is chosen beforehand unless there is only one."""
    names = [(str(one.id), _named(visit, one)) for one in known]
    chosen = str(known[0].id) if len(known) == 1 else ""
    return {
        "people": [("", visit.said["choose"]), *names, (_OTHER, visit.said["somebody_else"])],
        "chosen": filled.get("who", "") if filled else chosen,
        "named": filled.get("name", "") if filled else "",
        "nobody": nobody,
    }


def _named(visit: Visit, one: Person) -> str:
    role = visit.said["contact_roles"].get(one.role, one.role)
    name = staff_name(visit, one.shown)
    return f"{name} ({role.lower()})" if name else str(role)


def _reader(visit: Visit, contact_id: UUID | None, *, of: str = "answer") -> Reader:
    """For the sheet. Its words are those of the page that people answer on."""
    who = contact_id or visit.operator.id
    said = public.words(visit.locale)[of]
    return Reader(who, visit.locale, visit.formats, said, visit.now, above=False)
