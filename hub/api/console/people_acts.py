"""What is done to and for one person: written to, bound to a messenger, exported, erased, and what she agreed to."""

import re
from typing import Any

from aiohttp import web

from channels.base import Channel
from channels.registry import SANDBOX
from hub.api.console import rendering
from hub.api.console.frame import Visit, form, see, show
from hub.api.console.people import called, consents_of, pages, person_of
from hub.audit import log as audit
from hub.audit.model import Action
from hub.contacts import erasure, export, links
from hub.contacts.model import ConsentState, Contact, GivenConsent
from hub.db.pool import transaction
from hub.errors import Conflict, InvalidInput, NotAllowed, NotFound
from hub.notifications import service as notifications
from hub.notifications.request import ContentIn
from hub.operators.model import Right
from hub.preferences import consents, suppressions

_LONGEST_TEXT = 20_000
_LONGEST_SUBJECT = 200
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def _sees(visit: Visit) -> None:
    """Whoever acts upon a person's data sees it. Raises `NotAllowed`."""
    if not visit.may(Right.ADDRESSES):
        raise NotAllowed(visit.said["failed"]["no_right"])


def _known(visit: Visit, contact: Contact) -> str:
    """What the shop calls that person. Raises `Conflict`: those who are known by an address only have no card."""
    if contact.external_id is None:
        raise Conflict(visit.said["only_address"])
    return contact.external_id


@pages.get("/people/{id}/write", right=Right.SEND)
async def write(visit: Visit) -> web.StreamResponse:
    return await _write_page(visit, await person_of(visit))


async def _write_page(
    visit: Visit, contact: Contact, fields: Any = None, fault: str = ""
) -> web.Response:
    async with visit.hub.db.acquire() as connection:
        ways = await notifications.reachable(visit.hub, connection, visit.shop, contact.id)
    chosen = fields.all("channel") if fields else []
    return show(
        visit,
        "write.html",
        status=422 if fault else 200,
        title=visit.said["write"]["title"],
        contact=contact,
        who=called(visit, contact),
        ways=ways,
        chosen=chosen,
        subject=fields.get("subject", "") if fields else "",
        text=fields.get("text", "") if fields else "",
        fault=fault,
    )


@pages.post("/people/{id}/write", right=Right.SEND)
async def send(visit: Visit) -> web.StreamResponse:
    """To the story of what was sent."""
    contact, fields = await person_of(visit), await form(visit)
    text = fields.get("text", "").strip()
    subject = " ".join(fields.get("subject", "").split())[:_LONGEST_SUBJECT]
    if not text or len(text) > _LONGEST_TEXT:
        fault = visit.said["write"]["long" if text else "empty"]
        return await _write_page(visit, contact, fields, fault)
    channels = [channel for channel in Channel if channel in fields.all("channel")]
    async with transaction(visit.hub.db) as connection:
        sent = await notifications.send(
            visit.hub,
            connection,
            visit.shop,
            contact.id,
            None,
            {},
            content=ContentIn(subject=subject, text=text),
            channels=channels,
        )
        await audit.record(
            connection, visit.shop.id, visit.actor, Action.NOTIFICATION_SENT, sent.id
        )
    await notifications.hand_out(visit.hub, sent.due)
    return see(visit, f"/messages/{sent.id}")


@pages.post("/people/{id}/link", right=Right.SEND)
async def link(visit: Visit) -> web.StreamResponse:
    """Shown at once and never again: of the link only a digest is kept."""
    _sees(visit)
    contact, fields = await person_of(visit), await form(visit)
    try:
        channel = Channel(fields.get("channel", ""))
    except ValueError:
        raise InvalidInput(visit.said["no_channel"]) from None
    external_id = _known(visit, contact)
    made = await links.create(visit.hub, visit.shop.id, external_id, channel, by=visit.actor)
    return show(
        visit,
        "link.html",
        title=visit.said["link"]["title"],
        contact=contact,
        who=called(visit, contact),
        channel=channel,
        link=made,
        picture=rendering.qr(made.url, visit.said["link"]["qr"]),
        is_sandbox=all(
            account.provider == SANDBOX for account in visit.hub.accounts.of(visit.shop.id, channel)
        ),
    )


