"""What the hub itself tells people, inside the transaction of what it is about."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from channels.base import Category, Channel
from hub.contacts.model import KnownContactIn
from hub.db.pool import UNREACHABLE, Connection
from hub.errors import NotFound
from hub.notifications import claims, facts, storage
from hub.notifications.model import Ask, ContactFacts, NotificationStatus
from hub.notifications.planner import Planner
from hub.notifications.prepare import Known, Prepared, prepare
from hub.notifications.request import ContentIn, NotificationIn
from hub.notifications.steps import Due
from hub.queue import LANES, Lane, QueueAway
from hub.resources import Hub
from hub.shops.registry import Shop

_TICK_STEPS_IN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Sent:
    """`channel`: the first one of its plan, None where nobody can be reached. `due`: to be handed out after
    the commit."""

    id: UUID
    channel: Channel | None
    due: tuple[Due, ...]


async def send(
    hub: Hub,
    connection: Connection,
    shop: Shop,
    contact_id: UUID,
    template: str | None,
    data: Mapping[str, Any],
    *,
    content: ContentIn | None = None,
    category: Category = Category.TRANSACTIONAL,
    interaction: Mapping[str, str] | None = None,
    channels: Sequence[Channel] | None = None,
    exclude_channels: Collection[Channel] = (),
    ordering_key: str | None = None,
    collapse_key: str | None = None,
) -> Sent:
    """Stores one notification in the caller's transaction, who gives `due` to `hand_out` after the commit.

    `data` is JSON. `content` instead of a `template`: said as it is. `interaction`: the message is a question whose content comes from the present state when
    it leaves; `template` is then its name only. `channels`: no others than these. `exclude_channels`: not
    these, unless there is no other way to this person.

    Raises `NotFound` (no such contact) and what `prepare` raises; nothing is written then.
    """
    found = await facts.by_id(connection, [contact_id])
    if contact_id not in found:
        raise NotFound("there is no such contact any more")
    asked = NotificationIn(
        template=template,
        content=content,
        # Of a known receiver nothing but what was just read counts; a group chat has no external_id.
        recipient=KnownContactIn(external_id=found[contact_id].external_id or str(contact_id)),
        data=dict(data),
        category=category,
        channels=tuple(channels) if channels else None,
        ordering_key=ordering_key,
        collapse_key=collapse_key,
    )
    prepared = _prepared(hub, shop, asked, found[contact_id], interaction, exclude_channels)
    await storage.add(connection, [prepared], handout_after=_TICK_STEPS_IN)
    return _sent(prepared)


async def reachable(
    hub: Hub, connection: Connection, shop: Shop, contact_id: UUID
) -> tuple[Channel, ...]:
    """The channels by which a question reaches that person now, in the order in which they would be used."""
    found = await facts.by_id(connection, [contact_id])
    if contact_id not in found:
        return ()
    plan = Planner(hub.accounts).plan(
        shop, Ask(), found[contact_id], variants=frozenset(Channel), now=datetime.now(UTC)
    )
    return tuple(step.channel for step in plan.steps)


async def hand_out(hub: Hub, due: Iterable[Due]) -> None:
    """Nudges workers at once, after the commit; where Redis is away the tick does it."""
    lanes: dict[Lane, list[UUID]] = {}
    for item in due:
        lanes.setdefault(LANES[item.category], []).append(item.id)
    for lane, ids in lanes.items():
        try:
            await hub.queue.hand_out(lane, ids)
        except QueueAway:
            with suppress(*UNREACHABLE):
                await claims.hand_out_now(hub.db, ids)


def _prepared(
    hub: Hub,
    shop: Shop,
    asked: NotificationIn,
    contact: ContactFacts,
    interaction: Mapping[str, str] | None,
    exclude: Collection[Channel],
) -> Prepared:
    known, now = Known(hub.catalog, hub.accounts), datetime.now(UTC)
    if exclude:
        others = tuple(c for c in asked.channels or Channel if c not in exclude)
        if others:
            elsewhere = asked.model_copy(update={"channels": others})
            prepared = prepare(known, shop, elsewhere, contact, now=now, interaction=interaction)
            if prepared.plan.steps:
                return prepared
    return prepare(known, shop, asked, contact, now=now, interaction=interaction)


def due_of(prepared: Prepared) -> tuple[Due, ...]:
    """What can be handed out at once, after the commit."""
    alive = prepared.status == NotificationStatus.QUEUED
    return tuple(Due(d.category, d.id) for d in prepared.deliveries) if alive else ()


def _sent(prepared: Prepared) -> Sent:
    steps = prepared.plan.steps
    return Sent(prepared.id, steps[0].channel if steps else None, due_of(prepared))
