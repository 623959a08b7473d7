"""What orders, stock requests and assemblies are, and which way their status may move."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from hub.config import OrderStatus
from hub.contacts.model import Role

__all__ = ["OrderStatus"]

CORRECTION = timedelta(minutes=5)
"""How long the one who answered may change it."""


# One that lies behind the present stage is late. Within a stage a status may give way to another one: what is
# on the shelf is corrected. Only the hub goes back, from there to `awaiting_stock`, when lines were added.
STAGES: Mapping[OrderStatus, int] = {
    OrderStatus.PLACED: 0,
    OrderStatus.AWAITING_STOCK: 1,
    OrderStatus.CONFIRMED: 2,
    OrderStatus.PARTIALLY_CONFIRMED: 2,
    OrderStatus.REJECTED: 2,
    OrderStatus.PAID: 3,
    OrderStatus.ASSEMBLED: 4,
    OrderStatus.SHIPPED: 5,
    OrderStatus.IN_CITY: 6,
    OrderStatus.AT_PICKUP_POINT: 7,
    OrderStatus.DELIVERED: 8,
    OrderStatus.RETURNED: 9,
    OrderStatus.CANCELLED: 10,
}


OVER = frozenset({OrderStatus.REJECTED, OrderStatus.RETURNED, OrderStatus.CANCELLED})
"""Nothing of it is packed any more."""


def may_move(now: OrderStatus, to: OrderStatus) -> bool:
    """Whether `to` is something new: not the present status and not behind it."""
    return now is not to and STAGES[to] >= STAGES[now]


class RequestStatus(StrEnum):
    """`overdue`: not answered within the shop's time; `escalated`: others were asked then."""

    OPEN = "open"
    ANSWERED = "answered"
    OVERDUE = "overdue"
    ESCALATED = "escalated"
    CANCELLED = "cancelled"


ACTIVE = frozenset({RequestStatus.OPEN, RequestStatus.OVERDUE, RequestStatus.ESCALATED})
"""Still to be answered."""


REMINDER = "stock.reminder"
"""The template of those messages that ask a second time."""

ABOVE = frozenset({Role.SELLER, Role.ADMIN})
"""Who is asked when the storekeepers do not answer."""


class AssemblyStatus(StrEnum):
    OPEN = "open"
    ASSEMBLED = "assembled"
    CANCELLED = "cancelled"


class Source(StrEnum):
    """Who gave an order its status."""

    API = "api"
    HUB = "hub"
    STAFF = "staff"


class Via(StrEnum):
    """Through what somebody answered."""

    TELEGRAM = "telegram"
    VK = "vk"
    MAX = "max"
    VIBER = "viber"
    WHATSAPP = "whatsapp"
    PAGE = "page"
    SMS = "sms"
    API = "api"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers. `label` tells apart those who are no contacts (a name given by phone, a member of a
    group chat); `name` is shown to people and may be empty."""

    contact_id: UUID | None
    name: str = ""
    label: str = ""

    @property
    def shown(self) -> str:
        return self.name or self.label


@dataclass(frozen=True, slots=True)
class Line:
    """One row of an order as it is held. Ids are the hub's; `confirmed` None: not answered (yet)."""

    id: str
    sku: str
    title: str
    quantity: int
    price: Decimal | None
    image_url: str | None
    seller_id: UUID | None
    seller: str | None
    warehouse_id: UUID | None
    warehouse: str | None
    stock_request_id: UUID | None = None
    confirmed: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """`revision`: how often its stock was confirmed to the shop. `buyer`: his external_id, None where there
    is nobody (any more)."""

    id: UUID
    shop_id: int
    external_id: str
    number: str
    status: OrderStatus
    told_status: OrderStatus
    buyer_id: UUID | None
    buyer: str | None
    currency: str
    total: Decimal | None
    delivery: Mapping[str, Any]
    labels_url: str | None
    revision: int
    created_at: datetime
    updated_at: datetime
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of an order's history. `late`: it changed nothing, and `reason` says why."""

    status: OrderStatus
    at: datetime
    source: Source
    late: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StockLine:
    """One line of a question. `answered_by`: the contact's external_id, else the label that was given."""

    id: str
    sku: str
    title: str
    asked: int
    confirmed: int | None = None
    answered_by: str | None = None
    answered_name: str = ""
    answered_at: datetime | None = None
    via: Via | None = None


@dataclass(frozen=True, slots=True)
class StockRequest:
    """A question to one warehouse of one seller. `deadline`: when it will be (or was) overdue."""

    id: UUID
    order_id: UUID
    order: str
    number: str
    seller: str | None
    warehouse: str | None
    status: RequestStatus
    reason: str
    revision: int
    opened_at: datetime
    deadline: datetime | None
    answered_at: datetime | None
    lines: tuple[StockLine, ...]


@dataclass(frozen=True, slots=True)
class Assembly:
    """One warehouse's part of a paid order, to be made ready."""

    id: UUID
    seller: str | None
    warehouse: str | None
    status: AssemblyStatus
    opened_at: datetime
    assembled_at: datetime | None
    assembled_by: str | None
    via: Via | None


