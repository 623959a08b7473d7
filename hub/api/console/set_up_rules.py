"""Rules: who hears what when something happens; turned on and off, and a built-in one put back as it was."""

from dataclasses import replace

from aiohttp import web

from hub.api.console.frame import Visit, form, see, show
from hub.api.console.set_up import pages, tabs
from hub.operators.model import Right
from hub.rules import condition, queries, service


@pages.get("/set-up/rules", right=Right.SET_UP)
async def rules(visit: Visit) -> web.StreamResponse:
    found = await queries.all_of(visit.hub.db, visit.shop)
    return show(
        visit,
        "rules.html",
        title=visit.said["tabs"]["rules"],
        tabs=tabs(visit, "/rules"),
        rows=found,
        conditions={one.name: condition.shown(one.condition) for one in found if one.condition},
    )


@pages.post("/set-up/rules/{name}/active", right=Right.SET_UP)
async def switch_rule(visit: Visit) -> web.StreamResponse:
    """In force for whatever happens from now on."""
    rule = await service.get(visit.hub.db, visit.shop, visit.request.match_info["name"])
    active = (await form(visit)).get("active") == "1"
    await service.put(visit.hub, visit.shop, replace(rule, active=active), by=visit.actor)
    return see(visit, "/set-up/rules", note="switched_on" if active else "switched_off")


@pages.post("/set-up/rules/{name}/reset", right=Right.SET_UP)
async def reset_rule(visit: Visit) -> web.StreamResponse:
    """The shop's own gives way: to the built-in of its name, or to nothing."""
    name = visit.request.match_info["name"]
    await service.remove(visit.hub, visit.shop, name, by=visit.actor)
    return see(visit, "/set-up/rules", note="deleted")
