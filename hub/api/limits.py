"""How many requests one key may make, how many wrong keys one address may try, and how much may be under way at once:
per process."""

import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_network
from uuid import UUID

from aiohttp import web

from channels.guard import Network
from hub.api.body import LIMIT
from hub.api.remote import address_of, plain
from hub.config import HubSettings
from hub.errors import LimitExceeded, Overloaded

_REMEMBERED = 10_000
_MOST_OF_BODIES = 64 * LIMIT


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class _Buckets:
    """One for each of `_REMEMBERED` at most; the one unused for longest makes room."""

    def __init__(self, per_second: float, most: float) -> None:
        self._per_second = per_second
        self._most = most
        self._buckets: dict[Hashable, _Bucket] = {}

    def of(self, whose: Hashable) -> _Bucket:
        now = time.monotonic()
        bucket = self._buckets.pop(whose, None) or _Bucket(self._most, now)
        if len(self._buckets) >= _REMEMBERED:
            del self._buckets[next(iter(self._buckets))]
        # At the end of the line again.
        self._buckets[whose] = bucket
        bucket.tokens = min(self._most, bucket.tokens + (now - bucket.filled_at) * self._per_second)
        bucket.filled_at = now
        return bucket

    def wait(self, bucket: _Bucket) -> timedelta:
        """Until there is a whole token again."""
        return timedelta(seconds=(1 - bucket.tokens) / self._per_second)


class RateLimit:
    """`per_second` in the long run, twice that at once; 0: no limit."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._buckets = _Buckets(per_second, 2.0 * per_second)

    def take(self, key_id: UUID) -> None:
        """One request. Raises `LimitExceeded` that says when the next one may come."""
        if not self._per_second:
            return
        bucket = self._buckets.of(key_id)
        if bucket.tokens < 1:
            raise LimitExceeded(
                f"this key may make {self._per_second} requests a second",
                after=self._buckets.wait(bucket),
            )
        bucket.tokens -= 1


class WrongKeys:
    """`per_minute` wrong keys from one address, a network of 64 bits where it is IPv6; 0: no limit.

    `trusted`: the proxies that are believed when they say whom they speak for.
    """

    def __init__(self, per_minute: int, trusted: Sequence[Network]) -> None:
        self._per_minute = per_minute
        self._trusted = tuple(trusted)
        self._buckets = _Buckets(per_minute / 60, per_minute)

    def check(self, address: str) -> None:
        """Raises `LimitExceeded` where too many were tried."""
        if self._per_minute and (bucket := self._buckets.of(address)).tokens < 1:
            raise LimitExceeded(
                "too many wrong keys came from this address", after=self._buckets.wait(bucket)
            )

    def note(self, address: str) -> None:
        """One more."""
        if self._per_minute:
            bucket = self._buckets.of(address)
            bucket.tokens = max(0.0, bucket.tokens - 1)

    def address(self, request: web.Request) -> str:
        """Who asks. Whoever has one address of IPv6 has 64 bits of them."""
        found = address_of(request, self._trusted)
        ip = plain(found)
        if isinstance(ip, IPv6Address):
            return str(ip_network((int(ip) >> 64 << 64, 64)))
        return found


class Bodies:
    """How many bytes of bodies requests may hold at once. What is made of a body takes many times its size."""

    def __init__(self, most: int = _MOST_OF_BODIES) -> None:
        self._most = most
        self._held = 0

    @contextmanager
    def held(self, size: int | None) -> Iterator[None]:
        """While one is read and worked on. `size` None: it does not say, and may be the largest. Raises
        `Overloaded`."""
        size = LIMIT if size is None else min(size, LIMIT)
        if self._held and self._held + size > self._most:
            raise Overloaded("too many large requests are under way, send this one again")
        self._held += size
        try:
            yield
        finally:
            self._held -= size


@dataclass(frozen=True, slots=True)
class Limits:
    """All of them, as the settings have them."""

    requests: RateLimit
    wrong_keys: WrongKeys
    bodies: Bodies

    @classmethod
    def of(cls, settings: HubSettings) -> "Limits":
        return cls(
            RateLimit(settings.rate_limit),
            WrongKeys(settings.wrong_keys, settings.trusted_proxies),
            Bodies(),
        )
