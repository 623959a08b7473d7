"""Imports: a shop's history taken over, watched, stopped and gone on with."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from aiohttp import web
from pydantic import Field, StringConstraints, model_validator

from hub.api.acting import actor_of
from hub.api.body import In, Out, answer, parse, path_id, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.history import queries, service
from hub.history.model import MOST_ROWS, Origin, Run, RunState
from hub.shops.keys import Scope
from hub.sources.model import Kind
from hub.sources.service import OWN

routes = Routes("Imports")

_PATIENCE = timedelta(seconds=30)
_READ = (Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER)

_Kind = Literal[Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER]


class ImportIn(In):
    """Either `months`, and the hub reads the source by itself, or `kind`, and a program brings the rows."""

    source: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        default=OWN, description="The name of a source; left out: the shop's own, `api`."
    )
    months: Literal[1, 3, 6, 12] | None = Field(
        default=None, description="How far back the hub reads."
    )
    kinds: Annotated[list[_Kind], Field(max_length=len(_READ))] | None = Field(
        default=None, description="Only these; left out: all that the platform can be read for."
    )
    kind: _Kind | None = Field(default=None, description="What the rows are that a program brings.")
    total: int | None = Field(
        default=None, ge=0, le=1_000_000_000, description="How many rows there will be."
    )
    fingerprint: Annotated[str, StringConstraints(max_length=200)] = Field(
        default="",
        description="Of what is brought, such as a digest of the file: an import of the same one that is not over is"
        " gone on with.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.months is None) is (self.kind is None):
            raise ValueError(
                "needs either `months` (the hub reads) or `kind` (a program brings rows)"
            )
        if self.kind is None and (self.total is not None or self.fingerprint):
            raise ValueError("`total` and `fingerprint` are of rows that a program brings")
        if self.months is None and self.kinds is not None:
            raise ValueError("`kinds` is of what the hub reads; rows are of one `kind`")
        return self


class RowsIn(In):
    from_: int = Field(
        alias="from", ge=0, description="How many rows are before these: the run's `done`."
    )
    rows: list[Any] = Field(
        min_length=1,
        max_length=MOST_ROWS,
        description="Objects as `data` of `POST /v1/events`; null: a row that could not be read and is counted as"
        " faulty.",
    )


class FaultOut(Out):
    row: int = Field(description="Its number, from 1.")
    detail: str = Field(description="Which field is wrong, and why.")


class ImportOut(Out):
    id: UUID
    source: str
    origin: Origin = Field(description="`source`: the hub reads. `rows`: a program brings them.")
    kinds: list[Kind]
    state: RunState
    reason: str = Field(description="Why it failed, or what it waits for.")
    total: int | None = Field(description="Rows in all; null: the platform does not say.")
    done: int = Field(description="Rows behind it, whatever came of them.")
    added: int
    changed: int
    known: int = Field(description="The hub had these and left them as they were.")
    faulty: int
    rate: float | None = Field(description="Rows a second just now; null: it does not run.")
    seconds_left: int | None = Field(description="At this rate; null: nobody can say.")
    faults: list[FaultOut] = Field(description="The first 100.")
    unknown_codes: list[str] = Field(
        description="States of orders that no map names: these orders are `placed`."
    )
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, run: Run) -> Self:
        now = datetime.now(UTC)
        rate, left = run.rate(now), run.left(now)
        return cls(
            id=run.id,
            source=run.source,
            origin=run.origin,
            kinds=list(run.kinds),
            state=run.state,
            reason=run.reason,
            total=run.total,
            done=run.done,
            added=run.added,
            changed=run.changed,
            known=run.known,
            faulty=run.faulty,
            rate=None if rate is None else round(rate, 1),
            seconds_left=None if left is None else round(left.total_seconds()),
            faults=[FaultOut(row=fault.row, detail=fault.detail) for fault in run.faults],
            unknown_codes=list(run.unknown_codes),
            created_at=run.created_at,
            finished_at=run.finished_at,
        )


@routes.post(
    "/v1/imports",
    name="imports.start",
    scope=Scope.ADMIN,
    summary="Take history over",
    body=ImportIn,
    answers={201: ImportOut, 200: ImportOut},
    problems=(409, 422),
    is_work=True,
)
async def start(request: web.Request) -> web.StreamResponse:
    """Quietly: nobody is told or asked, no rule fires, and what the hub knows already stays as it is, while live
    events go on. 200: the same import was begun before and is gone on with."""
    hub, shop = request.app[HUB], request[SHOP]
    body = await parse(request, ImportIn)
    if body.kind is None:
        run, is_new = await service.start(
            hub, shop, body.source, body.months or 1, body.kinds or (), by=actor_of(request)
        )
    else:
        run, is_new = await service.start_rows(
            hub,
            shop,
            body.source,
            body.kind,
            total=body.total,
            fingerprint=body.fingerprint,
            by=actor_of(request),
        )
    return answer(ImportOut.of(run), status=201 if is_new else 200)


@routes.get(
    "/v1/imports",
    name="imports.list",
    scope=Scope.ADMIN,
    summary="List imports",
    query=ListQuery,
    answers={200: Page[ImportOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """Newest first."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, ListQuery)
    last = position(request, query)
    runs = await queries.page(
        hub.db, shop.id, before=UUID(last) if last else None, limit=query.limit + 1
    )
    return answer(page(request, query, runs, key=lambda run: str(run.id), show=ImportOut.of))


