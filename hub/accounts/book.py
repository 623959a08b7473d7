"""The accounts of every shop, in the order in which they are used, with their adapters."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from channels.base import Adapter, Channel, Limits, Tells
from channels.http import ProviderHttp
from channels.registry import SANDBOX, build
from channels.sandbox import Sandbox
from hub.accounts import health, sandbox
from hub.config import Account, AccountLimits
from hub.db.pool import Pool
from hub.shops.registry import Shop


@dataclass(frozen=True, slots=True)
class LiveAccount:
    """One account ready to send. `name` is unique in its shop."""

    shop_id: int
    name: str
    channel: Channel
    provider: str
    adapter: Adapter
    limits: Limits

    @property
    def tells(self) -> Tells:
        return self.adapter.tells

    @property
    def deduplicates(self) -> timedelta:
        return self.adapter.deduplicates

    def carries(self, address_provider: str | None) -> bool:
        """Push addresses belong to one provider; all others go by any account of their channel."""
        return address_provider is None or self.provider in (address_provider, SANDBOX)


class AccountBook:
    """Built once per process. A shop without any account has every channel carried by the sandbox."""

    def __init__(self, shops: Mapping[int, Shop], http: ProviderHttp, db: Pool) -> None:
        self._by_name: dict[tuple[int, str], LiveAccount] = {}
        self._by_channel: dict[tuple[int, Channel], tuple[LiveAccount, ...]] = {}
        self._pauses: Mapping[tuple[int, str], health.Pause] = {}
        for shop in shops.values():
            for account in shop.settings.accounts or _all_sandbox():
                live = _live(shop.id, account, http, db)
                key = (shop.id, account.channel)
                self._by_name[shop.id, account.name] = live
                self._by_channel[key] = (*self._by_channel.get(key, ()), live)

    def of(self, shop_id: int, channel: Channel) -> Sequence[LiveAccount]:
        """In the order of the settings file: the first usable one is taken."""
        return self._by_channel.get((shop_id, channel), ())

    def get(self, shop_id: int, name: str) -> LiveAccount | None:
        return self._by_name.get((shop_id, name))

    def all(self) -> Sequence[LiveAccount]:
        return tuple(self._by_name.values())

    async def refresh(self, db: Pool) -> None:
        """Learns which accounts are paused; every process does so once a second."""
        self._pauses = await health.pauses(db)

    def paused_until(self, account: LiveAccount, now: datetime) -> datetime | None:
        """None: usable. A pause that has run out leaves the account on trial until a call succeeds."""
        pause = self._pauses.get((account.shop_id, account.name))
        return pause.until if pause and pause.until > now else None

    def pause_of(self, account: LiveAccount) -> health.Pause | None:
        """The pause that was not yet lifted by a success, run out or not."""
        return self._pauses.get((account.shop_id, account.name))

    async def close(self) -> None:
        async with AsyncExitStack() as stack:
            for account in self._by_name.values():
                stack.push_async_callback(account.adapter.close)


def _all_sandbox() -> list[Account]:
    return [
        Account(name=f"sandbox-{channel}", channel=channel, provider=SANDBOX) for channel in Channel
    ]


def _live(shop_id: int, account: Account, http: ProviderHttp, db: Pool) -> LiveAccount:
    adapter: Adapter
    if account.provider == SANDBOX:
        keep, change = sandbox.keeper(db, shop_id), sandbox.changer(db, shop_id)
        adapter = cast("Adapter", Sandbox(account.channel, keep, change))
    else:
        adapter = build(account.channel, account.provider, account.config, http)
    limits = _merged(adapter.limits, account.limits)
    return LiveAccount(shop_id, account.name, account.channel, account.provider, adapter, limits)


def _merged(default: Limits, own: AccountLimits) -> Limits:
    return Limits(
        per_second=own.per_second or default.per_second,
        per_recipient=(default.per_recipient if own.per_recipient is None else own.per_recipient),
        concurrency=own.concurrency or default.concurrency,
    )
