"""Which account carries a delivery: the first usable one of the channel, another one after a failure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from channels.base import Channel
from hub.accounts.book import AccountBook, LiveAccount


@dataclass(frozen=True, slots=True)
class NoneUsable:
    """`until`: when the first of them may be tried again; None: there is no account at all.

    `refused`: they wait for a person (credentials, balance), not for a provider to recover.
    """

    until: datetime | None
    refused: bool = False
    code: str = ""


def choose(
    book: AccountBook,
    shop_id: int,
    channel: Channel,
    address_provider: str | None,
    *,
    last: str | None,
    now: datetime,
) -> LiveAccount | NoneUsable:
    """`last`: the account that failed this delivery before; the others come first."""
    able = [a for a in book.of(shop_id, channel) if a.carries(address_provider)]
    usable = [a for a in able if book.paused_until(a, now) is None]
    if not usable:
        return _why_none(book, able, now)
    return next((a for a in usable if a.name != last), usable[0])


def recognises(
    book: AccountBook, shop_id: int, name: str | None, doubt_since: datetime | None, now: datetime
) -> LiveAccount | None:
    """The account that would know a repeat of an unclear call for what it is; None where none does (any
    more)."""
    account = book.get(shop_id, name) if name else None
    if account is None or doubt_since is None or now - doubt_since >= account.deduplicates:
        return None
    return account


def _why_none(book: AccountBook, able: Sequence[LiveAccount], now: datetime) -> NoneUsable:
    pauses = [p for p in map(book.pause_of, able) if p and p.until > now]
    if not pauses:
        return NoneUsable(None)
    soonest = min(pauses, key=lambda p: p.until)
    return NoneUsable(soonest.until, all(p.refused for p in pauses), soonest.code)
