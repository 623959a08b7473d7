"""Webhooks: where the shop's backend is called, tried out, watched and called again."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from aiohttp import web
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from hub.api.acting import actor_of
from hub.api.body import In, Out, answer, parse, path_id, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.shops.keys import Scope
from hub.webhooks import queries, service
from hub.webhooks.model import Attempt, EventType, Outcome, Webhook

routes = Routes("Webhooks")

_REVIVAL_TIMEOUT = timedelta(seconds=30)


def _once_each(events: list[EventType]) -> list[EventType]:
    if len(set(events)) != len(events):
        raise ValueError("must name each event once")
    return events


def _as_sent(url: Any) -> Any:
    """Before the pattern, whose own words tell nobody what to do."""
    if isinstance(url, str) and not all("\x21" <= letter <= "\x7e" for letter in url):
        raise ValueError(
            "must be ASCII without spaces: other letters of a host's name as xn--…, else percent-encoded"
        )
    if isinstance(url, str) and (fault := service.shape_fault(url)):
        raise ValueError(fault)
    return url


# No spaces and no control characters, which URL parsers drop each in its own way.
Url = Annotated[
    str,
    StringConstraints(max_length=2048, pattern=r"^[\x21-\x7e]+$"),
    BeforeValidator(_as_sent),
]
Events = Annotated[list[EventType], Field(min_length=1, max_length=100), AfterValidator(_once_each)]
Description = Annotated[str, StringConstraints(max_length=500)]


class WebhookIn(In):
    url: Url = Field(
        description="`https://` or `http://`, on the public internet or in a network that `outgoing_allow` names."
    )
    events: Events
    description: Description = ""


class WebhookPatch(In):
    """What is left out stays as it is."""

    # Factories, because a default would stand in the document as if it came into force.
    url: Url = Field(default_factory=str)
    events: Events = Field(default_factory=list)
    description: Description = Field(default_factory=str)
    active: bool = Field(
        default_factory=bool,
        description="`false`: nothing is kept for it and nothing sent. `true`, where it was disabled: it is"
        " called again, first with what waits for it.",
    )


class DisabledOut(Out):
    reason: str = Field(
        description="`gone` (the endpoint answered 410) or `exhausted` (a day and more without a success)."
    )
    at: datetime


class WebhookOut(Out):
    id: UUID
    url: str
    events: list[str]
    description: str
    active: bool
    disabled: DisabledOut | None = Field(description="Why the hub itself has switched it off.")
    failing_since: datetime | None = Field(description="No success since then; null: it works.")
    former_secret_until: datetime | None = Field(
        description="Callbacks are signed with the former secret, too, until then."
    )
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        disabled = None
        if webhook.disabled_reason and webhook.disabled_at:
            disabled = DisabledOut(reason=webhook.disabled_reason, at=webhook.disabled_at)
        return cls(
            id=webhook.id,
            url=webhook.url,
            events=list(webhook.events),
            description=webhook.description,
            active=webhook.active,
            disabled=disabled,
            failing_since=webhook.failing_since,
            former_secret_until=webhook.previous_until,
            created_at=webhook.created_at,
            updated_at=webhook.updated_at,
        )


class NewWebhookOut(WebhookOut):
    secret: str = Field(description="Signs the callbacks: shown now and never again.")


class SentOut(Out):
    event_id: UUID = Field(description="The callback's `webhook-id`.")


class AttemptsQuery(ListQuery):
    outcome: Outcome | None = None
    event_id: UUID | None = None


class AttemptOut(Out):
    id: UUID
    event_id: UUID = Field(description="The `webhook-id` of the call: the same at every try.")
    type: str
    number: int = Field(description="Counts the calls for this event.")
    outcome: Outcome = Field(
        description="`succeeded`: a 2xx. `blocked`: the address is outside the public internet; not called."
    )
    reason: str | None = Field(
        description="`http-500` and the like, `redirect`, `no-connection`, `no-answer` (none within 15 seconds),"
        " `blocked`; null after a success."
    )
    http_status: int | None
    answer: str = Field(description="The first 1000 characters of what the backend said.")
    started_at: datetime
    duration_ms: int
    next_at: datetime | None = Field(
        description="When the next try was due; null: none was to follow."
    )

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        return cls(
            id=attempt.id,
            event_id=attempt.event_id,
            type=attempt.type,
            number=attempt.number,
            outcome=attempt.outcome,
            reason=attempt.reason,
            http_status=attempt.http_status,
            answer=attempt.answer,
            started_at=attempt.started_at,
            duration_ms=attempt.duration // timedelta(milliseconds=1),
            next_at=attempt.next_at,
        )


@routes.post(
    "/v1/webhooks",
    name="webhooks.create",
    scope=Scope.ADMIN,
    summary="Subscribe to events",
    body=WebhookIn,
    answers={201: NewWebhookOut},
    problems=(409,),
)
async def create(request: web.Request) -> web.StreamResponse:
    """From the answer on every event named is sent to the URL, signed after Standard Webhooks with `secret`,
    which is shown here and never again. The body is `{"type", "timestamp", "data"}`; a 2xx within 15 seconds
    is success, anything else is tried again for more than a day."""
    hub, shop = request.app[HUB], request[SHOP]
    body = await parse(request, WebhookIn)
    webhook, secret = await service.create(
        hub.db,
        hub.signer,
        shop.id,
        url=body.url,
        events=body.events,
        description=body.description,
        allow=hub.settings.hub.outgoing_allow,
        by=actor_of(request),
    )
    return answer(NewWebhookOut(**dict(WebhookOut.of(webhook)), secret=secret), status=201)


@routes.get(
    "/v1/webhooks",
    name="webhooks.list",
    scope=Scope.ADMIN,
    summary="List webhooks",
    query=ListQuery,
    answers={200: Page[WebhookOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """Newest first."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, ListQuery)
    last = position(request, query)
    rows = await queries.page(
        hub.db, shop.id, before=UUID(last) if last else None, limit=query.limit + 1
    )
    return answer(page(request, query, rows, key=lambda row: str(row.id), show=WebhookOut.of))


