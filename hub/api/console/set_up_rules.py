"""Rules: who hears what when something happens; changed, turned on and off, and a built-in one put back as it was."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

from aiohttp import web

from channels.base import Channel
from hub.api.console.frame import Visit, form, see, show
from hub.api.console.messages import what_of
from hub.api.console.set_up import pages, tabs
from hub.contacts.model import Role
from hub.errors import Conflict, Unprocessable
from hub.operators.model import Right
from hub.rules import condition, queries, service
from hub.rules.model import MOST_DELAY, Rule

_MINUTE = timedelta(minutes=1)


@pages.get("/set-up/rules", right=Right.SET_UP)
async def rules(visit: Visit) -> web.StreamResponse:
    found = await queries.all_of(visit.hub.db, visit.shop)
    return show(
        visit,
        "rules.html",
        title=visit.said["tabs"]["rules"],
        tabs=tabs(visit, "/rules"),
        rows=found,
        named=partial(what_of, visit),
        conditions={
            one.name: one.condition_stored or condition.shown(one.condition)
            for one in found
            if one.condition or one.condition_stored
        },
    )


@pages.get("/set-up/rules/{name}", right=Right.SET_UP)
async def rule_page(visit: Visit) -> web.StreamResponse:
    name = visit.request.match_info["name"]
    return _page(visit, await service.get(visit.hub.db, visit.shop, name))


@pages.post("/set-up/rules/{name}", right=Right.SET_UP)
async def change_rule(visit: Visit) -> web.StreamResponse:
    """Whom it tells, when and by which channels; what it is about and its condition stay as they are."""
    rule = await service.get(visit.hub.db, visit.shop, visit.request.match_info["name"])
    filled, words = await form(visit), visit.said["rules_page"]
    minutes = filled.text("delay", longest=9) or "0"
    channels = tuple(one for one in Channel if one in filled.all("channel"))
    changed = replace(
        rule,
        audiences=frozenset(one for one in Role if one in filled.all("audience")),
        channels=channels or None,
    )
    if not changed.audiences:
        return _page(visit, changed, words["nobody"])
    if not (minutes.isascii() and minutes.isdigit() and int(minutes) * _MINUTE <= MOST_DELAY):
        return _page(visit, changed, words["bad_delay"])
    changed = replace(changed, delay=int(minutes) * _MINUTE)
    try:
        await service.put(visit.hub, visit.shop, changed, by=visit.actor)
    except (Unprocessable, Conflict) as error:
        return _page(visit, changed, error.detail)
    return see(visit, "/set-up/rules", note="saved")


def _page(visit: Visit, rule: Rule, fault: str = "") -> web.Response:
    possible = set(service.possible(visit.hub, visit.shop, rule)) | rule.audiences
    return show(
        visit,
        "rule.html",
        status=422 if fault else 200,
        title=rule.name,
        tabs=tabs(visit, "/rules"),
        rule=rule,
        named=what_of(visit, rule.template),
        roles=[str(role) for role in Role if role in possible],
        chosen={str(role) for role in rule.audiences},
        channels=[str(channel) for channel in Channel],
        only={str(channel) for channel in rule.channels or ()},
        minutes=rule.delay // _MINUTE,
        most=MOST_DELAY // _MINUTE,
        condition=rule.condition_stored or condition.shown(rule.condition),
        fault=fault or rule.problem,
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
