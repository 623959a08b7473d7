"""Orders: put, moved on, shown."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Self
from uuid import UUID

from aiohttp import web
from pydantic import Field

from hub.api.body import Out, answer, parse, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.paths import path_external_id
from hub.api.routes import Routes
from hub.api.v1.stock_requests import StockRequestOut
from hub.errors import Fault, InvalidInput
from hub.orders import service
from hub.orders.model import (
    Assembly,
    AssemblyStatus,
    Change,
    Line,
    OrderDetails,
    OrderStatus,
    Source,
    Via,
)
from hub.orders.request import OrderIn, StatusIn
from hub.orders.rules import Ignored
from hub.outgoing import inner_host
from hub.resources import Hub
from hub.shops.keys import Scope

routes = Routes("Orders")

_TIMEOUT = timedelta(seconds=20)


class RefOut(Out):
    external_id: str

    @classmethod
    def of(cls, external_id: str | None) -> Self | None:
        return cls(external_id=external_id) if external_id else None


class LineOut(Out):
    id: str
    sku: str
    title: str
    quantity: int
    price: str | None
    image_url: str | None
    seller: RefOut | None = Field(description="null: erased.")
    warehouse: RefOut | None
    confirmed: int | None = Field(description="null: not asked, or not answered.")

    @classmethod
    def of(cls, line: Line) -> Self:
        return cls(
            id=line.id,
            sku=line.sku,
            title=line.title,
            quantity=line.quantity,
            price=None if line.price is None else str(line.price),
            image_url=line.image_url,
            seller=RefOut.of(line.seller),
            warehouse=RefOut.of(line.warehouse),
            confirmed=line.confirmed,
        )


class ChangeOut(Out):
    status: OrderStatus
    at: datetime
    source: Source = Field(description="Who said so: the shop, the hub itself, or its staff.")
    late: bool = Field(description="It changed nothing and was told to nobody.")
    reason: str

    @classmethod
    def of(cls, change: Change) -> Self:
        return cls(
            status=change.status,
            at=change.at,
            source=change.source,
            late=change.late,
            reason=change.reason,
        )


class AssemblyOut(Out):
    id: UUID
    seller: RefOut | None
    warehouse: RefOut | None
    status: AssemblyStatus
    opened_at: datetime
    assembled_at: datetime | None
    assembled_by: str | None
    via: Via | None

    @classmethod
    def of(cls, assembly: Assembly) -> Self:
        return cls(
            id=assembly.id,
            seller=RefOut.of(assembly.seller),
            warehouse=RefOut.of(assembly.warehouse),
            status=assembly.status,
            opened_at=assembly.opened_at,
            assembled_at=assembly.assembled_at,
            assembled_by=assembly.assembled_by,
            via=assembly.via,
        )


class OrderOut(Out):
    id: UUID
    external_id: str
    number: str
    status: OrderStatus
    buyer: RefOut | None
    currency: str
    total: str | None
    lines: list[LineOut]
    delivery: dict[str, Any]
    labels_url: str | None
    revision: int = Field(description="How often `order.stock_confirmed` was sent.")
    history: list[ChangeOut]
    stock_requests: list[StockRequestOut]
    assemblies: list[AssemblyOut]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, details: OrderDetails) -> Self:
        return cls(**_shown(details))


class StatusOut(OrderOut):
    ignored: Ignored | None = Field(
        description="Why the status changed nothing: `late`, it lies behind the present one;"
        " `repeated`, it was said before. null: it counts."
    )


class OrdersQuery(ListQuery):
    status: OrderStatus | None = None
    buyer: str | None = Field(default=None, max_length=255, description="His `external_id`.")


@routes.put(
    "/v1/orders/{external_id}",
    name="orders.put",
    is_work=True,
    scope=Scope.ORDERS,
    summary="Place or change an order",
    body=OrderIn,
    answers={HTTPStatus.OK: OrderOut, HTTPStatus.CREATED: OrderOut},
    problems=(HTTPStatus.UNPROCESSABLE_ENTITY,),
    timeout=_TIMEOUT,
)
async def put(request: web.Request) -> web.StreamResponse:
    """With `stock_confirmation` on, a placed order is `awaiting_stock` at once, and every warehouse is asked for
    its lines. Of a known order only new and changed lines are asked for again. A status that lies behind the
    present one is kept in `history` as late and changes nothing."""
    hub, shop = request.app[HUB], request[SHOP]
    external_id = path_external_id(request)
    body = await parse(request, OrderIn)
    _check_urls(hub, body)
    details, created = await service.put_order(hub, shop, external_id, body)
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    return answer(OrderOut.of(details), status=status)


@routes.get(
    "/v1/orders/{external_id}",
    name="orders.get",
    scope=Scope.READ,
    also=Scope.ORDERS,
    summary="Show an order",
    answers={HTTPStatus.OK: OrderOut},
)
async def get(request: web.Request) -> web.StreamResponse:
    """With its history, and what the people at the shelf were asked and said."""
    hub, shop = request.app[HUB], request[SHOP]
    return answer(OrderOut.of(await service.get_order(hub.db, shop.id, path_external_id(request))))


@routes.get(
    "/v1/orders",
    name="orders.list",
    scope=Scope.READ,
    also=Scope.ORDERS,
    summary="List orders",
    query=OrdersQuery,
    answers={HTTPStatus.OK: Page[OrderOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """The newest first."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, OrdersQuery)
    last = position(request, query)
    rows = await service.list_orders(
        hub.db,
        shop.id,
        status=query.status,
        buyer=query.buyer,
        before=UUID(last) if last else None,
        limit=query.limit + 1,
    )
    return answer(page(request, query, rows, key=lambda row: str(row.order.id), show=OrderOut.of))


