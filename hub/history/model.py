"""An import of history: what it is, how far it is, and what came of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from hub.history import progress
from hub.history.progress import Pace
from hub.sources.model import Kind

MOST_ROWS = 200
"""Of one portion, which is one transaction."""

MOST_FAULTS = 100
"""That are kept word for word; further ones are counted."""


class RunState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (RunState.RUNNING, RunState.PAUSED)
"""Not over yet."""


class Origin(StrEnum):
    """Who brings the rows: the hub reads them from the platform, or a program sends them."""

    SOURCE = "source"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class RowFault:
    """`row`: its number in the run, from 1. `detail`: what is wrong with it, without its values."""

    row: int
    detail: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of one portion. `known`: the hub had them already and left them as they were. `unknown_codes`: states
    of orders that no map names."""

    added: int = 0
    changed: int = 0
    known: int = 0
    faults: Sequence[RowFault] = ()
    unknown_codes: frozenset[str] = frozenset()

    def __add__(self, other: "Taken") -> "Taken":
        return Taken(
            self.added + other.added,
            self.changed + other.changed,
            self.known + other.known,
            (*self.faults, *other.faults),
            self.unknown_codes | other.unknown_codes,
        )


@dataclass(frozen=True, slots=True)
class Run:
    """A row of `import_run`. `position`: {"kind", "positions": {kind: where its reading stands}, "skip": items
    taken of the page after it, "last": ids on the page before it, "over": [kinds], "unknown_codes": […]}. `pace`: from when on the rate is counted."""

    id: UUID
    shop_id: int
    source_id: UUID
    source: str
    origin: Origin
    kinds: tuple[Kind, ...]
    since: datetime | None
    state: RunState
    reason: str
    position: Mapping[str, Any]
    total: int | None
    done: int
    added: int
    changed: int
    known: int
    faulty: int
    faults: tuple[RowFault, ...]
    pace: Pace | None
    created_at: datetime
    finished_at: datetime | None
    unknown_codes: tuple[str, ...] = field(default=())

    def rate(self, now: datetime) -> float | None:
        """Rows a second; None while it does not run."""
        return progress.rate(self.pace, now, self.done) if self.state is RunState.RUNNING else None

    def left(self, now: datetime) -> timedelta | None:
        return progress.left(self.total, self.done, self.rate(now))
