"""Writes what came of the calls: deliveries, suppressions, and what follows for the notifications."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from channels.base import Category
from hub.contacts import events as contact_events
from hub.contacts.events import Suppressed
from hub.db.pool import Connection, Db, Pool
from hub.db.text import storable, storable_if_any
from hub.notifications import attempts, events, statuses, steps
from hub.notifications.attempts import COLUMNS, OF_ATTEMPT, Begun, some
from hub.notifications.claims import Claimed, held_by
from hub.notifications.model import GAVE_UP, DeliveryStatus
from hub.notifications.ordering import ACCEPTED
from hub.notifications.settle import Settled
from hub.notifications.steps import TRIED, Due


async def record(
    db: Pool,
    pairs: Sequence[tuple[Claimed, Settled]],
    begun: Mapping[UUID, Begun],
    worker: UUID,
) -> list[Due]:
    """All outcomes in one transaction; the deliveries that it made due at once. `db`: `Hub.planned`.

    A delivery that the tick took back meanwhile keeps what others made of it, unless nobody has it and it is
    known now to have gone out; its attempt is written all the same.
    """
    # In the order in which receipts lock them, too, so that the two never wait for each other in a ring.
    pairs = sorted(pairs, key=lambda pair: pair[1].id)
    sent = [(c, s) for c, s in pairs if s.status is DeliveryStatus.SENT]
    others = [(c, s) for c, s in pairs if s.status is not DeliveryStatus.SENT]
    async with db.acquire() as connection, connection.transaction():
        of_account = _by_account(sent, begun)
        if len(of_account) + bool(others) > 1:
            # Several statements, each in an order of its own.
            await _lock(connection, [s.id for _, s in pairs])
        ours = await _record_sent(connection, of_account, begun, worker)
        ours |= await _record_others(connection, others, begun, worker)
        kept = [(c, s) for c, s in pairs if s.id in ours]
        await _suppress(connection, kept)
        await _readdress(connection, kept)
        await statuses.note(connection, [s for _, s in kept if s.ask_at])
        await _mark_begun(connection, kept)
        failed = {
            c.notification_id
            for c, s in kept
            if s.status not in (DeliveryStatus.QUEUED, DeliveryStatus.SENT)
        }
        opened = await steps.advance(connection, failed)
        return opened + await _next_in_order(connection, kept)


async def _lock(connection: Db, ids: Sequence[UUID]) -> None:
    await connection.execute("SELECT FROM delivery WHERE id = ANY($1) ORDER BY id FOR UPDATE", ids)


def _by_account(
    sent: Sequence[tuple[Claimed, Settled]], begun: Mapping[UUID, Begun]
) -> Mapping[tuple[str, str], list[tuple[Claimed, Settled]]]:
    """By name and provider: what is the same for all of an account's is said once."""
    of_account: dict[tuple[str, str], list[tuple[Claimed, Settled]]] = {}
    for pair in sent:
        made = begun[pair[1].id]
        of_account.setdefault((made.account, made.provider), []).append(pair)
    return of_account


async def _record_sent(
    connection: Connection,
    of_account: Mapping[tuple[str, str], Sequence[tuple[Claimed, Settled]]],
    begun: Mapping[UUID, Begun],
    worker: UUID,
) -> set[UUID]:
    """Those of them that were ours."""
    ours: set[UUID] = set()
    for (account, provider), pairs in of_account.items():
        sent = [s for _, s in pairs]
        lost = await _record_taken(connection, sent, account, provider, worker)
        if lost:
            await _note_late(connection, [(c, s) for c, s in pairs if s.id in lost], begun)
        ours |= {s.id for s in sent} - lost
    return ours


