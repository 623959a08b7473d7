"""The accounts of every shop, in the order in which they are used, with their adapters."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

from channels.base import Adapter, Asks, Channel, Limits, Merging, Tells, WholeCalls
from channels.http import ProviderHttp
from channels.registry import SANDBOX, address_kinds, build, described, usual_address
from channels.sandbox import Sandbox
from hub.accounts import health, sandbox
from hub.config import SLOW_AFTER, Account, AccountLimits
from hub.db.pool import Pool
from hub.shops.registry import Shop

_IN_HAND = timedelta(seconds=5)
"""What a message mostly takes from being claimed until it is there, however busy the worker is."""
_UNDER_WAY = timedelta(seconds=1)
"""What a call takes to arrive, and what two clocks may differ."""


@dataclass(frozen=True, slots=True)
class Need:
    """What an address asks of the account that writes to it: its own kind, and of a push device its own provider.
    An address that is gone asks for nothing."""

    kind: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class LiveAccount:
    """One account ready to send. `name` is unique in its shop, `place` the one in its settings.

    One that is not `enabled` sends nothing more; what it sent is followed as ever.
    """

    shop_id: int
    name: str
    channel: Channel
    provider: str
    adapter: Adapter
    limits: Limits
    enabled: bool = True
    weight: int | None = None
    place: int = 0
    shared: str | None = None
    slow_after: timedelta = SLOW_AFTER
    # Looked at once: at every message it would cost more than the message.
    asks: Asks | None = field(init=False, repr=False)
    """The adapter, where its provider has to be asked what became of a message."""
    whole_calls: bool = field(init=False, repr=False)
    merges: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        asks = self.adapter if isinstance(self.adapter, Asks) else None
        object.__setattr__(self, "asks", asks)
        object.__setattr__(self, "whole_calls", isinstance(self.adapter, WholeCalls))
        object.__setattr__(self, "merges", isinstance(self.adapter, Merging))

    @property
    def tells(self) -> Tells:
        return self.adapter.tells

    @property
    def deduplicates(self) -> timedelta:
        """For how long after a call a repeat of it may be decided on: what is left of the provider's own time is for
        rendering it, for its turn and for its way."""
        return max(self.adapter.deduplicates - _IN_HAND, timedelta(0))

    def in_time(self, first: datetime, now: datetime) -> bool:
        """Whether the provider still recognises the repeat of a call of that time, if it is made now."""
        return now - first < self.adapter.deduplicates - _UNDER_WAY

    @property
    def key(self) -> str:
        """Unique over shops."""
        return f"{self.shop_id}:{self.name}"

    @property
    def bucket(self) -> str:
        """What its calls are counted under; its own, or that of all accounts of one customer."""
        return f"shared:{self.shared}" if self.shared else self.key

    @property
    def kinds(self) -> Collection[str]:
        """Of the addresses that it writes to."""
        return _kinds(self.channel, self.provider)

    def carries(self, need: Need) -> bool:
        return _carries(self.channel, self.provider, need)


@dataclass(frozen=True, slots=True)
class NotSetUp:
    """An account without its credentials: it keeps its place and carries nothing. `variables`: to be set."""

    shop_id: int
    name: str
    channel: Channel
    provider: str
    variables: tuple[str, ...]
    enabled: bool = True
    weight: int | None = None
    place: int = 0

    def carries(self, need: Need) -> bool:
        """What it would carry."""
        return _carries(self.channel, self.provider, need)


def _carries(channel: Channel, provider: str, need: Need) -> bool:
    """Push addresses belong to one provider; all others go by any account that writes to their kind."""
    if need.provider is not None and provider not in (need.provider, SANDBOX):
        return False
    return need.kind is None or need.kind in _kinds(channel, provider)


def _kinds(channel: Channel, provider: str) -> Collection[str]:
    if provider == SANDBOX:
        return address_kinds(channel)
    return (described(channel, provider).address or usual_address(channel),)


_ByChannel = dict[tuple[int, Channel], tuple[LiveAccount, ...]]


class AccountBook:
    """Built once per process. A shop whose settings name no account has every channel carried by the sandbox;
    accounts that are off or not set up do not bring it back."""

    def __init__(self, shops: Mapping[int, Shop], http: ProviderHttp, db: Pool) -> None:
        self._by_name: dict[tuple[int, str], LiveAccount] = {}
        self._by_channel: _ByChannel = {}
        self._not_set_up: dict[tuple[int, Channel], tuple[NotSetUp, ...]] = {}
        self._pauses: Mapping[tuple[int, str], health.Pause] = {}
        found: list[LiveAccount] = []
        for shop in shops.values():
            for place, account in enumerate(shop.settings.accounts or _all_sandbox()):
                if account.not_set:
                    key = (shop.id, account.channel)
                    missing = _not_set_up(shop.id, place, account)
                    self._not_set_up[key] = (*self._not_set_up.get(key, ()), missing)
                else:
                    found.append(_live(shop.id, place, account, http, db))
        for live in _at_one_pace(found):
            self._by_name[live.shop_id, live.name] = live
            if live.enabled:
                key = (live.shop_id, live.channel)
                self._by_channel[key] = (*self._by_channel.get(key, ()), live)

    def of(self, shop_id: int, channel: Channel) -> Sequence[LiveAccount]:
        """Those that may send, in the order of the settings file."""
        return self._by_channel.get((shop_id, channel), ())

    def wanted(self, shop_id: int, channel: Channel) -> Sequence[LiveAccount | NotSetUp]:
        """As `of`, and between them those that would, were they set up."""
        live, missing = self.of(shop_id, channel), self._not_set_up.get((shop_id, channel), ())
        if not any(account.enabled for account in missing):
            return live
        both: list[LiveAccount | NotSetUp] = [*live, *(one for one in missing if one.enabled)]
        return sorted(both, key=lambda one: one.place)

    def listed(self, shop_id: int) -> Sequence[LiveAccount | NotSetUp]:
        """All of the shop, also what is off or not set up, in the order of the settings file."""
        found: list[LiveAccount | NotSetUp] = [*self._by_name.values()]
        for missing in self._not_set_up.values():
            found += missing
        return sorted((one for one in found if one.shop_id == shop_id), key=lambda one: one.place)

    def kinds(self, shop_id: int, channel: Channel) -> Collection[str]:
        """Of the addresses that the shop's accounts on this channel write to."""
        return {kind for account in self.of(shop_id, channel) for kind in account.kinds}

    def get(self, shop_id: int, name: str) -> LiveAccount | None:
        """Also one that is off: it may have sent what this is about."""
        return self._by_name.get((shop_id, name))

    def all(self) -> Sequence[LiveAccount]:
        """Also those that are off."""
        return tuple(self._by_name.values())

    async def refresh(self, db: Pool) -> None:
        """Learns which accounts are paused; every process does so once a second."""
        self._pauses = await health.pauses(db)

    @property
    def all_are_well(self) -> bool:
        return not self._pauses

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


