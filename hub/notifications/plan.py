"""Which channels a notification takes, in which order, and why not the others. Pure: no I/O, no clock."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import orjson

from channels.base import Category, Channel, Tells
from hub.config import QuietHours, Shop
from hub.contacts.addresses import KIND_OF, KINDS_OF, Kind
from hub.notifications.model import (
    AccountFacts,
    AddressFacts,
    Ask,
    ContactFacts,
    Plan,
    Skipped,
    SkipReason,
    Step,
    Strategy,
    Target,
)

_FURTHEST = (Tells.SENT, Tells.DELIVERED, Tells.READ)


def make_plan(
    ask: Ask,
    contact: ContactFacts,
    shop: Shop,
    *,
    variants: Collection[Channel],
    accounts: Mapping[Channel, Sequence[AccountFacts]],
    now: datetime,
) -> Plan:
    """`variants`: the channels for which there is something to render. `accounts`: per channel in the order
    in which they are used."""
    steps, skipped = [], []
    for channel in _order(ask, contact, shop):
        found = _targets(channel, ask, contact, shop, variants, accounts)
        if isinstance(found, SkipReason):
            skipped.append(Skipped(channel, found))
        else:
            targets, carriers = found
            steps.append(_step(channel, targets, ask, carriers))
    held = quiet_until(ask.category, contact, shop, at=max(now, ask.send_at or now))
    shown = orjson.dumps([{"channel": s.channel, "reason": s.reason} for s in skipped])
    return Plan(tuple(steps), tuple(skipped), held if steps else None, shown)


def _order(ask: Ask, contact: ContactFacts, shop: Shop) -> list[Channel]:
    """Every channel once: first the person's order, then the request's, then the shop's, then the rest."""
    preferred = contact.preferences.get(ask.category, ())
    wanted = [*preferred, *(ask.channels or ()), *shop.channels.of(ask.category), *Channel]
    return list(dict.fromkeys(wanted))


def _targets(
    channel: Channel,
    ask: Ask,
    contact: ContactFacts,
    shop: Shop,
    variants: Collection[Channel],
    accounts: Mapping[Channel, Sequence[AccountFacts]],
) -> tuple[list[Target], list[AccountFacts]] | SkipReason:
    """Where to write on this channel and by which accounts, or the first reason not to: what the person lacks comes
    before what somebody decided."""
    addresses, carriers = _of_one_kind(channel, contact, accounts.get(channel, ()))
    if not addresses:
        return SkipReason.NO_ADDRESS
    if channel not in shop.channels.of(ask.category):
        return SkipReason.NOT_ALLOWED
    if ask.channels is not None and channel not in ask.channels:
        return SkipReason.NOT_REQUESTED
    preferred = contact.preferences.get(ask.category)
    if preferred is not None and channel not in preferred:
        return SkipReason.NOT_IN_PREFERENCE
    reachable = [a for a in addresses if any(x.carries(a) for x in carriers)]
    if not reachable:
        return SkipReason.NO_ACCOUNT
    if channel not in variants:
        return SkipReason.NO_TEMPLATE
    if blocked := _blocked(channel, ask.category, contact, reachable):
        return blocked
    good = [a for a in reachable if a.verified and channel not in a.suppressed]
    return [Target(a.id, a.value, a.provider) for a in good], carriers


def _of_one_kind(
    channel: Channel, contact: ContactFacts, accounts: Sequence[AccountFacts]
) -> tuple[list[AddressFacts], list[AccountFacts]]:
    """The person's addresses of the first kind, in the accounts' order, of which there is one, and the accounts that
    write to it. Without any account an address of every kind will do, so that it is the account that is missed."""
    held = {address.kind for address in contact.addresses}
    wanted = [kind for account in accounts for kind in _kinds(channel, account)]
    for kind in wanted or KINDS_OF[channel]:
        if kind in held:
            addresses = [a for a in contact.addresses if a.kind == kind]
            return addresses, [a for a in accounts if kind in _kinds(channel, a)]
    return [], []


def _kinds(channel: Channel, account: AccountFacts) -> tuple[Kind, ...]:
    return account.kinds or (KIND_OF[channel],)


def _blocked(
    channel: Channel, category: Category, contact: ContactFacts, addresses: Sequence[AddressFacts]
) -> SkipReason | None:
    verified = [a for a in addresses if a.verified]
    if not verified:
        return SkipReason.UNVERIFIED
    if all(channel in a.suppressed for a in verified):
        return SkipReason.SUPPRESSED
    return consent_missing(channel, category, contact)


def consent_missing(
    channel: Channel, category: Category, contact: ContactFacts
) -> SkipReason | None:
    """Marketing needs a consent for the channel; whoever left is told apart from who never came."""
    if category is not Category.MARKETING:
        return None
    match contact.consents.get((category, channel)):
        case "subscribed":
            return None
        case "unsubscribed":
            return SkipReason.UNSUBSCRIBED
        case _:
            return SkipReason.NO_CONSENT


def _step(
    channel: Channel, targets: list[Target], ask: Ask, accounts: Sequence[AccountFacts]
) -> Step:
    if ask.strategy is not Strategy.CASCADE:
        return Step(channel, tuple(targets))
    tells = max((a.tells for a in accounts), key=_FURTHEST.index)
    return Step(channel, tuple(targets), min(ask.until, tells, key=_FURTHEST.index), ask.wait)


def quiet_until(
    category: Category, contact: ContactFacts, shop: Shop, *, at: datetime
) -> datetime | None:
    """When the quiet hours that `at` falls into end, in UTC; None outside them."""
    quiet = contact.quiet_hours or shop.quiet_hours
    if quiet is None or category is Category.SECURITY:
        return None
    if quiet.categories is not None and category not in quiet.categories:
        return None
    return _end_of_quiet(quiet, at, ZoneInfo(contact.timezone) if contact.timezone else shop.zone)


def _end_of_quiet(quiet: QuietHours, at: datetime, zone: ZoneInfo) -> datetime | None:
    local = at.astimezone(zone)
    clock = local.time().replace(tzinfo=None)
    if quiet.start < quiet.end:
        inside, days = quiet.start <= clock < quiet.end, 0
    else:
        inside = clock >= quiet.start or clock < quiet.end
        days = 1 if clock >= quiet.start else 0
    if not inside:
        return None
    # Wall time, so that a change to summer time in the night does not move the morning.
    morning = datetime.combine(local.date() + timedelta(days=days), quiet.end, tzinfo=zone)
    if morning.astimezone(UTC) <= at:
        # The clocks went back and that time of day comes twice: it is the second one that is meant.
        morning = morning.replace(fold=1)
    return morning.astimezone(UTC)
