"""Warehouses: made and changed, shown, and bound to group chats."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Self
from uuid import UUID

from aiohttp import web
from pydantic import Field

from channels.base import Channel
from hub.api.acting import actor_of
from hub.api.body import In, Out, answer, parse, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.paths import path_external_id
from hub.api.routes import Routes
from hub.orders import warehouses
from hub.orders.model import Warehouse
from hub.orders.request import WarehouseIn
from hub.shops.keys import Scope

routes = Routes("Warehouses")


class SellerOut(Out):
    external_id: str


class WarehouseOut(Out):
    id: UUID
    external_id: str
    name: str
    address: str
    timezone: str | None = Field(description="null: the shop's.")
    hours: dict[str, tuple[str, str]]
    seller: SellerOut | None
    staff: list[str] = Field(description="The contacts that name it in `warehouses`.")
    chats: list[Channel] = Field(description="Where a group chat is bound.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, warehouse: Warehouse) -> Self:
        return cls(
            id=warehouse.id,
            external_id=warehouse.external_id,
            name=warehouse.name,
            address=warehouse.address,
            timezone=warehouse.timezone,
            hours=dict(warehouse.hours),
            seller=SellerOut(external_id=warehouse.seller) if warehouse.seller else None,
            staff=list(warehouse.staff),
            chats=[Channel(channel) for channel in warehouse.chats],
            created_at=warehouse.created_at,
            updated_at=warehouse.updated_at,
        )


class ChatLinkIn(In):
    channel: Channel = Field(description="`telegram`, `vk` or `max`.")


class ChatLinkOut(Out):
    url: str = Field(description="Opens the messenger, on Telegram to choose the group.")
    command: str = Field(description="To be written in the group where the link does not say it.")
    code: str = Field(
        examples=["K7QM-4TXP"],
        description="Short enough to type: `/start` and this in the group do the same; case and dash do not matter.",
    )
    expires_at: datetime


class WarehousesQuery(ListQuery):
    pass


@routes.put(
    "/v1/warehouses/{external_id}",
    name="warehouses.put",
    scope=Scope.ADMIN,
    summary="Create or change a warehouse",
    body=WarehouseIn,
    answers={HTTPStatus.OK: WarehouseOut, HTTPStatus.CREATED: WarehouseOut},
    problems=(HTTPStatus.UNPROCESSABLE_ENTITY,),
)
async def put(request: web.Request) -> web.StreamResponse:
    """What is left out stays as it was; `null` clears it. Reminders and escalation count its working hours; a
    closing time that is not later than the opening one is the next day's."""
    hub, shop = request.app[HUB], request[SHOP]
    external_id = path_external_id(request)
    body = await parse(request, WarehouseIn)
    async with hub.db.acquire() as conn, conn.transaction():
        warehouse, created = await warehouses.put(
            conn, shop.id, external_id, body, by=actor_of(request)
        )
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    return answer(WarehouseOut.of(warehouse), status=status)


@routes.get(
    "/v1/warehouses/{external_id}",
    name="warehouses.get",
    scope=Scope.ADMIN,
    summary="Show a warehouse",
    answers={HTTPStatus.OK: WarehouseOut},
)
async def get(request: web.Request) -> web.StreamResponse:
    hub, shop = request.app[HUB], request[SHOP]
    found = await warehouses.get(hub.db, shop.id, path_external_id(request))
    return answer(WarehouseOut.of(found))


@routes.get(
    "/v1/warehouses",
    name="warehouses.list",
    scope=Scope.ADMIN,
    summary="List warehouses",
    query=WarehousesQuery,
    answers={HTTPStatus.OK: Page[WarehouseOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """The newest first."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, WarehousesQuery)
    last = position(request, query)
    rows = await warehouses.page(
        hub.db, shop.id, before=UUID(last) if last else None, limit=query.limit + 1
    )
    return answer(page(request, query, rows, key=lambda row: str(row.id), show=WarehouseOut.of))


@routes.post(
    "/v1/warehouses/{external_id}/links",
    name="warehouses.links.create",
    scope=Scope.ADMIN,
    summary="Make a link that binds a group chat",
    body=ChatLinkIn,
    answers={HTTPStatus.CREATED: ChatLinkOut},
    problems=(HTTPStatus.UNPROCESSABLE_ENTITY,),
    timeout=timedelta(seconds=30),
)
async def create_link(request: web.Request) -> web.StreamResponse:
    """Questions to the warehouse go to that group, too. Good for 24 hours, once. Where the sandbox carries the
    channel the link leads to nobody: the command is written with `POST /v1/sandbox/messages`."""
    hub, shop = request.app[HUB], request[SHOP]
    external_id = path_external_id(request)
    body = await parse(request, ChatLinkIn)
    link = await warehouses.create_link(
        hub, shop.id, external_id, body.channel, by=actor_of(request)
    )
    shown = ChatLinkOut(
        url=link.url, command=link.command, code=link.code, expires_at=link.expires_at
    )
    return answer(shown, status=HTTPStatus.CREATED)
