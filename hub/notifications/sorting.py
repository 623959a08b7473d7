"""Of the deliveries just claimed: which go out by which account, which wait, which are over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from channels.base import Accepted, Category, Outcome
from hub.accounts.book import LiveAccount
from hub.accounts.choice import Choice, NoneUsable
from hub.config import Shop
from hub.notifications.claims import Claimed
from hub.notifications.model import DeliveryStatus, SkipReason
from hub.notifications.plan import consent_missing, quiet_until
from hub.notifications.settle import InHand, Settled, accepted, given_up, settle

log = structlog.get_logger()

_NO_ACCOUNT_WAIT = timedelta(seconds=30)
_SHORTEST_WAIT = timedelta(milliseconds=200)
_AFTER_A_BUG = timedelta(minutes=5)

AccountKey = tuple[int, str]
"""Accounts have names that are unique in their shop only, and a batch may be of several shops."""


@dataclass(slots=True)
class Sorted:
    """Every claimed delivery is in exactly one of these. `groups`: by shop and account; `held`: by quiet hours,
    until when."""

    groups: dict[AccountKey, tuple[LiveAccount, list[Claimed]]] = field(default_factory=dict)
    over: list[tuple[Claimed, Settled]] = field(default_factory=list)
    later: dict[UUID, timedelta] = field(default_factory=dict)
    held: dict[UUID, datetime] = field(default_factory=dict)


def sort_out(
    claimed: Sequence[Claimed],
    shop_of: Callable[[int], Shop | None],
    choose: Callable[[Claimed], Choice | NoneUsable],
    *,
    now: datetime,
) -> Sorted:
    """`shop_of`: None for a shop that this process's settings do not have."""
    found = Sorted()
    for delivery in claimed:
        shop = shop_of(delivery.shop_id)
        if shop is None:
            # Settings change machine by machine: another worker may know it.
            found.later[delivery.id] = _NO_ACCOUNT_WAIT
            continue
        try:
            _sort(delivery, shop, choose, found, now)
        except Exception:
            # What is stored of one person must not hold up all others.
            log.exception("delivery.cannot_be_sorted", delivery=str(delivery.id))
            if now < delivery.give_up_at:
                found.later[delivery.id] = _AFTER_A_BUG
            else:
                found.over.append((delivery, given_up(in_hand(delivery), now=now, code="bug")))
    return found


def _sort(
    delivery: Claimed,
    shop: Shop,
    choose: Callable[[Claimed], Choice | NoneUsable],
    found: Sorted,
    now: datetime,
) -> None:
    if ended := ended_before_sending(delivery, now):
        found.over.append((delivery, ended))
    elif quiet := quiet_until(delivery.category, delivery.contact, shop, at=now):
        found.held[delivery.id] = quiet
    else:
        _with_account(delivery, choose(delivery), found, now)


def _with_account(
    delivery: Claimed,
    choice: Choice | NoneUsable,
    found: Sorted,
    now: datetime,
) -> None:
    if isinstance(choice, Choice):
        account = choice.account
        if _may_double(delivery, account, now):
            if delivery.category is Category.MARKETING:
                found.over.append((delivery, left_unknown(delivery)))
                return
            delivery = delivery._replace(maybe_duplicate=True)
        if choice.instead_of:
            delivery = delivery._replace(instead_of=choice.instead_of)
        key = (account.shop_id, account.name)
        found.groups.setdefault(key, (account, []))[1].append(delivery)
    elif _leaves_channel(delivery, choice, now):
        found.over.append((delivery, _no_way(delivery, choice, now)))
    else:
        wait = choice.until - now if choice.until else _NO_ACCOUNT_WAIT
        found.later[delivery.id] = max(wait, _SHORTEST_WAIT)


def _may_double(delivery: Claimed, account: LiveAccount, now: datetime) -> bool:
    """An earlier call may have arrived, and this account would not recognise the repeat."""
    if delivery.doubt_since is None:
        return False
    same = account.name == delivery.account
    return not (same and now - delivery.doubt_since < account.deduplicates)


def not_recognised(call: Sequence[Claimed], account: LiveAccount) -> list[Claimed]:
    """Those of the call that may be doubles: the provider recognises it only as a whole, and it is not the one that
    got no clear answer."""
    doubtful = [d for d in call if d.doubt_since and d.account == account.name]
    known = {(d.doubt_call, d.doubt_size) for d in doubtful}
    if len(doubtful) == len(call) and len(known) == 1 and known.pop()[1] == len(call):
        return []
    return [d for d in doubtful if not d.maybe_duplicate]


