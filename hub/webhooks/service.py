"""Webhooks made, changed and tried out, and the events that they are told of."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson

from channels.guard import Network
from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.db.pool import Db, Pool, transaction
from hub.errors import Conflict, Fault, InvalidInput, NotFound
from hub.ids import made_at, new_id
from hub.outgoing import inner_host
from hub.tokens import Signer
from hub.webhooks import queries, signing
from hub.webhooks.model import TEST, Attempt, Event, EventType, Outcome, Webhook
from hub.webhooks.queries import Written
from hub.webhooks.sealing import seal

MOST = 50
"""Webhooks of one shop."""

OVERLAP = timedelta(hours=24)
"""How long a former secret signs along after a rotation."""

_REMOVED_FOR = timedelta(days=30)
"""A webhook that was removed, so that its last attempts have something to refer to."""


async def publish(
    db: Db,
    shop_id: int,
    type: EventType | str,
    data: Mapping[str, Any],
    *,
    contact_id: UUID | None = None,
    contacts: Sequence[UUID] = (),
) -> None:
    """As `publish_many`, for one."""
    await publish_many(db, [Event(shop_id, EventType(type), data, contact_id, contacts)])


async def publish_many(db: Db, events: Sequence[Event]) -> None:
    """Writes, in the caller's transaction, a callback for each webhook that asked for it. One statement; where
    nobody asked nothing is kept. Committed, it is sent at least once."""
    if events:
        await queries.publish(
            db, [_written(e.shop_id, e.type, e.data, e.contact_id, e.contacts) for e in events]
        )


async def create(
    db: Pool,
    signer: Signer,
    shop_id: int,
    *,
    url: str,
    events: Sequence[EventType],
    description: str,
    allow: Sequence[Network],
    by: Actor = SYSTEM,
) -> tuple[Webhook, str]:
    """The webhook and its secret, which is shown now and never again. From the answer on nothing is missed.

    Raises `InvalidInput` (the URL leads into an inner network, as far as it shows), `Conflict` (`MOST`).
    """
    _check(url, allow)
    id_, secret = new_id(), signing.new_secret()
    async with db.acquire() as connection, connection.transaction():
        webhook = await queries.add(
            connection,
            shop_id,
            id_,
            url=url,
            events=list(events),
            description=description,
            secret=seal(signer, id_, secret),
            most=MOST,
        )
        if webhook is None:
            raise Conflict(f"the shop has {MOST} webhooks, and there cannot be more")
        told = sorted(webhook.events)
        await audit.record(connection, shop_id, by, Action.WEBHOOK_CREATED, id_, events=told)
    return webhook, secret


async def get(db: Db, shop_id: int, id_: UUID) -> Webhook:
    """Raises `NotFound`."""
    return _found(await queries.by_id(db, shop_id, id_))


async def change(
    db: Pool,
    shop_id: int,
    id_: UUID,
    changes: Mapping[str, Any],
    *,
    allow: Sequence[Network],
    by: Actor = SYSTEM,
) -> Webhook:
    """`changes`: those of url, events, description and active that change. Made active, or given another URL,
    the endpoint starts with a clean slate, and what waits for it is sent at once.

    Raises `InvalidInput`, `NotFound`.
    """
    if "url" in changes:
        _check(changes["url"], allow)
    async with db.acquire() as connection, connection.transaction():
        before = _found(await queries.by_id(connection, shop_id, id_))
        revived = bool(changes.get("active")) and not before.active
        moved = changes.get("url", before.url) != before.url
        after = await queries.change(connection, shop_id, id_, changes, renewed=revived or moved)
        if revived or moved:
            await queries.begin_anew(connection, id_)
        changed = sorted(changes)
        await audit.record(connection, shop_id, by, Action.WEBHOOK_CHANGED, id_, changed=changed)
    return _found(after)


async def rotate(
    db: Db, signer: Signer, shop_id: int, id_: UUID, *, by: Actor = SYSTEM
) -> tuple[Webhook, str]:
    """A new secret, shown now and never again; for `OVERLAP` callbacks are signed with the former, too. The one
    before that ends. Raises `NotFound`."""
    secret = signing.new_secret()
    until = datetime.now(UTC) + OVERLAP
    sealed = seal(signer, id_, secret)
    async with transaction(db) as connection:
        webhook = _found(await queries.rotate(connection, shop_id, id_, sealed, until=until))
        await audit.record(connection, shop_id, by, Action.WEBHOOK_ROTATED, id_)
    return webhook, secret


async def remove(db: Db, shop_id: int, id_: UUID, *, by: Actor = SYSTEM) -> None:
    """What waits for it is not sent. Raises `NotFound`."""
    async with transaction(db) as connection:
        if not await queries.remove(connection, shop_id, id_):
            raise NotFound(_UNKNOWN)
        await audit.record(connection, shop_id, by, Action.WEBHOOK_REMOVED, id_)


async def test(db: Db, shop_id: int, id_: UUID, *, by: Actor) -> UUID:
    """Sends a `webhook.test`, once; the event's id. Raises `NotFound`, `Conflict` (it is not active)."""
    _active(await get(db, shop_id, id_))
    event = _written(shop_id, TEST, {"webhook": {"id": id_}})
    async with transaction(db) as connection:
        await queries.add_for(connection, id_, event)
        await audit.record(connection, shop_id, by, Action.WEBHOOK_TESTED, id_)
    return event.id


