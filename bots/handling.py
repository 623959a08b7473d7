"""Stored updates become answers: in order within a chat, chats beside each other, nothing lost on the way."""

import asyncio
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
from hub.loops import cancelled
from hub.resources import Hub

log = structlog.get_logger()

MOST_FAILURES = 10
"""After so many tries an update is put aside: what it changed is done, only its answer was not heard."""

ANSWERABLE_FOR = timedelta(hours=1)
"""Later than this nobody expects an answer any more."""

DATABASE_AWAY = (*UNREACHABLE, asyncpg.QueryCanceledError, asyncpg.ReadOnlySQLTransactionError)

_CHATS_AT_ONCE = 10
_MOST_AT_HAND = 200
_MOMENT = 0.5
"""Seconds for the answers of a round. Chats that take longer do so beside the next one."""

_LONGEST_PAUSE = timedelta(minutes=1)
_SEVERAL_UNHEARD = 2
"""Chats whose answers are not taken, while nobody's are: then it is the messenger."""

_SEVERAL = 3
"""Throttled chats at a time, from where on it is the bot that writes too much; one or two are busy by themselves."""


@dataclass(frozen=True, slots=True)
class _Rest:
    """A chat that is left alone until then, by the monotonic clock. `throttled`: as the messenger asked for."""

    until: float
    throttled: bool


@dataclass(frozen=True, slots=True)
class _Unheard:
    """A chat whose answers the messenger did not take, without saying why: so many times, the last one when so many
    answers to anybody had been taken."""

    times: int
    taken: int


@dataclass(slots=True)
class _State:
    rests: dict[str, _Rest] = field(default_factory=dict)
    busy: dict[str, asyncio.Task[int]] = field(default_factory=dict)
    unheard: dict[str, _Unheard] = field(default_factory=dict)
    taken: int = 0
    """Answers to anybody, since the start."""
    pause: timedelta = timedelta(0)
    """Of all chats; what was last found out."""
    paused_until: float = 0.0
    pauses: int = 0
    """One after the other, without an answer that was taken in between."""

    @property
    def paused_for(self) -> timedelta:
        return timedelta(seconds=max(self.paused_until - monotonic(), 0.0))