def too_late(call: Sequence[Claimed], account: LiveAccount, now: datetime) -> bool:
    """Whether one of them was to be a repeat that the provider recognises, and has waited for its turn so long that it
    would not be any more."""
    return any(
        d.doubt_since
        and d.account == account.name
        and not d.maybe_duplicate
        and not account.in_time(d.doubt_since, now)
        for d in call
    )


def left_unknown(delivery: Claimed) -> Settled:
    """Nobody can tell whether it went out, and it is not sent again."""
    return Settled(
        delivery.id, DeliveryStatus.UNKNOWN, reason="maybe_sent", code=delivery.code or None
    )


def _no_way(delivery: Claimed, none: NoneUsable, now: datetime) -> Settled:
    reason = "no_account" if none.until is None else "account_paused"
    return given_up(
        in_hand(delivery), now=now, reason=reason, code=none.code or delivery.code or None
    )


def ended_before_sending(delivery: Claimed, now: datetime) -> Settled | None:
    """What has changed since it was planned: the time, what is newer, the address, a suppression, the consent."""
    if delivery.expires_at and now >= delivery.expires_at:
        return given_up(in_hand(delivery), now=now, code=delivery.code)
    if delivery.superseded:
        if _perhaps_sent(delivery):
            return left_unknown(delivery)
        return Settled(delivery.id, DeliveryStatus.COLLAPSED, reason="collapsed")
    ended = _ended_here(delivery, now)
    if ended and delivery.doubt_since and delivery.category is Category.MARKETING:
        # By another channel it would perhaps be the second.
        return left_unknown(delivery)
    return ended


def _perhaps_sent(delivery: Claimed) -> bool:
    # Since such a call another account may have been called, too.
    return delivery.doubt_since is not None or delivery.maybe_duplicate


def _ended_here(delivery: Claimed, now: datetime) -> Settled | None:
    """On this channel: another one may still carry it."""
    if delivery.value is None:
        return Settled(delivery.id, DeliveryStatus.FAILED, reason="no_address")
    if not delivery.verified:
        return Settled(delivery.id, DeliveryStatus.SUPPRESSED, reason=SkipReason.UNVERIFIED)
    if delivery.suppressed:
        return Settled(delivery.id, DeliveryStatus.SUPPRESSED, reason="suppressed")
    missing = consent_missing(delivery.channel, delivery.category, delivery.contact)
    if missing:
        return Settled(delivery.id, DeliveryStatus.SUPPRESSED, reason=missing)
    if delivery.waited_out or (now >= delivery.give_up_at and delivery.attempt_count):
        return given_up(in_hand(delivery), now=now, code=delivery.code)
    return None


def _leaves_channel(delivery: Claimed, none: NoneUsable, now: datetime) -> bool:
    """Nobody will carry it here in time: no account, no time left, or another channel could do it sooner
    than a person mends this account."""
    if none.until is None or now >= delivery.give_up_at:
        return True
    return delivery.has_next and (none.refused or none.until >= delivery.give_up_at)


def not_waiting(delivery: Claimed, wait: timedelta, now: datetime) -> Settled | None:
    """As of an account that is paused: the provider asked for so much patience that another channel can do it sooner.
    None: it waits, or there is none."""
    if not delivery.has_next or now + wait < delivery.give_up_at:
        return None
    return given_up(in_hand(delivery), now=now, code="throttled")


def came_to(
    delivery: Claimed, account: LiveAccount, outcome: Outcome, *, now: datetime, jitter: float
) -> Settled:
    """What becomes of it after a call to that account. `jitter`: see `settle`."""
    if isinstance(outcome, Accepted):
        return accepted(delivery.id, outcome, maybe_duplicate=delivery.maybe_duplicate)
    return settle(in_hand(delivery, account), outcome, now=now, jitter=jitter)


def in_hand(delivery: Claimed, account: LiveAccount | None = None) -> InHand:
    """`account`: the one that was called, if one was."""
    same = account is not None and account.name == delivery.account
    return InHand(
        id=delivery.id,
        category=delivery.category,
        channel=delivery.channel,
        attempt_count=delivery.attempt_count,
        give_up_at=delivery.give_up_at,
        expires_at=delivery.expires_at,
        deduplicates=account.deduplicates if account else timedelta(0),
        doubt_since=delivery.doubt_since if same else None,
        maybe_duplicate=delivery.maybe_duplicate,
        perhaps_sent=_perhaps_sent(delivery),
    )
