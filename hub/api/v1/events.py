"""Events of a shop: what its programs tell of customers, products, carts and orders."""

import hashlib
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from aiohttp import web
from pydantic import Field, StringConstraints

from hub.api import problems
from hub.api.body import In, Out, answer, check, read_json
from hub.api.keys import HUB, REQUEST_ID, SHOP
from hub.api.routes import Routes
from hub.contacts.instant import Instant
from hub.errors import Fault, HubError, InvalidInput, Unprocessable
from hub.resources import Hub
from hub.shops.keys import Scope
from hub.shops.registry import Shop
from hub.sources import inbox, queries, service
from hub.sources.canonical import MODEL_OF, Data, GoneData
from hub.sources.model import Action, Incoming, Kind, Source, Via

routes = Routes("Events")

_MOST_IN_BATCH = 1000
_GENERIC = "generic"

_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class EventIn(In):
    id: _Name | None = Field(
        default=None,
        description="The same again is no news, for two weeks. Left out: the body's digest.",
    )
    source: _Name = Field(default=service.OWN, description="One of the platform `generic`.")
    kind: Kind
    action: Action = Action.UPDATED
    happened_at: Instant | None = Field(
        default=None,
        description="Left out: now. What is older than the source's `tell_within` is told to nobody.",
    )
    data: dict[str, Any] = Field(
        description="A customer, product, cart or order, as the guide shows them; of what was deleted `id`."
    )


class BatchIn(In):
    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=_MOST_IN_BATCH)]


class AcceptedOut(Out):
    id: UUID
    duplicate: bool = Field(description="It was told before: `id` is that of the first time.")


class BatchOut(Out):
    accepted: int
    duplicates: int
    results: list[dict[str, Any]] = Field(
        description="In order: as the single answer, or a problem."
    )


@routes.post(
    "/v1/events",
    name="events.create",
    scope=Scope.ORDERS,
    summary="Tell of something that happened in the shop",
    body=EventIn,
    answers={202: AcceptedOut},
    problems=(409, 422),
    is_work=True,
)
async def create(request: web.Request) -> web.StreamResponse:
    """202 once it is stored; it is applied within a second, in the order in which it came. The same `id` again gets the
    same answer and changes nothing."""
    hub, shop = request.app[HUB], request[SHOP]
    tree = await read_json(request)
    source, event = await _read(hub, shop, tree, {})
    [added] = await inbox.add(hub.db, source, [event], Via.API)
    return answer(AcceptedOut(id=added.id, duplicate=added.duplicate), status=202)


@routes.post(
    "/v1/events/batch",
    name="events.create_batch",
    scope=Scope.ORDERS,
    summary="Tell of many things at once",
    body=BatchIn,
    answers={202: BatchOut},
    problems=(409,),
    is_work=True,
)
async def create_batch(request: web.Request) -> web.StreamResponse:
    """Up to 1000, each as by itself: a bad one does not stop the others."""
    hub, shop = request.app[HUB], request[SHOP]
    body = check(BatchIn, await read_json(request))
    results: list[dict[str, Any]] = [{}] * len(body.events)
    by_source: dict[UUID, tuple[Source, list[tuple[int, Incoming]]]] = {}
    sources: dict[str, Source] = {}
    for place, tree in enumerate(body.events):
        try:
            source, event = await _read(hub, shop, tree, sources, at=f"/events/{place}")
        except HubError as error:
            results[place] = problems.body_of(error, request[REQUEST_ID])
        else:
            by_source.setdefault(source.id, (source, []))[1].append((place, event))
    accepted = duplicates = 0
    for source, items in by_source.values():
        added = await inbox.add(hub.db, source, [event for _, event in items], Via.API)
        for (place, _), one in zip(items, added, strict=True):
            results[place] = {"id": str(one.id), "duplicate": one.duplicate}
            duplicates += one.duplicate
            accepted += not one.duplicate
    return answer(BatchOut(accepted=accepted, duplicates=duplicates, results=results), status=202)


async def _read(
    hub: Hub, shop: Shop, tree: dict[str, Any], sources: dict[str, Source], *, at: str = ""
) -> tuple[Source, Incoming]:
    """`sources`: those that were looked up already. Raises `InvalidInput`, `Unprocessable`, `Conflict`."""
    given = check(EventIn, tree, at=at)
    object_, changed_at = _checked(given, at)
    if given.source not in sources:
        sources[given.source] = await _source(hub, shop, given.source, at)
    key = f"api:{given.id}" if given.id else _digest(tree)
    event = Incoming(
        given.kind, given.action, object_, key, given.happened_at or changed_at, given.data
    )
    return sources[given.source], event


def _checked(given: EventIn, at: str) -> tuple[str, datetime | None]:
    """Of what it tells, and when that was changed. Raises `InvalidInput` with pointers into `data`."""
    model: type[Data | GoneData] = MODEL_OF[given.kind]
    if given.action is Action.DELETED:
        model = GoneData
    data: Any = check(model, given.data, at=f"{at}/data")
    object_ = data.id
    if not object_:
        raise InvalidInput(faults=[Fault(f"{at}/data/id", "is required")])
    return object_, data.changed_at


async def _source(hub: Hub, shop: Shop, name: str, at: str) -> Source:
    if name == service.OWN:
        return await service.own(hub.db, hub.signer, shop.id)
    source = await queries.by_name(hub.db, shop.id, name)
    if source is None:
        raise Unprocessable(faults=[Fault(f"{at}/source", "there is no source of this name")])
    if source.platform != _GENERIC:
        why = f"is of {source.platform}, whose events its platform tells by itself"
        raise Unprocessable(faults=[Fault(f"{at}/source", why)])
    return source


def _digest(tree: dict[str, Any]) -> str:
    return "body:" + hashlib.sha256(orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)).hexdigest()
