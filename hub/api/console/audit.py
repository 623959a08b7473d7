"""The audit log: who did what, newest first."""

from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from aiohttp import web

from hub.api.console.frame import Pages, Visit, show
from hub.audit import log
from hub.audit.model import Action
from hub.operators.model import Right

pages = Pages("audit")

_AT_ONCE = 50
_LONGEST_OBJECT = 255


@pages.get("/audit", right=Right.OPERATORS)
async def audit(visit: Visit) -> web.StreamResponse:
    query = visit.request.query
    action = query.get("action", "")
    action = action if action in set(Action) else ""
    who = _uuid(query.get("who", ""))
    about = query.get("object", "").strip()[:_LONGEST_OBJECT]
    rows = await log.page(
        visit.hub.db,
        visit.shop.id,
        action=action or None,
        actor_id=who,
        object_=about or None,
        since=_day(visit, "since"),
        until=_day(visit, "until", end=True),
        before=_uuid(query.get("before", "")),
        limit=_AT_ONCE + 1,
    )
    more = len(rows) > _AT_ONCE
    rows = rows[:_AT_ONCE]
    return show(
        visit,
        "list.html",
        title=visit.said["nav"]["audit"],
        rows=rows,
        older=visit.here(before=str(rows[-1].id)) if more else "",
        newest=visit.here(before=None) if query.get("before") else "",
        options=[(one.value, visit.said["actions"].get(one, one)) for one in Action],
        chosen={"action": action, "who": str(who or ""), "object": about},
    )


def _uuid(text: str) -> UUID | None:
    with suppress(ValueError):
        return UUID(text)
    return None


def _day(visit: Visit, name: str, *, end: bool = False) -> datetime | None:
    """Its beginning, or its end, where the operator is."""
    with suppress(ValueError, OverflowError):
        day = datetime.combine(
            datetime.fromisoformat(visit.request.query.get(name, "")).date(),
            time(),
            visit.formats.zone,
        )
        return (day + timedelta(days=1) if end else day).astimezone(UTC)
    return None
