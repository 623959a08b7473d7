"""What deliveries wait for, and whether it is worth handing them out now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from uuid import UUID

from channels.base import Channel
from hub.accounts.book import AccountBook, LiveAccount, Need
from hub.notifications.prepare import Prepared


@dataclass(frozen=True, slots=True)
class Route:
    """Deliveries of one route can be carried by the same accounts. `has_next`: another channel follows in their
    plans. `apart`: they are not all alike: those with an ordering key wait for each other, those that were tried before
    are tried together again."""

    channel: Channel
    need: Need
    has_next: bool
    apart: bool = False


@cache
def read(text: str) -> Route | None:
    """As `steps.add` writes it into the row; None: the row is of a version that wrote none."""
    parts = text.split("/")
    apart = parts[-1] == "apart"
    if len(parts) - apart != 4:
        return None
    channel, kind, provider, following = parts[:4]
    need = Need(kind or None, provider or None)
    return Route(Channel(channel), need, following == "next", apart)


class Way(StrEnum):
    OPEN = "open"
    TRIAL = "trial"
    """An account comes back from a pause: a few at a time show whether it is well."""
    CLOSED = "closed"
    """Everybody who could carry it is left alone for now."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`accounts`: those that would carry it now. `until`: what gives up its channel by then does not wait for the
    accounts; None where nothing is kept waiting."""

    way: Way
    accounts: tuple[LiveAccount, ...] = ()
    until: datetime | None = None


def standing(book: AccountBook, shop_id: int, route: Route | None, *, now: datetime) -> Standing:
    """By the same rules by which a worker chooses: what is kept waiting here it would give back."""
    if route is None:
        return Standing(Way.OPEN)
    able = [a for a in book.of(shop_id, route.channel) if a.carries(route.need)]
    well = tuple(a for a in able if (pause := book.pause_of(a)) is None or pause.slow)
    if well or not able:
        return Standing(Way.OPEN, well)
    pauses = [(a, pause) for a in able if (pause := book.pause_of(a))]
    back = tuple(a for a, pause in pauses if pause.until <= now)
    if back:
        return Standing(Way.TRIAL, back, now)
    if route.has_next and all(pause.refused for _, pause in pauses):
        # Another channel does it sooner than a person mends the account.
        return Standing(Way.OPEN)
    soonest = min(pause.until for _, pause in pauses)
    return Standing(Way.CLOSED, (), soonest if route.has_next else now)


def kept_waiting(book: AccountBook, made: Sequence[Prepared]) -> set[UUID]:
    """Those of these new notifications that no worker need look at yet."""
    if book.all_are_well:
        return set()
    now = datetime.now(UTC)

    @cache
    def is_open(shop_id: int, channel: str, provider: str | None, has_next: bool) -> bool:
        # The kind of address is not known here, so it counts as one that any account writes to.
        route = Route(Channel(channel), Need(provider=provider), has_next)
        return standing(book, shop_id, route, now=now).way is Way.OPEN

    def waits(prepared: Prepared) -> bool:
        providers = {t.address_id: t.provider for s in prepared.plan.steps for t in s.targets}
        return not any(
            is_open(d.shop_id, d.channel, providers.get(d.address_id), d.has_next)
            for d in prepared.deliveries
        )

    return {prepared.id for prepared in made if prepared.deliveries and waits(prepared)}
