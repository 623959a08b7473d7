"""API keys of the shop, over the API itself."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from aiohttp import web
from pydantic import AfterValidator, Field

from hub.api.acting import actor_of
from hub.api.body import In, Out, answer, parse, path_id, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.shops import keys
from hub.shops.keys import ApiKey, Scope

routes = Routes("Keys")


def _once_each(scopes: list[Scope]) -> list[Scope]:
    if len(set(scopes)) != len(scopes):
        raise ValueError("must name each scope once")
    return scopes


class KeyIn(In):
    name: str = Field(default="", max_length=200, description="What the key is for.")
    scopes: Annotated[list[Scope], AfterValidator(_once_each)] = Field(min_length=1)


class KeyOut(Out):
    id: UUID
    name: str
    prefix: str = Field(description="The beginning of the key, by which you recognise it.")
    scopes: list[Scope]
    created_at: datetime
    last_used_at: datetime | None = Field(description="To the minute.")
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        return cls(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            scopes=sorted(key.scopes),
            created_at=key.created_at,
            last_used_at=key.last_used_at,
            revoked_at=key.revoked_at,
        )


class NewKeyOut(KeyOut):
    key: str = Field(description="The key itself: shown now and never again.")


@routes.get(
    "/v1/keys",
    name="keys.list",
    scope=Scope.ADMIN,
    summary="List API keys",
    query=ListQuery,
    answers={200: Page[KeyOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """Newest first, those revoked among them."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, ListQuery)
    last = position(request, query)
    rows = await keys.listed(
        hub.db, shop.slug, before=UUID(last) if last else None, limit=query.limit + 1
    )
    return answer(page(request, query, rows, key=lambda row: str(row.id), show=KeyOut.of))


@routes.post(
    "/v1/keys",
    name="keys.create",
    scope=Scope.ADMIN,
    summary="Make an API key",
    body=KeyIn,
    answers={201: NewKeyOut},
)
async def create(request: web.Request) -> web.StreamResponse:
    """The answer is the only place where the key can be read: the hub keeps a hash of it."""
    hub, shop = request.app[HUB], request[SHOP]
    body = await parse(request, KeyIn)
    key, text = await keys.create(hub.db, shop.slug, body.scopes, body.name, by=actor_of(request))
    return answer(NewKeyOut(**dict(KeyOut.of(key)), key=text), status=201)


@routes.delete(
    "/v1/keys/{id}",
    name="keys.revoke",
    scope=Scope.ADMIN,
    summary="Revoke an API key",
    answers={204: None},
)
async def revoke(request: web.Request) -> web.StreamResponse:
    """Once this is answered, a second later, the key works at no process of the hub any more."""
    hub, shop = request.app[HUB], request[SHOP]
    await keys.revoke(hub.db, shop.slug, path_id(request), by=actor_of(request))
    return answer()
