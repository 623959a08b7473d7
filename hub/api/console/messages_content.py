"""What the receiver of a message saw: as the sandbox kept it, else rendered once more from what the message was made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.base import Category, Channel
from hub.accounts import sandbox
from hub.contacts.addresses import digest_at
from hub.content.model import ContentError
from hub.db.pool import Connection
from hub.notifications import facts, interactive
from hub.notifications.interactive import Asking
from hub.notifications.model import ContactFacts
from hub.notifications.rendering import call_of, inline
from hub.orders.messages import interactives
from hub.resources import Hub
from hub.shops.registry import Shop

Row = Mapping[str, Any]

# Stand-ins: who looks at somebody's letter must not be one click away from unsubscribing him.
_LEAVE = "https://unsubscribe.invalid/"
_CHOOSE = "https://preferences.invalid/"


@dataclass(frozen=True, slots=True)
class Seen:
    """One delivery's content. `is_kept`: the very message; else made again. `changed_at`: when the template got another
    text since. `fault`: why it cannot be shown. `buttons`: rows of (text, address or nothing)."""

    delivery: UUID
    channel: Channel
    subject: str = ""
    text: str = ""
    html: str = ""
    buttons: Sequence[Sequence[tuple[str, str]]] = ()
    is_kept: bool = False
    is_question: bool = False
    changed_at: datetime | None = None
    fault: str = ""


async def seen(hub: Hub, shop: Shop, row: Row, more: Row) -> list[Seen]:
    """Of each delivery of a notification. `row`, `more`: as `storage.by_id` and `searching.about` give them."""
    deliveries = row["deliveries"]
    ids = [UUID(d["id"]) for d in deliveries]
    kept = await sandbox.of_deliveries(hub.db, shop.id, ids)
    person = (await facts.by_id(hub.db, [more["contact_id"]])).get(more["contact_id"])
    async with hub.db.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            # A question to somebody without buttons brings along a new link to answer it: nobody is to have that.
            asked = await _asked(hub, connection, shop, row, more, person)
        finally:
            await transaction.rollback()
        changed = await _changed(connection, shop, row)
    return [
        _of_kept(kept[id_])
        if id_ in kept
        else _again(hub, shop, d, row, more, person, asked, changed)
        for id_, d in zip(ids, deliveries, strict=True)
    ]


def _of_kept(kept: sandbox.Kept) -> Seen:
    buttons = [[(b["text"], b.get("url") or "") for b in row] for row in kept.buttons]
    assert kept.delivery_id is not None  # noqa: S101 (found by it)
    return Seen(
        kept.delivery_id,
        kept.channel,
        kept.subject,
        kept.text,
        kept.html,
        buttons,
        is_kept=True,
    )


def _again(
    hub: Hub,
    shop: Shop,
    delivery: Row,
    row: Row,
    more: Row,
    person: ContactFacts | None,
    asked: Mapping[UUID, interactive.Parts],
    changed: Mapping[str, datetime],
) -> Seen:
    id_, channel = UUID(delivery["id"]), Channel(delivery["channel"])
    if person is None or (more["data"] is None and more["content"] is None):
        return Seen(id_, channel, fault="erased")
    if row["category"] == Category.SECURITY:
        # Whoever reads somebody's codes can sign in as him. What the sandbox keeps has reached nobody.
        return Seen(id_, channel, fault="security")
    if more["interaction"]:
        parts = asked.get(id_)
        if parts is None:
            return Seen(id_, channel, is_question=True, fault="gone")
        buttons = [[(b.text, b.url) for b in one] for one in parts.buttons]
        return Seen(id_, channel, parts.subject, parts.text, parts.html, buttons, is_question=True)
    if more["content"]:
        made = inline(more["content"]).render(channel)
        return Seen(id_, channel, made.subject, made.text, made.html)
    return _rendered(hub, shop, id_, channel, row, more, person, changed)


def _rendered(
    hub: Hub,
    shop: Shop,
    id_: UUID,
    channel: Channel,
    row: Row,
    more: Row,
    person: ContactFacts,
    changed: Mapping[str, datetime],
) -> Seen:
    template = hub.catalog.find(shop.id, row["template"] or "")
    if template is None:
        return Seen(id_, channel, fault="no_template")
    try:
        reading, call = call_of(
            template,
            shop,
            channel,
            person,
            locale=more["locale"],
            data=more["data"] or {},
            unsubscribe=_LEAVE if row["category"] == "marketing" else "",
            preferences=_CHOOSE if person.external_id else "",
        )
        made = reading.render(call)
    except ContentError as error:
        return Seen(id_, channel, fault=str(error))
    return Seen(id_, channel, made.subject, made.text, made.html, changed_at=changed.get(channel))


async def _asked(
    hub: Hub,
    connection: Connection,
    shop: Shop,
    row: Row,
    more: Row,
    person: ContactFacts | None,
) -> Mapping[UUID, interactive.Parts]:
    """By deliveries, of a question: as it stands now, which is what a messenger shows as well."""
    about = more["interaction"]
    if not about or person is None:
        return {}
    asking = [
        Asking(
            id=UUID(d["id"]),
            shop_id=shop.id,
            about=UUID(about["id"]),
            contact=person,
            channel=Channel(d["channel"]),
            address=d["address"],
            digest=digest_at(Channel(d["channel"]), d["address"]),
            locale=more["locale"] or person.locale or shop.settings.locale,
            timezone=person.timezone or shop.settings.timezone,
            template=row["template"] or "",
            data=more["data"] or {},
        )
        for d in row["deliveries"]
        if d["address"]
    ]
    kinds = {one.kind: one for one in interactives(hub)}
    return await interactive.render_all(connection, kinds, [(about["kind"], a) for a in asking])


async def _changed(connection: Connection, shop: Shop, row: Row) -> Mapping[str, datetime]:
    """By channels, when the template last got another text, where that was after the message was accepted."""
    if not row["template"]:
        return {}
    rows = await connection.fetch(
        """
        SELECT channel, max(created_at) AS at FROM template_version
         WHERE shop_id = $1 AND name = $2 AND created_at > $3 GROUP BY channel
        """,
        shop.id,
        row["template"],
        row["created_at"],
    )
    return {r["channel"]: r["at"] for r in rows}
