"""Leave to be written to, as the person gives it or takes it back. What the shop says comes with the contact."""

from collections.abc import Mapping
from uuid import UUID

from channels.base import Category, Channel
from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.contacts import events, history
from hub.contacts import service as contacts
from hub.contacts.model import ConsentsIn, ConsentState, Contact, ContactIn, GivenConsent
from hub.db.pool import Connection, Db


async def set_state(
    db: Db,
    contact_id: UUID,
    channel: Channel,
    category: Category,
    state: ConsentState,
    *,
    source: str,
    by: Actor = SYSTEM,
) -> bool:
    """`contact_id` comes from us (a signed link, a bot's chat), not from a request, so no shop is asked for.
    `source`: by what it came (`page`, `bot`), `by`: whom and from where, as far as that is known.

    Safe to repeat: the time of the first time stays. False where there is no such contact (any more). The
    shop's backend is told of an unsubscription in the caller's transaction."""
    known = await db.fetchrow(
        """
        WITH known AS (
            SELECT id, shop_id FROM contact WHERE id = $1
        ), said AS (
            INSERT INTO consent AS c (contact_id, category, channel, state, source)
            SELECT id, $2, $3, $4, $5 FROM known
            ON CONFLICT (contact_id, category, channel) DO UPDATE
               SET state = excluded.state, source = excluded.source, changed_at = now()
             WHERE c.state <> excluded.state
            RETURNING true
        ), kept AS (
            INSERT INTO consent_event (shop_id, contact_id, category, channel, state, via, request_id, remote,
                                       addresses)
            SELECT shop_id, id, $2, $3, $4, $5, $6, $7,
                   ARRAY(SELECT a.value FROM address AS a
                          WHERE a.contact_id = known.id AND a.kind = ANY(string_to_array($8, ','))
                          ORDER BY a.kind, a.id)
              FROM known WHERE EXISTS (SELECT FROM said)
        )
        SELECT EXISTS (SELECT FROM said) AS changed FROM known
        """,
        contact_id,
        category,
        channel,
        state,
        source,
        by.request_id,
        by.remote,
        history.kinds_of(channel),
    )
    if known and known["changed"] and state is ConsentState.UNSUBSCRIBED:
        await events.unsubscribed(db, contact_id, channel, category, source=source)
    return known is not None


async def said_at_desk(
    connection: Connection,
    shop_id: int,
    contact: Contact,
    said: Mapping[Channel, GivenConsent],
    *,
    by: Actor,
) -> None:
    """What the person told an operator, who answers for it by `by`, kept with where and in which words it was said. In
    the caller's transaction; the shop's backend is told of whoever leaves. The contact has an `external_id`."""
    given = ContactIn(consents=ConsentsIn(marketing=dict(said)))
    await contacts.upsert(connection, shop_id, contact.external_id or "", given, by=by)
    before = contact.consents.get(Category.MARKETING, {})
    for channel, one in sorted(said.items()):
        left = one.state is ConsentState.UNSUBSCRIBED
        if left and before.get(channel) != ConsentState.UNSUBSCRIBED:
            await events.unsubscribed(
                connection, contact.id, channel, Category.MARKETING, source="console"
            )
        what = Action.CONSENT_CHANGED
        await audit.record(
            connection, shop_id, by, what, contact.id, channel=channel, state=one.state
        )