@pages.post("/people/{id}/consent", right=Right.SEND)
async def consent(visit: Visit) -> web.StreamResponse:
    """What the person told the operator, with where it was said and in answer to which words."""
    _sees(visit)
    contact, fields = await person_of(visit), await form(visit)
    _known(visit, contact)
    known = [channel for channel, _ in consents_of(contact)]
    channels = [Channel(c) for c in fields.all("channel") if c in known]
    try:
        state = ConsentState(fields.get("state", ""))
    except ValueError:
        raise InvalidInput(visit.said["no_state"]) from None
    source = fields.text("source", longest=200)
    if not channels or not source:
        return see(visit, f"/people/{contact.id}", note="consent_needs", kind="bad")
    said = GivenConsent(state=state, source=source, wording=fields.text("wording", longest=10_000))
    async with transaction(visit.hub.db) as connection:
        await consents.said_at_desk(
            connection, visit.shop.id, contact, dict.fromkeys(channels, said), by=visit.actor
        )
    return see(visit, f"/people/{contact.id}", note="consent_saved")


@pages.post("/people/{id}/lift", right=Right.SEND)
async def lift(visit: Visit) -> web.StreamResponse:
    """The address may be written to again."""
    _sees(visit)
    contact, fields = await person_of(visit), await form(visit)
    address = next((a for a in contact.addresses if str(a.id) == fields.get("address")), None)
    channel = next((c for c in Channel if c == fields.get("channel")), None)
    if address is None or channel is None:
        raise NotFound
    async with transaction(visit.hub.db) as connection:
        if await suppressions.lift(connection, visit.shop.id, channel, address.digest):
            await audit.record(
                connection,
                visit.shop.id,
                visit.actor,
                Action.SUPPRESSION_LIFTED,
                contact.id,
                channel=channel,
            )
    return see(visit, f"/people/{contact.id}", note="lifted")


@pages.post("/people/{id}/export", right=Right.ADDRESSES)
async def exported(visit: Visit) -> web.StreamResponse:
    """A file with all that is held on the person, written while it is read."""
    contact = await person_of(visit)
    external_id = _known(visit, contact)
    db, shop_id = visit.hub.db, visit.shop.id
    contact = await export.begin(db, shop_id, external_id, by=visit.actor)
    name = _UNSAFE.sub("-", external_id).strip("-.")[:60] or str(contact.id)
    response = web.StreamResponse(
        headers={
            "Content-Disposition": f'attachment; filename="{name}.json"',
            "Cache-Control": "no-store",
        }
    )
    response.content_type, response.charset = "application/json", "utf-8"
    await response.prepare(visit.request)
    try:
        async for piece in export.export(db, shop_id, contact):
            await response.write(piece)
        await response.write_eof()
    except BaseException:
        # An error cannot be told any more; left open, the browser would wait for the rest.
        if visit.request.transport:
            visit.request.transport.abort()
        raise
    return response


@pages.get("/people/{id}/erase", right=Right.SEND)
async def ask_to_erase(visit: Visit) -> web.StreamResponse:
    _sees(visit)
    contact = await person_of(visit)
    _known(visit, contact)
    return _erase_page(visit, contact)


def _erase_page(visit: Visit, contact: Contact, *, fault: str = "") -> web.Response:
    return show(
        visit,
        "erase.html",
        status=422 if fault else 200,
        title=visit.said["erase"]["title"],
        contact=contact,
        who=called(visit, contact),
        fault=fault,
    )


@pages.post("/people/{id}/erase", right=Right.SEND)
async def erase(visit: Visit) -> web.StreamResponse:
    """Only when the person's id was typed, exactly: it cannot be undone."""
    _sees(visit)
    contact, fields = await person_of(visit), await form(visit)
    external_id = _known(visit, contact)
    if fields.get("typed", "").strip() != external_id:
        return _erase_page(visit, contact, fault=visit.said["erase"]["wrong"])
    await erasure.erase(visit.hub, visit.shop.id, external_id, by=visit.actor)
    return see(visit, "/people", note="erased")
