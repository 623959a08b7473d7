"""An event in hand, and what came of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from hub.orders.work import Work
from hub.sources.model import Action, Facts, Kind, Result, Source, Via

PAUSES = tuple(timedelta(seconds=s) for s in (2, 10, 60, 300, 1800, 2 * 3600, 6 * 3600))
"""After each try that came to nothing; after the last one the event has failed."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """`worker`: in whose name it is held. `tries`: this one counted. `payload` None: to be read first."""

    id: UUID
    shop_id: int
    source: Source
    kind: Kind
    action: Action
    object: str
    via: Via
    happened_at: datetime | None
    received_at: datetime
    payload: Mapping[str, Any] | None
    quiet: bool
    tries: int
    worker: UUID


@dataclass(frozen=True, slots=True)
class SetOff:
    """`order`: its external_id, `status`: the one it was given; names of rules, ids of notifications, how many rules
    wait now."""

    order: str = ""
    status: str = ""
    rules: list[str] = field(default_factory=list)
    notifications: list[UUID] = field(default_factory=list)
    timers: int = 0

    @classmethod
    def of(cls, work: Work, order: str = "", status: str = "") -> "SetOff":
        return cls(order, status, list(work.fired), list(work.told), len(work.timers))

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"notifications": [str(id_) for id_ in self.notifications]}


@dataclass(frozen=True, slots=True)
class Done:
    """`contact_id`: of whom it tells, so that an erasure finds it. `keep` false: nothing is kept of what it said."""

    result: Result
    reason: str = ""
    contact_id: UUID | None = None
    set_off: SetOff | None = None
    keep: bool = True


def plain(facts: Facts) -> dict[str, Any]:
    """As JSON: amounts and times as text, and only what was said."""
    said: dict[str, Any] = orjson.loads(orjson.dumps(facts, default=_text))
    return {name: value for name, value in said.items() if value not in (None, "", [], {})}


def digest_of(facts: Facts, *more: str) -> bytes:
    """Of all but the time of the change. `more`: what else makes a difference."""
    said = plain(facts)
    said.pop("changed_at", None)
    raw = orjson.dumps([said, more], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(raw).digest()


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)
