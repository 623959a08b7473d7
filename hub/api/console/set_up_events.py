"""What shops told: what came of each event, what it set off, and another try for what failed."""

from typing import Any

import orjson
from aiohttp import web

from hub.api.console import asked
from hub.api.console.frame import SERVED, Visit, see, show
from hub.api.console.set_up import pages, tabs
from hub.audit import log as audit
from hub.audit.model import Action
from hub.db.pool import transaction
from hub.events import views
from hub.events.views import UNKNOWN_STATUS, Shown
from hub.operators.model import Right
from hub.sources import queries
from hub.sources.model import Result

_AT_ONCE = 50
_MOST_SOURCES = 100


@pages.get("/set-up/events", right=Right.SET_UP)
async def events(visit: Visit) -> web.StreamResponse:
    """The newest first, by source and by what came of them."""
    db, shop = visit.hub.db, visit.shop
    result, source = asked.one_of(visit, "result", Result), asked.text(visit, "source")
    object_ = asked.text(visit, "object")
    rows = await views.page(
        db,
        shop.id,
        result=result,
        source=source or None,
        object_=object_ or None,
        before=asked.uuid(visit.request.query.get("before", "")),
        limit=_AT_ONCE + 1,
    )
    more, rows = len(rows) > _AT_ONCE, rows[:_AT_ONCE]
    known = await queries.page(db, shop.id, before=None, limit=_MOST_SOURCES)
    return show(
        visit,
        "events.html",
        title=visit.said["tabs"]["events"],
        tabs=tabs(visit, "/events"),
        rows=rows,
        results=[("", visit.said["ui"]["all"])]
        + [(one.value, visit.said["results"][one]) for one in Result],
        sources=[("", visit.said["ui"]["all"]), *((one.name, one.name) for one in known)],
        chosen={"result": result or "", "source": source, "object": object_},
        older=visit.here(before=str(rows[-1].id)) if more else "",
        newest=visit.here(before=None) if visit.request.query.get("before") else "",
        may_replay=_may_replay,
    )


@pages.get("/set-up/events/{id}", right=Right.SET_UP)
async def event(visit: Visit) -> web.StreamResponse:
    """What was told of people is for those who may see addresses."""
    found = await views.by_id(visit.hub.db, visit.shop.id, asked.in_path(visit))
    shows = found.payload is not None and visit.may(Right.ADDRESSES)
    set_off: dict[str, Any] = dict(found.set_off or {})
    return show(
        visit,
        "event.html",
        title=visit.said["events_page"]["one"],
        tabs=tabs(visit, "/events"),
        event=found,
        set_off=set_off,
        payload=_pretty(found.payload) if shows else "",
        hidden=found.payload is not None and not shows,
        may_replay=_may_replay,
        served=visit.request.app[SERVED],
    )


@pages.post("/set-up/events/{id}/replay", right=Right.SET_UP)
async def replay_event(visit: Visit) -> web.StreamResponse:
    id_ = asked.in_path(visit)
    async with transaction(visit.hub.db) as connection:
        await views.replay(connection, visit.shop.id, id_)
        await audit.record(connection, visit.shop.id, visit.actor, Action.EVENT_REPLAYED, id_)
    return see(visit, f"/set-up/events/{id_}", note="replayed")


def _may_replay(event: Shown) -> bool:
    """Where a button makes sense; whether it works is said by `views.replay`."""
    again = event.result in (Result.FAILED, Result.IGNORED)
    unread = event.result is Result.APPLIED and event.reason == UNKNOWN_STATUS
    return (again or unread) and bool(event.kind and event.object) and event.source is not None


def _pretty(payload: Any) -> str:
    return orjson.dumps(payload, option=orjson.OPT_INDENT_2).decode()
