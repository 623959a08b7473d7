"""Whether this process lives, and whether what it needs can be reached."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from http import HTTPStatus
from typing import Literal

from aiohttp import web

from hub.api.body import Out, answer
from hub.api.keys import HUB
from hub.api.patience import within
from hub.api.routes import PUBLIC, Routes
from hub.db.pool import UNREACHABLE
from hub.queue import QueueAway
from hub.resources import Hub

_PATIENCE = timedelta(seconds=2)

State = Literal["ok", "unreachable", "missing"]

routes = Routes("Service")


class Health(Out):
    status: Literal["ok"] = "ok"


class Readiness(Out):
    database: State
    redis: State
    worker: State


@routes.get("/healthz", name="health", scope=PUBLIC, summary="Is it alive?", answers={200: Health})
async def health(_request: web.Request) -> web.StreamResponse:
    """Asks nobody else: a database that is away is no reason to restart this process."""
    return answer(Health())


@routes.get(
    "/readyz",
    name="readiness",
    scope=PUBLIC,
    summary="Can it work?",
    answers={200: Readiness, 503: Readiness},
)
async def readiness(request: web.Request) -> web.StreamResponse:
    """503 says which is not reachable; `worker: missing` means that no worker has been heard of for 15 s."""
    hub = request.app[HUB]
    database, redis, worker = await asyncio.gather(
        _state(_database(hub)), _state(hub.queue.ping()), _state(_worker(hub))
    )
    found = Readiness(database=database, redis=redis, worker=worker)
    ready = database == redis == worker == "ok"
    return answer(found, status=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)


async def _state(asking: Awaitable[State | None]) -> State:
    try:
        return await within(_PATIENCE, asking) or "ok"
    except (QueueAway, *UNREACHABLE):
        return "unreachable"


async def _database(hub: Hub) -> None:
    await hub.db.fetchval("SELECT 1")


async def _worker(hub: Hub) -> State:
    return "ok" if await hub.queue.worker_alive() else "missing"
