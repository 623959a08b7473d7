"""One message's whole story: what it came to and who says so, what was said, and what can be done about it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from aiohttp import web

from channels.base import Category, Channel
from channels.registry import UnknownProvider, described
from hub.api.console import asked, meaning, messages_content
from hub.api.console.frame import Visit, form, framed, masked, see, show
from hub.api.console.messages import pages, what_of, who_of
from hub.errors import Conflict, NotFound
from hub.notifications import again, quoted, searching, storage, story
from hub.notifications.model import NotificationStatus
from hub.operators.model import Right

Row = Mapping[str, Any]

_OPEN = frozenset({NotificationStatus.SCHEDULED, NotificationStatus.QUEUED})


@dataclass(frozen=True, slots=True)
class Way:
    """One channel as the plan saw it. `reason`: why it was not taken; empty: it was. `status`: of the delivery by it,
    where it came to one. `until` and `wait`: in a cascade, what ends it here, and how many minutes are waited."""

    channel: str
    reason: str = ""
    addresses: Sequence[str] = ()
    status: str = ""
    until: str = ""
    wait: int | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """One delivery's particulars."""

    id: str
    channel: str
    status: str
    account: str
    provider: str
    provider_id: str
    address: str
    cost: Decimal | None
    maybe_duplicate: bool


@pages.get("/messages/{id}")
async def one(visit: Visit) -> web.StreamResponse:
    """While it is not over, its story is asked for anew by itself."""
    row, more = await _read(visit)
    told = story.tell(row, more)
    rights = (visit.may(Right.SEND), visit.may(Right.ADDRESSES))
    is_part = visit.is_part
    seen = []
    if rights[1] and not is_part:
        seen = await messages_content.seen(visit.hub, visit.shop, row, more)
    what = what_of(visit, row["template"], _own_words(row, more))
    return show(
        visit,
        "one.html",
        title=f"{what} № {more['number']}" if more["number"] else what,
        what=what,
        who=who_of(visit, more),
        person=visit.url(f"/people/{more['contact_id']}") if more["name"] is not None else "",
        row=row,
        number=more["number"] or "",
        story=told,
        provider_title=_provider_title,
        means=_means,
        ways=ways_of(visit, row),
        carried=[_carried(visit, d) for d in row["deliveries"]],
        seen=seen,
        sees=rights[1],
        meta=row["meta"] if rights[1] else None,
        again_of=asked.uuid(str((row["meta"] or {}).get(again.AGAIN_OF, ""))),
        later=more["again"],
        may_cancel=rights[0] and row["status"] in _OPEN,
        may_repeat=rights[0] and more["name"] is not None,
        live=visit.url(f"/messages/{row['id']}", part="story") if not told.is_over else "",
    )


def _means(word: str, code: str) -> str:
    """Of the words' table `errors`, what there is to know of a trouble whose code tells more than its kind."""
    if word == story.TROUBLE:
        return meaning.key("retrying", code)
    return meaning.key(word, code) if word in ("account_refused", "message_refused") else word


def _provider_title(channel: str, provider: str) -> str:
    """As people call it; of one that is no more, what the settings called it."""
    with suppress(ValueError, UnknownProvider):
        return described(Channel(channel), provider).title
    return provider


async def _read(visit: Visit) -> tuple[Row, Row]:
    id_, db = asked.in_path(visit), visit.hub.db
    row = await storage.by_id(db, visit.shop.id, id_)
    more = await searching.about(db, visit.shop.id, id_)
    if row is None or more is None:
        raise NotFound(visit.said["no_message"])
    return row if visit.may(Right.ADDRESSES) else quoted.row(row), more


async def _read_repeatable(visit: Visit) -> tuple[Row, Row]:
    """As `_read`. Raises `Conflict` in the operator's words where the person is gone, and with him what was said."""
    row, more = await _read(visit)
    if more["name"] is None:
        raise Conflict(visit.said["seen"]["faults"]["erased"])
    return row, more


def _own_words(row: Row, more: Row) -> str | None:
    content = more["content"]
    if not content or row["category"] == Category.SECURITY:
        return None
    return str(content.get("subject") or content.get("text") or "")