async def attempts(
    db: Db,
    shop_id: int,
    id_: UUID,
    *,
    outcome: Outcome | None = None,
    event_id: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Attempt]:
    """The newest first. Raises `NotFound`."""
    await get(db, shop_id, id_)
    return await queries.attempts(
        db, id_, outcome=outcome, event_id=event_id, before=before, limit=limit
    )


async def resend(db: Db, shop_id: int, id_: UUID, attempt_id: UUID, *, by: Actor = SYSTEM) -> UUID:
    """Sends the event of that attempt again, whatever became of it: same id, same body. The event's id.

    Raises `NotFound` (of an event that was dropped or erased, too), `Conflict` (the webhook is not active).
    """
    _active(await get(db, shop_id, id_))
    async with transaction(db) as connection:
        event_id = await queries.send_again(connection, id_, attempt_id)
        if event_id is None:
            raise NotFound("there is no such attempt, or its event is no longer kept")
        await audit.record(
            connection, shop_id, by, Action.WEBHOOK_RESENT, id_, event_id=str(event_id)
        )
    return event_id


async def keep_house(db: Db, now: datetime) -> None:
    """Webhooks that were removed long ago; events go by the shop's `retention`."""
    await queries.forget_removed(db, now - _REMOVED_FOR)


_UNKNOWN = "there is no webhook with this id"


def _found(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise NotFound(_UNKNOWN)
    return webhook


def _active(webhook: Webhook) -> None:
    if not webhook.active:
        raise Conflict('the webhook is not active: PATCH it with {"active": true} first')


def _check(url: str, allow: Sequence[Network]) -> None:
    """Raises `InvalidInput`."""
    if fault := shape_fault(url) or inner_host(url, allow):
        raise InvalidInput(faults=[Fault("/url", fault)])


def shape_fault(url: str) -> str | None:
    """Why nothing can be called by `url`, wherever it leads."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "must be an https:// or http:// URL"
    if parts.username is not None or parts.password is not None:
        return "must not hold a name or password; callbacks are signed instead"
    if parts.fragment:
        return "must not have a fragment (#…)"
    return None


def _written(
    shop_id: int,
    type_: str,
    data: Mapping[str, Any],
    contact_id: UUID | None = None,
    contacts: Sequence[UUID] = (),
) -> Written:
    id_ = new_id()
    body = {"type": type_, "timestamp": made_at(id_), "data": data}
    raw = orjson.dumps(body, default=_plain, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)
    return Written(id_, shop_id, type_, contact_id, raw, contacts)


def _plain(value: Any) -> Any:
    # asyncpg's UUID is a subclass, which orjson takes only by its own type.
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(type(value).__name__)
