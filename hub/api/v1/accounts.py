"""The shop's accounts at its providers: whether they work, and where the providers call back."""

from collections.abc import Iterator
from datetime import UTC, datetime

from aiohttp import web
from pydantic import Field

from channels.base import Channel
from hub.accounts import health, hooks
from hub.accounts.book import LiveAccount
from hub.accounts.health import Pause
from hub.api.body import Out, answer, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.contacts.updates import config_of
from hub.resources import Hub
from hub.shops.keys import Scope
from hub.shops.registry import Shop

routes = Routes("Accounts")


class PauseOut(Out):
    until: datetime
    refused: bool = Field(
        description="By a clear word of the provider (credentials, balance), not by silence."
    )
    code: str
    reason: str


class AccountOut(Out):
    name: str
    channel: Channel
    provider: str
    hook_url: str | None = Field(
        description="Enter it at the provider, so that it tells of deliveries; null: it does not call back."
    )
    paused: PauseOut | None = Field(description="Left alone for a while; null: in use.")


@routes.get(
    "/v1/accounts",
    name="accounts.list",
    scope=Scope.ADMIN,
    summary="List the shop's accounts",
    query=ListQuery,
    answers={200: Page[AccountOut]},
)
async def listed(request: web.Request) -> web.StreamResponse:
    """In the order of the settings file, in which they are used. A shop without any has the sandbox's."""
    hub, shop = request.app[HUB], request[SHOP]
    query = read_query(request, ListQuery)
    last = position(request, query)
    pauses = await health.pauses(hub.db)
    rows = [
        _shown(hub, shop, account, pauses.get((shop.id, account.name)))
        for account in _after(last, hub, shop)
    ]
    return answer(page(request, query, rows, key=lambda row: row.name, show=lambda row: row))


def _after(last: str | None, hub: Hub, shop: Shop) -> Iterator[LiveAccount]:
    """Those that follow the account named `last`; from the start where it is none."""
    of_shop = [account for account in hub.accounts.all() if account.shop_id == shop.id]
    names = [account.name for account in of_shop]
    return iter(of_shop[names.index(last) + 1 if last in names else 0 :])


def _shown(hub: Hub, shop: Shop, account: LiveAccount, pause: Pause | None) -> AccountOut:
    hook_url = None
    if shop.settings.accounts and hooks.calls_back(account.adapter, config_of(hub, account)):
        hook_url = hooks.url_of(hub.signer, hub.settings.public_url, shop.slug, account.name)
    paused = None
    if pause and pause.until > datetime.now(UTC):
        paused = PauseOut(
            until=pause.until, refused=pause.refused, code=pause.code, reason=pause.reason
        )
    return AccountOut(
        name=account.name,
        channel=account.channel,
        provider=account.provider,
        hook_url=hook_url,
        paused=paused,
    )
