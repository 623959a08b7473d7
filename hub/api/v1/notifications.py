"""Notifications: sent one by one or many at once, tried without sending, listed, looked at, cancelled."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web
from pydantic import Field, ValidationError

from channels.base import Channel
from hub import bounds
from hub.accounts.choice import Why
from hub.api import problems
from hub.api.acting import actor_of
from hub.api.background import INTAKE
from hub.api.body import (
    In,
    Out,
    Query,
    answer,
    check_one,
    in_turns,
    parse,
    path_id,
    read_batch,
    read_query,
)
from hub.api.keys import HUB, REQUEST_ID, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.contacts.instant import QueryInstant
from hub.errors import Conflict, HubError, InvalidInput, NotFound
from hub.notifications import storage
from hub.notifications.lines import Result, Stored
from hub.notifications.model import DeliveryStatus, NotificationStatus, SkipReason, Strategy
from hub.notifications.prepare import Prepared
from hub.notifications.request import NotificationIn
from hub.notifications.storage import IdempotencyKey
from hub.shops.keys import Scope

routes = Routes("Notifications")

_MOST_IN_BATCH = 1000
_COMMAS = 20
"""In one of a batch: with fewer nothing in it takes long."""

_PARTS = 20
"""Objects and items of lists in one of a batch, without those in what is free of form; more of them are checked one by one."""

_HEADER = "Idempotency-Key"


class CreateQuery(Query):
    dry_run: bool = Field(
        default=False, description="Show the plan and what would be sent; store and send nothing."
    )


class PlanItem(Out):
    channel: Channel
    address: str | None
    provider: str | None = Field(default=None, description="Of push devices.")
    until: str | None = Field(default=None, description="In a cascade: what ends it here.")
    wait: int | None = Field(default=None, description="In a cascade: seconds until the next step.")


class SkippedItem(Out):
    channel: Channel
    reason: SkipReason


class RenderedOut(Out):
    subject: str
    text: str
    html: str


class NotificationOut(Out):
    id: UUID
    status: NotificationStatus
    held_until: datetime | None = Field(description="Until when quiet hours hold it.")
    plan: list[PlanItem]
    skipped: list[SkippedItem]


class DryRunOut(Out):
    status: NotificationStatus
    held_until: datetime | None
    plan: list[PlanItem]
    skipped: list[SkippedItem]
    rendered: dict[Channel, RenderedOut]


class BatchIn(In):
    """Read item by item, so that a bad one does not stop the others."""

    notifications: list[NotificationIn] = Field(min_length=1, max_length=_MOST_IN_BATCH)


class BatchOut(Out):
    results: list[NotificationOut | dict[str, Any]] = Field(
        description="In order, each the single answer or its problem."
    )


class InsteadOfOut(Out):
    account: str = Field(description="The account that was the first choice.")
    reason: Why = Field(
        description="paused: it had failed again and again; refused: credentials, balance, sender; slow: it took"
        " too long to answer; not_set_up: its credentials are empty; failed_before: this delivery, a moment ago;"
        " coming_back: from a pause, with few calls at first; repeat: the account that was called before would"
        " recognise a repeat."
    )
    code: str | None = Field(description="Of the pause, or of what failed before.")
    detail: str | None


class AttemptOut(Out):
    number: int
    account: str
    provider: str
    time: datetime
    finished_at: datetime | None
    outcome: str | None = Field(
        description="accepted, retry, maybe_sent, refused, moved, unknown; null: under way."
    )
    code: str | None
    text: str | None
    instead_of: InsteadOfOut | None = Field(
        description="Why another account than the first choice was called; null: it was the first choice."
    )


class ReceiptOut(Out):
    status: str
    code: str
    text: str
    time: datetime
    received_at: datetime


class DeliveryOut(Out):
    id: UUID
    channel: Channel
    provider: str | None
    account: str | None
    provider_id: str | None = Field(description="What the provider calls the message.")
    address: str | None = Field(description="null: the person was erased.")
    status: DeliveryStatus
    reason: str | None
    code: str | None
    maybe_duplicate: bool
    instead_of: InsteadOfOut | None = Field(
        description="Of the last attempt: why another account than the first choice carries it."
    )
    cost: str | None
    due_at: datetime
    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    attempts: list[AttemptOut]
    receipts: list[ReceiptOut]


class NotificationDetailsOut(Out):
    id: UUID
    status: NotificationStatus
    template: str | None
    category: str
    strategy: Strategy
    contact: str | None = Field(description="`external_id`; null: a one-off, or erased.")
    created_at: datetime
    send_at: datetime | None
    held_until: datetime | None
    expires_at: datetime | None
    ordering_key: str | None
    collapse_key: str | None
    meta: dict[str, Any] | None
    plan: list[PlanItem]
    skipped: list[SkippedItem]
    deliveries: list[DeliveryOut]


class NotificationsQuery(ListQuery):
    contact: str | None = Field(default=None, max_length=255)
    status: NotificationStatus | None = None
    channel: Channel | None = None
    template: str | None = Field(default=None, max_length=100)
    since: QueryInstant | None = None
    until: QueryInstant | None = None


@routes.post(
    "/v1/notifications",
    name="notifications.create",
    is_work=True,
    scope=Scope.SEND,
    summary="Tell one contact one thing",
    body=NotificationIn,
    query=CreateQuery,
    headers=[_HEADER],
    answers={202: NotificationOut, 200: DryRunOut},
    problems=[409, 422],
)
async def create(request: web.Request) -> web.StreamResponse:
    """202 once it is stored durably: what becomes of it is told by GET and by callbacks."""
    dry_run = read_query(request, CreateQuery).dry_run
    key = None if dry_run else await _key(request)
    asked = await parse(request, NotificationIn)
    intake, shop = request.app[INTAKE], request[SHOP]
    if dry_run:
        return answer(_dry_run(await intake.dry_run(shop, asked)))
    stored = await intake.accept(shop, [asked], key=key, by=actor_of(request), body_of=_single_body)
    return _stored(stored)


@routes.post(
    "/v1/notifications/batch",
    name="notifications.create_many",
    is_work=True,
    scope=Scope.SEND,
    summary="Tell many contacts something, up to 1000 at once",
    body=BatchIn,
    headers=[_HEADER],
    answers={202: BatchOut},
    problems=[409, 422],
)
async def create_many(request: web.Request) -> web.StreamResponse:
    """A bad one does not stop the others; an Idempotency-Key covers the whole call."""
    key = await _key(request)
    given = await read_batch(request, "notifications", most=_MOST_IN_BATCH)
    # Each of the two takes some milliseconds for a thousand; others have a turn in between.
    await asyncio.sleep(0)
    items: Sequence[NotificationIn | HubError] = _all_good(await request.read(), given)
    if not items:
        items = [_item(item) async for item in in_turns(given)]
    request_id = request[REQUEST_ID]

    def body_of(results: Sequence[Result]) -> bytes:
        return orjson.dumps(
            {
                "results": [
                    orjson.Fragment(r.answer)
                    if isinstance(r, Prepared)
                    else problems.body_of(r, request_id)
                    for r in results
                ]
            }
        )

    stored = await request.app[INTAKE].accept(
        request[SHOP], items, key=key, by=actor_of(request), single=False, body_of=body_of
    )
    return _stored(stored)


@routes.get(
    "/v1/notifications/{id}",
    name="notifications.get",
    scope=Scope.READ,
    summary="Everything about one notification",
    answers={200: NotificationDetailsOut},
    problems=[404],
)
async def get(request: web.Request) -> web.StreamResponse:
    """Its plan, and each delivery with its attempts, receipts and cost."""
    row = await storage.by_id(request.app[HUB].db, request[SHOP].id, path_id(request))
    if row is None:
        raise NotFound("there is no notification with this id")
    return answer(_details(row))


@routes.get(
    "/v1/notifications",
    name="notifications.list",
    scope=Scope.READ,
    summary="List notifications",
    query=NotificationsQuery,
    answers={200: Page[NotificationDetailsOut]},
)
async def list_(request: web.Request) -> web.StreamResponse:
    """The newest first."""
    query = read_query(request, NotificationsQuery)
    last = position(request, query)
    rows = await storage.page(
        request.app[HUB].db,
        request[SHOP].id,
        contact=query.contact,
        status=query.status,
        channel=query.channel,
        template=query.template,
        since=query.since,
        until=query.until,
        before=UUID(last) if last else None,
        limit=query.limit + 1,
    )
    return answer(page(request, query, rows, key=lambda r: str(r["id"]), show=_details))


@routes.post(
    "/v1/notifications/{id}/cancel",
    name="notifications.cancel",
    scope=Scope.SEND,
    summary="Cancel what has not left",
    answers={200: NotificationDetailsOut},
    problems=[404, 409],
)
async def cancel(request: web.Request) -> web.StreamResponse:
    """200 if nothing had left, also when it was cancelled before. 409 if something had, or perhaps had: of that no
    further try is made, and it ends as `unknown`."""
    hub, shop, id_ = request.app[HUB], request[SHOP], path_id(request)
    async with hub.db.acquire() as connection, connection.transaction():
        status = await storage.cancel(connection, shop.id, id_)
    if status is None:
        raise NotFound("there is no notification with this id")
    if status != NotificationStatus.CANCELLED:
        state = "being sent" if status == DeliveryStatus.SENDING else status
        raise Conflict(f"it cannot be cancelled any more: it is {state}")
    row = await storage.by_id(hub.db, shop.id, id_)
    assert row is not None  # noqa: S101
    return answer(_details(row))


async def _key(request: web.Request) -> IdempotencyKey | None:
    """Bare or quoted (a structured-field string) it is the same key."""
    given = request.headers.get(_HEADER)
    if given is None:
        return None
    key = given.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise InvalidInput(f"{_HEADER} must have 1 to 255 printable characters")
    fingerprint = hashlib.sha256(await request.read()).digest()
    return IdempotencyKey(request.path, key, fingerprint)


def _all_good(
    raw: bytes, given: Sequence[Any | InvalidInput]
) -> Sequence[NotificationIn | HubError]:
    """Empty: something is wrong, and has to be looked for one by one."""
    if any(isinstance(item, InvalidInput) for item in given):
        return ()
    try:
        if raw.count(b",") > _COMMAS * len(given):
            bounds.check(
                BatchIn, {"notifications": given}, most_faults=1, most_parts=_PARTS * len(given)
            )
        return BatchIn.model_validate_json(raw).notifications
    except (InvalidInput, ValidationError):
        return ()


def _item(given: Any | InvalidInput) -> NotificationIn | HubError:
    if isinstance(given, InvalidInput):
        return given
    try:
        return check_one(NotificationIn, given)
    except InvalidInput as error:
        return error


def _single_body(results: Sequence[Result]) -> bytes:
    [result] = results
    assert isinstance(result, Prepared)  # noqa: S101 (a fault is raised, not answered)
    return result.answer


def _stored(stored: Stored) -> web.Response:
    headers = {"Idempotent-Replayed": "true"} if stored.replayed else None
    return web.Response(
        status=stored.status,
        body=stored.body,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def _dry_run(prepared: Prepared) -> dict[str, Any]:
    shown: dict[str, Any] = orjson.loads(prepared.answer)
    # Nothing is stored under it.
    del shown["id"]
    shown["rendered"] = {
        channel: {"subject": r.subject, "text": r.text, "html": r.html}
        for channel, r in prepared.rendered.items()
    }
    return shown


def _details(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "status": row["status"],
        "template": row["template"],
        "category": row["category"],
        "strategy": row["strategy"],
        "contact": row["external_id"],
        "created_at": row["created_at"],
        "send_at": row["send_at"],
        "held_until": row["held_until"],
        "expires_at": row["expires_at"],
        "ordering_key": row["ordering_key"],
        "collapse_key": row["collapse_key"],
        "meta": row["meta"],
        "plan": _plan(row),
        "skipped": row["skipped"],
        "deliveries": [_delivery(d) for d in row["deliveries"]],
    }


def _plan(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The stored plan with the addresses as they are now."""
    items = []
    for step in row["plan"]:
        for id_ in step["addresses"]:
            address = row["addresses"].get(id_, {})
            item: dict[str, Any] = {"channel": step["channel"], "address": address.get("value")}
            if address.get("provider"):
                item["provider"] = address["provider"]
            if step["until"]:
                item["until"] = step["until"]
            if step["wait"] is not None:
                item["wait"] = int(step["wait"])
            items.append(item)
    return items


def _instead_of(attempt: Mapping[str, Any]) -> dict[str, Any] | None:
    told = attempt["instead_of"]
    return told and {
        "account": told["account"],
        "reason": told["reason"],
        "code": told.get("code") or None,
        "detail": told.get("detail") or None,
    }


def _delivery(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {
        name: row[name]
        for name in DeliveryOut.model_fields
        if name not in ("attempts", "receipts", "instead_of")
    }
    shown["instead_of"] = _instead_of(row["attempts"][-1]) if row["attempts"] else None
    shown["attempts"] = [
        {
            "number": a["number"],
            "account": a["account"],
            "provider": a["provider"],
            "time": a["started_at"],
            "finished_at": a["finished_at"],
            "outcome": a["outcome"],
            "code": a["code"],
            "text": a["detail"],
            "instead_of": _instead_of(a),
        }
        for a in row["attempts"]
    ]
    shown["receipts"] = [
        {
            "status": r["status"],
            "code": r["code"],
            "text": r["detail"],
            "time": r["happened_at"] or r["received_at"],
            "received_at": r["received_at"],
        }
        for r in row["receipts"]
    ]
    return shown
