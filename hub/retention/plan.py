"""What is old enough to go. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hub.config import Retention


class Kind(StrEnum):
    """The settings' words for what is kept."""

    NOTIFICATIONS = "notifications"
    ATTEMPTS = "attempts"
    EVENTS = "events"
    HEARD = "heard"
    BOT_UPDATES = "bot_updates"
    SANDBOX = "sandbox"
    ORDERS = "orders"
    CONSENTS = "consents"
    AUDIT = "audit"


TABLES: Mapping[Kind, Sequence[str]] = {
    Kind.ATTEMPTS: ("attempt", "receipt"),
    Kind.NOTIFICATIONS: ("delivery", "notification"),
    Kind.EVENTS: ("callback_attempt", "callback", "event", "shop_event"),
    Kind.AUDIT: ("audit",),
}
"""Of those cut by month, in the order in which they go: parts before the whole."""


@dataclass(frozen=True, slots=True)
class Times:
    """The shops' settings, by their numbers."""

    shops: Mapping[int, Retention]

    def of(self, shop_id: int, kind: Kind) -> timedelta:
        kept: timedelta = getattr(self.shops[shop_id], kind)
        return kept

    def longest(self, kind: Kind) -> timedelta:
        return max(self.of(shop_id, kind) for shop_id in self.shops)

    def before(self, shop_id: int, kind: Kind, now: datetime) -> datetime:
        """What is older than that goes."""
        return now - self.of(shop_id, kind)

    def all_before(self, kind: Kind, now: datetime) -> datetime:
        """What is older than that is kept by nobody: a month of it goes as a whole."""
        return now - self.longest(kind)

    def sooner(self, kind: Kind) -> list[int]:
        """Shops that do not keep it as long as others do: theirs goes row by row."""
        longest = self.longest(kind)
        return [shop_id for shop_id in self.shops if self.of(shop_id, kind) < longest]
