"""Puts the modules' routes together into one application inside the frame."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

import structlog
from aiohttp import web

from hub.accounts.hooks import tokens_of
from hub.api import (
    answer_page,
    docs_page,
    health,
    hooks,
    metrics,
    openapi,
    pages,
    preferences_page,
    source_hooks,
)
from hub.api.background import INTAKE, background
from hub.api.body import LIMIT
from hub.api.console import modules as console
from hub.api.console.frame import SERVED
from hub.api.headers import dress
from hub.api.keys import HUB, ROOM
from hub.api.limits import Limits
from hub.api.middleware import frame
from hub.api.routes import Route, Routes
from hub.api.v1 import (
    accounts,
    audit,
    contacts,
    events,
    imports,
    notifications,
    orders,
    rules,
    sandbox,
    source_acts,
    sources,
    statistics,
    stock_requests,
    templates,
    warehouses,
    webhooks,
)
from hub.api.v1 import keys as v1_keys
from hub.contacts.updates import is_called
from hub.db.pool import UNREACHABLE
from hub.notifications.intake import Intake
from hub.resources import Hub
from hub.room import Room
from hub.shops.keys import KeyRing

log = structlog.get_logger()

MODULES: Sequence[Routes] = (
    notifications.routes,
    contacts.routes,
    orders.routes,
    stock_requests.routes,
    events.routes,
    sources.routes,
    source_acts.routes,
    imports.routes,
    warehouses.routes,
    templates.routes,
    rules.routes,
    webhooks.routes,
    sandbox.routes,
    statistics.routes,
    accounts.routes,
    v1_keys.routes,
    audit.routes,
    health.routes,
    metrics.routes,
    docs_page.routes,
    pages.routes,
    answer_page.routes,
    preferences_page.routes,
    hooks.routes,
    source_hooks.routes,
    *console.console_routes(),
)
"""In the order in which the documentation shows them."""

_NOTE_USE_EVERY = 20.0


def make_app(hub: Hub) -> web.Application:
    """The whole API. `hub` stays open as long as the application runs."""
    ring = KeyRing(hub.db)
    table: dict[web.AbstractRoute, Route] = {}
    limits = Limits.of(hub.settings.hub)
    dressed = dress(hub.settings.public_url)
    app = web.Application(
        middlewares=[frame(table, ring, limits, metrics.RequestMetrics(), dressed)],
        client_max_size=LIMIT,
    )
    app[HUB] = hub
    app[INTAKE] = Intake(hub)
    app[ROOM] = Room(hub.settings.hub, hub.db)
    app[SERVED] = console.served()
    app[hooks.HOOKS] = {
        token: account
        for account in hub.accounts.all()
        if is_called(account)
        for token in tokens_of(hub.signer, hub.shops[account.shop_id].slug, account.name)
    }
    app.cleanup_ctx.append(background)
    app[metrics.BACKLOG] = metrics.Backlog()
    documents: Callable[[], docs_page.Documents] = partial(_documents, hub.settings.public_url)
    app[docs_page.DOCUMENTS] = documents
    for route in all_routes():
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            added = app.router.add_route(
                method, route.path, route.handler, expect_handler=_expected
            )
            table[added] = route

    async def note_use_of_keys(_app: web.Application) -> AsyncIterator[None]:
        noting = asyncio.create_task(_note_use(ring))
        yield
        noting.cancel()
        with suppress(asyncio.CancelledError):
            await noting

    app.cleanup_ctx.append(note_use_of_keys)
    return app


def all_routes() -> list[Route]:
    return [route for routes in MODULES for route in routes]


@cache
def _documents(public_url: str) -> docs_page.Documents:
    return docs_page.documents(_document() | {"servers": [{"url": public_url}]})


@cache
def _document() -> dict[str, Any]:
    return openapi.document(all_routes())


async def _expected(request: web.Request) -> None:
    """Expectations other than the one that everybody has are passed over, as RFC 9110 (10.1.1) allows."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What was written does not belong to the answer.
        request.writer.output_size = 0


async def _note_use(ring: KeyRing) -> None:
    while True:
        await asyncio.sleep(_NOTE_USE_EVERY)
        try:
            await ring.note_use()
        except UNREACHABLE as error:
            log.warning("keys.use_not_noted", error=type(error).__name__)