_TAKEN = f"""
WITH moved AS (
    UPDATE delivery AS d
       SET status = 'sent', reason = NULL, code = NULL, account = $6, provider = $7,
           -- Whoever took it back has counted the attempt.
           attempt_count = d.attempt_count + (d.status = 'sending')::int,
           provider_id = coalesce(t.provider_id, d.provider_id), cost = coalesce(t.cost, d.cost),
           maybe_duplicate = d.maybe_duplicate OR coalesce(t.maybe_duplicate, false),
           sent_at = now(), leased_until = NULL, leased_by = NULL, updated_at = now()
      FROM unnest($1::uuid[], $2::text[], $3::numeric[], $4::boolean[])
        AS t (id, provider_id, cost, maybe_duplicate)
     WHERE d.id = t.id AND d.id = ANY($1)
       AND ({held_by("$5")}
            OR (d.reason = 'worker_died' AND d.status IN ('queued', 'unknown'))
            -- Taken back, and stopped before it was called once more: by a person, by a newer one, by its time.
            OR (d.reason IN ('maybe_sent', '{GAVE_UP}') AND d.status = 'unknown'))
    RETURNING d.id, d.notification_id
), told AS (
    UPDATE notification AS n SET status = 'sent', listed = NULL, ends_at = NULL
     WHERE n.id = ANY((SELECT array_agg(notification_id) FROM moved)::uuid[])
       AND n.status IN ('scheduled', 'queued', 'unknown')
    RETURNING n.id, n.shop_id
)
-- Only what is out of the ordinary comes back: those that were not ours, and what a webhook could want.
SELECT 'lost' AS what, t.id FROM unnest($1::uuid[]) AS t (id) WHERE t.id NOT IN (SELECT id FROM moved)
 UNION ALL
SELECT 'heard', id FROM told WHERE shop_id = ANY(ARRAY(SELECT shop_id FROM webhook WHERE active))
"""  # noqa: S608


async def _record_taken(
    connection: Connection, sent: Sequence[Settled], account: str, provider: str, worker: UUID
) -> set[UUID]:
    """What nearly all of a campaign comes to, in one statement. Those of them that were not ours.

    Of their attempts nothing is written, such an end is the delivery's; nor their batch, they are not repeated.
    """
    rows = await connection.fetch(
        _TAKEN,
        [s.id for s in sent],
        [storable_if_any(s.provider_id) for s in sent],
        some([s.cost for s in sent]),
        some([s.maybe_duplicate or None for s in sent]),
        worker,
        account,
        provider,
    )
    heard = {r["id"]: DeliveryStatus.SENT for r in rows if r["what"] == "heard"}
    await events.tell(connection, heard)
    return {r["id"] for r in rows if r["what"] == "lost"}


async def _note_late(
    connection: Connection, sent: Sequence[tuple[Claimed, Settled]], begun: Mapping[UUID, Begun]
) -> None:
    """Others were faster: the status is theirs, and what the call brought is written."""
    # Of these receipts had told already.
    await connection.execute(
        """
        UPDATE delivery AS d
           SET provider_id = coalesce(d.provider_id, t.provider_id), cost = coalesce(d.cost, t.cost),
               account = CASE WHEN d.attempt_count < t.tried THEN t.account ELSE d.account END,
               provider = CASE WHEN d.attempt_count < t.tried THEN t.provider ELSE d.provider END,
               attempt_count = greatest(d.attempt_count, t.tried)
          FROM unnest($1::uuid[], $2::text[], $3::numeric[], $4::text[], $5::text[], $6::int[])
            AS t (id, provider_id, cost, account, provider, tried)
         WHERE d.id = t.id AND d.id = ANY($1) AND d.status IN ('delivered', 'read', 'failed')
        """,
        [s.id for _, s in sent],
        [storable_if_any(s.provider_id) for _, s in sent],
        [s.cost for _, s in sent],
        [begun[s.id].account for _, s in sent],
        [begun[s.id].provider for _, s in sent],
        [c.attempt_count + 1 for c, _ in sent],
    )
    # And of these it may stand there that nobody knows what came of them.
    await attempts.finish(connection, [s for _, s in sent], begun)


async def _record_others(
    connection: Db,
    others: Sequence[tuple[Claimed, Settled]],
    begun: Mapping[UUID, Begun],
    worker: UUID,
) -> set[UUID]:
    """Whatever else calls come to. Those of them that were ours."""
    if not others:
        return set()
    await attempts.finish(connection, [s for _, s in others], begun)
    return await _move(connection, others, begun, worker)


