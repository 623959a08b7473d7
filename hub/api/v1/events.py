"""Events of a shop: what its programs and platforms tell of customers, products, carts and orders, and what came of it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

import orjson
from aiohttp import web
from pydantic import Field, StringConstraints

from hub.api import problems
from hub.api.acting import actor_of
from hub.api.body import (
    In,
    Out,
    answer,
    check,
    in_turns,
    parse,
    path_id,
    read_batch,
    read_json,
    read_query,
)
from hub.api.keys import HUB, REQUEST_ID, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.audit import log as audit
from hub.audit.model import Action as AuditAction
from hub.contacts.instant import Instant, QueryInstant
from hub.db.pool import transaction
from hub.errors import Fault, HubError, InvalidInput, Unprocessable
from hub.events import views
from hub.events.views import Shown
from hub.outgoing import inner_host
from hub.resources import Hub
from hub.shops.keys import Scope
from hub.shops.registry import Shop
from hub.sources import inbox, queries, service
from hub.sources.canonical import MODEL_OF, Data, GoneData
from hub.sources.model import Action, Incoming, Kind, Result, Source, Via

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
    """Read one by one, so that a bad one does not stop the others."""

    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=_MOST_IN_BATCH)]


class EventsQuery(ListQuery):
    kind: Kind | None = None
    action: Action | None = None
    object: str | None = Field(
        default=None, max_length=255, description="As the platform calls it."
    )
    source: str | None = Field(default=None, max_length=200, description="A source's name.")
    result: Result | None = None
    via: Via | None = None
    since: QueryInstant | None = Field(default=None, description="Came in then or later.")
    until: QueryInstant | None = Field(default=None, description="Came in before.")


class AcceptedOut(Out):
    id: UUID
    duplicate: bool = Field(description="It was told before: `id` is that of the first time.")


class BatchOut(Out):
    accepted: int
    duplicates: int
    results: list[dict[str, Any]] = Field(
        description="In order: as the single answer, or a problem."
    )


class SetOffOut(Out):
    order: str = Field(description="Its number.")
    status: str = Field(description="What it was given.")
    rules: list[str]
    notifications: list[UUID]
    timers: int = Field(description="Rules that wait for their time.")


class EventOut(Out):
    id: UUID
    source: str | None = Field(description="null: removed a while ago.")
    kind: Kind | None = Field(description="null: something that the hub has no use for.")
    action: Action | None
    object: str
    via: Via = Field(
        description="`hook`: the platform called; `poll`: it was read back; `api`: `POST /v1/events`; `write`: the"
        " other way round, from here to the platform."
    )
    happened_at: datetime | None
    received_at: datetime
    result: Result = Field(
        description="`waiting`; `applied`; `repeated`: nothing new in it; `late`: behind where the order stands;"
        " `stale`: something newer was there first; `ignored`; `written`: the platform has taken it; `failed`:"
        " given up."
    )
    reason: str
    quiet: bool = Field(description="Taken over as the past, and told to nobody.")
    set_off: SetOffOut | None
    tries: int
    next_at: datetime | None = Field(description="When it is tried; null: it does not wait.")
    handled_at: datetime | None

    @classmethod
    def of(cls, event: Shown) -> Self:
        return cls(**_shown(event))


class EventDetailsOut(EventOut):
    payload: dict[str, Any] | None = Field(
        description="What is kept of what was told; null: nothing."
    )

    @classmethod
    def of(cls, event: Shown) -> Self:
        return cls(**_shown(event), payload=event.payload)


class ReplayedOut(Out):
    id: UUID


class ReplayIn(In):
    source: _Name
    since: Instant | None = Field(default=None, description="Those that came in then or later.")
    reason: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None,
        description="Those that failed for this reason; `unknown-status`: those that were applied without their status, which"
        " the source's map knows by now.",
    )


class ReplayedManyOut(Out):
    replayed: int = Field(description="At most 1000: ask again until it is 0.")


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
    given = await read_batch(request, "events", most=_MOST_IN_BATCH, is_placed=True)
    results: list[dict[str, Any]] = [{}] * len(given)
    by_source: dict[UUID, tuple[Source, list[tuple[int, Incoming]]]] = {}
    sources: dict[str, Source] = {}
    async for place, tree in in_turns(enumerate(given)):
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


@routes.get(
    "/v1/events",
    name="events.list",
    scope=Scope.READ,
    also=Scope.ORDERS,
    summary="List events",
    query=EventsQuery,
    answers={200: Page[EventOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """The newest first, with what came of each."""
    query = read_query(request, EventsQuery)
    last = position(request, query)
    rows = await views.page(
        request.app[HUB].db,
        request[SHOP].id,
        kind=query.kind,
        action=query.action,
        object_=query.object,
        source=query.source,
        result=query.result,
        via=query.via,
        since=query.since,
        until=query.until,
        before=UUID(last) if last else None,
        limit=query.limit + 1,
    )
    return answer(page(request, query, rows, key=lambda row: str(row.id), show=EventOut.of))


@routes.get(
    "/v1/events/{id}",
    name="events.get",
    scope=Scope.READ,
    also=Scope.ORDERS,
    summary="Show an event",
    answers={200: EventDetailsOut},
)
async def shown(request: web.Request) -> web.StreamResponse:
    """With what was told."""
    hub, shop = request.app[HUB], request[SHOP]
    return answer(EventDetailsOut.of(await views.by_id(hub.db, shop.id, path_id(request))))


@routes.post(
    "/v1/events/{id}/replay",
    name="events.replay",
    scope=Scope.ADMIN,
    summary="Try an event once more",
    answers={202: ReplayedOut},
    problems=(409,),
    is_work=True,
)
async def replay(request: web.Request) -> web.StreamResponse:
    """One that failed or was ignored, or was applied without its status, which nobody knew (`unknown-status`). What was told of the same thing since is newer all the same, and old news is
    told to nobody."""
    hub, shop, id_ = request.app[HUB], request[SHOP], path_id(request)
    async with transaction(hub.db) as conn:
        await views.replay(conn, shop.id, id_)
        await audit.record(conn, shop.id, actor_of(request), AuditAction.EVENT_REPLAYED, id_)
    return answer(ReplayedOut(id=id_), status=202)


@routes.post(
    "/v1/events/replay",
    name="events.replay_many",
    scope=Scope.ADMIN,
    summary="Try all that failed of a source once more",
    body=ReplayIn,
    answers={202: ReplayedManyOut},
    problems=(422,),
    is_work=True,
)
async def replay_many(request: web.Request) -> web.StreamResponse:
    """The oldest first, a thousand at a time."""
    hub, shop = request.app[HUB], request[SHOP]
    body = await parse(request, ReplayIn)
    async with transaction(hub.db) as conn:
        source = await queries.by_name(conn, shop.id, body.source)
        if source is None:
            raise Unprocessable(faults=[Fault("/source", "there is no source of this name")])
        count = await views.replay_many(
            conn, shop.id, source=source.name, since=body.since, reason=body.reason
        )
        await audit.record(
            conn, shop.id, actor_of(request), AuditAction.EVENT_REPLAYED, source.id, events=count
        )
    return answer(ReplayedManyOut(replayed=count), status=202)


def _shown(event: Shown) -> dict[str, Any]:
    return {name: getattr(event, name) for name in EventOut.model_fields}


async def _read(
    hub: Hub, shop: Shop, tree: Any | InvalidInput, sources: dict[str, Source], *, at: str = ""
) -> tuple[Source, Incoming]:
    """`sources`: those that were looked up already. Raises `InvalidInput`, `Unprocessable`, `Conflict`."""
    if isinstance(tree, InvalidInput):
        raise tree
    given = check(EventIn, tree, at=at)
    object_, changed_at = _checked(given, at)
    _check_urls(hub, given.data, f"{at}/data")
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


def _check_urls(hub: Hub, data: Mapping[str, Any], at: str) -> None:
    """Raises `InvalidInput` for links into the inner network."""
    lines = data.get("lines")
    lines = lines if isinstance(lines, list) else []
    given = {f"{at}/{name}": data.get(name) for name in ("labels_url", "image_url", "url")}
    given |= {f"{at}/lines/{i}/image_url": line.get("image_url") for i, line in enumerate(lines)}
    allow = hub.settings.hub.outgoing_allow
    faults = [
        Fault(where, why) for where, url in given.items() if url and (why := inner_host(url, allow))
    ]
    if faults:
        raise InvalidInput(faults=faults)


async def _source(hub: Hub, shop: Shop, name: str, at: str) -> Source:
    if name == service.OWN:
        source: Source | None = await service.own(hub.db, hub.signer, shop.id)
    else:
        source = await queries.by_name(hub.db, shop.id, name)
    if source is None:
        raise Unprocessable(faults=[Fault(f"{at}/source", "there is no source of this name")])
    if source.platform != _GENERIC:
        why = f"is of {source.platform}, whose events its platform tells by itself"
        raise Unprocessable(faults=[Fault(f"{at}/source", why)])
    return source


def _digest(tree: dict[str, Any]) -> str:
    return "body:" + hashlib.sha256(orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)).hexdigest()
