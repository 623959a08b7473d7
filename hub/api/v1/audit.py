"""The audit log: who did what, from where."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from aiohttp import web
from pydantic import Field

from hub.api.body import Out, answer, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.audit import log
from hub.audit.model import Action, ActorKind, Entry
from hub.contacts.instant import QueryInstant
from hub.shops.keys import Scope

routes = Routes("Audit")


class AuditQuery(ListQuery):
    action: Action | None = None
    key_id: UUID | None = Field(default=None, description="What was done by this API key.")
    object: str | None = Field(default=None, max_length=255, description="What it was done to.")
    since: QueryInstant | None = None
    until: QueryInstant | None = None


class EntryOut(Out):
    id: UUID
    at: datetime
    action: str
    object: str = Field(
        description="The id of a contact, key or webhook, the `external_id` of a warehouse, the name of a template."
    )
    detail: dict[str, Any] = Field(description="What changed, by names; never what people gave.")
    actor: ActorKind = Field(
        description="`key`: a program; `operator`: somebody in the console; `person`: somebody with a link;"
        " `cli`: somebody at the machine; `system`: the hub itself."
    )
    key_id: UUID | None
    operator_id: UUID | None
    name: str = Field(
        description="The beginning of the key, the operator's login, or user@machine."
    )
    remote: str = Field(description="From which address; behind `trusted_proxies` the client's.")
    request_id: str

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls(
            id=entry.id,
            at=entry.at,
            action=entry.action,
            object=entry.object,
            detail=dict(entry.detail),
            actor=entry.actor,
            key_id=entry.actor_id if entry.actor is ActorKind.KEY else None,
            operator_id=entry.actor_id if entry.actor is ActorKind.OPERATOR else None,
            name=entry.actor_name,
            remote=entry.remote,
            request_id=entry.request_id,
        )


@routes.get(
    "/v1/audit",
    name="audit.list",
    scope=Scope.ADMIN,
    summary="List what was done",
    query=AuditQuery,
    answers={200: Page[EntryOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """Newest first: keys, templates, webhooks and warehouses made and changed, persons erased and exported, each
    written together with the act itself. It is only ever added to."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, AuditQuery)
    last = position(request, query)
    rows = await log.page(
        hub.db,
        shop.id,
        action=query.action,
        actor_id=query.key_id,
        object_=query.object,
        since=query.since,
        until=query.until,
        before=UUID(last) if last else None,
        limit=query.limit + 1,
    )
    return answer(page(request, query, rows, key=lambda row: str(row.id), show=EntryOut.of))
