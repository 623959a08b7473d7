"""Stock requests: listed, shown, and answered for somebody who called by phone."""

from datetime import datetime
from http import HTTPStatus
from typing import Self
from uuid import UUID

from aiohttp import web
from pydantic import Field

from hub.api.body import Out, answer, parse, path_id, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.errors import Conflict
from hub.orders import service
from hub.orders.model import Answered, RequestStatus, StockLine, StockRequest, Via
from hub.orders.request import AnswerIn
from hub.shops.keys import Scope

routes = Routes("Stock requests")


class StockLineOut(Out):
    id: str
    sku: str
    title: str
    asked: int
    confirmed: int | None = Field(description="null: not answered yet.")
    answered_by: str | None = Field(
        description="The contact's `external_id`, else as it was given."
    )
    answered_at: datetime | None
    via: Via | None

    @classmethod
    def of(cls, line: StockLine) -> Self:
        return cls(
            id=line.id,
            sku=line.sku,
            title=line.title,
            asked=line.asked,
            confirmed=line.confirmed,
            answered_by=line.answered_by,
            answered_at=line.answered_at,
            via=line.via,
        )


class StockRequestOut(Out):
    id: UUID
    order: str = Field(description="The order's `external_id`.")
    number: str = Field(description="The order's number.")
    seller: str | None
    warehouse: str | None = Field(description="null: the seller himself was asked.")
    status: RequestStatus
    reason: str = Field(
        description="Why it was cancelled: `cancelled` (the order is off), `decided` (the shop went on),"
        " `changed` (nothing of it is in the order any more)."
    )
    revision: int = Field(description="How often it was answered in full.")
    opened_at: datetime
    deadline: datetime | None
    answered_at: datetime | None
    lines: list[StockLineOut]

    @classmethod
    def of(cls, request: StockRequest) -> Self:
        return cls(
            id=request.id,
            order=request.order,
            number=request.number,
            seller=request.seller,
            warehouse=request.warehouse,
            status=request.status,
            reason=request.reason,
            revision=request.revision,
            opened_at=request.opened_at,
            deadline=request.deadline,
            answered_at=request.answered_at,
            lines=[StockLineOut.of(line) for line in request.lines],
        )


class StockRequestsQuery(ListQuery):
    status: RequestStatus | None = None
    warehouse: str | None = Field(default=None, max_length=255, description="`external_id`.")
    seller: str | None = Field(default=None, max_length=255, description="`external_id`.")


@routes.get(
    "/v1/stock-requests",
    name="stock_requests.list",
    scope=Scope.ORDERS,
    summary="List stock requests",
    query=StockRequestsQuery,
    answers={HTTPStatus.OK: Page[StockRequestOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """The newest first."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, StockRequestsQuery)
    last = position(request, query)
    rows = await service.list_requests(
        hub.db,
        shop.id,
        status=query.status,
        warehouse=query.warehouse,
        seller=query.seller,
        before=UUID(last) if last else None,
        limit=query.limit + 1,
    )
    return answer(page(request, query, rows, key=lambda row: str(row.id), show=StockRequestOut.of))


@routes.get(
    "/v1/stock-requests/{id}",
    name="stock_requests.get",
    scope=Scope.ORDERS,
    summary="Show a stock request",
    answers={HTTPStatus.OK: StockRequestOut},
)
async def get(request: web.Request) -> web.StreamResponse:
    hub, shop = request.app[HUB], request[SHOP]
    found = await service.get_request(hub.db, shop.id, path_id(request))
    return answer(StockRequestOut.of(found))


@routes.post(
    "/v1/stock-requests/{id}/answer",
    name="stock_requests.answer",
    scope=Scope.ORDERS,
    summary="Answer for somebody who called",
    body=AnswerIn,
    answers={HTTPStatus.OK: StockRequestOut},
    problems=(HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def answered(request: web.Request) -> web.StreamResponse:
    """0 to `asked` of each line; lines left out stay open. The first answer to a line wins: 409 where somebody
    else was first with all that is said here, where it is too late to change it, or nobody is asked any more."""
    hub, shop, id_ = request.app[HUB], request[SHOP], path_id(request)
    body = await parse(request, AnswerIn)
    by = await service.answerer_named(hub.db, shop.id, body.by)
    said = {line.id: line.confirmed for line in body.lines}
    _refuse(await service.answer(hub, shop, id_, said, by=by, via=Via.API))
    return answer(StockRequestOut.of(await service.get_request(hub.db, shop.id, id_)))


def _refuse(answered: Answered) -> None:
    """Raises `Conflict` where nothing of the answer counts."""
    if answered.closed:
        raise Conflict(f"nobody is asked any more ({answered.closed})")
    if answered.accepted or answered.corrected or answered.repeated:
        return
    if answered.already:
        first = answered.already[0]
        who = first.who or "somebody else"
        raise Conflict(f"{who} has answered {first.line_id!r} before: {first.confirmed}")
    raise Conflict("the answer is final by now")
