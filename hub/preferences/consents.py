"""Leave to be written to, as the person gives it or takes it back. What the shop says comes with the contact."""

from uuid import UUID

from channels.base import Category, Channel
from hub.contacts import events
from hub.contacts.model import ConsentState
from hub.db.pool import Db


async def set_state(
    db: Db,
    contact_id: UUID,
    channel: Channel,
    category: Category,
    state: ConsentState,
    *,
    source: str,
) -> bool:
    """`contact_id` comes from us (a signed link, a bot's chat), not from a request, so no shop is asked for.

    Safe to repeat: the time of the first time stays. False where there is no such contact (any more). The
    shop's backend is told of an unsubscription in the caller's transaction."""
    known = await db.fetchrow(
        """
        WITH known AS (
            SELECT id FROM contact WHERE id = $1
        ), said AS (
            INSERT INTO consent AS c (contact_id, category, channel, state, source)
            SELECT id, $2, $3, $4, $5 FROM known
            ON CONFLICT (contact_id, category, channel) DO UPDATE
               SET state = excluded.state, source = excluded.source, changed_at = now()
             WHERE c.state <> excluded.state
            RETURNING true
        )
        SELECT EXISTS (SELECT FROM said) AS changed FROM known
        """,
        contact_id,
        category,
        channel,
        state,
        source,
    )
    if known and known["changed"] and state is ConsentState.UNSUBSCRIBED:
        await events.unsubscribed(db, contact_id, channel, category, source=source)
    return known is not None
