"""Requests that wait for a transaction, in two lines: a single notification does not stand behind a campaign's."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from math import inf
from time import monotonic

from hub.audit.model import Actor
from hub.errors import HubError, Overloaded
from hub.notifications.prepare import Prepared
from hub.notifications.receivers import Asked
from hub.notifications.storage import IdempotencyKey
from hub.shops.registry import Shop

Result = Prepared | HubError
BodyOf = Callable[[Sequence[Result]], bytes]

_FEW = 20
"""Notifications of one request that stands in the quick line."""
_MOST_TOGETHER = 500
"""That share a transaction: enough to make its round trips cheap, and soon over."""
_MOST_WAITING = 20_000
"""In one line: more would only take memory."""
_LONGEST_WAIT = timedelta(seconds=4)
"""Of the foremost request: those behind it would not be answered in time."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What was answered under an Idempotency-Key, byte for byte."""

    status: int
    body: bytes
    replayed: bool = False


@dataclass(slots=True)
class Request:
    """One call of the API: a single notification or a batch."""

    shop: Shop
    items: Sequence[Asked]
    key: IdempotencyKey | None
    by: Actor
    single: bool
    body_of: BodyOf
    done: "asyncio.Future[Stored]"
    since: float = field(default_factory=monotonic)
    results: list[Result] = field(default_factory=list)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def answer(self, stored: Stored) -> None:
        if not self.done.done():
            self.done.set_result(stored)


class Line(Enum):
    """What somebody takes requests from."""

    QUICK = "quick"
    LONG = "long"
    EITHER = "either"
    """The one whose foremost has waited longer."""
    SPARE = "spare"
    """The long one, while nothing of the quick one is under way."""


class _Waiting:
    """One line."""

    def __init__(self) -> None:
        self.requests: deque[Request] = deque()
        self._items = 0

    def since(self) -> float:
        return self.requests[0].since if self.requests else inf

    def has_room(self, coming: int) -> bool:
        if not self.requests:
            return True
        late = monotonic() - self.since() > _LONGEST_WAIT.total_seconds()
        return not late and self._items + coming <= _MOST_WAITING

    def add(self, request: Request) -> None:
        self.requests.append(request)
        self._items += len(request.items)

    def together(self) -> list[Request]:
        """The foremost, as many as share a transaction."""
        batch: list[Request] = []
        size = 0
        while self.requests and (not size or size + len(self.requests[0].items) <= _MOST_TOGETHER):
            request = self.requests.popleft()
            self._items -= len(request.items)
            if not request.done.done():
                batch.append(request)
                size += len(request.items)
        return batch


class Lines:
    """One per `Intake`."""

    def __init__(self) -> None:
        self._quick, self._long = _Waiting(), _Waiting()
        self._something = {line: asyncio.Event() for line in Line}
        self.quick_under_way = 0

    def __iter__(self) -> Iterator[Request]:
        yield from (*self._quick.requests, *self._long.requests)

    def check_room(self, coming: int) -> None:
        """Better refused at once than after its time is up, and with all that waits held in memory. Raises
        `Overloaded`."""
        if not self._of(coming).has_room(coming):
            raise Overloaded("more comes in than can be stored, send it again a little later")

    async def served(self, request: Request) -> Stored:
        """Waits its turn and until it is answered. Raises what it is answered with."""
        quick = len(request.items) <= _FEW
        self.quick_under_way += quick
        try:
            self.add(request)
            return await request.done
        finally:
            self.quick_under_way -= quick
            if quick and not self.quick_under_way:
                self._tell()

    def add(self, request: Request) -> None:
        self._of(len(request.items)).add(request)
        self._tell()

    async def take(self, line: Line) -> list[Request]:
        """What shares the next transaction, as soon as there is something; those whose callers have left are left
        out."""
        batch: list[Request] = []
        while not batch:
            await self._something[line].wait()
            batch = self._chosen(line).together()
            self._tell()
        return batch

    def _of(self, items: int) -> _Waiting:
        return self._quick if items <= _FEW else self._long

    def _chosen(self, line: Line) -> _Waiting:
        match line:
            case Line.QUICK:
                return self._quick
            case Line.LONG | Line.SPARE:
                return self._long
            case Line.EITHER:
                return min(self._quick, self._long, key=_Waiting.since)

    def _tell(self) -> None:
        there = {
            Line.QUICK: bool(self._quick.requests),
            Line.LONG: bool(self._long.requests),
            Line.EITHER: bool(self._quick.requests or self._long.requests),
            Line.SPARE: bool(self._long.requests) and not self.quick_under_way,
        }
        for line, something in self._something.items():
            if there[line]:
                something.set()
            else:
                something.clear()