def ways_of(visit: Visit, row: Row) -> list[Way]:
    """The plan's channels in their order, then those that were not taken, with the reasons."""
    statuses = {}
    for delivery in row["deliveries"]:
        statuses[delivery["channel"]] = delivery["status"]
    taken = [
        Way(
            step["channel"],
            addresses=[
                masked(visit, row["addresses"][id_]["value"], step["channel"])
                for id_ in step["addresses"]
                if id_ in row["addresses"]
            ],
            status=statuses.get(step["channel"], ""),
            until=step["until"] or "",
            wait=int(step["wait"] // 60) if step["wait"] and i < len(row["plan"]) else None,
        )
        for i, step in enumerate(row["plan"], 1)
    ]
    return [*taken, *(Way(one["channel"], one["reason"]) for one in row["skipped"])]


def _carried(visit: Visit, delivery: Row) -> Carried:
    address = delivery["address"]
    return Carried(
        delivery["id"],
        delivery["channel"],
        delivery["status"],
        delivery["account"] or "",
        delivery["provider"] or "",
        delivery["provider_id"] or "",
        masked(visit, address, delivery["channel"]) if address else "",
        Decimal(delivery["cost"]) if delivery["cost"] is not None else None,
        delivery["maybe_duplicate"],
    )


@pages.get("/messages/{id}/letter/{delivery}", right=Right.ADDRESSES)
async def letter(visit: Visit) -> web.StreamResponse:
    """The letter itself, for a frame of its own."""
    row, more = await _read(visit)
    wanted = asked.in_path(visit, "delivery")
    seen = await messages_content.seen(visit.hub, visit.shop, row, more)
    html = next((one.html for one in seen if one.delivery == wanted), "")
    if not html:
        raise NotFound
    return framed(html)


@pages.get("/messages/{id}/again", right=Right.SEND)
async def ask_again(visit: Visit) -> web.StreamResponse:
    """The way that it would take now, before anything is sent."""
    row, more = await _read_repeatable(visit)
    channels = _chosen(visit.request.query.getall("channel", []))
    repeat = await again.repeat_of(visit.hub.db, visit.shop, row["id"], channels=channels)
    plan = again.tried(visit.hub, visit.shop, repeat).plan
    return show(
        visit,
        "again.html",
        title=visit.said["again"]["title"],
        row=row,
        what=what_of(visit, row["template"], _own_words(row, more)),
        number=more["number"] or "",
        who=who_of(visit, more),
        steps=[step.channel for step in plan.steps],
        skipped=plan.skipped,
        held_until=plan.held_until,
        chosen=channels,
        channels=_offered(row),
    )


def _offered(row: Row) -> list[Channel]:
    """Channels that may be chosen: where there is an address, and that the shop uses for this kind."""
    out = ("no_address", "not_allowed")
    without = {s["channel"] for s in row["skipped"] if s["reason"] in out}
    return [channel for channel in Channel if channel not in without]


def _chosen(given: Sequence[str]) -> tuple[Channel, ...]:
    return tuple(channel for channel in Channel if channel in given)


@pages.post("/messages/{id}/again", right=Right.SEND)
async def send_again(visit: Visit) -> web.StreamResponse:
    """To the story of the new one."""
    row, _ = await _read_repeatable(visit)
    channels = _chosen((await form(visit)).all("channel"))
    new = await again.send_again(
        visit.hub, visit.shop, row["id"], by=visit.actor, channels=channels
    )
    return see(visit, f"/messages/{new}", note="sent_again")


@pages.post("/messages/{id}/cancel", right=Right.SEND)
async def cancel(visit: Visit) -> web.StreamResponse:
    id_: UUID = asked.in_path(visit)
    status = await again.cancel(visit.hub, visit.shop, id_, by=visit.actor)
    if status is None:
        raise NotFound(visit.said["no_message"])
    if status != NotificationStatus.CANCELLED:
        return see(visit, f"/messages/{id_}", note="too_late", kind="bad")
    return see(visit, f"/messages/{id_}", note="cancelled")
