"""What MAX holds back for a bot until it is fetched or pushed: the queue behind GET /updates and subscriptions."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

_LIVES = 86_400.0
_TRIES = 10
_GROWTH = 2.5
_GIVES_UP = 8 * 3600.0


@dataclass(slots=True)
class Subscription:
    url: str
    secret: str
    kinds: frozenset[str]
    worked_at: float

    @property
    def shown(self) -> dict[str, Any]:
        made = {"url": self.url, "time": int(self.worked_at * 1000)}
        return {**made, "update_types": sorted(self.kinds) or None}


@dataclass(frozen=True, slots=True)
class _Update:
    number: int
    made_at: float
    body: dict[str, Any]


@dataclass
class Updates:
    """One bot's. Every subscription gets every event, each until it hears 200, in no order across events."""

    now: Callable[[], float]
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    first_pause: float = 60.0
    """Seconds before the first repeat of a push; each next one is 2.5 times as long."""
    copies: int = 1
    """How often each event is pushed, whatever is answered."""
    pushed: list[tuple[str, int]] = field(default_factory=list)
    """(update_type, status) of each push; 0 where no answer came."""
    polled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once somebody has begun to wait for updates."""
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the first subscription."""

    def __post_init__(self) -> None:
        self._queue: list[_Update] = []
        self._next = 1
        self._came = asyncio.Event()
        self._stopping = False
        self._pushes: set[asyncio.Task[None]] = set()

    def add(self, kind: str, **content: Any) -> dict[str, Any]:
        body = {"update_type": kind, "timestamp": int(self.now() * 1000), **content}
        self._drop_dead()
        if not self.subscriptions:
            self._queue.append(_Update(self._next, self.now(), body))
            self._next += 1
            self._came.set()
        for subscription in list(self.subscriptions.values()):
            if not subscription.kinds or kind in subscription.kinds:
                for _ in range(self.copies):
                    self._start(subscription, body)
        return body

    def subscribe(self, url: str, secret: str, kinds: frozenset[str]) -> None:
        self.subscriptions[url] = Subscription(url, secret, kinds, self.now())
        self.subscribed.set()

    # -- long poll ---------------------------------------------------------------------------

    async def poll(
        self, marker: int | None, kinds: frozenset[str], limit: int, wait: float
    ) -> tuple[list[dict[str, Any]], int]:
        """Whoever names a marker has all before it. Silent while there is a subscription."""
        if marker is not None:
            self._queue = [one for one in self._queue if one.number > marker]
        self.polled.set()
        try:
            async with asyncio.timeout(wait):
                while not (self._waiting(kinds) or self._stopping):
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            pass
        found = self._waiting(kinds)[:limit]
        last = found[-1].number if found else marker or self._next - 1
        return [one.body for one in found], last

    def _waiting(self, kinds: frozenset[str]) -> list[_Update]:
        if self.subscriptions:
            return []
        return [one for one in self._queue if not kinds or one.body["update_type"] in kinds]

    # -- webhook -----------------------------------------------------------------------------

    async def stop(self) -> None:
        self._stopping = True
        self._came.set()
        pushes = list(self._pushes)
        for push in pushes:
            push.cancel()
        await asyncio.gather(*pushes, return_exceptions=True)

    def _drop_dead(self) -> None:
        self._queue = [one for one in self._queue if self.now() - one.made_at < _LIVES]
        for subscription in list(self.subscriptions.values()):
            if self.now() - subscription.worked_at > _GIVES_UP:
                del self.subscriptions[subscription.url]

    def _start(self, subscription: Subscription, body: dict[str, Any]) -> None:
        push = asyncio.create_task(self._push(subscription, body))
        self._pushes.add(push)
        push.add_done_callback(self._pushes.discard)

    async def _push(self, subscription: Subscription, body: dict[str, Any]) -> None:
        pause = self.first_pause
        for _ in range(_TRIES + 1):
            status = await self._post(subscription, body)
            self.pushed.append((body["update_type"], status))
            if status == 200:
                subscription.worked_at = self.now()
                return
            await asyncio.sleep(pause)
            pause *= _GROWTH

    async def _post(self, subscription: Subscription, body: dict[str, Any]) -> int:
        headers = {"X-Max-Bot-Api-Secret": subscription.secret} if subscription.secret else {}
        timeout = aiohttp.ClientTimeout(total=30)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(subscription.url, json=body, headers=headers) as response,
            ):
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return 0
