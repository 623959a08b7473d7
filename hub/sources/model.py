"""What platforms tell, in the hub's words. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from channels.base import HookReply
from hub.config import OrderStatus

if TYPE_CHECKING:
    from hub.sources.mapping import SourceMapping


class Kind(StrEnum):
    CUSTOMER = "customer"
    PRODUCT = "product"
    CART = "cart"
    ORDER = "order"


class Action(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class Via(StrEnum):
    """How an event came: called in, read by us, over the API; `WRITE` is the one that goes the other way."""

    HOOK = "hook"
    POLL = "poll"
    API = "api"
    WRITE = "write"


class Result(StrEnum):
    """What came of an event."""

    WAITING = "waiting"
    APPLIED = "applied"
    REPEATED = "repeated"
    """Nothing new in it."""
    LATE = "late"
    """It lies behind where the order stands."""
    STALE = "stale"
    """Something newer of the same object was there first."""
    IGNORED = "ignored"
    WRITTEN = "written"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One thing that a platform told.

    `key`: the same whenever it tells it again, unique in its source. `payload`: only the fields of the platform's
    whitelist; None: thin, the object is read before it is applied. `ignored`: kept for the record, with this reason.
    """

    kind: Kind | None
    action: Action | None
    object: str
    key: str
    happened_at: datetime | None = None
    payload: Mapping[str, Any] | None = None
    ignored: str = ""


_TAKEN = HookReply('{"status":"ok"}', content_type="application/json")


@dataclass(frozen=True, slots=True)
class Heard:
    """What one call of a platform says, and what it wants to hear so that it does not say it again."""

    events: Sequence[Incoming] = ()
    reply: HookReply = _TAKEN


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """Empty text and None: not said; that never clears what is known. `id` empty: a guest, known by e-mail or phone.
    `subscribed`: by channel, whether they said yes or no to marketing."""

    id: str = ""
    name: str = ""
    email: str = ""
    phone: str = ""
    locale: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    subscribed: Mapping[str, bool] = field(default_factory=dict)
    changed_at: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LineFacts:
    """`seller` and `warehouse`: by the platform's own ids; empty: the source's."""

    id: str
    title: str
    quantity: Decimal
    sku: str = ""
    price: Decimal | None = None
    image_url: str = ""
    product: str = ""
    seller: str = ""
    seller_name: str = ""
    warehouse: str = ""


@dataclass(frozen=True, slots=True)
class ProductFacts:
    id: str
    title: str
    sku: str = ""
    price: Decimal | None = None
    currency: str = ""
    url: str = ""
    image_url: str = ""
    quantity: Decimal | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CartFacts:
    id: str
    customer: CustomerFacts | None
    lines: tuple[LineFacts, ...]
    currency: str = ""
    total: Decimal | None = None
    url: str = ""
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """`codes`: what the platform says of its state, each a chain of fallbacks ("PROCESSING/READY_TO_SHIP",
    "PROCESSING"): the first one that the map knows counts. `delivery`: `method` (pickup, courier, post …), `address`,
    `carrier`, `tracking`, `date`. `parent`: an order that only holds others together; it is passed over."""

    id: str
    number: str
    codes: tuple[tuple[str, ...], ...]
    lines: tuple[LineFacts, ...]
    customer: CustomerFacts | None = None
    currency: str = ""
    total: Decimal | None = None
    delivery: Mapping[str, str] = field(default_factory=dict)
    labels_url: str = ""
    reason: str = ""
    parent: bool = False
    parent_id: str = ""
    created_at: datetime | None = None
    changed_at: datetime | None = None


Facts = CustomerFacts | ProductFacts | CartFacts | OrderFacts


@dataclass(frozen=True, slots=True)
class Source:
    """A row of `source`; its secrets are opened by `service.opened`.

    `mapping_fault`: what is wrong with a stored mapping that this version would refuse; `mapping` is empty then, and
    nothing is applied by it (`service.check_mapping`). `mapping_stored`: as it stands there, in JSON.
    `quiet_before`: what happened until then is taken over and told to nobody (when it was connected; of the shop's own
    programs a `tell_within` before); `tell_within`: so is what is older than this when it comes. `poll_every` None: it is never read back by itself.
    """

    id: UUID
    shop_id: int
    name: str
    platform: str
    active: bool
    config: Mapping[str, Any]
    sealed: bytes
    hook_version: int
    id_prefix: str
    seller: str
    warehouse: str | None
    mapping: "SourceMapping"
    mapping_fault: str
    mapping_stored: Mapping[str, Any]
    write_back: bool
    tell_within: timedelta
    quiet_before: datetime
    poll_every: timedelta | None
    cursors: Mapping[str, Any]
    read_at: datetime | None
    paused_until: datetime | None
    problem: str
    write_problem: str
    unknown_codes: tuple[str, ...]
    created_at: datetime
    updated_at: datetime

    @property
    def obstacle(self) -> str:
        """What stands in its way; empty: nothing."""
        if self.mapping_fault:
            return f"its mapping does not suit this version, give another: {self.mapping_fault}"
        return self.problem or self.write_problem


@dataclass(frozen=True, slots=True)
class DecidedLine:
    id: str
    sku: str
    asked: int
    confirmed: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What the hub tells the platform of one order. `code`: the platform's own, by the source's `write_back` map;
    `hooks`: by topic, where the platform calls us, for those that can be told not to call of what we write."""

    object: str
    status: OrderStatus
    code: str
    revision: int
    lines: tuple[DecidedLine, ...]
    hooks: Mapping[str, str] = field(default_factory=dict)
