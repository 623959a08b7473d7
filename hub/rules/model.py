"""What a rule is, what it may be about and whom it can reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from channels.base import Channel
from hub.config import OrderStatus
from hub.contacts.model import Role
from hub.rules.condition import Condition
from hub.sources.model import Action, Kind

MOST_DELAY = timedelta(minutes=10_080)
"""A week."""

MOST = 200
"""Rules of one shop."""

_STATUSES = tuple(f"order.{status}" for status in OrderStatus)

EVENTS: tuple[str, ...] = (
    *_STATUSES,
    *(
        f"{kind}.{a}"
        for kind in Kind
        if kind is not Kind.ORDER
        for a in (Action.CREATED, Action.UPDATED)
    ),
)
"""An order was given that status; a customer, product or cart was seen for the first time, or is new or changed."""

HEARERS: Mapping[Kind, frozenset[Role]] = {
    Kind.ORDER: frozenset(Role),
    Kind.CART: frozenset({Role.BUYER, Role.ADMIN}),
    Kind.CUSTOMER: frozenset({Role.BUYER, Role.ADMIN}),
    Kind.PRODUCT: frozenset({Role.ADMIN}),
}
"""Who there is to be told: sellers and warehouses have a part in orders alone."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`channels` None: whichever the person and the shop prefer. `built_in`: it is there without anybody having
    made it; `changed`: the shop's own one stands in its place. `fault`: what is wrong with a stored rule that this
    version would refuse; nobody is told by it until it is put anew. `condition_stored`: as it stands there then, in
    JSON."""

    name: str
    event: str
    audiences: frozenset[Role]
    template: str
    condition: Condition | None = None
    channels: tuple[Channel, ...] | None = None
    delay: timedelta = timedelta(0)
    active: bool = True
    built_in: bool = False
    changed: bool = False
    fault: str = ""
    condition_stored: Mapping[str, Any] | None = None

    @property
    def problem(self) -> str:
        """What keeps it from telling anybody; empty: nothing."""
        return f"it does not suit this version, put it anew: {self.fault}" if self.fault else ""

    @property
    def kind(self) -> Kind:
        return kind_of(self.event)


@dataclass(frozen=True, slots=True)
class Timer:
    """A rule that waits. `about`: an order's or contact's id, or "source/object" of a cart or product; `state`:
    what must still be so when its time comes."""

    id: UUID
    shop_id: int
    rule: str
    event: str
    kind: Kind
    about: str
    state: str
    event_id: UUID | None
    due_at: datetime


def kind_of(event: str) -> Kind:
    return Kind(event.partition(".")[0])