def _live(shop_id: int, place: int, account: Account, http: ProviderHttp, db: Pool) -> LiveAccount:
    adapter: Adapter
    if account.provider == SANDBOX:
        keep, change = sandbox.keeper(db, shop_id), sandbox.changer(db, shop_id)
        adapter = cast("Adapter", Sandbox(account.channel, keep, change))
    else:
        adapter = build(account.channel, account.provider, account.config, http)
    return LiveAccount(
        shop_id,
        account.name,
        account.channel,
        account.provider,
        adapter,
        _merged(adapter.limits, account.limits),
        enabled=account.enabled,
        weight=account.weight,
        place=place,
        shared=account.limits.shared,
        slow_after=account.slow_after,
    )


def _not_set_up(shop_id: int, place: int, account: Account) -> NotSetUp:
    return NotSetUp(
        shop_id,
        account.name,
        account.channel,
        account.provider,
        account.not_set,
        enabled=account.enabled,
        weight=account.weight,
        place=place,
    )


def _at_one_pace(accounts: Sequence[LiveAccount]) -> Iterator[LiveAccount]:
    """A bucket has one rate: those that share it go at the pace of the slowest of them."""
    rates: dict[str, float] = {}
    for one in accounts:
        if one.shared and one.enabled and (rate := one.limits.per_second):
            rates[one.shared] = min(rate, rates.get(one.shared, rate))
    for one in accounts:
        if one.shared in rates:
            yield replace(one, limits=replace(one.limits, per_second=rates[one.shared]))
        else:
            yield one


def _merged(default: Limits, own: AccountLimits) -> Limits:
    return Limits(
        per_second=own.per_second or default.per_second,
        per_recipient=(default.per_recipient if own.per_recipient is None else own.per_recipient),
        concurrency=own.concurrency or default.concurrency,
    )
