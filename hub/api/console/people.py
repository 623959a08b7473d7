"""People: found by name, address or the shop's own id, and each one's card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from aiohttp import web

from channels.base import Channel
from hub.api.console import asked
from hub.api.console.frame import Pages, Visit, masked, masked_id, masked_name, show
from hub.api.console.messages import found_page, lines_of
from hub.contacts import finding, history, service
from hub.contacts.addresses import KINDS_OF, Kind
from hub.contacts.links import LINKABLE
from hub.contacts.model import Address, Contact, Role
from hub.errors import NotFound
from hub.events import of_person
from hub.notifications.searching import Sought
from hub.operators.model import Right
from hub.orders import bought
from hub.preferences import suppressions

pages = Pages("people")

_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Person:
    """One in a list. `reached`: (kind, address as it may be shown)."""

    url: str
    name: str
    external_id: str
    role: str
    reached: Sequence[tuple[str, str]]
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Held:
    """An address on a card. `stopped`: (channel, reason, code, since when) of those by which it is not written to."""

    id: str
    kind: str
    value: str
    provider: str
    verified: bool
    stopped: Sequence[tuple[Channel, str, str, datetime]]


@pages.get("/people")
async def listed(visit: Visit) -> web.StreamResponse:
    q, role = asked.text(visit, "q"), asked.one_of(visit, "role", Role)
    db, shop_id = visit.hub.db, visit.shop.id
    older = ""
    if q:
        found = await finding.find(db, shop_id, q, limit=_AT_ONCE + 1)
        found = [one for one in found if role is None or one.role is role]
        has_more = len(found) > _AT_ONCE
    else:
        before = asked.uuid(visit.request.query.get("before", ""))
        found = await service.list_(db, shop_id, role=role, before=before, limit=_AT_ONCE + 1)
        has_more = False
        if len(found) > _AT_ONCE:
            older = visit.here(before=str(found[_AT_ONCE - 1].id))
    return show(
        visit,
        "list.html",
        title=visit.said["nav"]["people"],
        people=[_person(visit, one) for one in found[:_AT_ONCE]],
        chosen={"q": q, "role": role or ""},
        has_more=has_more,
        older=older,
        newest=visit.here(before=None) if visit.request.query.get("before") else "",
        roles=[(one.value, visit.said["contact_roles"][one]) for one in Role],
    )


def _person(visit: Visit, contact: Contact) -> Person:
    return Person(
        url=visit.url(f"/people/{contact.id}"),
        name=masked_name(visit, contact.name) or id_of(visit, contact),
        external_id=id_of(visit, contact),
        role=contact.role,
        reached=[(a.kind, value_of(visit, a)) for a in contact.addresses],
        created_at=contact.created_at,
    )


def id_of(visit: Visit, contact: Contact) -> str:
    return masked_id(visit, contact.external_id or "")


def value_of(visit: Visit, address: Address) -> str:
    """Of a device nothing is worth showing but its end."""
    if address.kind is Kind.PUSH:
        return f"…{address.value[-6:]}"
    return masked(visit, address.value, address.kind)


async def person_of(visit: Visit) -> Contact:
    """Whose page this is. Raises `NotFound`."""
    contact = await finding.by_id(visit.hub.db, visit.shop.id, asked.in_path(visit))
    if contact is None:
        raise NotFound(visit.said["no_person"])
    return contact


def called(visit: Visit, contact: Contact) -> str:
    """What a page about somebody is headed with."""
    if contact.external_id is None:
        known = contact.addresses
        return value_of(visit, known[0]) if known else str(visit.said["nobody"])
    return masked_name(visit, contact.name) or id_of(visit, contact)


_TABS = ("card", "messages", "orders", "events", "consents")


@pages.get("/people/{id}")
async def one(visit: Visit) -> web.StreamResponse:
    """Her card; behind tabs what else is known, each the newest first."""
    contact = await person_of(visit)
    tab = asked.text(visit, "tab")
    tab = tab if tab in _TABS else "card"
    values = await _BEHIND[tab](visit, contact)
    return show(
        visit,
        "one.html",
        title=called(visit, contact),
        contact=contact,
        shown_id=id_of(visit, contact),
        sees=visit.may(Right.ADDRESSES),
        tab=tab,
        tabs=[
            (visit.url(f"/people/{contact.id}", tab=name), visit.said["tabs"][name], name == tab)
            for name in _TABS
        ],
        newest=visit.here(before=None) if visit.request.query.get("before") else "",
        **values,
    )


async def _card(visit: Visit, contact: Contact) -> Mapping[str, Any]:
    stopped = await suppressions.of(
        visit.hub.db, visit.shop.id, [a.digest for a in contact.addresses]
    )
    held = [
        Held(
            str(a.id),
            a.kind,
            value_of(visit, a),
            a.provider or "",
            a.verified,
            [(s.channel, s.reason, s.code, s.created_at) for s in stopped if s.digest == a.digest],
        )
        for a in contact.addresses
    ]
    return {
        "held": held,
        "consents": consents_of(contact),
        "wanted": _wanted(contact),
        "quiet": contact.preferences.get("quiet_hours"),
        "attributes": _json(contact.attributes) if visit.may(Right.ADDRESSES) else "",
        "linkable": _linkable(visit),
        "clock": _clock(visit, contact),
    }


def consents_of(contact: Contact) -> list[tuple[str, str]]:
    """(channel, state) of marketing; state empty: nothing was said. Channels without an address and a word are left
    out."""
    said = contact.consents.get("marketing", {})
    kinds = {a.kind for a in contact.addresses}
    return [(c, said.get(c, "")) for c in Channel if c in said or kinds & set(KINDS_OF[c])]


def _wanted(contact: Contact) -> list[tuple[str, Sequence[str]]]:
    given = contact.preferences
    return [
        (name, given[name])
        for name in ("transactional", "marketing", "security")
        if given.get(name) is not None
    ]


def _clock(visit: Visit, contact: Contact) -> str:
    """What time it is where the person lives: nobody is to be woken up."""
    zone = contact.timezone or visit.shop.settings.timezone
    return visit.now.astimezone(ZoneInfo(zone)).strftime("%H:%M")


def _linkable(visit: Visit) -> list[Channel]:
    return [c for c in Channel if c in LINKABLE and visit.hub.accounts.of(visit.shop.id, c)]


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() if value else ""


async def _messages(visit: Visit, contact: Contact) -> Mapping[str, Any]:
    found = await found_page(visit, Sought(people=(contact.id,)))
    older = visit.here(before=str(found.before)) if found.before else ""
    return {"lines": lines_of(visit, found.rows), "older": older}


async def _orders(visit: Visit, contact: Contact) -> Mapping[str, Any]:
    before = asked.uuid(visit.request.query.get("before", ""))
    rows = await bought.page(
        visit.hub.db, visit.shop.id, contact.id, before=before, limit=_AT_ONCE + 1
    )
    return {"orders": rows[:_AT_ONCE], "older": _older(visit, rows)}


async def _events(visit: Visit, contact: Contact) -> Mapping[str, Any]:
    before = asked.uuid(visit.request.query.get("before", ""))
    rows = await of_person.page(
        visit.hub.db, visit.shop.id, contact.id, before=before, limit=_AT_ONCE + 1
    )
    return {"events": rows[:_AT_ONCE], "older": _older(visit, rows)}


async def _consents(visit: Visit, contact: Contact) -> Mapping[str, Any]:
    before = asked.text(visit, "before", longest=18)
    rows = await history.page(
        visit.hub.db,
        [contact.id],
        before=int(before) if before.isascii() and before.isdigit() else None,
        limit=_AT_ONCE + 1,
    )
    return {"history": rows[:_AT_ONCE], "older": _older(visit, rows)}


def _older(visit: Visit, rows: Sequence[Any]) -> str:
    return visit.here(before=str(rows[_AT_ONCE - 1].id)) if len(rows) > _AT_ONCE else ""


_BEHIND = {
    "card": _card,
    "messages": _messages,
    "orders": _orders,
    "events": _events,
    "consents": _consents,
}
