"""API keys: made, shown once, revoked."""

from aiohttp import web

from hub.api.console import asked
from hub.api.console.frame import Visit, form, see, show
from hub.api.console.set_up import pages, tabs
from hub.errors import NotFound
from hub.operators.model import Right
from hub.shops import keys
from hub.shops.keys import Scope

_MOST = 200
_LONGEST_NAME = 200


@pages.get("/set-up/keys", right=Right.SET_UP)
async def api_keys(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


@pages.post("/set-up/keys", right=Right.SET_UP)
async def make_key(visit: Visit) -> web.StreamResponse:
    """The page that comes back is the only one that has the key."""
    filled = await form(visit)
    name = filled.text("name", longest=_LONGEST_NAME)
    scopes = {Scope(one) for one in filled.all("scope") if one in set(Scope)}
    if not scopes:
        return await _page(visit, name=name, fault=visit.said["keys_page"]["no_scope"])
    _, key = await keys.create(visit.hub.db, visit.shop.slug, scopes, name, by=visit.actor)
    return await _page(visit, made=key)


@pages.post("/set-up/keys/{id}/revoke", right=Right.SET_UP)
async def revoke_key(visit: Visit) -> web.StreamResponse:
    """One that was revoked meanwhile is as the operator wanted it."""
    try:
        await keys.revoke(visit.hub.db, visit.shop.slug, asked.in_path(visit), by=visit.actor)
    except NotFound:
        return see(visit, "/set-up/keys", note="changed_meanwhile", kind="bad")
    return see(visit, "/set-up/keys", note="revoked")


async def _page(
    visit: Visit, *, made: str = "", name: str = "", fault: str = ""
) -> web.StreamResponse:
    return show(
        visit,
        "keys.html",
        status=422 if fault else 200,
        title=visit.said["tabs"]["keys"],
        tabs=tabs(visit, "/keys"),
        rows=await keys.listed(visit.hub.db, visit.shop.slug, limit=_MOST),
        scopes=[str(scope) for scope in Scope],
        made=made,
        name=name,
        fault=fault,
    )
