"""Which account carries a delivery, and why not the one that would have come first. Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from math import log
from uuid import UUID

from channels.base import Channel
from hub.accounts.book import AccountBook, LiveAccount, Need, NotSetUp
from hub.accounts.health import Pause

TRIAL_WAIT = timedelta(milliseconds=500)
"""Until a place at an account that comes back from a pause is looked for again."""


class Why(StrEnum):
    """Why the first choice did not carry a delivery."""

    PAUSED = "paused"
    """It had failed again and again."""
    REFUSED = "refused"
    """It was refused: credentials, balance, sender."""
    SLOW = "slow"
    NOT_SET_UP = "not_set_up"
    FAILED_BEFORE = "failed_before"
    """This very delivery, a moment ago."""
    COMING_BACK = "coming_back"
    """From a pause, with few calls at first."""
    REPEAT = "repeat"
    """Another account was called before and would recognise a repeat for what it is."""


@dataclass(frozen=True, slots=True)
class InsteadOf:
    """The account that was the first choice. `code` and `detail`: of the pause, or of what failed before."""

    account: str
    reason: Why
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """`instead_of`: None where this is the first choice."""

    account: LiveAccount
    instead_of: InsteadOf | None = None


@dataclass(frozen=True, slots=True)
class NoneUsable:
    """`until`: when the first of them may be tried again; None: there is no account at all.

    `refused`: they wait for a person (credentials, balance), not for a provider to recover.
    """

    until: datetime | None
    refused: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be carried. `key`: the delivery's id, the same at every repeat. `last`: the account that failed
    it before, and the `code` of that."""

    key: UUID
    shop_id: int
    channel: Channel
    need: Need
    last: str | None = None
    code: str = ""


def has_room(_account: LiveAccount) -> bool:
    """Of accounts that do not come back from a pause."""
    return True


def choose(
    book: AccountBook,
    wanted: Wanted,
    *,
    now: datetime,
    room: Callable[[LiveAccount], bool] = has_room,
) -> Choice | NoneUsable:
    """The first usable one in the delivery's own order; the one that failed it before comes behind the others.

    `room`: whether an account that comes back from a pause takes one more. One that is only slow is better than
    none.
    """
    order = _in_order(book, wanted)
    able = [a for a in order if isinstance(a, LiveAccount)]
    usable = [a for a in able if book.paused_until(a, now) is None]
    if not usable:
        usable = [a for a in able if _is_slow(book.pause_of(a))]
        if not usable:
            return _why_none(book, able, now)
    elif len(usable) > 1 or not _is_slow(book.pause_of(usable[0])):
        usable = [a for a in usable if room(a)]
        if not usable:
            return NoneUsable(now + TRIAL_WAIT)
    account = next((a for a in usable if a.name != wanted.last), usable[0])
    return Choice(account, _instead_of(book, order[0], account, wanted, now))


def carriers(
    book: AccountBook, shop_id: int, channel: Channel, need: Need, now: datetime
) -> Sequence[LiveAccount]:
    """Those that first tries to such an address are given to now: one, or those that share the work by weight."""
    able = [a for a in book.of(shop_id, channel) if a.carries(need)]
    usable = [a for a in able if book.paused_until(a, now) is None]
    usable = usable or [a for a in able if _is_slow(book.pause_of(a))]
    return [a for a in usable if a.weight] or usable[:1]


def is_plain(book: AccountBook, shop_id: int, channel: Channel) -> bool:
    """Whether every first try to one kind of address is given to the same account: none is paused or comes back, and
    no two of them share the work by weight."""
    accounts = book.of(shop_id, channel)
    return sum(1 for a in accounts if a.weight) <= 1 and not any(map(book.pause_of, accounts))


def again(book: AccountBook, wanted: Wanted, account: LiveAccount, *, now: datetime) -> Choice:
    """The account that was called before, since it would recognise the repeat."""
    first = next(iter(_in_order(book, wanted)), account)
    reason = _instead_of(book, first, account, wanted, now)
    if reason and reason.reason is Why.COMING_BACK:
        reason = InsteadOf(first.name, Why.REPEAT)
    return Choice(account, reason)


def recognises(
    book: AccountBook, shop_id: int, name: str | None, doubt_since: datetime | None, now: datetime
) -> LiveAccount | None:
    """The account that would know a repeat of an unclear call for what it is; None where none does (any
    more)."""
    account = book.get(shop_id, name) if name else None
    if account is None or not account.enabled or doubt_since is None:
        return None
    return account if now - doubt_since < account.deduplicates else None


def is_left(
    book: AccountBook, account: LiveAccount, needs: Collection[Need], now: datetime
) -> bool:
    """Whether nothing more is to be begun there: it is paused, and not only slow with nobody in its place."""
    if book.paused_until(account, now) is None:
        return False
    return not _is_slow(book.pause_of(account)) or has_stand_in(book, account, needs)


def has_stand_in(book: AccountBook, account: LiveAccount, needs: Collection[Need]) -> bool:
    """Whether another account, in use and well, carries the same."""
    return any(
        other.name != account.name
        and book.pause_of(other) is None
        and all(other.carries(need) for need in needs)
        for other in book.of(account.shop_id, account.channel)
    )


def _in_order(book: AccountBook, wanted: Wanted) -> Sequence[LiveAccount | NotSetUp]:
    """Those with a weight by chance, as heavy as they are, then the reserves as in the file."""
    able = [a for a in book.wanted(wanted.shop_id, wanted.channel) if a.carries(wanted.need)]
    heavy = [a for a in able if a.weight]
    if not heavy:
        return able
    if len(heavy) > 1:
        heavy.sort(key=lambda a: _draw(wanted.key, a.name, a.weight or 1))
    return [*heavy, *(a for a in able if not a.weight)]


def _draw(key: UUID, name: str, weight: int) -> float:
    """The least one of them wins. Each account draws for itself, from an exponential distribution of its weight's
    rate: so shares are as the weights, and where an account goes or comes nobody else's deliveries move."""
    drawn = int.from_bytes(blake2b(key.bytes + name.encode(), digest_size=8).digest())
    return -log((drawn + 1) / 2**64) / weight


def _instead_of(
    book: AccountBook,
    first: LiveAccount | NotSetUp,
    account: LiveAccount,
    wanted: Wanted,
    now: datetime,
) -> InsteadOf | None:
    if first is account:
        return None
    if isinstance(first, NotSetUp):
        return InsteadOf(first.name, Why.NOT_SET_UP, detail=f"set {', '.join(first.variables)}")
    pause = book.pause_of(first)
    if pause and pause.until > now:
        why = Why.REFUSED if pause.refused else Why.SLOW if pause.slow else Why.PAUSED
        return InsteadOf(first.name, why, pause.code, pause.reason)
    if first.name == wanted.last:
        return InsteadOf(first.name, Why.FAILED_BEFORE, wanted.code)
    return InsteadOf(first.name, Why.COMING_BACK)


def _is_slow(pause: Pause | None) -> bool:
    return pause is not None and pause.slow


def _why_none(book: AccountBook, able: Sequence[LiveAccount], now: datetime) -> NoneUsable:
    pauses = [p for p in map(book.pause_of, able) if p and p.until > now]
    if not pauses:
        return NoneUsable(None)
    soonest = min(pauses, key=lambda p: p.until)
    return NoneUsable(soonest.until, all(p.refused for p in pauses), soonest.code)
