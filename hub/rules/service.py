"""What a shop does with its rules: puts one in the place of a default, adds its own, takes them back."""

from collections.abc import Iterator
from dataclasses import replace

from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.contacts.model import Role
from hub.content.catalog import Template
from hub.content.model import HUB_NAMES, Audience
from hub.db.pool import Db
from hub.errors import Conflict, Fault, NotFound, Unprocessable
from hub.resources import Hub
from hub.rules import condition, defaults, queries, timers
from hub.rules.model import EVENTS, HEARERS, MOST, Rule
from hub.shops.registry import Shop

_ORDER = "order."


async def get(db: Db, shop: Shop, name: str) -> Rule:
    """Raises `NotFound`."""
    rule = await queries.by_name(db, shop, name)
    if rule is None:
        raise NotFound("there is no rule of this name")
    return rule


async def put(hub: Hub, shop: Shop, rule: Rule, *, by: Actor = SYSTEM) -> tuple[Rule, bool]:
    """The rule as it is in force from now on, and whether it is new. What waits by the rule as it was goes by
    the new one, unless that is about something else.

    Raises `Unprocessable` (what it asks for is not there), `Conflict` (`MOST`; a rule with a fault, of which a part
    is not known here and would be lost).
    """
    if rule.fault:
        raise Conflict(rule.problem)
    if faults := list(_faults(hub, shop, rule)):
        raise Unprocessable(faults=faults)
    is_default = rule.name in defaults.NAMES
    async with hub.db.acquire() as connection, connection.transaction():
        before = await queries.by_name(connection, shop, rule.name)
        added = await queries.put(connection, shop.id, rule, most=MOST)
        if added is None:
            raise Conflict(f"the shop has {MOST} rules of its own, and there cannot be more")
        if before is not None and before.event != rule.event:
            await timers.drop_rule(connection, shop.id, rule.name)
        await audit.record(
            connection,
            shop.id,
            by,
            Action.RULE_STORED,
            rule.name,
            event=rule.event,
            audiences=sorted(rule.audiences),
            template=rule.template,
            active=rule.active,
        )
    return replace(rule, built_in=is_default, changed=is_default), added and not is_default


async def remove(hub: Hub, shop: Shop, name: str, *, by: Actor = SYSTEM) -> None:
    """One that stood in the place of a default gives way to it; what waited by it is dropped.

    Raises `NotFound`, `Conflict` (a default that nobody has changed).
    """
    async with hub.db.acquire() as connection, connection.transaction():
        if await queries.remove(connection, shop.id, name):
            await timers.drop_rule(connection, shop.id, name)
            await audit.record(connection, shop.id, by, Action.RULE_REMOVED, name)
            return
    if name in defaults.NAMES:
        raise Conflict('this rule is built in; put it with "active": false to silence it')
    raise NotFound("there is no rule of this name")


def possible(hub: Hub, shop: Shop, rule: Rule) -> list[Role]:
    """Whom this rule could tell: those for whom its template has a text."""
    template = hub.catalog.find(shop.id, rule.template)
    if template is None or rule.event not in EVENTS:
        return []
    return [r for r in Role if r in HEARERS[rule.kind] and template.channels(Audience(r), None)]


def _faults(hub: Hub, shop: Shop, rule: Rule) -> Iterator[Fault]:
    yield from _name_faults(rule)
    template = hub.catalog.find(shop.id, rule.template)
    if template is None:
        yield Fault("/template", f"there is no template {rule.template!r}")
    else:
        yield from _template_faults(rule, template)
    if nobody := rule.audiences - HEARERS[rule.kind]:
        yield Fault(
            "/audiences", f"{rule.event} is nothing to tell a {', a '.join(sorted(nobody))}"
        )
    if rule.condition is not None:
        for at, fault in condition.strange(rule.condition, rule.kind):
            yield Fault(f"/condition{at}", fault)


def _name_faults(rule: Rule) -> Iterator[Fault]:
    if rule.name in defaults.NAMES:
        if rule.event != rule.name:
            reason = f"the rule {rule.name} is about {rule.name}; one about {rule.event} needs another name"
            yield Fault("/event", reason)
    elif rule.name.startswith(_ORDER):
        # A slip in the name of a default would tell everybody twice.
        yield Fault(
            "/name", f"names with {_ORDER} are those of the built-in rules, and this is none"
        )


def _template_faults(rule: Rule, template: Template) -> Iterator[Fault]:
    mute = {role for role in rule.audiences if not template.channels(Audience(role), None)}
    if mute:
        yield Fault("/audiences", f"{rule.template} has no text for {', '.join(sorted(mute))}")
    given = {rule.kind.value, *HUB_NAMES}
    needed = (v.name for v in template.info().variables if v.required)
    if strange := next((n for n in needed if n.split(".")[0].rstrip("[]") not in given), None):
        reason = f"{rule.template} needs {strange}, which {rule.event} does not bring along"
        yield Fault("/template", reason)
    for role in sorted(rule.audiences - mute) if rule.channels else ():
        if template.channels(Audience(role), None).isdisjoint(rule.channels or ()):
            reason = f"{rule.template} has no text for {role} on {', '.join(rule.channels or ())}"
            yield Fault("/channels", reason)