@dataclass(frozen=True, slots=True)
class OrderDetails:
    """An order with everything that belongs to it."""

    order: Order
    history: tuple[Change, ...]
    stock_requests: tuple[StockRequest, ...]
    assemblies: tuple[Assembly, ...]


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A place. `hours`: day ("mon" …) -> opening and closing time ("09:00"); empty: always open. `timezone`
    None: the shop's. `staff`: external ids of the contacts that name it; `chats`: channels with a group."""

    id: UUID
    external_id: str
    name: str
    address: str
    timezone: str | None
    hours: Mapping[str, tuple[str, str]]
    seller: str | None
    staff: tuple[str, ...]
    chats: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Already:
    """A line that somebody else had answered before: who, what and when."""

    line_id: str
    who: str
    confirmed: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one answer, by line ids. `closed`: why nobody is asked any more, empty while somebody is.

    `repeated`: the same person had said the same before. `too_late`: his own, and final by now.
    `complete`: all lines of the question are answered now.
    """

    accepted: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    already: tuple[Already, ...] = ()
    too_late: tuple[str, ...] = ()
    closed: str = ""
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Assembled:
    """`first`: this press did it. Otherwise `who` and `at` tell who had done it before, or `closed` why that is not
    what is to be assembled: `cancelled`, or `changed` where it is something else now."""

    first: bool
    who: str = ""
    at: datetime | None = None
    closed: str = ""


@dataclass(frozen=True, slots=True)
class QuestionLine:
    """A line as the one at the shelf sees it. `price` of one piece, in the order's currency. `answerer`: the contact
    who answered it, None where it was somebody else, or nobody."""

    id: str
    sku: str
    title: str
    asked: int
    price: Decimal | None
    image_url: str | None
    confirmed: int | None
    answered_by: str
    answered_at: datetime | None
    answerer: UUID | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A stock request as bots, letters and the page show it: the present state, not yet in words.

    `answered_by`: names of those who answered, in the order of their answers. `clock_from`: since when it
    waits, `deadline` until when it may. `order_status` tells why a cancelled one is; `reason` says it in a
    word: `cancelled`, `decided`, `changed`.
    """

    id: UUID
    shop_id: int
    order_id: UUID
    order_external_id: str
    order_number: str
    order_status: OrderStatus
    currency: str
    status: RequestStatus
    reason: str
    revision: int
    warehouse_id: UUID | None
    warehouse_name: str
    seller_name: str
    opened_at: datetime
    clock_from: datetime
    deadline: datetime | None
    answered_at: datetime | None
    final_at: datetime | None
    """Until then the one who answered may correct it."""
    lines: tuple[QuestionLine, ...]
    answered_by: tuple[str, ...] = ()

    @property
    def warehouse_was_silent(self) -> bool:
        """Others are asked in its place. A seller without staff is asked at once, which is no escalation."""
        return self.status is RequestStatus.ESCALATED and self.warehouse_id is not None

    @property
    def open_lines(self) -> tuple[QuestionLine, ...]:
        return tuple(line for line in self.lines if line.confirmed is None)


@dataclass(frozen=True, slots=True)
class Open:
    """A question that waits for an answer. `id`: of the stock request; `told`: whether whoever is to answer knew."""

    id: UUID
    number: str
    opened_at: datetime
    told: bool


@dataclass(frozen=True, slots=True)
class Packed:
    """One line as it lies in the parcel: how many pieces of what."""

    id: str
    sku: str
    title: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Repacked:
    """What is to be changed in a parcel. `was` 0: to be put in; `now` 0: to be taken out. `line_id` stands twice where
    a line is of other goods now."""

    line_id: str
    sku: str
    title: str
    was: int
    now: int


@dataclass(frozen=True, slots=True)
class Task:
    """An assembly as bots, letters and the page show it. `lines` holds what is to be packed: `asked` is that
    many. `labels_url` is for after it was assembled. `changes`: of a parcel that was packed before and is to be packed
    anew; empty of one that is packed for the first time. `asks`: more may come into it, the shelf is being asked.
    `reason` tells in a word why a cancelled one is: `cancelled` (the order), `changed` (nothing of it comes from there any
    more), `as_packed` (it is again as it was packed), `newer` (another one asks)."""

    id: UUID
    shop_id: int
    order_id: UUID
    order_external_id: str
    order_number: str
    order_status: OrderStatus
    currency: str
    status: AssemblyStatus
    warehouse_name: str
    seller_name: str
    opened_at: datetime
    assembled_at: datetime | None
    assembled_by: str
    delivery: Mapping[str, Any]
    labels_url: str | None
    lines: tuple[QuestionLine, ...]
    changes: tuple[Repacked, ...] = ()
    asks: bool = False
    reason: str = ""

    @property
    def waits(self) -> bool:
        """There is nothing to pack before the shelf has answered."""
        return self.status is AssemblyStatus.OPEN and self.asks and not self.lines

    @property
    def again(self) -> bool:
        """It was packed once, and then the order changed."""
        return self.status is AssemblyStatus.OPEN and bool(self.changes)


class Kind(StrEnum):
    """What a message asks for: `interaction.kind` of its notification."""

    STOCK = "stock"
    ASSEMBLY = "assembly"


@dataclass(frozen=True, slots=True)
class BoardItem:
    """One piece of open work. `id`: of the stock request or the assembly. `pieces`: how many in all lines. `waits`: a
    parcel of which nothing can be packed before the shelf has answered."""

    kind: Kind
    id: UUID
    order_id: UUID
    order_number: str
    warehouse_name: str
    status: str
    opened_at: datetime
    deadline: datetime | None
    line_count: int
    open_count: int
    pieces: int
    titles: tuple[str, ...] = field(default=())
    """Of the first lines."""
    waits: bool = False
