"""Takes due deliveries for one worker and gives back what it did not use."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from asyncpg import Record

from channels.base import Category, Channel
from hub.accounts.choice import InsteadOf
from hub.db.attempts import UNCLEAR
from hub.db.pool import Db
from hub.notifications.facts import preferences_of
from hub.notifications.model import ContactFacts, waits_beyond
from hub.notifications.ordering import HELD_BACK, SUPERSEDED
from hub.queue import DueRoute

LEASE = timedelta(seconds=30)
"""A worker that lives renews its leases long before; after this the tick takes them back."""

SESSION = timedelta(hours=24) - timedelta(minutes=2)
"""How long after a person's words WhatsApp takes free text. Less the time that a message is in hand, and what two
clocks may differ."""


class Claimed(NamedTuple):
    """A delivery in hand with all that is needed to render and send it. A tuple, because thousands are made a second.

    `value` is None where the address is gone by now. `superseded`: a newer one of its collapse key was accepted while
    this one was in a worker's hand, or at the same moment. `has_next`: the plan has another channel after this.
    `waited_out`: it was never called for, and has waited for its turn until it was not worth telling (`waits_beyond`).
    `session_open`: see `channels.base.Message`; looked up for WhatsApp only. `contact`: as much of it as the decisions
    at sending time need.
    `doubt_since`: when the first call to `account` was made that got no clear answer, if any did; `doubt_call` and
    `doubt_size`: which call that was and of how many messages, where only all of them together are recognised.
    `instead_of`: once an account is chosen, the one that would have come first.
    """

    id: UUID
    shop_id: int
    notification_id: UUID
    contact_id: UUID
    address_id: UUID
    step: int
    account: str | None
    batch_key: UUID | None
    ordering_key: str | None
    attempt_count: int
    code: str | None
    maybe_duplicate: bool
    doubt_since: datetime | None
    doubt_call: UUID | None
    doubt_size: int | None
    due_at: datetime
    give_up_at: datetime
    expires_at: datetime | None
    template: str | None
    data: Mapping[str, Any]
    content: Mapping[str, str] | None
    interaction: Mapping[str, str] | None
    locale: str | None
    collapse_key: str | None
    has_next: bool
    waited_out: bool
    value: str | None
    address_kind: str | None
    address_provider: str | None
    digest: bytes | None
    verified: bool
    suppressed: bool
    superseded: bool
    session_open: bool
    channel: Channel
    category: Category
    contact: ContactFacts
    instead_of: InsteadOf | None = None


_NO_WAIT = """
WITH no_wait AS MATERIALIZED (
    -- The commit does not wait for the disk: of a claim that a crash of PostgreSQL undoes nothing was sent. The attempts
    -- are written before the calls, and wait.
    SELECT set_config('synchronous_commit', 'off', true)
)"""

_THESE = f""", due AS (
    SELECT d.id FROM delivery AS d
     -- Not a plain comparison: it would offer the index of everything queued, which PostgreSQL takes for
     -- empty when it last looked at a quiet time, and then reads through at every job of a backlog.
     WHERE d.id = ANY($4) AND d.status || '' = 'queued'
       -- Due by the clock of whoever wrote it: those of two machines differ a little.
       AND d.due_at <= now() + interval '1 second'
       AND NOT {HELD_BACK}
       FOR UPDATE OF d SKIP LOCKED
)"""  # noqa: S608 (a constant)

# Ordered by all of the index, so that no other will do. What is not alike is left to those who know it by its id.
_FOREMOST = """, due AS (
    SELECT d.id FROM delivery AS d
     WHERE (d.shop_id, d.category, d.route, d.handout_at) >= ($4::smallint, $5, $6, '-infinity'::timestamptz)
       AND (d.shop_id, d.category, d.route, d.handout_at) <= ($4::smallint, $5, $6, now())
       AND d.status = 'queued' AND d.attempt_count = 0 AND d.ordering_key IS NULL
     ORDER BY d.shop_id, d.category, d.route, d.handout_at
     LIMIT $7
       FOR UPDATE OF d SKIP LOCKED
)"""

_CLAIMED = """, claimed AS (
    UPDATE delivery AS d
       SET status = 'sending', leased_until = now() + $2, leased_by = $1, updated_at = now()
     -- As a list, so that each is found by its id however many there are.
     WHERE d.id = ANY((SELECT array_agg(id) FROM due)::uuid[])
    RETURNING d.*
)
-- In the order of `Claimed`; what that puts together comes last.
SELECT d.id, d.shop_id, d.notification_id, d.contact_id, d.address_id, d.step, d.account, d.batch_key, d.ordering_key,
       d.attempt_count, d.code, d.maybe_duplicate,
       doubt.started_at AS doubt_since, doubt.call_id AS doubt_call, doubt.call_size AS doubt_size,
       d.due_at, d.give_up_at, n.expires_at, n.template, coalesce(n.data, '{{}}') AS data, n.content, n.interaction,
       n.locale, n.collapse_key,
       n.strategy <> 'all' AND d.step + 1 < jsonb_array_length(n.plan) AS has_next,
       {waited_out} AS waited_out,
       a.value, a.kind AS address_kind, a.provider AS address_provider, a.digest,
       coalesce(a.verified, true) AS verified,
       EXISTS (SELECT FROM suppression AS s WHERE s.shop_id = d.shop_id AND s.digest = a.digest
                                             AND s.channel = d.channel) AS suppressed,
       {superseded} AS superseded,
       d.channel = 'whatsapp' AND EXISTS (
            SELECT FROM heard AS h WHERE h.shop_id = d.shop_id AND h.digest = a.digest
                AND h.channel = d.channel AND h.heard_at > now() - $3::interval) AS session_open,
       d.channel, d.category,
       (SELECT state FROM consent AS k WHERE k.contact_id = d.contact_id
            AND k.category = d.category AND k.channel = d.channel) AS consent,
       coalesce(c.role, 'buyer') AS role, coalesce(c.name, '') AS name,
       c.external_id, coalesce(c.attributes, '{{}}') AS attributes,
       c.locale AS contact_locale, c.timezone, coalesce(c.preferences, '{{}}') AS preferences
  FROM claimed AS d
 CROSS JOIN no_wait
  JOIN notification AS n ON n.id = d.notification_id
  LEFT JOIN contact AS c ON c.id = d.contact_id
  LEFT JOIN address AS a ON a.id = d.address_id
  {doubt}
