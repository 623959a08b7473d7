"""The shop's accounts at its providers: whether they work, and where the providers call back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from aiohttp import web
from pydantic import Field

from channels.base import Channel
from hub.accounts import health, hooks
from hub.accounts.book import LiveAccount, NotSetUp
from hub.accounts.health import Pause
from hub.api.body import Out, answer, read_query
from hub.api.keys import HUB, SHOP
from hub.api.paging import ListQuery, Page, page, position
from hub.api.routes import Routes
from hub.contacts.updates import config_of, is_called
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


class State(StrEnum):
    IN_USE = "in_use"
    PAUSED = "paused"
    OFF = "off"
    NOT_SET_UP = "not_set_up"


class AccountOut(Out):
    name: str
    channel: Channel
    provider: str
    state: State = Field(
        description="paused: left alone for a while; off: `enabled = false`; not_set_up: its credentials are empty."
    )
    weight: int | None = Field(
        description="Its share of what the channel sends; null: it stands in for those that have one."
    )
    missing: list[str] = Field(
        description="Variables of the environment to set, so that the account can be used."
    )
    hook_url: str | None = Field(
        description="Enter it at the provider, so that it tells of deliveries; null: it does not call back."
    )
    paused: PauseOut | None = Field(description="Left alone for a while; null: it is not.")


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
        shown(hub, shop, account, pauses.get((shop.id, account.name)))
        for account in _after(last, hub.accounts.listed(shop.id))
    ]
    return answer(page(request, query, rows, key=lambda row: row.name, show=lambda row: row))


def _after(
    last: str | None, accounts: Sequence[LiveAccount | NotSetUp]
) -> Sequence[LiveAccount | NotSetUp]:
    """Those that follow the account named `last`; from the start where it is none."""
    names = [account.name for account in accounts]
    return accounts[names.index(last) + 1 if last in names else 0 :]


def shown(hub: Hub, shop: Shop, account: LiveAccount | NotSetUp, pause: Pause | None) -> AccountOut:
    paused = _paused(pause) if account.enabled else None
    missing = account.variables if isinstance(account, NotSetUp) else ()
    return AccountOut(
        name=account.name,
        channel=account.channel,
        provider=account.provider,
        state=_state(account, paused),
        weight=account.weight,
        missing=list(missing),
        hook_url=_hook_url(hub, shop, account),
        paused=paused,
    )


def _state(account: LiveAccount | NotSetUp, paused: PauseOut | None) -> State:
    if not account.enabled:
        return State.OFF
    if isinstance(account, NotSetUp):
        return State.NOT_SET_UP
    return State.PAUSED if paused else State.IN_USE


def _paused(pause: Pause | None) -> PauseOut | None:
    if pause is None or pause.until <= datetime.now(UTC):
        return None
    return PauseOut(until=pause.until, refused=pause.refused, code=pause.code, reason=pause.reason)


def _hook_url(hub: Hub, shop: Shop, account: LiveAccount | NotSetUp) -> str | None:
    if isinstance(account, NotSetUp) or not shop.settings.accounts or not is_called(account):
        return None
    if not hooks.calls_back(account.adapter, config_of(hub, account)):
        return None
    return hooks.url_of(hub.signer, hub.settings.public_url, shop.slug, account.name)
