"""Webhooks: where the shop's backend is called, what came of each call, and what is sent again."""

from aiohttp import web

from hub.api.console import asked
from hub.api.console.frame import Visit, form, see, show
from hub.api.console.guard import Form
from hub.api.console.set_up import TIMEOUT, pages, tabs
from hub.errors import InvalidInput
from hub.operators.model import Right
from hub.webhooks import queries, service
from hub.webhooks.model import EventType, Outcome

_MOST = 100
_AT_ONCE = 50
_LONGEST_URL = 2048
_LONGEST_DESCRIPTION = 500


@pages.get("/set-up/webhooks", right=Right.SET_UP)
async def webhooks(visit: Visit) -> web.StreamResponse:
    return await _list(visit)


@pages.post("/set-up/webhooks", right=Right.SET_UP)
async def make_webhook(visit: Visit) -> web.StreamResponse:
    """Its secret stands on the page that comes back, and nowhere else."""
    filled = await form(visit)
    url = filled.text("url", longest=_LONGEST_URL)
    events = [EventType(one) for one in filled.all("event") if one in set(EventType)]
    if not events:
        return await _list(visit, filled=filled, fault=visit.said["webhooks_page"]["no_event"])
    try:
        made, secret = await service.create(
            visit.hub.db,
            visit.hub.signer,
            visit.shop.id,
            url=url,
            events=events,
            description=filled.text("description", longest=_LONGEST_DESCRIPTION),
            allow=visit.hub.settings.hub.outgoing_allow,
            by=visit.actor,
        )
    except InvalidInput as error:
        if any(fault.pointer != "/url" for fault in error.faults):
            raise
        return await _list(visit, filled=filled, bad_url=True)
    return await _one(visit, str(made.id), secret=secret)


@pages.get("/set-up/webhooks/{id}", right=Right.SET_UP)
async def webhook(visit: Visit) -> web.StreamResponse:
    return await _one(visit, visit.request.match_info["id"])


@pages.post("/set-up/webhooks/{id}/active", right=Right.SET_UP, timeout=TIMEOUT)
async def switch_webhook(visit: Visit) -> web.StreamResponse:
    """On again, it is called first with what waits for it."""
    id_ = asked.in_path(visit)
    active = (await form(visit)).get("active") == "1"
    await service.change(
        visit.hub.db,
        visit.shop.id,
        id_,
        {"active": active},
        allow=visit.hub.settings.hub.outgoing_allow,
        by=visit.actor,
    )
    return see(visit, f"/set-up/webhooks/{id_}", note="switched_on" if active else "switched_off")


@pages.post("/set-up/webhooks/{id}/test", right=Right.SET_UP)
async def test_webhook(visit: Visit) -> web.StreamResponse:
    id_ = asked.in_path(visit)
    await service.test(visit.hub.db, visit.shop.id, id_, by=visit.actor)
    return see(visit, f"/set-up/webhooks/{id_}", note="test_sent")


@pages.post("/set-up/webhooks/{id}/rotate", right=Right.SET_UP)
async def rotate_webhook(visit: Visit) -> web.StreamResponse:
    id_ = asked.in_path(visit)
    hub = visit.hub
    _, secret = await service.rotate(hub.db, hub.signer, visit.shop.id, id_, by=visit.actor)
    return await _one(visit, str(id_), secret=secret)


@pages.post("/set-up/webhooks/{id}/remove", right=Right.SET_UP)
async def remove_webhook(visit: Visit) -> web.StreamResponse:
    await service.remove(visit.hub.db, visit.shop.id, asked.in_path(visit), by=visit.actor)
    return see(visit, "/set-up/webhooks", note="deleted")


@pages.post("/set-up/webhooks/{id}/attempts/{attempt}/resend", right=Right.SET_UP)
async def resend(visit: Visit) -> web.StreamResponse:
    id_ = asked.in_path(visit)
    attempt = asked.in_path(visit, "attempt")
    await service.resend(visit.hub.db, visit.shop.id, id_, attempt, by=visit.actor)
    return see(visit, f"/set-up/webhooks/{id_}", note="sent_again")


async def _list(
    visit: Visit, *, filled: Form | None = None, fault: str = "", bad_url: bool = False
) -> web.StreamResponse:
    return show(
        visit,
        "webhooks.html",
        status=422 if fault or bad_url else 200,
        title=visit.said["tabs"]["webhooks"],
        tabs=tabs(visit, "/webhooks"),
        rows=await queries.page(visit.hub.db, visit.shop.id, before=None, limit=_MOST),
        events=[str(event) for event in EventType],
        filled=filled,
        fault=fault,
        bad_url=bad_url,
    )


async def _one(visit: Visit, id_: str, *, secret: str = "") -> web.StreamResponse:
    """`secret`: shown now and never again."""
    found = asked.uuid(id_) or asked.in_path(visit)
    hook = await service.get(visit.hub.db, visit.shop.id, found)
    outcome = asked.one_of(visit, "outcome", Outcome)
    rows = await service.attempts(
        visit.hub.db,
        visit.shop.id,
        found,
        outcome=outcome,
        before=asked.uuid(visit.request.query.get("before", "")),
        limit=_AT_ONCE + 1,
    )
    more, rows = len(rows) > _AT_ONCE, rows[:_AT_ONCE]
    path = f"/set-up/webhooks/{found}"
    return show(
        visit,
        "webhook.html",
        title=hook.description or hook.url,
        tabs=tabs(visit, "/webhooks"),
        hook=hook,
        rows=rows,
        secret=secret,
        filters=[(visit.url(path), visit.said["ui"]["all"], outcome is None)]
        + [
            (visit.url(path, outcome=one), visit.said["outcomes"][one], outcome is one)
            for one in Outcome
        ],
        older=visit.url(path, outcome=outcome, before=rows[-1].id) if more else "",
        newest=visit.url(path, outcome=outcome) if visit.request.query.get("before") else "",
    )
