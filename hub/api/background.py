"""What runs beside the requests of an API process: the intake, a look at the room there is, and a fresh view of templates
and accounts."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import structlog
from aiohttp import web

from hub.api.keys import HUB, ROOM
from hub.db.pool import UNREACHABLE
from hub.loops import cancelled, keep_going
from hub.notifications.intake import Intake
from hub.resources import Hub

log = structlog.get_logger()

INTAKE = web.AppKey("intake", Intake)

_REFRESH_EVERY = 1.0


async def background(app: web.Application) -> AsyncIterator[None]:
    """For `app.cleanup_ctx`."""
    # Before the first request: a disk may be full already.
    await app[ROOM].look()
    tasks = [
        asyncio.create_task(keep_going(chore))
        for chore in (app[INTAKE].run, app[ROOM].run, partial(_refresh, app[HUB]))
    ]
    yield
    # All of them: the intake still hands out what it accepted last, over connections that are closed after this.
    await cancelled(tasks)


async def _refresh(hub: Hub) -> None:
    """Never older than a second or so, while the database answers."""
    while True:
        try:
            await hub.catalog.refresh(hub.db)
            await hub.accounts.refresh(hub.db)
        except UNREACHABLE as error:
            log.warning("refresh.database_away", error=type(error).__name__)
        await asyncio.sleep(_REFRESH_EVERY)