@routes.get(
    "/v1/imports/{id}",
    name="imports.get",
    scope=Scope.ADMIN,
    summary="Show an import",
    answers={200: ImportOut},
)
async def shown(request: web.Request) -> web.StreamResponse:
    """How far it is, how fast it goes, how long it will take, and what is wrong with its rows."""
    hub, shop = request.app[HUB], request[SHOP]
    return answer(ImportOut.of(await service.get(hub.db, shop.id, path_id(request))))


@routes.post(
    "/v1/imports/{id}/rows",
    name="imports.rows",
    scope=Scope.ADMIN,
    summary="Bring rows",
    body=RowsIn,
    answers={200: ImportOut},
    problems=(409,),
    timeout=_PATIENCE,
    is_work=True,
)
async def rows(request: web.Request) -> web.StreamResponse:
    """All of them are taken over or none. A row that cannot be read is a fault of its own and holds up nothing. Said
    again after a lost answer they are refused with 409, and `done` tells from where to go on."""
    hub, shop = request.app[HUB], request[SHOP]
    body = await parse(request, RowsIn)
    run = await service.take_rows(hub, shop, path_id(request), body.from_, body.rows)
    return answer(ImportOut.of(run))


@routes.post(
    "/v1/imports/{id}/finish",
    name="imports.finish",
    scope=Scope.ADMIN,
    summary="End an import of rows",
    answers={200: ImportOut},
    problems=(409,),
)
async def finish(request: web.Request) -> web.StreamResponse:
    """All rows were brought. Safe to say twice."""
    hub, shop = request.app[HUB], request[SHOP]
    run = await service.finish(hub, shop.id, path_id(request), by=actor_of(request))
    return answer(ImportOut.of(run))


@routes.post(
    "/v1/imports/{id}/pause",
    name="imports.pause",
    scope=Scope.ADMIN,
    summary="Pause an import",
    answers={200: ImportOut},
    problems=(409,),
)
async def pause(request: web.Request) -> web.StreamResponse:
    """It stands still until it is resumed."""
    hub, shop = request.app[HUB], request[SHOP]
    run = await service.pause(hub, shop.id, path_id(request), by=actor_of(request))
    return answer(ImportOut.of(run))


@routes.post(
    "/v1/imports/{id}/resume",
    name="imports.resume",
    scope=Scope.ADMIN,
    summary="Go on with an import",
    answers={200: ImportOut},
    problems=(409,),
)
async def resume(request: web.Request) -> web.StreamResponse:
    """From where it was, also when it had failed."""
    hub, shop = request.app[HUB], request[SHOP]
    run = await service.resume(hub, shop.id, path_id(request), by=actor_of(request))
    return answer(ImportOut.of(run))


@routes.post(
    "/v1/imports/{id}/cancel",
    name="imports.cancel",
    scope=Scope.ADMIN,
    summary="Give an import up",
    answers={200: ImportOut},
    problems=(409,),
)
async def cancel(request: web.Request) -> web.StreamResponse:
    """What it took over stays."""
    hub, shop = request.app[HUB], request[SHOP]
    run = await service.cancel(hub, shop.id, path_id(request), by=actor_of(request))
    return answer(ImportOut.of(run))
