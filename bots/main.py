"""The role `bots`: hears what people say in messengers and answers."""

import asyncio
import signal
import threading
import traceback
from collections.abc import Callable
from time import monotonic
from typing import cast

import structlog
import uvloop

from bots.account import Bot, wait
from bots.handling import DATABASE_AWAY
from bots.leader import leadership
from bots.max import MaxBot
from bots.platform import Platform
from bots.sandbox import SandboxBot
from bots.viber import ViberBot
from channels.ascii_url import ascii_url
from channels.base import Channel
from channels.max.client import BotApiConfig as MaxConfig
from channels.telegram.bot_api import BotApiConfig as TelegramConfig
from channels.viber.bot_api import BotApi as ViberApi
from channels.vk.community import CommunityConfig
from hub import heartbeat, logs
from hub.accounts import hooks
from hub.accounts.book import LiveAccount
from hub.config import Settings
from hub.contacts import codes, updates
from hub.contacts.updates import config_of, hook_secret
from hub.db import budget
from hub.resources import Hub, open_hub

log = structlog.get_logger()

_CANDIDATE_PAUSE = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0

_LOADING = threading.Lock()

_PATIENCE = 5.0
"""Seconds for what is being answered when the process is told to stop."""


def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; what is being answered is answered first."""
    logs.configure(settings.hub.log_level, role="bots")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_told(settings))


async def _until_told(settings: Settings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with heartbeat.beating() as ready:
        serving = asyncio.create_task(_opened(settings, stop, ready))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            # The database may be away, or a messenger silent: then what is stored waits for the next start.
            await asyncio.wait({serving}, timeout=_PATIENCE)
            serving.cancel()
        stopping.cancel()
        try:
            await serving
        except asyncio.CancelledError:
            log.info("bots.stopped_unfinished")


async def _opened(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    async with open_hub(settings, pool_size=budget.bots(settings)) as hub:
        ready()
        await serve(hub, stop)


async def serve(hub: Hub, stop: asyncio.Event) -> None:
    """Every bot there is, until `stop` is set. Without one it only waits."""
    bots = [account for account in hub.accounts.all() if _is_talked_to(account)]
    if not bots:
        log.info("bots.idle")
        await stop.wait()
        return
    log.info("bots.started", accounts=[account.name for account in bots])
    async with asyncio.TaskGroup() as group:
        group.create_task(_tidy(hub, stop))
        for account in bots:
            group.create_task(_keep(hub, account, stop))


def _is_talked_to(account: LiveAccount) -> bool:
    return account.enabled and (updates.has_bot(account) or updates.is_sandbox_bot(account))


async def _keep(hub: Hub, account: LiveAccount, stop: asyncio.Event) -> None:
    """One account for as long as the process lives, whatever happens to it."""
    pause = _FIRST_PAUSE
    while not stop.is_set():
        started = monotonic()
        try:
            if not await _lead(hub, account, stop):
                await wait(stop, _CANDIDATE_PAUSE)
            continue
        except DATABASE_AWAY as error:
            log.warning("bots.database_away", account=account.name, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 (the top: a bug in one account must not end the others)
            stack = "".join(traceback.format_tb(error.__traceback__))
            log.error("bots.failed", account=account.name, error=type(error).__name__, stack=stack)
        pause = _FIRST_PAUSE if monotonic() - started > _LONGEST_PAUSE else pause
        await wait(stop, pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _lead(hub: Hub, account: LiveAccount, stop: asyncio.Event) -> bool:
    """Receives and answers until `stop`, or until the lead is lost. False: another process leads."""
    async with leadership(hub.db, account.shop_id, account.name) as still:
        if still is None:
            return False
        if not await _loaded(account, stop):
            return True
        platform = make_platform(hub, account)
        try:
            await Bot(hub, account, platform).run(stop, still)
        finally:
            await platform.close()
    return True


async def _loaded(account: LiveAccount, stop: asyncio.Event) -> bool:
    """Once the framework is there that the account's bot needs, if any; False: told to stop meanwhile.

    In a thread: the seconds that it takes are none in which nobody else is answered and no heart beats.
    """
    if updates.is_sandbox_bot(account):
        return True
    loading = asyncio.create_task(asyncio.to_thread(_load, account.channel))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            loading.result()
        return loading.done()
    finally:
        loading.cancel()
        stopping.cancel()


def _load(channel: Channel) -> None:
    # One at a time: two threads inside packages that import each other may find them half made.
    with _LOADING:
        match channel:
            case Channel.TELEGRAM:
                import bots.telegram
            case Channel.VK:
                import bots.vk  # noqa: F401


def make_platform(hub: Hub, account: LiveAccount) -> Platform:
    """The messengers' frameworks are imported here, since they cost seconds and a hundred megabytes."""
    if updates.is_sandbox_bot(account):
        return SandboxBot(hub.db, account.shop_id, account.channel)
    config = config_of(hub, account)

    def url() -> str:
        shop = hub.shops[account.shop_id].slug
        return ascii_url(hooks.url_of(hub.signer, hub.settings.public_url, shop, account.name))

    def hook() -> tuple[str, str]:
        return url(), hook_secret(hub.signer, account)

    match account.channel:
        case Channel.TELEGRAM:
            from bots.telegram import TelegramBot

            return TelegramBot(cast("TelegramConfig", config), hub.http, hook)
        case Channel.MAX:
            return MaxBot(cast("MaxConfig", config), hub.http, hook)
        case Channel.VIBER:
            return ViberBot(cast("ViberApi", account.adapter), url)
        case Channel.VK:
            from bots.vk import VkBot

            return VkBot(cast("CommunityConfig", config), hub.http)
    raise ValueError(f"{account.channel} has no bots here")


async def _tidy(hub: Hub, stop: asyncio.Event) -> None:
    """Drops what nobody needs any more, once an hour."""
    while not stop.is_set():
        try:
            await codes.forget(hub.db)
        except DATABASE_AWAY as error:
            log.warning("bots.database_away", error=type(error).__name__)
        await wait(stop, 3600.0)
