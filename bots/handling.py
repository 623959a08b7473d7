"""Stored updates become answers: in order within a chat, chats beside each other, nothing lost on the way."""

import asyncio
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

import asyncpg
import structlog

from bots.conversation.said import Read, Reply, Said
from bots.conversation.talk import Talk
from bots.platform import CannotWrite, Platform, Trouble
from bots.reading import mark_read
from hub.accounts.book import LiveAccount
from hub.contacts import updates
from hub.contacts.updates import Stored
from hub.db.pool import UNREACHABLE
from hub.resources import Hub

log = structlog.get_logger()

MOST_FAILURES = 10
"""After so many tries an update is put aside: what it changed is done, only its answer was not heard."""

ANSWERABLE_FOR = timedelta(hours=1)
"""Later than this nobody expects an answer any more."""

DATABASE_AWAY = (*UNREACHABLE, asyncpg.QueryCanceledError, asyncpg.ReadOnlySQLTransactionError)

_CHATS_AT_ONCE = 10
_SEVERAL = 3
"""Throttled chats at a time, from where on it is the bot that writes too much; one or two are busy by themselves."""


@dataclass(frozen=True, slots=True)
class _Rest:
    """A chat that is left alone until then, by the monotonic clock. `throttled`: as the messenger asked for."""

    until: float
    throttled: bool


@dataclass(frozen=True, slots=True)
class Handler:
    """One account's. Its state is in the database, but for the chats that it leaves alone for a while."""

    hub: Hub
    account: LiveAccount
    platform: Platform
    talk: Talk
    _rests: dict[str, _Rest] = field(default_factory=dict)

    async def handle_waiting(self) -> tuple[int, timedelta]:
        """How many were handled, and how long to leave all chats alone (zero: no trouble that is everybody's)."""
        self._wake()
        found = await updates.waiting(
            self.hub.db, self.account.shop_id, self.account.name, but=self._rests
        )
        chats: dict[str, list[Stored]] = {}
        for stored in found:
            chats.setdefault(stored.chat, []).append(stored)
        some = asyncio.Semaphore(_CHATS_AT_ONCE)
        # Not a TaskGroup: what one chat meets must not break off another one's answer.
        results = await asyncio.gather(
            *(self._chat(some, chat) for chat in chats.values()), return_exceptions=True
        )
        done, pauses = 0, [timedelta(0)]
        for result in results:
            if isinstance(result, BaseException):
                raise result
            done += result[0]
            pauses.append(result[1])
        return done, max(*pauses, self._throttled())

    def _wake(self) -> None:
        now = monotonic()
        for chat in [chat for chat, rest in self._rests.items() if rest.until <= now]:
            del self._rests[chat]

    def _throttled(self) -> timedelta:
        """How long nobody is written to, because it was too much in several chats at a time: until only a few are
        left."""
        now = monotonic()
        waits = sorted(rest.until - now for rest in self._rests.values() if rest.throttled)
        return timedelta(seconds=max(waits[-_SEVERAL], 0.0) if len(waits) >= _SEVERAL else 0.0)

    async def _chat(
        self, some: asyncio.Semaphore, waiting: Sequence[Stored]
    ) -> tuple[int, timedelta]:
        """The first that fails holds back the rest of its chat, and no other chat."""
        async with some:
            for done, stored in enumerate(waiting):
                try:
                    await self._one(stored)
                except Trouble as trouble:
                    return done, await self._put_off(stored, trouble)
                except DATABASE_AWAY:
                    raise
                except Exception as error:  # noqa: BLE001 (one update: a bug must not stop all chats)
                    stack = "".join(traceback.format_tb(error.__traceback__))
                    log.error("bots.bug", update=stored.id, error=type(error).__name__, stack=stack)
                    return done, await self._put_off(stored, Trouble("bug"))
        return len(waiting), timedelta(0)

    async def _one(self, stored: Stored) -> None:
        """First what it changes, then the answer, then the note that it is handled: after a crash in between
        it is done again, which changes nothing twice and at worst says something twice."""
        try:
            said = self.platform.read(stored.raw)
        except ValueError as error:
            log.warning("bots.unreadable_update", update=stored.id, error=str(error))
            said = None
        if said is not None:
            reply = await self._answer(said)
            if reply and datetime.now(UTC) - stored.received_at < ANSWERABLE_FOR:
                await self._reply(stored, said, reply)
        await updates.handled(self.hub.db, stored.id)

    async def _answer(self, said: Said) -> Reply | None:
        if isinstance(said.act, Read):
            await mark_read(self.hub, self.account, said.chat, said.act.up_to)
            return None
        return await self.talk.answer(said)

    async def _reply(self, stored: Stored, said: Said, reply: Reply) -> None:
        try:
            await self.platform.reply(said.chat, reply, stored.id)
        except CannotWrite as error:
            log.info("bots.unheard", update=stored.id, reason=str(error))

    async def _put_off(self, stored: Stored, trouble: Trouble) -> timedelta:
        """How long all chats are left alone because of it."""
        if stored.failures + 1 >= MOST_FAILURES:
            log.error("bots.put_aside", update=stored.id, reason=trouble.reason)
            await updates.handled(self.hub.db, stored.id)
            return timedelta(0)
        await updates.failed(self.hub.db, stored.id)
        log.warning("bots.answer_failed", update=stored.id, reason=trouble.reason)
        pause = max(trouble.after, timedelta(seconds=min(2**stored.failures, 60)))
        if trouble.for_all:
            return pause
        throttled = trouble.after > timedelta(0)
        self._rests[stored.chat] = _Rest(monotonic() + pause.total_seconds(), throttled)
        return timedelta(0)
