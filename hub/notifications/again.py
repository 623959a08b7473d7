"""A notification's content once more, to the same person, by the way that is open to him now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from channels.base import Category, Channel, Tells
from hub.audit import log as audit
from hub.audit.model import Action, Actor
from hub.contacts.model import KnownContactIn
from hub.db.pool import Db, transaction
from hub.errors import Conflict, NotFound
from hub.notifications import facts, service, storage
from hub.notifications.model import ContactFacts, SkipReason, Strategy
from hub.notifications.prepare import Known, Prepared, prepare
from hub.notifications.request import CascadeIn, ContentIn, NotificationIn
from hub.resources import Hub
from hub.shops.registry import Shop

AGAIN_OF = "again_of"
"""In the `meta` of the new notification: the id of the one that it repeats."""

_TICK_STEPS_IN = timedelta(seconds=10)
_FURTHEST = (Tells.SENT, Tells.DELIVERED, Tells.READ)


@dataclass(frozen=True, slots=True)
class Repeat:
    """What is asked for anew, and whom it is for. `interaction`: it is a question, made from the present state."""

    asked: NotificationIn
    contact: ContactFacts
    interaction: Mapping[str, str] | None


async def repeat_of(db: Db, shop: Shop, id_: UUID, *, channels: Sequence[Channel] = ()) -> Repeat:
    """As it was asked for, at once and without its end. `channels`: only these, instead of those it was asked for by.

    Raises `NotFound`; `Conflict` where the person was erased, and with him what was said.
    """
    row = await db.fetchrow(
        """
        SELECT id, contact_id, template, category, strategy, data, content, locale, plan, skipped, meta, interaction,
               ordering_key
          FROM notification WHERE shop_id = $1 AND id = $2
        """,
        shop.id,
        id_,
    )
    if row is None:
        raise NotFound("there is no notification with this id")
    contact = (await facts.by_id(db, [row["contact_id"]])).get(row["contact_id"])
    if contact is None or (row["data"] is None and row["content"] is None):
        raise Conflict("the person was erased, and what was said is no longer known")
    asked = _asked(dict(row), contact, tuple(channels))
    # A one-off's language belongs to the notification, not to the address.
    reader = replace(contact, locale=row["locale"]) if row["locale"] else contact
    return Repeat(asked, reader, row["interaction"])


def _asked(
    row: Mapping[str, Any], contact: ContactFacts, channels: tuple[Channel, ...]
) -> NotificationIn:
    strategy = Strategy(row["strategy"])
    content = row["content"]
    return NotificationIn(
        template=None if content else row["template"],
        content=ContentIn.model_validate(content) if content else None,
        recipient=_recipient(row, contact),
        data=row["data"] or {},
        category=Category(row["category"]),
        strategy=strategy,
        cascade=_cascade(row["plan"]) if strategy is Strategy.CASCADE else None,
        channels=channels or _requested(row),
        # What still waits for its turn must not be overtaken; the collapse key is left out, so that this one stays.
        ordering_key=row["ordering_key"],
        meta={**(row["meta"] or {}), AGAIN_OF: str(row["id"])},
    )


def _recipient(row: Mapping[str, Any], contact: ContactFacts) -> Any:
    if contact.external_id is None and len(contact.addresses) == 1 and not row["interaction"]:
        named = [step["channel"] for step in row["plan"]] or [
            one["channel"] for one in row["skipped"] if one["reason"] != SkipReason.NO_ADDRESS
        ]
        if named:
            address = {"channel": Channel(named[0]), "value": contact.addresses.values[0]}
            return {"address": address, "locale": row["locale"]}
    # Of a known receiver nothing but what was just read counts; a group chat has no external_id.
    return KnownContactIn(external_id=contact.external_id or str(contact.id))


def _requested(row: Mapping[str, Any]) -> tuple[Channel, ...] | None:
    """The channels that the request named, as far as plan and reasons tell; None: it named none."""
    reasons = {one["channel"]: one["reason"] for one in row["skipped"]}
    if SkipReason.NOT_REQUESTED not in reasons.values():
        return None
    # Where the person has no address, nobody knows whether the channel was asked for: it may be used.
    planned = [step["channel"] for step in row["plan"]]
    others = [c for c, reason in reasons.items() if reason != SkipReason.NOT_REQUESTED]
    return tuple(dict.fromkeys(Channel(c) for c in [*planned, *others])) or None


def _cascade(plan: Sequence[Mapping[str, Any]]) -> CascadeIn | None:
    waits = [step["wait"] for step in plan if step["wait"] is not None]
    until = [Tells(step["until"]) for step in plan if step["until"]]
    if not waits or not until:
        return None
    return CascadeIn(until=max(until, key=_FURTHEST.index), wait=max(1, int(waits[0])))


def tried(hub: Hub, shop: Shop, repeat: Repeat) -> Prepared:
    """The plan that it would take now; nothing is stored. Raises what `prepare` raises."""
    known = Known(hub.catalog, hub.accounts)
    return prepare(
        known,
        shop,
        repeat.asked,
        repeat.contact,
        now=datetime.now(UTC),
        interaction=repeat.interaction,
    )


async def send_again(
    hub: Hub, shop: Shop, id_: UUID, *, by: Actor, channels: Sequence[Channel] = ()
) -> UUID:
    """The id of the new notification, which is on its way, or tells why it is not. Raises as `repeat_of` and `tried`."""
    async with transaction(hub.db) as connection:
        repeat = await repeat_of(connection, shop, id_, channels=channels)
        prepared = tried(hub, shop, repeat)
        await storage.add(connection, [prepared], handout_after=_TICK_STEPS_IN)
        await audit.record(
            connection, shop.id, by, Action.NOTIFICATION_SENT_AGAIN, id_, new=str(prepared.id)
        )
    await service.hand_out(hub, service.due_of(prepared))
    return prepared.id


async def cancel(hub: Hub, shop: Shop, id_: UUID, *, by: Actor) -> str | None:
    """As `storage.cancel`, with who did it."""
    async with transaction(hub.db) as connection:
        status = await storage.cancel(connection, shop.id, id_)
        if status == "cancelled":
            await audit.record(connection, shop.id, by, Action.NOTIFICATION_CANCELLED, id_)
    return status
