"""Sources: shops on platforms, connected, changed, looked at."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from aiohttp import web
from pydantic import Field, StringConstraints

from hub.api.acting import actor_of
from hub.api.body import In, Out, answer, parse, path_id, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.contacts.model import ExternalId, Role
from hub.errors import Conflict
from hub.orders import people
from hub.resources import Hub
from hub.shops.keys import Scope
from hub.shops.registry import Shop
from hub.sources import hooks, queries, service
from hub.sources.base import Platform
from hub.sources.mapping import SourceMapping
from hub.sources.model import Source
from hub.sources.registry import UnknownPlatform, known, platform_class

routes = Routes("Sources")

_LONGEST = 7 * 24 * 3600

_NAME = r"^[a-z0-9][a-z0-9._-]*$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_NAME)]
Prefix = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9._:-]*$")]
PollEvery = Annotated[int, Field(ge=60, le=_LONGEST)]
TellWithin = Annotated[int, Field(ge=60, le=30 * 24 * 3600)]


class SourceIn(In):
    name: Name
    platform: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description="One of `GET /v1/platforms`."
    )
    config: dict[str, Any] = Field(
        default_factory=dict, description="As the platform's page says; what is secret is sealed."
    )
    id_prefix: Prefix | None = Field(
        default=None,
        description="Before every id of the platform. Left out: none, or the name where another platform has none.",
    )
    seller: ExternalId | None = Field(
        default=None,
        description="Of lines that name none. Left out: a contact that is made for the shop itself.",
    )
    warehouse: ExternalId | None = Field(default=None, description="Of lines that name none.")
    poll_every: PollEvery | None = Field(
        default=300, description="Seconds between two readings; null: only its hooks count."
    )
    tell_within: TellWithin = Field(
        default=86400, description="Seconds; what comes later than that is told to nobody."
    )
    write_back: bool = Field(default=False, description="Tell the platform what was decided here.")
    active: bool = True
    mapping: SourceMapping = SourceMapping()


class SourcePatch(In):
    """What is left out stays as it is; of `config` the keys that are given change, null takes one away."""

    # Factories, because a default would stand in the document as if it came into force.
    name: Name = Field(default_factory=str)
    config: dict[str, Any] = Field(default_factory=dict)
    id_prefix: Prefix = Field(default_factory=str)
    seller: ExternalId = Field(default_factory=str)
    warehouse: ExternalId | None = None
    poll_every: PollEvery | None = None
    tell_within: TellWithin = Field(default_factory=int)
    write_back: bool = Field(default_factory=bool)
    active: bool = Field(default_factory=bool)
    mapping: SourceMapping = Field(default_factory=SourceMapping)


class HookOut(Out):
    topic: str
    url: str


class SourceOut(Out):
    id: UUID
    name: str
    platform: str
    active: bool
    config: dict[str, Any] = Field(description='Of what is secret `"set"`.')
    id_prefix: str
    seller: str
    warehouse: str | None
    poll_every: int | None
    tell_within: int
    write_back: bool
    mapping: dict[str, Any]
    hooks: list[HookOut] = Field(description="Where the platform is to call.")
    problem: str = Field(
        description="Why the platform refuses us, or what it is told; or what is wrong with a mapping that an earlier"
        " version of the hub took. Empty: nothing."
    )
    paused_until: datetime | None
    read_at: datetime | None = Field(description="When it was read back last.")
    unknown_codes: list[str] = Field(description="Statuses of the platform that mean nothing yet.")
    created_at: datetime
    updated_at: datetime


class NewSourceOut(SourceOut):
    secret: str | None = Field(
        description="With which the platform signs, where it does with a secret of ours: shown now and never again."
    )


class PlatformOut(Out):
    platform: str
    title: str
    topics: list[str]
    reads: list[str] = Field(description="What can be read back and taken over as history.")
    writes: bool
    subscribes: bool = Field(description="Its hooks can be set up from here.")
    signed: bool
    config: dict[str, Any] = Field(description="JSON Schema of a source's `config`.")
    statuses: dict[str, str | None]
    write_back: dict[str, str]


class PlatformsOut(Out):
    items: list[PlatformOut]


@routes.get(
    "/v1/platforms",
    name="platforms.list",
    scope=Scope.ADMIN,
    summary="List the platforms that can be connected",
    answers={200: PlatformsOut},
)
async def platforms(request: web.Request) -> web.StreamResponse:
    """With what each can do and needs to know."""
    del request
    found = []
    for name in known():
        try:
            found.append(_platform(platform_class(name)))
        except UnknownPlatform:
            continue
    return answer(PlatformsOut(items=found))


@routes.post(
    "/v1/sources",
    name="sources.create",
    scope=Scope.ADMIN,
    summary="Connect a shop",
    body=SourceIn,
    answers={201: NewSourceOut},
    problems=(409, 422),
)
async def create(request: web.Request) -> web.StreamResponse:
    """Give its `hooks` to the platform then, and its `secret` where there is one. What happened before is told to
    nobody."""
    hub, shop = request.app[HUB], request[SHOP]
    body = await parse(request, SourceIn)
    if body.seller:
        await _check_seller(hub, shop, body.seller)
    setup = service.Setup(
        name=body.name,
        platform=body.platform,
        config=body.config,
        id_prefix=body.id_prefix,
        seller=body.seller,
        warehouse=body.warehouse,
        poll_every=_seconds(body.poll_every),
        tell_within=timedelta(seconds=body.tell_within),
        write_back=body.write_back,
        active=body.active,
        mapping=body.mapping,
    )
    source, secret = await service.create(
        hub.db,
        hub.signer,
        shop.id,
        setup,
        allow=hub.settings.hub.outgoing_allow,
        by=actor_of(request),
    )
    return answer(NewSourceOut(**dict(shown_source(hub, source)), secret=secret), status=201)


@routes.get(
    "/v1/sources",
    name="sources.list",
    scope=Scope.ADMIN,
    summary="List sources",
    query=ListQuery,
    answers={200: Page[SourceOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """Newest first."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, ListQuery)
    last = position(request, query)
    rows = await queries.page(
        hub.db, shop.id, before=UUID(last) if last else None, limit=query.limit + 1
    )
    return answer(
        page(
            request,
            query,
            rows,
            key=lambda row: str(row.id),
            show=lambda row: shown_source(hub, row),
        )
    )


