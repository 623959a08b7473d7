"""What is done with a source: tried out and connected, read back, its address and secret exchanged, a payload previewed."""

from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from aiohttp import web
from pydantic import Field, model_validator

from hub.api.acting import actor_of
from hub.api.body import In, Out, answer, parse, path_id
from hub.api.keys import HUB, SHOP
from hub.api.routes import Routes
from hub.api.v1.sources import NewSourceOut, shown_source
from hub.errors import Conflict, Unprocessable
from hub.events import connecting, reading
from hub.events.previewing import preview
from hub.shops.keys import Scope
from hub.sources import service
from hub.sources.mapping import SourceMapping
from hub.sources.model import Kind

routes = Routes("Sources")

_TIMEOUT = timedelta(seconds=60)
"""Somebody else's API is asked, several times over."""


class ConnectedHookOut(Out):
    topic: str
    url: str
    subscribed: bool | None = Field(
        description="Whether the platform calls it now; null: it cannot be asked, enter the URL there by hand."
    )


class ConnectedOut(Out):
    ok: bool
    text: str = Field(description="What the platform said, or what to do.")
    hooks: list[ConnectedHookOut]


class AskedOut(Out):
    id: UUID
    read: Literal["soon"] = "soon"


class RotateIn(In):
    what: Literal["url", "secret"] = Field(
        description="The address of its hooks, or the secret with which the platform signs."
    )


class PreviewIn(In):
    """Of `payload` or of what an event of this source told."""

    kind: Kind
    payload: dict[str, Any] | None = Field(
        default=None, description="As the platform tells or shows it."
    )
    event: UUID | None = Field(default=None, description="An id of `GET /v1/events`.")
    mapping: SourceMapping | None = Field(
        default=None, description="To try one out; left out: that of the source."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> "PreviewIn":
        if (self.payload is None) == (self.event is None):
            raise ValueError("needs either payload or event")
        return self


class StatusPreviewOut(Out):
    codes: list[list[str]] = Field(description="What the platform says of its state.")
    target: str | None = Field(description="What the order would become; null: nothing new.")
    held: str | None = Field(description="What waits until the shelf has answered.")
    unknown: list[str] = Field(description="Words that no map knows.")
    tells: list[str] = Field(description="Rules that this status sets off.")


class ContactPreviewOut(Out):
    external_id: str
    known: bool
    patch: dict[str, Any] = Field(description="As `PUT /v1/contacts/{external_id}` would take it.")
    overwrites: list[str] = Field(description="What is held and would change.")


class PreviewOut(Out):
    facts: dict[str, Any] = Field(description="What was read, in the hub's words.")
    contact: ContactPreviewOut | None
    order: dict[str, Any] | None = Field(
        description="As `PUT /v1/orders/{external_id}` would take it."
    )
    status: StatusPreviewOut | None
    notes: list[str] = Field(description="What was left out, and why.")


@routes.post(
    "/v1/sources/{id}/connect",
    name="sources.connect",
    scope=Scope.ADMIN,
    summary="Try the credentials and set up the hooks",
    answers={200: ConnectedOut},
    timeout=_TIMEOUT,
)
async def connect(request: web.Request) -> web.StreamResponse:
    """Asks the platform whether the credentials are good, and makes it call the source's hooks, where it can be told
    to. Safe to repeat: a hook that is there is not made twice."""
    hub, shop = request.app[HUB], request[SHOP]
    source = await service.get(hub.db, shop.id, path_id(request))
    found = await connecting.connect(hub, source, by=actor_of(request))
    hooks = [
        ConnectedHookOut(topic=hook.topic, url=hook.url, subscribed=hook.subscribed)
        for hook in found.hooks
    ]
    return answer(ConnectedOut(ok=found.ok, text=found.text, hooks=hooks))


@routes.post(
    "/v1/sources/{id}/read",
    name="sources.read",
    scope=Scope.ADMIN,
    summary="Read back now what was missed",
    answers={202: AskedOut},
    problems=(409, 422),
    is_work=True,
)
async def read(request: web.Request) -> web.StreamResponse:
    """Within seconds, also where the source is paused; what is found stands among the events (`via` is `poll`)."""
    hub, shop = request.app[HUB], request[SHOP]
    source = await service.get(hub.db, shop.id, path_id(request))
    if not source.active:
        raise Conflict('the source is not active: PATCH it with {"active": true} first')
    if not service.can_be_read(source):
        raise Unprocessable("its platform cannot be read back: it tells what happens by itself")
    await reading.ask_now(hub.db, shop.id, source.id)
    return answer(AskedOut(id=source.id), status=202)


@routes.post(
    "/v1/sources/{id}/rotate",
    name="sources.rotate",
    scope=Scope.ADMIN,
    summary="Exchange a source's address or secret",
    body=RotateIn,
    answers={200: NewSourceOut},
    problems=(409, 422),
)
async def rotate(request: web.Request) -> web.StreamResponse:
    """The former one counts no more from the answer on: give the new one to the platform at once, by
    `POST /v1/sources/{id}/connect` where it can be told, and read back what was missed meanwhile."""
    hub, shop = request.app[HUB], request[SHOP]
    id_ = path_id(request)
    body = await parse(request, RotateIn)
    source, secret = await service.rotate(
        hub.db, hub.signer, shop.id, id_, body.what, by=actor_of(request)
    )
    return answer(NewSourceOut(**dict(shown_source(hub, source)), secret=secret))


@routes.post(
    "/v1/sources/{id}/preview",
    name="sources.preview",
    scope=Scope.ADMIN,
    summary="Show what would come of a payload",
    body=PreviewIn,
    answers={200: PreviewOut},
    problems=(409, 422),
)
async def previewed(request: web.Request) -> web.StreamResponse:
    """Nothing is stored and nobody told. 422: nothing of it can be read, or be an order, and why."""
    hub, shop = request.app[HUB], request[SHOP]
    id_ = path_id(request)
    body = await parse(request, PreviewIn)
    source = await service.get(hub.db, shop.id, id_)
    found = await preview(
        hub, shop, source, body.kind, body.payload, event=body.event, mapping=body.mapping
    )
    return answer(PreviewOut.model_validate(found.as_json()))
