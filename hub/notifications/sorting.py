"""Of the deliveries just claimed: which go out by which account, which wait, which are over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from hub.accounts.book import LiveAccount
from hub.accounts.choice import NoneUsable
from hub.config import Shop
from hub.notifications.claims import Claimed
from hub.notifications.model import DeliveryStatus
from hub.notifications.plan import consent_missing, quiet_until
from hub.notifications.settle import InHand, Settled, given_up

_NO_ACCOUNT_WAIT = timedelta(seconds=30)
_SHORTEST_WAIT = timedelta(milliseconds=200)


@dataclass(slots=True)
class Sorted:
    """Every claimed delivery is in exactly one of these."""

    groups: dict[str, tuple[LiveAccount, list[Claimed]]] = field(default_factory=dict)
    over: list[tuple[Claimed, Settled]] = field(default_factory=list)
    later: dict[UUID, timedelta] = field(default_factory=dict)


def sort_out(
    claimed: Sequence[Claimed],
    shop_of: Callable[[int], Shop],
    choose: Callable[[Claimed, dict[str, int]], LiveAccount | NoneUsable],
    *,
    now: datetime,
) -> Sorted:
    """`choose` gets the delivery and how many each account has been given already."""
    found = Sorted()
    taken: dict[str, int] = {}
    for delivery in claimed:
        ended = ended_before_sending(delivery, now)
        quiet = quiet_until(delivery.category, delivery.contact, shop_of(delivery.shop_id), at=now)
        if ended:
            found.over.append((delivery, ended))
        elif quiet:
            found.later[delivery.id] = quiet - now
        else:
            _with_account(delivery, choose(delivery, taken), found, taken, now)
    return found


def _with_account(
    delivery: Claimed,
    account: LiveAccount | NoneUsable,
    found: Sorted,
    taken: dict[str, int],
    now: datetime,
) -> None:
    if isinstance(account, LiveAccount):
        taken[account.name] = taken.get(account.name, 0) + 1
        found.groups.setdefault(account.name, (account, []))[1].append(delivery)
    elif _leaves_channel(delivery, account, now):
        reason = "no_account" if account.until is None else "account_paused"
        settled = Settled(
            delivery.id, DeliveryStatus.FAILED, reason=reason, code=account.code or delivery.code
        )
        found.over.append((delivery, settled))
    else:
        wait = account.until - now if account.until else _NO_ACCOUNT_WAIT
        found.later[delivery.id] = max(wait, _SHORTEST_WAIT)


def ended_before_sending(delivery: Claimed, now: datetime) -> Settled | None:
    """What has changed since it was planned: the time, the address, a suppression, the consent."""
    if delivery.expires_at and now >= delivery.expires_at:
        return given_up(in_hand(delivery), now=now, code=delivery.code)
    if delivery.value is None:
        return Settled(delivery.id, DeliveryStatus.FAILED, reason="no_address")
    if delivery.suppressed:
        return Settled(delivery.id, DeliveryStatus.SUPPRESSED, reason="suppressed")
    missing = consent_missing(delivery.channel, delivery.category, delivery.contact)
    if missing:
        return Settled(delivery.id, DeliveryStatus.SUPPRESSED, reason=missing)
    if now >= delivery.give_up_at and delivery.attempt_count:
        return given_up(in_hand(delivery), now=now, code=delivery.code)
    return None


def _leaves_channel(delivery: Claimed, none: NoneUsable, now: datetime) -> bool:
    """Nobody will carry it here in time: no account, no time left, or another channel could do it sooner
    than a person mends this account."""
    if none.until is None or now >= delivery.give_up_at:
        return True
    return delivery.has_next and (none.refused or none.until >= delivery.give_up_at)


def in_hand(delivery: Claimed, deduplicates: timedelta = timedelta(0)) -> InHand:
    return InHand(
        id=delivery.id,
        category=delivery.category,
        channel=delivery.channel,
        attempt_count=delivery.attempt_count,
        give_up_at=delivery.give_up_at,
        expires_at=delivery.expires_at,
        deduplicates=deduplicates,
        maybe_duplicate=delivery.maybe_duplicate,
    )