@dataclass(frozen=True, slots=True)
class Handler:
    """One account's. Its state is in the database, but for what it has learnt of whom to leave alone for a while.

    `close` it when it is not used any more.
    """

    hub: Hub
    account: LiveAccount
    platform: Platform
    talk: Talk
    _state: _State = field(default_factory=_State)
    _some: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_CHATS_AT_ONCE))

    async def handle_waiting(self) -> tuple[int, timedelta]:
        """How many were handled, and how long to leave all chats alone (zero: no trouble that is everybody's).

        Who keeps a chat waiting keeps no other waiting: after a moment it returns, and that chat goes on by itself.
        """
        state = self._state
        self._wake()
        if left := state.paused_for:
            return 0, left
        state.pause = timedelta(0)
        done = self._ended()
        await self._begin()
        done += self._ended()
        return done, max(state.pause, self._throttled())

    async def finish(self) -> None:
        """Returns when what is being answered is answered."""
        if self._state.busy:
            await asyncio.wait(self._state.busy.values())

    async def close(self) -> None:
        """What is being answered is broken off, and answered by whoever handles next."""
        tasks = self._state.busy.values()
        await cancelled(tasks)
        await asyncio.gather(*tasks, return_exceptions=True)
        self._state.busy.clear()

    async def _begin(self) -> None:
        """Chats that wait and are not busy become so; waits a moment for them."""
        state = self._state
        room = _MOST_AT_HAND - len(state.busy)
        if room <= 0:
            await asyncio.wait(
                state.busy.values(), timeout=_MOMENT, return_when=asyncio.FIRST_COMPLETED
            )
            return
        found = await updates.waiting(
            self.hub.db,
            self.account.shop_id,
            self.account.name,
            but=[*state.rests, *state.busy],
            limit=room,
        )
        chats: dict[str, list[Stored]] = {}
        for stored in found:
            chats.setdefault(stored.chat, []).append(stored)
        begun = {chat: asyncio.create_task(self._chat(waiting)) for chat, waiting in chats.items()}
        state.busy.update(begun)
        if begun:
            await asyncio.wait(begun.values(), timeout=_MOMENT)

    def _ended(self) -> int:
        """How many updates were handled in the chats that are busy no more. Raises what one of them met."""
        busy, done, errors = self._state.busy, 0, []
        for chat, task in [(chat, task) for chat, task in busy.items() if task.done()]:
            del busy[chat]
            if error := task.exception():
                errors.append(error)
            else:
                done += task.result()
        if errors:
            raise errors[0]
        return done

    def _wake(self) -> None:
        now, rests = monotonic(), self._state.rests
        for chat in [chat for chat, rest in rests.items() if rest.until <= now]:
            del rests[chat]

    def _throttled(self) -> timedelta:
        """How long nobody is written to, because it was too much in several chats at a time: until only a few are
        left."""
        now, rests = monotonic(), self._state.rests.values()
        waits = sorted(rest.until - now for rest in rests if rest.throttled)
        return timedelta(seconds=max(waits[-_SEVERAL], 0.0) if len(waits) >= _SEVERAL else 0.0)

    async def _chat(self, waiting: Sequence[Stored]) -> int:
        """The first that fails holds back the rest of its chat, and no other chat. How many were handled."""
        async with self._some:
            for done, stored in enumerate(waiting):
                if self._state.paused_for:
                    return done
                taken = self._state.taken
                try:
                    await self._one(stored)
                except Trouble as trouble:
                    await self._troubled(stored, trouble, taken)
                    return done
                except DATABASE_AWAY:
                    raise
                except Exception as error:  # noqa: BLE001 (one update: a bug must not stop all chats)
                    stack = "".join(traceback.format_tb(error.__traceback__))
                    log.error("bots.bug", update=stored.id, error=type(error).__name__, stack=stack)
                    await self._put_off(stored, Trouble("bug"))
                    return done
        return len(waiting)

    async def _one(self, stored: Stored) -> None:
        """First what it changes, then the answer, then the note that it is handled: after a crash in between
        it is done again, which changes nothing twice and at worst says something twice."""
        try:
            said = self.platform.read(stored.raw)
        except ValueError as error:
            log.warning("bots.unreadable_update", update=stored.id, error=str(error))
            said = None
        if said is not None:
            reply = await self._answer(replace(said, heard_at=stored.received_at))
            if reply and datetime.now(UTC) - stored.received_at < ANSWERABLE_FOR:
                await self._reply(stored, said, reply)
        self._state.unheard.pop(stored.chat, None)
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
        # Refused for good is an answer of the messenger, too: it is there.
        self._state.taken += 1
        self._state.pauses = 0

    async def _troubled(self, stored: Stored, trouble: Trouble, taken: int) -> None:
        """`taken`: how many answers to anybody had been when this one was begun.

        What would meet everybody is no failed try of this update, however long it lasts. Where that cannot be told
        from one call, it is told by the others: what they said was taken meanwhile, or it was not, either.
        """
        state = self._state
        before = state.unheard.get(stored.chat, _Unheard(0, taken))
        others_are_heard = state.taken > before.taken
        if not (trouble.for_all or trouble.unclear) or others_are_heard:
            await self._put_off(stored, trouble)
        else:
            log.warning("bots.not_reached", update=stored.id, reason=trouble.reason)
        if trouble.for_all:
            self._pause(trouble)
        elif trouble.unclear:
            state.unheard[stored.chat] = now = _Unheard(before.times + 1, state.taken)
            if others_are_heard:
                return
            alike = sum(one.taken == state.taken for one in state.unheard.values())
            if alike >= _SEVERAL_UNHEARD:
                self._pause(trouble)
            else:
                self._rest(stored.chat, trouble, now.times - 1)

    def _pause(self, trouble: Trouble) -> None:
        """Nobody is written to for a while, longer each time."""
        state = self._state
        if not state.paused_for:
            state.pauses += 1
        wait = max(trouble.after, _growing(state.pauses - 1))
        state.pause = max(state.pause, wait)
        state.paused_until = max(state.paused_until, monotonic() + wait.total_seconds())

    def _rest(self, chat: str, trouble: Trouble, times: int) -> None:
        wait = max(trouble.after, _growing(times))
        throttled = trouble.after > timedelta(0) and not trouble.unclear
        self._state.rests[chat] = _Rest(monotonic() + wait.total_seconds(), throttled)

    async def _put_off(self, stored: Stored, trouble: Trouble) -> None:
        """A failed try of this update; after many of them it is put aside."""
        if stored.failures + 1 >= MOST_FAILURES:
            log.error("bots.put_aside", update=stored.id, reason=trouble.reason)
            self._state.unheard.pop(stored.chat, None)
            await updates.handled(self.hub.db, stored.id)
            return
        await updates.failed(self.hub.db, stored.id)
        log.warning("bots.answer_failed", update=stored.id, reason=trouble.reason)
        if not trouble.for_all:
            self._rest(stored.chat, trouble, stored.failures)


def _growing(times: int) -> timedelta:
    """One second at first."""
    return min(timedelta(seconds=2 ** min(times, 10)), _LONGEST_PAUSE)
