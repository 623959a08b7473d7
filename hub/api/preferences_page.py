"""`/p/{token}`: what a person wants to get, where and when, as a page."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from channels.base import Channel
from hub.api import pages, preferences_sheet
from hub.api.acting import visitor_of
from hub.api.keys import HUB
from hub.api.preferences_sheet import Offer, WrongQuietHours
from hub.api.routes import PUBLIC, Routes
from hub.config import Locale
from hub.contacts import queries
from hub.notifications import facts
from hub.preferences import choices
from hub.shops.registry import Shop
from hub.tokens import BadToken

routes = Routes("Pages")


@routes.get(
    "/p/{token}",
    name="pages.preferences",
    scope=PUBLIC,
    summary="The preferences page",
    answers={HTTPStatus.OK: "text/html"},
    documented=False,
)
async def show(request: web.Request) -> web.StreamResponse:
    """Looking changes nothing."""
    found = await _found(request)
    if found is None:
        return pages.gone(request)
    shop, there = found
    note = request.query.get("said", "")
    return _page(request, shop, there, note=note if note in ("saved", "left") else "")


@routes.post(
    "/p/{token}",
    name="pages.preferences.done",
    scope=PUBLIC,
    summary="Save preferences",
    answers={HTTPStatus.SEE_OTHER: "text/html"},
    documented=False,
)
async def done(request: web.Request) -> web.StreamResponse:
    """`do=leave` unsubscribes from all marketing and looks at nothing else; any other button saves the sheet."""
    found = await _found(request)
    if found is None:
        return pages.gone(request)
    shop, there = found
    contact, db = there.contact, request.app[HUB].db
    form = await pages.read_form(request)
    if form.get("do") == ["leave"]:
        await choices.leave_all(db, contact.id, by=visitor_of(request))
        return _see("left")
    if not form:
        return _see("")
    try:
        wanted = preferences_sheet.wanted(there, form, _own_locale(shop, there))
    except WrongQuietHours:
        return _page(request, shop, there, note="quiet_wrong", form=form)
    await choices.save(
        db, shop.id, contact.external_id or "", contact.id, wanted, by=visitor_of(request)
    )
    return _see("saved")


async def _found(request: web.Request) -> tuple[Shop, Offer] | None:
    """None: not our link, or the person is gone. Those known by an address only have nothing to choose."""
    hub = request.app[HUB]
    try:
        contact_id = choices.read(hub.signer, request.match_info["token"])
    except BadToken:
        return None
    known = await queries.shop_and_locale(hub.db, contact_id)
    contact = (await facts.by_id(hub.db, [contact_id])).get(contact_id)
    shop = hub.shops.get(known[0]) if known else None
    if shop is None or contact is None or contact.external_id is None:
        return None
    carried = {channel: hub.accounts.kinds(shop.id, channel) for channel in Channel}
    return shop, preferences_sheet.offer(contact, shop.settings, carried)


def _own_locale(shop: Shop, there: Offer) -> Locale:
    match there.contact.locale:
        case "ru":
            return "ru"
        case "en":
            return "en"
        case _:
            return shop.settings.locale


def _page(
    request: web.Request, shop: Shop, there: Offer, *, note: str, form: Any = None
) -> web.Response:
    own = _own_locale(shop, there)
    locale = pages.chosen_locale(request, own)
    said = pages.words(locale)["preferences"]
    return pages.render(
        "preferences",
        locale,
        status=HTTPStatus.OK if form is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        shop=shop.name,
        note=said[note] if note else "",
        note_kind=note,
        own_locale=own,
        staff=there.contact.role != "buyer",
        **preferences_sheet.sheet(there, said, form),
    )


def _see(note: str) -> web.Response:
    """Back to the page, so that loading it again sends nothing again; in the language that was just chosen."""
    location = f"?said={note}" if note else "?"
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location})