@routes.get(
    "/v1/webhooks/{id}",
    name="webhooks.get",
    scope=Scope.ADMIN,
    summary="Show a webhook",
    answers={200: WebhookOut},
)
async def shown(request: web.Request) -> web.StreamResponse:
    """Without its secret."""
    hub, shop = request.app[HUB], request[SHOP]
    return answer(WebhookOut.of(await service.get(hub.db, shop.id, path_id(request))))


@routes.patch(
    "/v1/webhooks/{id}",
    name="webhooks.change",
    scope=Scope.ADMIN,
    summary="Change a webhook",
    body=WebhookPatch,
    answers={200: WebhookOut},
    timeout=_REVIVAL_TIMEOUT,
)
async def change(request: web.Request) -> web.StreamResponse:
    """Another URL, or `active` again: what waits is sent there at once, with a whole round of tries."""
    hub, shop = request.app[HUB], request[SHOP]
    id_ = path_id(request)
    body = await parse(request, WebhookPatch)
    changes: dict[str, Any] = body.model_dump(include=body.model_fields_set)
    webhook = await service.change(
        hub.db,
        shop.id,
        id_,
        changes,
        allow=hub.settings.hub.outgoing_allow,
        by=actor_of(request),
    )
    return answer(WebhookOut.of(webhook))


@routes.delete(
    "/v1/webhooks/{id}",
    name="webhooks.remove",
    scope=Scope.ADMIN,
    summary="Remove a webhook",
    answers={204: None},
)
async def remove(request: web.Request) -> web.StreamResponse:
    """What waits for it is not sent."""
    hub, shop = request.app[HUB], request[SHOP]
    await service.remove(hub.db, shop.id, path_id(request), by=actor_of(request))
    return answer()


@routes.post(
    "/v1/webhooks/{id}/rotate",
    name="webhooks.rotate",
    scope=Scope.ADMIN,
    summary="Give a webhook a new secret",
    answers={200: NewWebhookOut},
)
async def rotate(request: web.Request) -> web.StreamResponse:
    """For 24 hours callbacks carry two signatures, by the new and by the former secret: put the new one into
    your backend meanwhile."""
    hub, shop = request.app[HUB], request[SHOP]
    webhook, secret = await service.rotate(
        hub.db, hub.signer, shop.id, path_id(request), by=actor_of(request)
    )
    return answer(NewWebhookOut(**dict(WebhookOut.of(webhook)), secret=secret))


@routes.post(
    "/v1/webhooks/{id}/test",
    name="webhooks.test",
    scope=Scope.ADMIN,
    summary="Send a test callback",
    answers={202: SentOut},
    problems=(409,),
)
async def test(request: web.Request) -> web.StreamResponse:
    """Of the type `webhook.test`, tried once; what came of it stands among the attempts."""
    hub, shop = request.app[HUB], request[SHOP]
    event_id = await service.test(hub.db, shop.id, path_id(request), by=actor_of(request))
    return answer(SentOut(event_id=event_id), status=202)


@routes.get(
    "/v1/webhooks/{id}/attempts",
    name="webhooks.attempts",
    scope=Scope.ADMIN,
    summary="List the calls made",
    query=AttemptsQuery,
    answers={200: Page[AttemptOut]},
)
async def attempts(request: web.Request) -> web.StreamResponse:
    """Newest first; kept for 30 days."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, AttemptsQuery)
    last = position(request, query)
    rows = await service.attempts(
        hub.db,
        shop.id,
        path_id(request),
        outcome=query.outcome,
        event_id=query.event_id,
        before=UUID(last) if last else None,
        limit=query.limit + 1,
    )
    return answer(page(request, query, rows, key=lambda row: str(row.id), show=AttemptOut.of))


@routes.post(
    "/v1/webhooks/{id}/attempts/{attempt_id}/resend",
    name="webhooks.resend",
    scope=Scope.ADMIN,
    summary="Send the event of an attempt again",
    answers={202: SentOut},
    problems=(409,),
)
async def resend(request: web.Request) -> web.StreamResponse:
    """Whatever came of it: with the same `webhook-id` and the same body, tried for more than a day again."""
    hub, shop = request.app[HUB], request[SHOP]
    event_id = await service.resend(
        hub.db,
        shop.id,
        path_id(request),
        path_id(request, "attempt_id"),
        by=actor_of(request),
    )
    return answer(SentOut(event_id=event_id), status=202)