"""
_DOUBT = f"""
  LEFT JOIN LATERAL (
       SELECT t.started_at, t.call_id, t.call_size FROM attempt AS t
        WHERE d.attempt_count > 0 AND t.delivery_id = d.id AND t.account = d.account
          AND {UNCLEAR}
        ORDER BY t.started_at LIMIT 1) AS doubt ON true
"""  # noqa: S608 (a constant)
# Of first tries there is none: to look for it in each month's partition would cost more than all the rest of them.
_NO_DOUBT = """
 CROSS JOIN (VALUES (NULL::timestamptz, NULL::uuid, NULL::int)) AS doubt (started_at, call_id, call_size)
"""

_BEYOND = " ".join(
    f"WHEN '{category}' THEN interval '{waits_beyond(category, has_next=True).total_seconds()} s'"
    for category in Category
)
# By the database's clock: a worker whose own is hours fast must not give up all that it claims.
_WAITED_OUT = f"""
(d.attempt_count = 0 AND d.give_up_at <= now()
 AND (n.strategy = 'all' OR d.step + 1 >= jsonb_array_length(n.plan)
      OR d.give_up_at + CASE d.category {_BEYOND} END <= now()))
"""
_ALSO = {"superseded": SUPERSEDED, "waited_out": _WAITED_OUT}

_CLAIM = _NO_WAIT + _THESE + _CLAIMED.format(doubt=_DOUBT, **_ALSO)
_CLAIM_DUE = _NO_WAIT + _FOREMOST + _CLAIMED.format(doubt=_NO_DOUBT, **_ALSO)

_CHANNELS: Mapping[str, Channel] = {str(channel): channel for channel in Channel}
_CATEGORIES: Mapping[str, Category] = {str(category): category for category in Category}


def held_by(worker: str) -> str:
    """In SQL, whether that worker has the delivery `d` in hand; `worker` is the number of the statement's argument.

    Not a plain comparison: PostgreSQL takes it for true of next to none, and then goes through all that it is joined with
    once for each of them.
    """
    return f"coalesce(d.leased_by = {worker} AND d.status = 'sending', false)"


async def claim(db: Db, ids: Sequence[UUID], worker: UUID) -> list[Claimed]:
    """Those of `ids` that are due, that nobody else has and that no earlier one of their key holds back.

    A lease and not a row lock: the call to the provider may take half a minute, and no connection is held
    meanwhile.
    """
    return _in_order(await db.fetch(_CLAIM, worker, LEASE, SESSION, ids))


async def claim_due(db: Db, due: DueRoute, most: int, worker: UUID) -> list[Claimed]:
    """As `claim`, of the foremost of that route: first tries without an ordering key, `most` of them. `db`:
    `Hub.by_index`."""
    given = (worker, LEASE, SESSION, due.shop_id, due.category, due.route, most)
    return _in_order(await db.fetch(_CLAIM_DUE, *given))


def _in_order(rows: Sequence[Any]) -> list[Claimed]:
    """The oldest first. Not sorted by PostgreSQL, which would go through all notifications for it."""
    return sorted(map(_claimed, rows), key=attrgetter("notification_id"))


def _claimed(row: Record) -> Claimed:
    # Unpacked at once: by their names it takes three times as long.
    *own, channel, category, consent, role, name, external_id, attributes, locale, zone, wishes = (
        row
    )
    _, quiet_hours = preferences_of(wishes)
    contact = ContactFacts(
        id=row["contact_id"],
        external_id=external_id,
        role=role,
        name=name,
        attributes=attributes,
        locale=locale,
        timezone=zone,
        quiet_hours=quiet_hours,
        consents={(category, channel): consent} if consent else {},
    )
    return Claimed._make((*own, _CHANNELS[channel], _CATEGORIES[category], contact, None))


async def renew(db: Db, ids: Sequence[UUID], worker: UUID) -> None:
    """This worker lives and still has them in hand. What is being written at this moment is left out, so that
    renewing never waits for recording, nor recording for it."""
    await db.execute(
        f"""
        WITH ours AS (
            SELECT d.id FROM delivery AS d WHERE d.id = ANY($1) AND {held_by("$2")}
               FOR UPDATE SKIP LOCKED
        )
        UPDATE delivery AS d SET leased_until = now() + $3
          FROM ours WHERE d.id = ours.id AND d.id = ANY($1)
        """,  # noqa: S608
        ids,
        worker,
        LEASE,
    )


async def give_back(db: Db, later: Mapping[UUID, timedelta], worker: UUID) -> None:
    """Not sent after all (a limit, a paused account, the end of the process): due again after that wait. Without one
    it keeps its place in the line. On its last channel it does not wait for longer than it is worth telling."""
    again_at = """
    CASE WHEN t.wait <= interval '0' THEN d.due_at
         WHEN d.give_up_at > now() AND d.route LIKE '%/last%' THEN least(now() + t.wait, d.give_up_at)
         ELSE now() + t.wait END
    """
    await db.execute(
        f"""
        UPDATE delivery AS d
           SET status = 'queued', due_at = {again_at}, handout_at = {again_at},
               leased_until = NULL, leased_by = NULL, updated_at = now()
          FROM unnest($1::uuid[], $2::interval[]) AS t (id, wait)
         WHERE d.id = t.id AND d.id = ANY($1) AND {held_by("$3")}
        """,  # noqa: S608
        list(later),
        list(later.values()),
        worker,
    )


async def hold(db: Db, until: Mapping[UUID, datetime], worker: UUID) -> None:
    """Quiet hours have begun since: held till they end, and no time of trying or waiting is lost by it."""
    await db.execute(
        f"""
        WITH held AS (
            UPDATE delivery AS d
               SET status = 'queued', reason = 'quiet_hours', due_at = t.until, handout_at = t.until,
                   give_up_at = d.give_up_at + (t.until - now()),
                   leased_until = NULL, leased_by = NULL, updated_at = now()
              FROM unnest($1::uuid[], $2::timestamptz[]) AS t (id, until)
             WHERE d.id = t.id AND d.id = ANY($1) AND {held_by("$3")}
            RETURNING d.notification_id, t.until
        ), each AS (
            SELECT notification_id, max(until) AS until FROM held GROUP BY 1
        )
        UPDATE notification AS n
           SET held_until = each.until, step_at = n.step_at + (each.until - now()),
               status = CASE WHEN n.status = 'queued' THEN 'scheduled' ELSE n.status END
          FROM each WHERE n.id = each.notification_id
        """,  # noqa: S608
        list(until),
        list(until.values()),
        worker,
    )


async def hand_out_now(db: Db, ids: Sequence[UUID]) -> None:
    """The nudge for these was lost: the tick gives them out at its next turn."""
    await db.execute(
        "UPDATE delivery SET handout_at = now()"
        " WHERE id = ANY($1) AND status = 'queued' AND handout_at > now()",
        ids,
    )
