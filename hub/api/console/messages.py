"""Messages: found by order, person, channel, status, template and time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiohttp import web

from channels.base import Channel
from hub.api.console import asked, rendering
from hub.api.console.frame import Pages, Visit, masked, masked_id, masked_name, see, show
from hub.contacts import queries
from hub.notifications import searching
from hub.notifications.model import NotificationStatus
from hub.notifications.searching import Found, Sought
from hub.operators.model import Right

pages = Pages("messages")

_AT_ONCE = 50
_PEOPLE_SHOWN = 5
"""Of those who are meant by what was typed, with links to their cards."""


@dataclass(frozen=True, slots=True)
class Line:
    """One notification in a list. `ways`: (channel, status) of its deliveries, in their order."""

    url: str
    at: datetime
    what: str
    number: str
    who: str
    person: str
    status: str
    ways: Sequence[tuple[str, str]]


@pages.get("/messages")
async def listed(visit: Visit) -> web.StreamResponse:
    """The newest first. The id of a message leads to it at once."""
    q = asked.text(visit, "q")
    if (id_ := asked.uuid(q)) and await searching.about(visit.hub.db, visit.shop.id, id_):
        return see(visit, f"/messages/{id_}")
    sought = await _sought(visit, q)
    found = await found_page(visit, sought) if sought else Found([], None)
    people = []
    if sought and sought.people:
        ids = sought.people[:_PEOPLE_SHOWN]
        people = await queries.by_ids(visit.hub.db, visit.shop.id, ids)
    return show(
        visit,
        "list.html",
        title=visit.said["nav"]["messages"],
        lines=lines_of(visit, found.rows),
        found=found,
        older=visit.here(before=str(found.before)) if found.before else "",
        newest=visit.here(before=None) if visit.request.query.get("before") else "",
        people=[
            (visit.url(f"/people/{p.id}"), name_of(visit, p.name, p.external_id)) for p in people
        ],
        chosen=_chosen(visit, q),
        is_filtered=any(visit.request.query.get(name) for name in _FILTERS),
        status_options=[(one.value, visit.said["statuses"][one]) for one in NotificationStatus],
        channel_options=[(one.value, visit.said["channels"][one]) for one in Channel],
        template_options=[
            (name, what_of(visit, name)) for name in visit.hub.catalog.names(visit.shop.id)
        ],
    )


_FILTERS = ("q", "status", "channel", "template", "since", "until")


def _chosen(visit: Visit, q: str) -> Mapping[str, str]:
    return {name: asked.text(visit, name) for name in _FILTERS} | {"q": q}


async def _sought(visit: Visit, q: str) -> Sought | None:
    """None: nobody and nothing is known by what was typed."""
    sought: Sought | None = Sought()
    if q:
        sought = await searching.meant(visit.hub.db, visit.shop.id, q)
    return sought and replace(
        sought,
        status=asked.one_of(visit, "status", NotificationStatus),
        channel=asked.one_of(visit, "channel", Channel),
        template=asked.text(visit, "template", longest=100) or None,
        since=asked.day(visit, "since"),
        until=asked.day(visit, "until", end=True),
    )


async def found_page(visit: Visit, sought: Sought) -> Found:
    before = asked.uuid(visit.request.query.get("before", ""))
    return await searching.search(
        visit.hub.db, visit.shop.id, sought, before=before, limit=_AT_ONCE
    )


def lines_of(visit: Visit, rows: Sequence[Mapping[str, Any]]) -> list[Line]:
    return [_line(visit, row) for row in rows]


def _line(visit: Visit, row: Mapping[str, Any]) -> Line:
    return Line(
        url=visit.url(f"/messages/{row['id']}"),
        at=row["created_at"],
        # A code is for one person's eyes, whoever may read the rest.
        what=what_of(visit, row["template"], "" if row["category"] == "security" else row["words"]),
        number=row["number"] or "",
        who=who_of(visit, row),
        person=visit.url(f"/people/{row['contact_id']}") if row["contact_id"] else "",
        status=row["status"],
        ways=[(channel, status) for channel, status in row["ways"]],
    )


def what_of(visit: Visit, template: str | None, words: str | None = None) -> str:
    """What a message is about: the event in words, else its own first ones, for those who may read them."""
    events = rendering.words("messages", visit.locale)["events"]
    if template:
        return str(events.get(template, template))
    own = (words or "").partition("\n")[0].strip()
    return own if own and visit.may(Right.ADDRESSES) else str(events["own"])


def who_of(visit: Visit, row: Mapping[str, Any]) -> str:
    """Whom it is for, as far as this operator may know; `row`: as `searching` gives it."""
    if row["contact_id"] is None or (row["external_id"] is None and not row["address"]):
        return str(rendering.words("messages", visit.locale)["erased"])
    if row["external_id"] is None:
        kind, value = row["address"]
        return masked(visit, value, kind)
    return name_of(visit, row["name"], row["external_id"])


def name_of(visit: Visit, name: str, external_id: str | None) -> str:
    """By his name, else by what the shop calls him."""
    return masked_name(visit, name) if name else masked_id(visit, external_id or "")
