"""How many requests one key may make: a bucket of tokens per key, in this process."""

import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from hub.errors import LimitExceeded

_REMEMBERED = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """`per_second` in the long run, twice that at once; 0: no limit."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._buckets: dict[UUID, _Bucket] = {}

    def take(self, key_id: UUID) -> None:
        """One request. Raises `LimitExceeded` that says when the next one may come."""
        if not self._per_second:
            return
        now, most = time.monotonic(), 2.0 * self._per_second
        bucket = self._buckets.get(key_id)
        if bucket is None:
            if len(self._buckets) >= _REMEMBERED:
                self._buckets.clear()
            bucket = self._buckets[key_id] = _Bucket(most, now)
        bucket.tokens = min(most, bucket.tokens + (now - bucket.filled_at) * self._per_second)
        bucket.filled_at = now
        if bucket.tokens < 1:
            raise LimitExceeded(
                f"this key may make {self._per_second} requests a second",
                after=timedelta(seconds=(1 - bucket.tokens) / self._per_second),
            )
        bucket.tokens -= 1
