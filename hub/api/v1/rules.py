"""Rules: who hears what when something happens, and how long after it."""

import re
from datetime import timedelta
from typing import Annotated, Any, Self

from aiohttp import web
from pydantic import AfterValidator, Field, StringConstraints

from channels.base import Channel
from hub.api.acting import actor_of
from hub.api.body import In, Out, answer, parse, path_text, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.contacts.model import Role
from hub.errors import Fault, InvalidInput
from hub.resources import Hub
from hub.rules import condition, defaults, queries, service
from hub.rules.condition import ConditionIn
from hub.rules.model import EVENTS, MOST_DELAY, Rule
from hub.shops.keys import Scope
from hub.shops.registry import Shop

routes = Routes("Rules")

_MINUTE = timedelta(minutes=1)
_NAME = re.compile("[a-z0-9][a-z0-9_.-]{0,63}")


def _event(value: str) -> str:
    if value not in EVENTS:
        raise ValueError(f"must be one of {', '.join(EVENTS)}")
    return value


def _once_each(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values or len(set(values)) != len(values):
        raise ValueError("must name one at least, and each once")
    return values


Event = Annotated[str, AfterValidator(_event), Field(json_schema_extra={"enum": list(EVENTS)})]
Template = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class RuleIn(In):
    """The whole rule: what is left out is not taken over from the one before."""

    event: Event | None = Field(
        default=None, description="What sets it off. Of a built-in rule it is the rule's name."
    )
    audiences: Annotated[tuple[Role, ...], AfterValidator(_once_each)] = Field(
        description="Who is told, each what concerns him.",
        json_schema_extra={"minItems": 1, "uniqueItems": True},
    )
    template: Template | None = Field(
        default=None,
        description="What they are told. Left out, it is the one of the order's status.",
    )
    delay: int = Field(
        default=0,
        ge=0,
        le=MOST_DELAY // _MINUTE,
        description="Minutes after the event. Then it must still be so: the order in that status, the cart as it"
        " was, the condition holding.",
    )
    condition: ConditionIn | None = Field(
        default=None,
        description='`{"field", "op", "value"}`, or `{"all": […]}`, `{"any": […]}`, `{"not": …}` of such.',
    )
    channels: Annotated[tuple[Channel, ...], AfterValidator(_once_each)] | None = Field(
        default=None,
        json_schema_extra={"minItems": 1, "uniqueItems": True},
        description="No others than these; null: those that the person and the shop prefer.",
    )
    active: bool = Field(default=True, description="`false`: it is kept and tells nobody.")


class RuleOut(Out):
    name: str
    event: str
    audiences: list[Role]
    possible: list[Role] = Field(description="Those for whom the template has a text.")
    template: str
    delay: int = Field(description="Minutes.")
    condition: dict[str, Any] | None
    channels: list[Channel] | None
    active: bool
    built_in: bool = Field(description="It is there without anybody having made it.")
    changed: bool = Field(description="The shop's own one stands in the place of the built-in.")
    problem: str = Field(
        description="Why it tells nobody although it is active: another version of the hub stored what this one does"
        " not take. Empty: nothing."
    )

    @classmethod
    def of(cls, hub: Hub, shop: Shop, rule: Rule) -> Self:
        return cls(
            name=rule.name,
            event=rule.event,
            audiences=[role for role in Role if role in rule.audiences],
            possible=service.possible(hub, shop, rule),
            template=rule.template,
            delay=rule.delay // _MINUTE,
            condition=dict(rule.condition_stored)
            if rule.condition_stored
            else condition.shown(rule.condition),
            channels=list(rule.channels) if rule.channels else None,
            active=rule.active,
            built_in=rule.built_in,
            changed=rule.changed,
            problem=rule.problem,
        )


@routes.get(
    "/v1/rules",
    name="rules.list",
    scope=Scope.ADMIN,
    also=Scope.READ,
    summary="List rules",
    query=ListQuery,
    answers={200: Page[RuleOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """The built-in ones, as they are or as the shop has changed them, and the shop's own, by name."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, ListQuery)
    last = position(request, query) or ""
    rows = [rule for rule in await queries.all_of(hub.db, shop) if rule.name > last]
    return answer(
        page(
            request,
            query,
            rows,
            key=lambda rule: rule.name,
            show=lambda rule: RuleOut.of(hub, shop, rule),
        )
    )


@routes.get(
    "/v1/rules/{name}",
    name="rules.get",
    scope=Scope.ADMIN,
    also=Scope.READ,
    summary="Show a rule",
    answers={200: RuleOut},
)
async def shown(request: web.Request) -> web.StreamResponse:
    """One of a status of orders has its name: `order.shipped`."""
    hub, shop = request.app[HUB], request[SHOP]
    rule = await service.get(hub.db, shop, path_text(request, "name"))
    return answer(RuleOut.of(hub, shop, rule))


@routes.put(
    "/v1/rules/{name}",
    name="rules.put",
    scope=Scope.ADMIN,
    summary="Store a rule",
    body=RuleIn,
    answers={200: RuleOut, 201: RuleOut},
    problems=(409, 422),
)
async def put(request: web.Request) -> web.StreamResponse:
    """In force for whatever happens from now on. Under the name of a built-in rule it takes its place; another name
    makes one more, which tells beside it."""
    hub, shop = request.app[HUB], request[SHOP]
    rule = _rule(_name(request), await parse(request, RuleIn))
    stored, created = await service.put(hub, shop, rule, by=actor_of(request))
    return answer(RuleOut.of(hub, shop, stored), status=201 if created else 200)


@routes.delete(
    "/v1/rules/{name}",
    name="rules.delete",
    scope=Scope.ADMIN,
    summary="Remove a rule",
    answers={204: None},
    problems=(409,),
)
async def delete(request: web.Request) -> web.StreamResponse:
    """In the place of a built-in rule that one counts again, which itself cannot be removed: `"active": false`
    silences it. What waits by the rule is not told."""
    hub, shop = request.app[HUB], request[SHOP]
    await service.remove(hub, shop, path_text(request, "name"), by=actor_of(request))
    return answer()


def _name(request: web.Request) -> str:
    name = path_text(request, "name", longest=64)
    if not _NAME.fullmatch(name):
        detail = "begins with a small letter or digit; then these and . _ - may stand, 64 in all"
        raise InvalidInput(faults=[Fault("/name", detail)])
    return name


def _rule(name: str, given: RuleIn) -> Rule:
    """Of what a built-in rule says by its name nothing needs to be repeated."""
    event = given.event or (name if name in defaults.NAMES else None)
    template = given.template or (event if event in defaults.NAMES else None)
    faults = []
    if event is None:
        faults.append(Fault("/event", "is required, but for a built-in rule"))
    if template is None and event is not None:
        faults.append(Fault("/template", "is required, but for a status of an order"))
    if event is None or template is None:
        raise InvalidInput(faults=faults)
    return Rule(
        name=name,
        event=event,
        audiences=frozenset(given.audiences),
        template=template,
        condition=given.condition,
        channels=given.channels,
        delay=given.delay * _MINUTE,
        active=given.active,
    )