async def _move(
    connection: Db,
    moved: Sequence[tuple[Claimed, Settled]],
    begun: Mapping[UUID, Begun],
    worker: UUID,
) -> set[UUID]:
    settled = [s for _, s in moved]
    tried = [begun.get(s.id) for s in settled]
    rows = await connection.fetch(
        f"""
        UPDATE delivery AS d
           SET status = t.status, reason = t.reason, code = t.code, {OF_ATTEMPT},
               route = CASE WHEN t.status = 'queued' THEN {TRIED} ELSE d.route END,
               maybe_duplicate = d.maybe_duplicate OR t.maybe_duplicate,
               due_at = coalesce(t.due_at, d.due_at),
               handout_at = coalesce(t.due_at, d.handout_at),
               leased_until = NULL, leased_by = NULL, updated_at = now()
          FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[],
                      $7::text[], $8::text[], $9::uuid[], $10::int[])
            AS t (id, status, reason, code, maybe_duplicate, due_at, {COLUMNS})
         WHERE d.id = t.id AND d.id = ANY($1) AND {held_by("$11")}
        RETURNING d.id
        """,  # noqa: S608
        [s.id for s in settled],
        [s.status for s in settled],
        [s.reason for s in settled],
        [storable_if_any(s.code, 100) for s in settled],
        [s.maybe_duplicate for s in settled],
        [s.due_at for s in settled],
        [b and b.account for b in tried],
        [b and b.provider for b in tried],
        [b and b.batch_key for b in tried],
        [c.attempt_count + 1 if b else None for (c, _), b in zip(moved, tried, strict=True)],
        worker,
    )
    return {r["id"] for r in rows}


async def _suppress(connection: Db, kept: Iterable[tuple[Claimed, Settled]]) -> None:
    dead = [(c, s) for c, s in kept if s.suppress and c.digest]
    if not dead:
        return
    heard = await connection.fetch(
        """
        WITH added AS (
            INSERT INTO suppression (shop_id, channel, digest, reason, code, delivery_id)
            SELECT DISTINCT ON (shop_id, channel, digest) shop_id, channel, digest, 'refused', code, id
              FROM unnest($1::smallint[], $2::text[], $3::bytea[], $4::text[], $5::uuid[])
                AS t (shop_id, channel, digest, code, id)
            ON CONFLICT DO NOTHING
            RETURNING shop_id, channel, digest, reason, code
        )
        SELECT * FROM added WHERE shop_id IN (SELECT shop_id FROM webhook WHERE active)
        """,
        [c.shop_id for c, _ in dead],
        [c.channel for c, _ in dead],
        [c.digest for c, _ in dead],
        [storable(s.code or "", 100) for _, s in dead],
        [c.id for c, _ in dead],
    )
    await contact_events.blocked(connection, [Suppressed(**row) for row in heard])


async def _readdress(connection: Db, kept: Iterable[tuple[Claimed, Settled]]) -> None:
    """A messenger gave the chat a new id: the address follows."""
    for claimed, settled in kept:
        if settled.moved_to:
            await steps.move_address(
                connection, claimed.address_id, claimed.channel, settled.moved_to
            )


async def _mark_begun(connection: Db, kept: Iterable[tuple[Claimed, Settled]]) -> None:
    """It was held until its time, which has come: what waits now is the next try."""
    again = [c.notification_id for c, s in kept if s.status is DeliveryStatus.QUEUED]
    if again:
        await connection.execute(
            "UPDATE notification SET status = 'queued' WHERE id = ANY($1) AND status = 'scheduled'",
            again,
        )


async def _next_in_order(connection: Db, kept: Iterable[tuple[Claimed, Settled]]) -> list[Due]:
    """The next delivery of each ordering key whose foremost one just left the way."""
    done = {
        (c.contact_id, c.ordering_key)
        for c, s in kept
        if c.ordering_key and s.status is not DeliveryStatus.QUEUED
    }
    if not done:
        return []
    rows = await connection.fetch(
        f"""
        SELECT foremost.id, foremost.category
          FROM unnest($1::uuid[], $2::text[]) AS t (contact_id, ordering_key)
         CROSS JOIN LATERAL (
               SELECT d.id, d.category FROM delivery AS d
                WHERE d.contact_id = t.contact_id AND d.ordering_key = t.ordering_key
                  AND d.status = 'queued' AND d.due_at <= now()
                ORDER BY {ACCEPTED} LIMIT 1) AS foremost
        """,  # noqa: S608 (a constant)
        [contact_id for contact_id, _ in done],
        [key for _, key in done],
    )
    return [Due(Category(r["category"]), r["id"]) for r in rows]