@routes.get(
    "/v1/sources/{id}",
    name="sources.get",
    scope=Scope.ADMIN,
    summary="Show a source",
    answers={200: SourceOut},
)
async def shown(request: web.Request) -> web.StreamResponse:
    """Without its secrets."""
    hub, shop = request.app[HUB], request[SHOP]
    return answer(shown_source(hub, await service.get(hub.db, shop.id, path_id(request))))


@routes.patch(
    "/v1/sources/{id}",
    name="sources.change",
    scope=Scope.ADMIN,
    summary="Change a source",
    body=SourcePatch,
    answers={200: SourceOut},
    problems=(409, 422),
)
async def change(request: web.Request) -> web.StreamResponse:
    """Whatever stood in its way is tried anew. A `base_url` at another server needs the credentials given again."""
    hub, shop = request.app[HUB], request[SHOP]
    id_ = path_id(request)
    body = await parse(request, SourcePatch)
    changes: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    if "poll_every" in changes:
        changes["poll_every"] = _seconds(body.poll_every)
    if "tell_within" in changes:
        changes["tell_within"] = timedelta(seconds=body.tell_within)
    if "seller" in changes:
        await _check_seller(hub, shop, body.seller)
    source = await service.change(
        hub.db,
        hub.signer,
        shop.id,
        id_,
        changes,
        allow=hub.settings.hub.outgoing_allow,
        by=actor_of(request),
    )
    return answer(shown_source(hub, source))


@routes.delete(
    "/v1/sources/{id}",
    name="sources.remove",
    scope=Scope.ADMIN,
    summary="Remove a source",
    answers={204: None},
)
async def remove(request: web.Request) -> web.StreamResponse:
    """What waits of it is not applied any more; orders and people stay."""
    hub, shop = request.app[HUB], request[SHOP]
    await service.remove(hub.db, shop.id, path_id(request), by=actor_of(request))
    return answer()


def _seconds(value: int | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


async def _check_seller(hub: Hub, shop: Shop, external_id: str) -> None:
    """One that is not there yet is made. Raises `Conflict`: he is somebody else."""
    held = (await people.named(hub.db, shop.id, [external_id])).get(external_id)
    if held and held[1] is not Role.SELLER:
        raise Conflict(f"the contact named as seller is of role {held[1]}")


def shown_source(hub: Hub, source: Source) -> SourceOut:
    topics: Sequence[str] = ()
    hidden: Mapping[str, Any] = {}
    try:
        topics = platform_class(source.platform).topics
        hidden = dict.fromkeys(service.hidden_in(hub.signer, source), "set")
    except UnknownPlatform:
        # Made by another version of the hub.
        pass
    urls = hooks.urls_of(hub.settings.public_url, hub.signer, source, topics)
    return SourceOut(
        id=source.id,
        name=source.name,
        platform=source.platform,
        active=source.active,
        config={**source.config, **hidden},
        id_prefix=source.id_prefix,
        seller=source.seller,
        warehouse=source.warehouse,
        poll_every=int(source.poll_every.total_seconds()) if source.poll_every else None,
        tell_within=int(source.tell_within.total_seconds()),
        write_back=source.write_back,
        mapping=dict(source.mapping_stored)
        if source.mapping_fault
        else source.mapping.model_dump(mode="json"),
        hooks=[HookOut(topic=topic, url=url) for topic, url in urls.items()],
        problem=source.obstacle,
        paused_until=source.paused_until,
        read_at=source.read_at,
        unknown_codes=[
            code for code in source.unknown_codes if code not in source.mapping.statuses
        ],
        created_at=source.created_at,
        updated_at=source.updated_at,
    )


def _platform(class_: type[Platform]) -> PlatformOut:
    return PlatformOut(
        platform=class_.platform,
        title=class_.title,
        topics=list(class_.topics),
        reads=[str(kind) for kind in getattr(class_, "reads", ())],
        writes=hasattr(class_, "write") and bool(class_.writes_as),
        subscribes=hasattr(class_, "subscribe"),
        signed=class_.signed,
        config=class_.Config.model_json_schema(),
        statuses={word: status and str(status) for word, status in class_.statuses.items()},
        write_back={str(status): word for status, word in class_.writes_as.items()},
    )
