"""Tells a platform what was decided here: what is on the shelf, what is packed. What comes back as its echo is no news."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.accounts.limits import RateLimits
from hub.events import objects
from hub.events.model import Claimed, Done, SetOff
from hub.orders import placing
from hub.orders import queries as orders
from hub.orders.model import STAGES, OrderStatus
from hub.orders.request import StatusIn
from hub.orders.work import working
from hub.queue import Lane
from hub.resources import Hub
from hub.sources import hooks, queries, service
from hub.sources.base import Impossible, Later, Platform, Writes
from hub.sources.model import DecidedLine, Decision, Kind, Result, Source

_RELEASES = frozenset(
    {OrderStatus.CONFIRMED, OrderStatus.PARTIALLY_CONFIRMED, OrderStatus.ASSEMBLED}
)
"""After these, what the shop had said before the shelf had answered comes into force."""


async def write(hub: Hub, claimed: Claimed, limits: RateLimits | None = None) -> Done:
    """Safe to repeat. Raises `Later`, `Trouble`: it is still to be written.

    What waited here for the decision goes on first: people at the shelf do not wait for a platform that is away.
    """
    assert claimed.payload is not None  # noqa: S101 (made by `inbox.note_decision`)
    status = OrderStatus(claimed.payload["status"])
    set_off = await _release(hub, claimed, status)
    source = claimed.source
    if not source.write_back:
        return Done(Result.IGNORED, "write-back-off", set_off=set_off)
    if source.paused_until and (left := source.paused_until - datetime.now(UTC)) > timedelta(0):
        raise Later("paused", left)
    platform = service.live(hub.signer, hub.http, source, limits, Lane.TRANSACTIONAL)
    code = code_of(source, platform, status)
    if not code or not isinstance(platform, Writes):
        return Done(Result.IGNORED, "no-code", set_off=set_off)
    if overtaken := await _overtaken(hub, claimed):
        return Done(Result.STALE, overtaken, set_off=set_off)
    urls = hooks.urls_of(hub.settings.public_url, hub.signer, source, platform.topics)
    decision = _decision(claimed, status, code, urls)
    await _remember(hub, claimed, decision)
    try:
        await platform.write(decision)
    except Impossible as impossible:
        return Done(Result.FAILED, str(impossible), set_off=set_off)
    if source.write_problem:
        await queries.note_written(hub.db, source.id)
    return Done(Result.WRITTEN, set_off=set_off)


def code_of(source: Source, platform: Platform, status: OrderStatus) -> str:
    """The platform's word for it; empty: there is none, and nothing is written."""
    return source.mapping.write_back.get(status) or platform.writes_as.get(status, "")


def _decision(
    claimed: Claimed, status: OrderStatus, code: str, urls: Mapping[str, str]
) -> Decision:
    payload: Mapping[str, Any] = claimed.payload or {}
    lines = tuple(
        DecidedLine(
            id=line["id"],
            sku=line["sku"],
            asked=line["asked"],
            # Not answered: the shop went on without waiting for it.
            confirmed=line["asked"] if line["confirmed"] is None else line["confirmed"],
        )
        for line in payload["lines"]
    )
    return Decision(claimed.object, status, code, payload["revision"], lines, urls)


async def _overtaken(hub: Hub, claimed: Claimed) -> str:
    """Why it is too late to be told; empty: it is not. A decision that was tried for hours, or is tried once more, must
    not set the platform's order back."""
    payload: Mapping[str, Any] = claimed.payload or {}
    row = await hub.db.fetchrow(
        """
        SELECT o.status, o.revision FROM source_object AS s JOIN shop_order AS o ON o.id = s.order_id
         WHERE s.source_id = $1 AND s.kind = 'order' AND s.object = $2
        """,
        claimed.source.id,
        claimed.object,
    )
    if row is None:
        return "no-order"
    if row["revision"] > payload["revision"]:
        return "a newer decision took its place"
    over = STAGES[OrderStatus(row["status"])] >= STAGES[OrderStatus.SHIPPED]
    return f"the order is {row['status']} already" if over else ""


async def _remember(hub: Hub, claimed: Claimed, decision: Decision) -> None:
    """Before the call: its echo may be here before its answer."""
    wrote = {
        "codes": [decision.code],
        "lines": {line.id: line.confirmed for line in decision.lines},
    }
    async with hub.db.acquire() as conn, conn.transaction():
        await objects.lock(conn, claimed.source.id, Kind.ORDER, claimed.object)
        await conn.execute(
            """
            UPDATE source_object
               SET wrote = $3::jsonb || jsonb_build_object('at', now()), updated_at = now(),
                   codes = CASE WHEN $4 = ANY(codes) THEN codes ELSE codes || $4::text END
             WHERE source_id = $1 AND kind = 'order' AND object = $2
            """,
            claimed.source.id,
            claimed.object,
            wrote,
            decision.code,
        )


async def _release(hub: Hub, claimed: Claimed, status: OrderStatus) -> SetOff | None:
    """What the platform said before the shelf had answered (mostly: it is paid). Nothing on the shelf: it is dropped,
    and what becomes of the money is the shop's to say."""
    async with working(hub, hub.shops[claimed.shop_id], quiet=claimed.quiet) as work:
        await objects.lock(work.conn, claimed.source.id, Kind.ORDER, claimed.object)
        known = await objects.known(work.conn, claimed.source.id, Kind.ORDER, claimed.object)
        if known is None or known.held_status is None or known.order_id is None:
            return None
        moved, order = False, await orders.by_id(work.conn, work.shop.id, known.order_id)
        if status in _RELEASES:
            given = StatusIn(status=OrderStatus(known.held_status))
            moved = await placing.move(work, known.order_id, given) is None
        await work.conn.execute(
            "UPDATE source_object SET held_status = NULL"
            " WHERE source_id = $1 AND kind = 'order' AND object = $2",
            claimed.source.id,
            claimed.object,
        )
    if not moved or order is None:
        return None
    return SetOff.of(work, order.number, known.held_status)
