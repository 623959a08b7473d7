"""What a notification, its plan and its deliveries are, and which way their status may move."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from channels.base import Category, Channel, Tells
from hub.config import QuietHours
from hub.contacts.addresses import Kind


class DeliveryStatus(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    COLLAPSED = "collapsed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class NotificationStatus(StrEnum):
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    COLLAPSED = "collapsed"
    UNDELIVERABLE = "undeliverable"


class Strategy(StrEnum):
    FIRST = "first"
    CASCADE = "cascade"
    ALL = "all"


class SkipReason(StrEnum):
    NO_ADDRESS = "no_address"
    UNVERIFIED = "unverified"
    SUPPRESSED = "suppressed"
    NO_CONSENT = "no_consent"
    UNSUBSCRIBED = "unsubscribed"
    NOT_IN_PREFERENCE = "not_in_preference"
    NOT_REQUESTED = "not_requested"
    NO_ACCOUNT = "no_account"
    NO_TEMPLATE = "no_template"
    NOT_ALLOWED = "not_allowed"


ACTIVE = frozenset({DeliveryStatus.QUEUED, DeliveryStatus.SENDING})
REACHED = (DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ)

GAVE_UP = "gave_up"
"""The reason of a delivery that had no more time on its channel. It opens the next one also where it is `unknown`."""

# Receipts come late, twice and out of order: a status moves only along these.
MOVES: Mapping[DeliveryStatus, frozenset[DeliveryStatus]] = {
    DeliveryStatus.QUEUED: frozenset(
        {
            DeliveryStatus.SENDING,
            # A call that seemed to come to nothing had arrived after all: no need for another one.
            DeliveryStatus.DELIVERED,
            DeliveryStatus.READ,
            DeliveryStatus.SUPPRESSED,
            DeliveryStatus.COLLAPSED,
            DeliveryStatus.CANCELLED,
            DeliveryStatus.EXPIRED,
            DeliveryStatus.FAILED,
        }
    ),
    DeliveryStatus.SENDING: frozenset(
        {
            DeliveryStatus.QUEUED,
            DeliveryStatus.SENT,
            DeliveryStatus.DELIVERED,
            DeliveryStatus.READ,
            DeliveryStatus.FAILED,
            DeliveryStatus.UNKNOWN,
            DeliveryStatus.SUPPRESSED,
            DeliveryStatus.EXPIRED,
        }
    ),
    DeliveryStatus.SENT: frozenset(
        {DeliveryStatus.DELIVERED, DeliveryStatus.READ, DeliveryStatus.FAILED}
    ),
    # What was reported delivered may still be reported undelivered (a bounce after the server took it).
    DeliveryStatus.DELIVERED: frozenset({DeliveryStatus.READ, DeliveryStatus.FAILED}),
    DeliveryStatus.READ: frozenset(),
    # The provider remembers what we do not.
    DeliveryStatus.UNKNOWN: frozenset(
        {
            DeliveryStatus.SENT,
            DeliveryStatus.DELIVERED,
            DeliveryStatus.READ,
            DeliveryStatus.FAILED,
        }
    ),
    DeliveryStatus.FAILED: frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.READ}),
    DeliveryStatus.SUPPRESSED: frozenset(),
    DeliveryStatus.COLLAPSED: frozenset(),
    DeliveryStatus.CANCELLED: frozenset(),
    DeliveryStatus.EXPIRED: frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.READ}),
}


def may_move(now: DeliveryStatus, to: DeliveryStatus) -> bool:
    return to in MOVES[now]


# How long one thing is worth telling when the caller names no end.
LIFETIME: Mapping[Category, timedelta] = {
    Category.TRANSACTIONAL: timedelta(hours=4),
    Category.MARKETING: timedelta(hours=24),
    Category.SECURITY: timedelta(minutes=10),
}


def waits_beyond(category: Category, *, has_next: bool) -> timedelta:
    """How much longer than until `give_up_at` a delivery that was never called for may wait for its turn. Where another
    channel comes next, `give_up_at` is the end of trying: a turn that comes late (a slow account, a rate) is no reason
    for a dearer channel as long as the thing is worth telling."""
    return LIFETIME[category] if has_next else timedelta(0)


# What is made for each of thousands of notifications is a tuple: that takes a third of the time.
class Form(NamedTuple):
    """All of an address but where it is. `provider`: of push addresses, who alone can reach it. `suppressed`: on which
    channels."""

    kind: str
    provider: str | None = None
    verified: bool = True
    suppressed: frozenset[str] = frozenset()


class AddressFacts(NamedTuple):
    """As `Form`, and where it is."""

    id: UUID
    kind: str
    value: str
    provider: str | None = None
    verified: bool = True
    suppressed: frozenset[str] = frozenset()


@dataclass(slots=True)
class Addresses:
    """Somebody's, in the order in which they came. In columns, because most plans look at one of them."""

    ids: Sequence[UUID] = ()
    values: Sequence[str] = ()
    forms: tuple[Form, ...] = ()

    @classmethod
    def of(cls, *each: AddressFacts) -> "Addresses":
        forms = tuple(Form(a.kind, a.provider, a.verified, a.suppressed) for a in each)
        return cls([a.id for a in each], [a.value for a in each], forms)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[AddressFacts]:
        for id_, value, form in zip(self.ids, self.values, self.forms, strict=True):
            yield AddressFacts(id_, form.kind, value, *form[1:])


@dataclass(slots=True)
class ContactFacts:
    """All that the plan needs to know of a person. `preferences`: category -> channels, where named;
    `consents`: (category, channel) -> subscribed or unsubscribed."""

    id: UUID
    external_id: str | None = None
    role: str = "buyer"
    name: str = ""
    locale: str | None = None
    timezone: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    preferences: Mapping[Category, tuple[Channel, ...]] = field(default_factory=dict)
    quiet_hours: QuietHours | None = None
    consents: Mapping[tuple[str, str], str] = field(default_factory=dict)
    addresses: Addresses = field(default_factory=Addresses)


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """One account of a channel as the plan sees it."""

    provider: str
    tells: Tells
    any_address: bool = False
    """Carries push addresses of every provider (the sandbox)."""
    kinds: tuple[Kind, ...] = ()
    """Of the addresses that it writes to, in order of liking; empty: the channel's usual one."""

    def carries(self, address: AddressFacts) -> bool:
        """Its provider; the kind is the plan's affair."""
        provider = address.provider
        return provider is None or self.any_address or provider == self.provider


class Ask(NamedTuple):
    """What the request says about the way."""

    category: Category = Category.TRANSACTIONAL
    strategy: Strategy = Strategy.FIRST
    channels: tuple[Channel, ...] | None = None
    until: Tells = Tells.DELIVERED
    wait: timedelta = timedelta(0)
    send_at: datetime | None = None


class Target(NamedTuple):
    """One address of a step."""

    address_id: UUID
    value: str
    provider: str | None = None


class Step(NamedTuple):
    """One channel and addresses of one kind; several targets only where a person has several push devices. `until` and `wait` only in
    a cascade: what ends it here, and how long it is waited for."""

    channel: Channel
    targets: tuple[Target, ...]
    until: Tells | None = None
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    channel: Channel
    reason: SkipReason


class Plan(NamedTuple):
    """Which channels in which order, why not the others, and until when quiet hours hold it. `skipped_json`: `skipped` as
    it is stored and answered."""

    steps: tuple[Step, ...]
    skipped: tuple[Skipped, ...]
    held_until: datetime | None = None
    skipped_json: bytes = b"[]"
