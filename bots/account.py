"""One bot at work: receives, stores, answers, until it is told to stop."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from time import monotonic

import structlog

from bots.conversation.talk import Talk
from bots.handling import Handler
from bots.leader import StillLeading
from bots.platform import Platform, Trouble
from hub.accounts.book import LiveAccount
from hub.contacts import updates
from hub.resources import Hub

log = structlog.get_logger()

_GLANCE, _HOOK_GLANCE = 0.5, 0.1
"""Seconds between two looks for updates that another process has stored; often where all come from there."""

_LEAD_CHECK = 10.0
_LEAST_POLL = 0.5
"""Seconds that a poll takes which tells of nothing."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class Bot:
    """One account, in the one process that leads it."""

    hub: Hub
    account: LiveAccount
    platform: Platform

    async def run(self, stop: asyncio.Event, still_leading: StillLeading) -> None:
        """Returns when `stop` is set, the updates in hand being answered, or when the lead is lost."""
        came = asyncio.Event()
        receiving = asyncio.create_task(self._receive(came, still_leading))
        # However receiving ends (it is lost, or a bug), handling ends, too.
        ended = asyncio.Event()
        receiving.add_done_callback(lambda _: ended.set())
        try:
            await self._handle(came, stop, ended)
        finally:
            receiving.cancel()
            await asyncio.wait({receiving})
        if not receiving.cancelled() and (error := receiving.exception()):
            raise error

    async def _receive(self, came: asyncio.Event, still_leading: StillLeading) -> None:
        """Nothing that a messenger or the network does ends it; the pauses between tries grow."""
        shop_id, name = self.account.shop_id, self.account.name
        cursor = await updates.cursor_of(self.hub.db, shop_id, name)
        lasts = self.platform.prepared_for
        prepared_until, pause = 0.0, _FIRST_PAUSE
        while await still_leading():
            try:
                if monotonic() >= prepared_until:
                    await self.platform.prepare()
                    prepared_until = monotonic() + lasts.total_seconds() if lasts else inf
                if not self.platform.polls:
                    await asyncio.sleep(_LEAD_CHECK)
                    continue
                asked_at = monotonic()
                received = await self.platform.receive(cursor)
            except Trouble as trouble:
                log.warning("bots.receiving_failed", account=name, reason=trouble.reason)
                prepared_until = 0.0
                await asyncio.sleep(max(trouble.after.total_seconds(), pause))
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            if received.updates or received.cursor != cursor:
                # Only with the next call the messenger learns that these need not be told again.
                cursor = received.cursor
                found = received.updates
                await updates.store(self.hub.db, shop_id, name, found, cursor=cursor)
                came.set()
            else:
                # Something in between that answers at once, and with nothing, must not be asked without end.
                await asyncio.sleep(max(asked_at + _LEAST_POLL - monotonic(), 0.0))
        log.warning("bots.lead_lost", account=name)

    async def _handle(self, came: asyncio.Event, stop: asyncio.Event, ended: asyncio.Event) -> None:
        talk = Talk(self.hub, self.account)
        handler = Handler(self.hub, self.account, self.platform, talk)
        glance = _GLANCE if self.platform.polls else _HOOK_GLANCE
        try:
            while not (stop.is_set() or ended.is_set()):
                came.clear()
                handled, pause = await handler.handle_waiting()
                if pause > timedelta(0):
                    await wait(stop, min(pause.total_seconds(), _LONGEST_PAUSE))
                elif not handled:
                    await _first_of(came, stop, glance)
            await handler.finish()
        finally:
            await handler.close()


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Until it is set, or as long as that."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


async def _first_of(came: asyncio.Event, stop: asyncio.Event, glance: float) -> None:
    """For a glance at most: hooks are stored by another process, which cannot set an event here."""
    waits = {asyncio.create_task(came.wait()), asyncio.create_task(stop.wait())}
    await asyncio.wait(waits, timeout=glance, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
