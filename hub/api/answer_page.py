"""`/a/{token}`: the question to the people at the shelf as a page, for those without a messenger."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from hub.api import pages
from hub.api.answer_sheet import (
    Filled,
    Own,
    Reader,
    filled,
    question_sheet,
    seen_parcel,
    task_sheet,
)
from hub.api.keys import HUB
from hub.api.routes import PUBLIC, Routes
from hub.content.formats import formats
from hub.errors import InvalidInput, NotFound, Unprocessable
from hub.notifications import facts
from hub.notifications.model import ContactFacts
from hub.orders import links, service, views
from hub.orders.asking import CHANGED
from hub.orders.links import Asked, NoLink
from hub.orders.model import ABOVE, Answered, Answerer, Kind, Via
from hub.orders.pressing import may_answer
from hub.shops.registry import Shop

routes = Routes("Pages")


@routes.get(
    "/a/{token}",
    name="pages.answer",
    scope=PUBLIC,
    summary="The stock question as a page",
    answers={HTTPStatus.OK: "text/html"},
    documented=False,
)
async def show(request: web.Request) -> web.StreamResponse:
    """Looking changes nothing: programs that check mail open every link. `?correct=1` opens one's own answers
    again, `?lang=` switches the language, `?said=` names what the last answer came to."""
    visit = await _opened(request)
    if isinstance(visit, web.Response):
        return visit
    correcting = request.query.get("correct") == "1"
    return await _page(request, visit, correcting=correcting, note=request.query.get("said", ""))


@routes.post(
    "/a/{token}",
    name="pages.answer.done",
    scope=PUBLIC,
    summary="Answer the stock question",
    answers={HTTPStatus.SEE_OTHER: "text/html"},
    documented=False,
)
async def done(request: web.Request) -> web.StreamResponse:
    """Safe to send twice. The token in the path is known to nobody else, so nothing more guards the form."""
    visit = await _opened(request)
    if isinstance(visit, web.Response):
        return visit
    form = await pages.read_form(request)
    try:
        if visit.asked.kind is Kind.ASSEMBLY:
            return _see(request, await _assembled(request, visit, form))
        sheet = filled(form, visit.reader.said)
        if sheet.faults:
            correcting = "correcting" in form
            return await _page(request, visit, correcting=correcting, back=sheet)
        if not sheet.said:
            return _see(request, "empty")
        return _see(request, await _answered(request, visit, sheet))
    except NotFound:
        return pages.gone(request)


@dataclass(frozen=True, slots=True)
class _Visit:
    """Somebody with a good link."""

    asked: Asked
    shop: Shop
    contact: ContactFacts
    reader: Reader


async def _opened(request: web.Request) -> _Visit | web.Response:
    hub, now = request.app[HUB], datetime.now(UTC)
    asked = await links.read(hub, request.match_info["token"], now=now)
    if asked is NoLink.UNKNOWN:
        return pages.gone(request)
    if isinstance(asked, NoLink):
        return pages.render("expired", pages.asked_for(request), status=HTTPStatus.GONE)
    contact = (await facts.by_id(hub.db, [asked.contact_id])).get(asked.contact_id)
    shop = hub.shops.get(asked.shop_id)
    if contact is None or shop is None:
        return pages.gone(request)
    # A link outlives the work: whoever left the warehouse has no say any more, and nothing to see.
    if not await may_answer(hub.db, shop.id, asked.kind, asked.about, [contact.id]):
        return pages.gone(request)
    own = "ru" if contact.locale == "ru" else "en" if contact.locale else shop.settings.locale
    locale = pages.chosen_locale(request, own)
    said = pages.words(locale)["answer" if asked.kind is Kind.STOCK else "assembly"]
    shown_in = formats(locale, contact.timezone or shop.settings.timezone)
    reader = Reader(contact.id, locale, shown_in, said, now, above=contact.role in ABOVE)
    return _Visit(asked, shop, contact, reader)


async def _page(
    request: web.Request,
    visit: _Visit,
    *,
    correcting: bool = False,
    note: str = "",
    back: Filled | None = None,
) -> web.Response:
    if visit.asked.kind is Kind.ASSEMBLY:
        sheet = await _task(request, visit)
    else:
        sheet = await _question(request, visit, correcting=correcting, back=back)
    if sheet is None:
        return pages.gone(request)
    return pages.render(
        "assembly" if visit.asked.kind is Kind.ASSEMBLY else "answer",
        visit.reader.locale,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if back else HTTPStatus.OK,
        images=sheet["has_images"],
        shop=visit.shop.name,
        note=visit.reader.said.get("said", {}).get(note, ""),
        note_kind=note,
        **sheet,
    )


async def _task(request: web.Request, visit: _Visit) -> dict[str, Any] | None:
    asked = visit.asked
    task = await views.task(request.app[HUB].db, asked.shop_id, asked.about)
    return task_sheet(task, visit.reader) if task else None


async def _question(
    request: web.Request, visit: _Visit, *, correcting: bool, back: Filled | None
) -> dict[str, Any] | None:
    db, asked = request.app[HUB].db, visit.asked
    question = await views.question(db, asked.shop_id, asked.about)
    if question is None:
        return None
    own = Own(await links.own_answers(db, asked, now=visit.reader.now))
    return question_sheet(question, own, visit.reader, correcting=correcting, back=back)


async def _answered(request: web.Request, visit: _Visit, sheet: Filled) -> str:
    """A word for the note on the next page."""
    try:
        answered = await service.answer(
            request.app[HUB],
            visit.shop,
            visit.asked.about,
            sheet.said,
            by=_answerer(visit.contact),
            via=Via.PAGE,
            seen={"asked": dict(sheet.seen)},
            goods=sheet.goods,
        )
    except (InvalidInput, Unprocessable):
        # Lines or quantities are not those he saw any more.
        return "changed"
    return _note(answered)


def _note(answered: Answered) -> str:
    if answered.closed:
        # The page says it, and why, but for a question whose answer was good until the order changed.
        return "changed" if answered.closed == CHANGED else ""
    if answered.already:
        return "already"
    if answered.too_late:
        return "too_late"
    return "" if answered.complete else "thanks"


async def _assembled(request: web.Request, visit: _Visit, form: Mapping[str, list[str]]) -> str:
    """As `_answered`."""
    done = await service.assembled(
        request.app[HUB],
        visit.shop,
        visit.asked.about,
        by=_answerer(visit.contact),
        via=Via.PAGE,
        seen=seen_parcel(form),
    )
    return "changed" if done.closed == CHANGED else ""


def _answerer(contact: ContactFacts) -> Answerer:
    return Answerer(contact.id, contact.name, contact.external_id or "")


def _see(request: web.Request, note: str) -> web.Response:
    """Back to the page, so that loading it again sends nothing again. Relative: the hub may lie below a path."""
    query = {"lang": request.query["lang"]} if "lang" in request.query else {}
    if note:
        query["said"] = note
    location = f"?{urlencode(query)}" if query else f"./{request.match_info['token']}"
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location})
