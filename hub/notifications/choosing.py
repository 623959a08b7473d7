"""Which account carries each delivery of a worker's jobs: the decisions of `hub.accounts.choice`, and how many are
at an account that comes back from a pause."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from channels.base import Category, Channel
from hub.accounts.book import AccountBook, LiveAccount, Need
from hub.accounts.breaker import Breaker
from hub.accounts.choice import (
    TRIAL_WAIT,
    Choice,
    NoneUsable,
    Wanted,
    again,
    choose,
    is_plain,
    recognises,
)
from hub.notifications.claims import Claimed

_STAYS_FOR = 3
"""Calls after which an order message leaves the account that would recognise a repeat of it."""
_STAYS_WITHIN = timedelta(seconds=20)
"""From the first of these calls to the next: after that it does not wait for a pause to end, either."""

Key = tuple[int, str]
"""Accounts have names that are unique in their shop only."""


class Chooser:
    """One per process."""

    def __init__(self, book: AccountBook, breaker: Breaker) -> None:
        self._book = book
        self._breaker = breaker
        self._on_trial: Counter[Key] = Counter()
        """Deliveries that are with an account which comes back from a pause, over all jobs."""

    @contextmanager
    def job(self) -> Iterator["Chosen"]:
        """What it chooses counts until the job is over, or its part of that account."""
        chosen = Chosen(self._book, self._has_room, self._on_trial)
        try:
            yield chosen
        finally:
            chosen.end()

    def _has_room(self, account: LiveAccount) -> bool:
        """Always, save on the way back from a pause."""
        return self._on_trial[account.shop_id, account.name] < self._breaker.allowed(account)


class Chosen:
    """What is chosen for one job's deliveries."""

    def __init__(
        self, book: AccountBook, has_room: Callable[[LiveAccount], bool], on_trial: Counter[Key]
    ) -> None:
        self._book = book
        self._has_room = has_room
        self._on_trial = on_trial
        self._taken: Counter[Key] = Counter()
        self._together: set[UUID] = set()
        self._plain: dict[tuple[int, Channel, str | None, str | None], Choice] = {}
        """What all first tries of one kind come to, while no account has a pause and none shares its work."""

    def choose(self, delivery: Claimed) -> Choice | NoneUsable:
        if delivery.attempt_count or delivery.doubt_since:
            return self._chosen(delivery)
        kind = (
            delivery.shop_id,
            delivery.channel,
            delivery.address_kind,
            delivery.address_provider,
        )
        known = self._plain.get(kind)
        if known:
            return known
        found = self._chosen(delivery)
        if isinstance(found, Choice) and is_plain(self._book, delivery.shop_id, delivery.channel):
            self._plain[kind] = found
        return found

    def _chosen(self, delivery: Claimed) -> Choice | NoneUsable:
        def room(account: LiveAccount) -> bool:
            # What was one call is recognised as a whole only.
            return delivery.doubt_call in self._together or self._has_room(account)

        found = _choice(self._book, delivery, room)
        if isinstance(found, Choice) and self._book.pause_of(found.account):
            key = (found.account.shop_id, found.account.name)
            self._taken[key] += 1
            self._on_trial[key] += 1
            if delivery.doubt_call:
                self._together.add(delivery.doubt_call)
        return found

    def ended(self, account: LiveAccount) -> None:
        """This job has nothing more with that account."""
        key = (account.shop_id, account.name)
        self._on_trial[key] -= self._taken.pop(key, 0)

    def end(self) -> None:
        self._on_trial -= self._taken
        self._taken.clear()


def _choice(
    book: AccountBook, delivery: Claimed, room: Callable[[LiveAccount], bool]
) -> Choice | NoneUsable:
    now = datetime.now(UTC)
    wanted = Wanted(
        delivery.id,
        delivery.shop_id,
        delivery.channel,
        Need(delivery.address_kind, delivery.address_provider),
        last=delivery.account if delivery.attempt_count else None,
        code=delivery.code or "",
    )
    doubt_since = delivery.doubt_since
    bound = recognises(book, delivery.shop_id, delivery.account, doubt_since, now)
    if bound and doubt_since and _stays(delivery):
        if book.pause_of(bound) is None:
            return again(book, wanted, bound, now=now)
        pause = book.paused_until(bound, now)
        if _waits(delivery, (pause or now) - doubt_since):
            if pause is None and room(bound):
                return again(book, wanted, bound, now=now)
            return NoneUsable(pause or now + TRIAL_WAIT)
    return choose(book, wanted, now=now, room=room)


def _stays(delivery: Claimed) -> bool:
    """Who breaks off call after call is down, and an order message had better come twice than late."""
    return delivery.category is Category.MARKETING or delivery.attempt_count < _STAYS_FOR


def _waits(delivery: Claimed, in_doubt: timedelta) -> bool:
    """So long for an account that is left alone, so that it may tell the repeat."""
    return delivery.category is Category.MARKETING or in_doubt < _STAYS_WITHIN