@routes.post(
    "/v1/orders/{external_id}/status",
    name="orders.status",
    is_work=True,
    scope=Scope.ORDERS,
    summary="Move an order on",
    body=StatusIn,
    answers={HTTPStatus.OK: StatusOut},
    timeout=_TIMEOUT,
)
async def set_status(request: web.Request) -> web.StreamResponse:
    """Any status may be set. One behind the present one is kept in `history` as late, changes nothing and is
    told to nobody; `ignored` says so. What `delivery` and `labels_url` say is taken over in any case."""
    hub, shop = request.app[HUB], request[SHOP]
    external_id = path_external_id(request)
    body = await parse(request, StatusIn)
    _check_urls(hub, body)
    details, ignored = await service.set_status(hub, shop, external_id, body)
    return answer(StatusOut(**_shown(details), ignored=ignored))


def _check_urls(hub: Hub, body: OrderIn | StatusIn) -> None:
    """Raises `InvalidInput` for links into the inner network."""
    given = {"/labels_url": body.labels_url}
    if isinstance(body, OrderIn):
        given |= {f"/lines/{i}/image_url": line.image_url for i, line in enumerate(body.lines)}
    allow = hub.settings.hub.outgoing_allow
    faults = [
        Fault(where, why) for where, url in given.items() if url and (why := inner_host(url, allow))
    ]
    if faults:
        raise InvalidInput(faults=faults)


def _shown(details: OrderDetails) -> dict[str, Any]:
    order = details.order
    return {
        "id": order.id,
        "external_id": order.external_id,
        "number": order.number,
        "status": order.status,
        "buyer": RefOut.of(order.buyer),
        "currency": order.currency,
        "total": None if order.total is None else str(order.total),
        "lines": [LineOut.of(line) for line in order.lines],
        "delivery": dict(order.delivery),
        "labels_url": order.labels_url,
        "revision": order.revision,
        "history": [ChangeOut.of(change) for change in details.history],
        "stock_requests": [StockRequestOut.of(one) for one in details.stock_requests],
        "assemblies": [AssemblyOut.of(assembly) for assembly in details.assemblies],
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }
