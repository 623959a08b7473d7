"""Brings sent messages up to the present state. A row until it is done, so that no crash leaves one behind.

Only one process edits a message at a time: what is shown last is what was read last.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from channels.base import (
    GONE,
    Accepted,
    Channel,
    Edits,
    Message,
    Moved,
    Outcome,
    Refused,
    Retry,
    Scope,
)
from hub.db.pool import Db
from hub.loops import cancelled
from hub.notifications import quoted
from hub.notifications.interactive import Asking, Interactive, Parts, render_all
from hub.notifications.model import ContactFacts
from hub.resources import Hub

log = structlog.get_logger()

PACE = timedelta(milliseconds=150)
LEASE = timedelta(seconds=30)
"""Longer than a call to any provider may take."""

EDITED_FOR = timedelta(days=7)
"""Older messages stay as they are: nobody scrolls back to them, and providers refuse most."""

_AT_ONCE = 10
_MOST_FAILURES = 12
_SENDING_PAUSE = timedelta(milliseconds=300)
_LONGEST_PAUSE = timedelta(minutes=10)
_PAGES_KEPT = timedelta(days=30)


async def request_edits(db: Db, about: UUID) -> None:
    """All messages that ask about it are edited after the commit, with what is true then.

    Those still on their way, too: they may have been made from what was true before.
    """
    await db.execute(
        """
        INSERT INTO message_edit AS e (delivery_id, shop_id)
        SELECT d.id, d.shop_id
          FROM notification AS n JOIN delivery AS d ON d.notification_id = n.id
         WHERE n.interaction ->> 'id' = $1 AND n.created_at > now() - $2::interval
           AND d.channel = ANY($3)
           AND d.status IN ('queued', 'sending', 'sent', 'delivered', 'read')
         ORDER BY d.id
        ON CONFLICT (delivery_id) DO UPDATE
           SET wanted = e.wanted + 1, failures = 0,
               due_at = CASE WHEN e.held THEN e.due_at ELSE now() END
        """,
        str(about),
        EDITED_FOR,
        EDITABLE,
    )


async def request_edit(db: Db, shop_id: int, delivery_id: UUID) -> None:
    """This one message only."""
    await db.execute(
        """
        INSERT INTO message_edit AS e (delivery_id, shop_id) VALUES ($1, $2)
        ON CONFLICT (delivery_id) DO UPDATE
           SET wanted = e.wanted + 1, failures = 0,
               due_at = CASE WHEN e.held THEN e.due_at ELSE now() END
        """,
        delivery_id,
        shop_id,
    )


EDITABLE = [Channel.TELEGRAM, Channel.VK, Channel.MAX]
"""What is sent by these is changed in place."""


@dataclass(frozen=True, slots=True)
class _Claimed:
    """`kind` is empty where there is nothing (any more) that could be edited."""

    id: UUID
    wanted: int
    failures: int
    shop_id: int
    status: str
    account: str
    provider_id: str
    kind: str
    asking: Asking | None


class Editor:
    """Works off the rows of `message_edit`. Any number of processes may."""

    def __init__(self, hub: Hub, kinds: Sequence[Interactive]) -> None:
        self._hub = hub
        self._kinds: Mapping[str, Interactive] = {one.kind: one for one in kinds}
        self._tidied: datetime | None = None

    async def run(self) -> None:
        """Until cancelled. One whose provider does not answer keeps its place, and holds up no other."""
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                under_way |= await self._begin(_AT_ONCE - len(under_way))
                if not under_way:
                    await self._tidy(datetime.now(UTC))
                    await asyncio.sleep(PACE.total_seconds())
                    continue
                has_room = len(under_way) < _AT_ONCE
                ended, under_way = await asyncio.wait(
                    under_way,
                    timeout=PACE.total_seconds() if has_room else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for one in ended:
                    one.result()
        finally:
            # Their rows are due again.
            await cancelled(under_way)

    async def work_off(self) -> int:
        """One batch of what is due; how many there were."""
        begun = await self._begin(_AT_ONCE)
        ended = await asyncio.gather(*begun, return_exceptions=True)
        if failed := [error for error in ended if isinstance(error, BaseException)]:
            raise failed[0]
        return len(begun)

    async def _begin(self, most: int) -> set[asyncio.Task[None]]:
        if not most:
            return set()
        claimed = await _claim(self._hub, most)
        asked = [(c.kind, c.asking) for c in claimed if c.asking and c.status in _SENT]
        parts = await render_all(self._hub.db, self._kinds, asked)
        return {asyncio.create_task(self._one(c, parts.get(c.id))) for c in claimed}

    async def _one(self, edit: _Claimed, parts: Parts | None) -> None:
        if edit.status == "sending":
            # It has no name at the provider yet.
            await _put_off(self._hub.db, edit, _SENDING_PAUSE, failed=False)
            return
        account = self._hub.accounts.get(edit.shop_id, edit.account)
        if parts is None or account is None or not isinstance(account.adapter, Edits):
            # What is still queued is made from the present state when it leaves.
            await _done(self._hub.db, edit)
            return
        assert edit.asking is not None  # noqa: S101 (parts are made from it)
        message = message_of(edit.asking, parts)
        try:
            said = await account.adapter.edit(edit.provider_id, message)
            [outcome] = quoted.outcomes([message], [said])
        except Exception:
            log.exception("edit.adapter_failed", delivery=str(edit.id))
            outcome = Retry("bug")
        await self._settle(edit, outcome, parts.until)

    async def _settle(self, edit: _Claimed, outcome: Outcome, until: datetime | None) -> None:
        match outcome:
            case Accepted() if until:
                await _next_at(self._hub.db, edit, until)
            case Accepted():
                await _done(self._hub.db, edit)
            case Retry(_, after) if edit.failures < _MOST_FAILURES:
                pause = max(after, min(timedelta(seconds=2**edit.failures), _LONGEST_PAUSE))
                await _put_off(self._hub.db, edit, pause, failed=True)
            case Refused(Scope.ACCOUNT, code) if edit.failures < _MOST_FAILURES:
                log.warning("edit.account_refused", account=edit.account, code=code)
                await _put_off(self._hub.db, edit, _LONGEST_PAUSE, failed=True)
            case Refused(_, code):
                if code != GONE:
                    log.info("edit.refused", delivery=str(edit.id), code=code)
                await _done(self._hub.db, edit)
            case Retry(reason):
                log.warning("edit.given_up", delivery=str(edit.id), reason=reason)
                await _done(self._hub.db, edit)
            case Moved():
                # The message stayed behind in the chat that is closed now.
                await _done(self._hub.db, edit)

    async def _tidy(self, now: datetime) -> None:
        if self._tidied and now - self._tidied < timedelta(hours=1):
            return
        self._tidied = now
        await self._hub.db.execute(
            "DELETE FROM message_page WHERE turned_at < $1", now - _PAGES_KEPT
        )


_SENT = frozenset({"sent", "delivered", "read"})


def message_of(asking: Asking, parts: Parts) -> Message:
    return Message(
        key=str(asking.id),
        to=asking.address,
        text=parts.text,
        subject=parts.subject,
        html=parts.html,
        buttons=parts.buttons,
    )


# Without arguments, so that its plan is kept: that of the other is made anew for each, and mostly there is nothing.
_ANY_DUE = "SELECT EXISTS (SELECT FROM message_edit WHERE due_at <= now())"


async def _claim(hub: Hub, limit: int) -> list[_Claimed]:
    if not await hub.db.fetchval(_ANY_DUE):
        return []
    rows = await hub.db.fetch(
        """
        WITH due AS (
            SELECT delivery_id FROM message_edit WHERE due_at <= now()
             ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE message_edit AS e SET due_at = now() + $2::interval, held = true
              FROM due WHERE e.delivery_id = due.delivery_id
            RETURNING e.*
        )
        SELECT e.delivery_id AS id, e.wanted, e.failures, e.shop_id,
               coalesce(d.status, '') AS status, coalesce(d.account, '') AS account,
               coalesce(d.provider_id, '') AS provider_id,
               coalesce(n.interaction ->> 'kind', '') AS kind, n.interaction ->> 'id' AS about,
               d.contact_id, d.channel, a.value, a.digest, c.locale, c.timezone,
               c.external_id, coalesce(c.role, 'buyer') AS role, coalesce(c.name, '') AS name,
               coalesce(n.template, '') AS template, coalesce(n.data, '{}') AS data,
               coalesce(p.page, '') AS page
          FROM claimed AS e
          LEFT JOIN delivery AS d ON d.id = e.delivery_id
          LEFT JOIN notification AS n ON n.id = d.notification_id
          LEFT JOIN contact AS c ON c.id = d.contact_id
          LEFT JOIN address AS a ON a.id = d.address_id
          LEFT JOIN message_page AS p ON p.delivery_id = e.delivery_id
        """,
        limit,
        LEASE,
    )
    return [_claimed(hub, dict(row)) for row in rows]


def _claimed(hub: Hub, row: dict[str, Any]) -> _Claimed:
    shop, asking = hub.shops.get(row["shop_id"]), None
    if shop and row["kind"] and row["value"] and row["provider_id"]:
        asking = Asking(
            id=row["id"],
            shop_id=row["shop_id"],
            about=UUID(row["about"]),
            contact=ContactFacts(
                id=row["contact_id"],
                external_id=row["external_id"],
                role=row["role"],
                name=row["name"],
                locale=row["locale"],
                timezone=row["timezone"],
            ),
            channel=Channel(row["channel"]),
            address=row["value"],
            digest=row["digest"],
            locale=row["locale"] or shop.settings.locale,
            timezone=row["timezone"] or shop.settings.timezone,
            template=row["template"],
            data=row["data"],
            page=row["page"],
        )
    return _Claimed(
        row["id"],
        row["wanted"],
        row["failures"],
        row["shop_id"],
        row["status"],
        row["account"],
        row["provider_id"],
        row["kind"],
        asking,
    )


async def _done(db: Db, edit: _Claimed) -> None:
    """Unless it was asked for again meanwhile: then it is due at once."""
    done = await db.fetchval(
        "DELETE FROM message_edit WHERE delivery_id = $1 AND wanted = $2 RETURNING true",
        edit.id,
        edit.wanted,
    )
    if not done:
        await db.execute(
            "UPDATE message_edit SET due_at = now() WHERE delivery_id = $1 AND wanted > $2",
            edit.id,
            edit.wanted,
        )


async def _next_at(db: Db, edit: _Claimed, at: datetime) -> None:
    """It is done, and is to be done once more then; at once where it was asked for again meanwhile."""
    await db.execute(
        """
        UPDATE message_edit
           SET due_at = CASE WHEN wanted = $2 THEN $3 ELSE now() END, failures = 0, held = false
         WHERE delivery_id = $1
        """,
        edit.id,
        edit.wanted,
        at,
    )


async def _put_off(db: Db, edit: _Claimed, pause: timedelta, *, failed: bool) -> None:
    await db.execute(
        """
        UPDATE message_edit SET due_at = now() + $2::interval, failures = failures + $3::int
         WHERE delivery_id = $1
        """,
        edit.id,
        pause,
        int(failed),
    )
