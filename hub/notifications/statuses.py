"""Asks providers that do not call back what became of the messages they took."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from channels.base import Asks, Receipt, ReceiptStatus, Sent, Tells, Unavailable
from hub.accounts.book import LiveAccount
from hub.accounts.limits import RateLimits
from hub.contacts.masking import masked_all
from hub.db.pool import UNREACHABLE, Db
from hub.notifications import receipts
from hub.notifications.model import DeliveryStatus
from hub.notifications.settle import Settled
from hub.notifications.steps import Due
from hub.queue import Lane
from hub.resources import Hub

log = structlog.get_logger()

_LOOK_EVERY = timedelta(seconds=1)
_IN_HAND = timedelta(minutes=2)
"""How long a question that is being asked is left alone by others; longer than any call lasts."""

_AGAIN_AFTER = timedelta(minutes=1)
_AFTER_A_BUG = timedelta(minutes=10)
_FORGOTTEN_AFTER = timedelta(days=4)
"""Of a provider that does not answer: then nobody waits for the news any more."""

_AT_ONCE = 5
"""Calls to one account in one turn, so that every account gets its turn."""

_ENDS = frozenset(
    {
        ReceiptStatus.FAILED,
        ReceiptStatus.BOUNCED,
        ReceiptStatus.COMPLAINED,
        ReceiptStatus.READ,
        ReceiptStatus.CLICKED,
        ReceiptStatus.LOST,
    }
)
_OPEN = frozenset({DeliveryStatus.SENT, DeliveryStatus.DELIVERED})


@dataclass(frozen=True, slots=True)
class _Question:
    """One that is ours to ask now. `asked`: how often it was before."""

    sent: Sent
    asked: int
    status: DeliveryStatus


def to_be_asked(account: LiveAccount, settled: Settled, now: datetime) -> Settled:
    """With the time of its first question, where the account's provider has to be asked."""
    if settled.status is not DeliveryStatus.SENT or not account.asks:
        return settled
    return replace(settled, ask_at=now + account.asks.asks_after[0])


async def note(db: Db, sent: Sequence[Settled]) -> None:
    """In the transaction of the outcomes."""
    if not sent:
        return
    await db.execute(
        """
        INSERT INTO status_question (delivery_id, shop_id, account, due_at)
        SELECT d.id, d.shop_id, d.account, t.ask_at
          FROM unnest($1::uuid[], $2::timestamptz[]) AS t (id, ask_at)
          JOIN delivery AS d ON d.id = t.id AND d.id = ANY($1)
        ON CONFLICT (delivery_id) DO UPDATE
           SET account = excluded.account, asked = 0, due_at = excluded.due_at
        """,
        [s.id for s in sent],
        [s.ask_at for s in sent],
    )


class Asker:
    """One per worker process; each question is in one process's hand at a time."""

    def __init__(
        self, hub: Hub, limits: RateLimits, hand_out: Callable[[list[Due]], Awaitable[None]]
    ) -> None:
        self._hub = hub
        self._limits = limits
        self._hand_out = hand_out

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.turn()
            await asyncio.sleep(_LOOK_EVERY.total_seconds())

    async def turn(self) -> None:
        """Asks what is due now, every account by itself."""
        asked = [(a, a.asks) for a in self._hub.accounts.all() if a.asks]
        await asyncio.gather(*(self._account(account, adapter) for account, adapter in asked))

    async def _account(self, account: LiveAccount, adapter: Asks) -> None:
        with suppress(*UNREACHABLE):
            for _ in range(_AT_ONCE):
                if not await self._ask_some(account, adapter):
                    return

    async def _ask_some(self, account: LiveAccount, adapter: Asks) -> bool:
        """False: nothing more is due, or the provider's limit is reached."""
        if not await _anything_due(self._hub.db, account):
            return False
        # Questions go by what sending leaves: news may come later, messages may not.
        if not (await self._limits.calls(account.bucket, account.limits, Lane.BULK, 1)).calls:
            return False
        questions = await _claim(self._hub.db, account, adapter.asks_at_once)
        over = {q.sent.key for q in questions if _is_over(account, q.status)}
        await _forget(self._hub.db, [UUID(key) for key in over])
        if waiting := [q for q in questions if q.sent.key not in over]:
            await self._ask(account, adapter, waiting)
        return bool(questions)

    async def _ask(
        self, account: LiveAccount, adapter: Asks, questions: Sequence[_Question]
    ) -> None:
        try:
            found = await adapter.ask([q.sent for q in questions])
        except Unavailable as error:
            log.info("statuses.not_told", account=account.name, reason=masked_all(str(error)))
            await _postpone(self._hub.db, [q.sent.key for q in questions], _AGAIN_AFTER)
            return
        except Exception:
            log.exception("statuses.adapter_failed", account=account.name)
            await _postpone(self._hub.db, [q.sent.key for q in questions], _AFTER_A_BUG)
            return
        await self._hand_out(await receipts.store(self._hub.db, self._hub.signer, account, found))
        ended = _ended(account, questions, found)
        await _forget(self._hub.db, [UUID(q.sent.key) for q in questions if q.sent.key in ended])
        await _next(
            self._hub.db, adapter.asks_after, [q for q in questions if q.sent.key not in ended]
        )


