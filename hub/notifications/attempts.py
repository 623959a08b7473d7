"""Attempts: what is known of a delivery's calls, from before each of them.

Each is one row, written before its call and, where the provider takes the message, never again: the end of such an attempt
is its delivery's.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar
from uuid import UUID

from hub.accounts.book import LiveAccount
from hub.accounts.choice import InsteadOf
from hub.db.attempts import FINISHED_AT, TAKEN
from hub.db.pool import Db
from hub.db.text import storable, storable_if_any
from hub.ids import new_id
from hub.notifications.claims import Claimed, held_by
from hub.notifications.settle import Settled

T = TypeVar("T")


class Begun(NamedTuple):
    """An attempt whose call is being made. `batch_key`: of a delivery that was in no batch before."""

    id: UUID
    account: str
    provider: str
    batch_key: UUID


_BEGIN = f"""
WITH begun AS (
    INSERT INTO attempt (id, shop_id, delivery_id, number, account, provider, batch_key, instead_of, call_id,
                         call_size)
    SELECT t.attempt_id, d.shop_id, d.id, d.attempt_count, $4, $5, coalesce(d.batch_key, $6), t.instead_of,
           t.call_id, t.call_size
      FROM delivery AS d
      JOIN unnest($1::uuid[], $3::uuid[], $7::jsonb[], $8::uuid[], $9::int[])
        AS t (id, attempt_id, instead_of, call_id, call_size) ON t.id = d.id
     WHERE d.id = ANY($1) AND {held_by("$2")}
    RETURNING delivery_id
)
SELECT t.id FROM unnest($1::uuid[]) AS t (id) WHERE t.id NOT IN (SELECT delivery_id FROM begun)
"""  # noqa: S608 (a constant)


async def begin(
    db: Db,
    calls: Sequence[Sequence[Claimed]],
    account: LiveAccount,
    batch_key: UUID,
    worker: UUID,
) -> dict[UUID, Begun]:
    """Writes an attempt for each delivery before the calls; {delivery: its attempt} for those still ours. `db`:
    `Hub.planned`.

    A delivery whose lease ran out meanwhile is not among them and must not be sent. The delivery itself is told with the
    outcome (`OF_ATTEMPT`); should this worker die before, it is told from the attempt. Only that it may be a double is
    written now: no attempt says that.
    """
    deliveries = [d for call in calls for d in call]
    name, provider = account.name, account.provider
    begun = {d.id: Begun(new_id(), name, provider, batch_key) for d in deliveries}
    if doubles := [d.id for d in deliveries if d.maybe_duplicate]:
        await _mark_doubles(db, doubles, worker)
    whole = [(new_id(), len(call)) for call in calls] if account.whole_calls else []
    of_call = [one for one, call in zip(whole, calls, strict=False) for _ in call]
    instead_of = [_told(d.instead_of) for d in deliveries]
    rows = await db.fetch(
        _BEGIN,
        list(begun),
        worker,
        [b.id for b in begun.values()],
        account.name,
        account.provider,
        batch_key,
        some(instead_of),
        [call_id for call_id, _ in of_call] or None,
        [size for _, size in of_call] or None,
    )
    for row in rows:
        del begun[row["id"]]
    return begun


async def _mark_doubles(db: Db, ids: Sequence[UUID], worker: UUID) -> None:
    await db.execute(
        f"UPDATE delivery AS d SET maybe_duplicate = true WHERE id = ANY($1) AND {held_by('$2')}",  # noqa: S608
        ids,
        worker,
    )


def _told(instead_of: InsteadOf | None) -> dict[str, str] | None:
    if instead_of is None:
        return None
    return {
        "account": instead_of.account,
        "reason": instead_of.reason,
        "code": storable(instead_of.code, 100),
        "detail": storable(instead_of.detail, 500),
    }


COLUMNS = "account, provider, batch_key, attempt_count"
OF_ATTEMPT = """
    account = coalesce(t.account, d.account), provider = coalesce(t.provider, d.provider),
    batch_key = coalesce(d.batch_key, t.batch_key), attempt_count = greatest(d.attempt_count, t.attempt_count)"""
"""In SQL, what the delivery `d` is told of its attempt when that is over: `COLUMNS` of `t`, null without one."""


def some(column: list[T]) -> list[T] | None:
    """Columns that are empty in every row are not worth their way: `unnest` fills them up."""
    return column if any(value is not None for value in column) else None


async def finish(db: Db, settled: Sequence[Settled], begun: Mapping[UUID, Begun]) -> None:
    """Writes how their attempts ended."""
    made = [s for s in settled if s.id in begun and s.word]
    if not made:
        return
    await db.execute(
        """
        UPDATE attempt AS a
           SET finished_at = now(), outcome = t.outcome, code = t.code, detail = t.detail
          FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS t (id, outcome, code, detail)
         WHERE a.id = t.id AND a.id = ANY($1)
        """,
        [begun[s.id].id for s in made],
        [s.word for s in made],
        [storable_if_any(s.code, 100) for s in made],
        [storable_if_any(s.detail) for s in made],
    )


async def write_not_made(db: Db, deliveries: Sequence[UUID], worker: UUID) -> None:
    """Of deliveries in that worker's hand whose calls were begun, as far as the database knows, and never made."""
    await db.execute(
        f"""
        WITH closed AS (
            UPDATE attempt AS t SET outcome = 'retry', finished_at = now(), code = 'database-away'
              FROM delivery AS d
             WHERE d.id = t.delivery_id AND d.id = ANY($1) AND t.delivery_id = ANY($1)
               AND t.outcome IS NULL AND {held_by("$2")}
            RETURNING t.delivery_id
        )
        UPDATE delivery AS d SET attempt_count = d.attempt_count + 1 FROM closed WHERE d.id = closed.delivery_id
        """,  # noqa: S608
        deliveries,
        worker,
    )


async def write_taken(db: Db, deliveries: Sequence[UUID]) -> None:
    """Of deliveries that were sent and are to be sent again: how the attempts before ended, of which nothing is
    written yet."""
    await db.execute(
        f"""
        UPDATE attempt AS t SET outcome = 'accepted', finished_at = {FINISHED_AT}
          FROM delivery AS d
         WHERE d.id = t.delivery_id AND d.id = ANY($1) AND t.delivery_id = ANY($1) AND {TAKEN}
        """,  # noqa: S608
        deliveries,
    )


async def write_unknown(db: Db, deliveries: Sequence[UUID], code: str) -> None:
    """Of deliveries that nobody holds any more: of their open calls it is not known what came of them."""
    await db.execute(
        "UPDATE attempt SET outcome = 'unknown', finished_at = now(), code = $2"
        " WHERE delivery_id = ANY($1) AND outcome IS NULL",
        deliveries,
        code,
    )