def _is_over(account: LiveAccount, status: DeliveryStatus) -> bool:
    """There is nothing more to learn."""
    told_all = status is DeliveryStatus.DELIVERED and account.tells is Tells.DELIVERED
    return told_all or status not in _OPEN


def _ended(
    account: LiveAccount, questions: Sequence[_Question], found: Sequence[Receipt]
) -> set[str]:
    """The keys of those of which nothing more will be said."""
    ends = _ENDS | ({ReceiptStatus.DELIVERED} if account.tells is Tells.DELIVERED else set())
    final = [r for r in found if r.status in ends]
    keys, ids = {r.key for r in final if r.key}, {r.provider_id for r in final if r.provider_id}
    return {q.sent.key for q in questions if q.sent.key in keys or q.sent.provider_id in ids}


async def _anything_due(db: Db, account: LiveAccount) -> bool:
    return bool(
        await db.fetchval(
            """
            SELECT EXISTS (SELECT FROM status_question
                            WHERE shop_id = $1 AND account = $2 AND due_at <= now())
            """,
            account.shop_id,
            account.name,
        )
    )


async def _claim(db: Db, account: LiveAccount, limit: int) -> list[_Question]:
    """Those due longest. While they are in hand they are due later; a process that dies with them loses
    nothing but that time."""
    rows = await db.fetch(
        f"""
        WITH mine AS (
            SELECT delivery_id FROM status_question
             WHERE shop_id = $1 AND account = $2 AND due_at <= now()
             ORDER BY due_at LIMIT $3
               FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE status_question AS q SET due_at = now() + $4
              FROM mine WHERE q.delivery_id = mine.delivery_id
            RETURNING q.delivery_id, q.asked
        )
        SELECT t.delivery_id AS id, t.asked, d.provider_id, d.status, d.sent_at,
               CASE WHEN {receipts.SENT_THERE} THEN a.value END AS value
          FROM taken AS t
          LEFT JOIN delivery AS d ON d.id = t.delivery_id
          LEFT JOIN address AS a ON a.id = d.address_id
         ORDER BY t.delivery_id
        """,  # noqa: S608 (a constant)
        account.shop_id,
        account.name,
        limit,
        _IN_HAND,
    )
    return [_question(dict(row)) for row in rows]


def _question(row: dict[str, Any]) -> _Question:
    # On its way again, its person erased or at another address now: nothing to ask by.
    askable = None not in (row["provider_id"], row["value"], row["sent_at"])
    sent_at = row["sent_at"] or datetime.now(UTC)
    return _Question(
        Sent(str(row["id"]), row["provider_id"] or "", row["value"] or "", sent_at),
        row["asked"],
        DeliveryStatus(row["status"]) if askable else DeliveryStatus.CANCELLED,
    )


async def _forget(db: Db, ids: Collection[UUID]) -> None:
    if ids:
        await db.execute("DELETE FROM status_question WHERE delivery_id = ANY($1)", ids)


async def _postpone(db: Db, keys: Sequence[str], wait: timedelta) -> None:
    """Not asked, so it does not count; what is older than any provider remembers is given up."""
    ids = [UUID(key) for key in keys]
    await db.execute(
        """
        DELETE FROM status_question AS q USING delivery AS d
         WHERE q.delivery_id = ANY($1) AND d.id = q.delivery_id AND d.id = ANY($1)
           AND d.sent_at < now() - $2::interval
        """,
        ids,
        _FORGOTTEN_AFTER,
    )
    await db.execute(
        "UPDATE status_question SET due_at = now() + $2 WHERE delivery_id = ANY($1)", ids, wait
    )


async def _next(db: Db, pauses: Sequence[timedelta], questions: Sequence[_Question]) -> None:
    """Asked again after the next pause; after the last one nothing more is hoped for."""
    over = [UUID(q.sent.key) for q in questions if q.asked + 1 >= len(pauses)]
    again = [q for q in questions if q.asked + 1 < len(pauses)]
    await _forget(db, over)
    if again:
        await db.execute(
            """
            UPDATE status_question AS q SET asked = t.asked, due_at = now() + t.pause
              FROM unnest($1::uuid[], $2::int[], $3::interval[]) AS t (id, asked, pause)
             WHERE q.delivery_id = t.id
            """,
            [UUID(q.sent.key) for q in again],
            [q.asked + 1 for q in again],
            [pauses[q.asked + 1] for q in again],
        )
