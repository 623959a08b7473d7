"""How much of a worker's lane one account may take, so that a provider that hangs holds up nobody else."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hub.queue import Lane

JOBS: Mapping[Lane, int] = {Lane.SECURITY: 60, Lane.TRANSACTIONAL: 100, Lane.BULK: 18}
"""Jobs that one process has in hand at once. A job that waits for its provider costs little but its place."""

SHARE: Mapping[Lane, int] = {Lane.SECURITY: 20, Lane.TRANSACTIONAL: 30, Lane.BULK: 6}
"""Of these, how many may be at one account. The breaker notices a silent provider only when its first calls
have timed out; until then every job of its account keeps its place."""


class Shares:
    """One per process."""

    def __init__(self) -> None:
        self._taken: Counter[tuple[Lane, str]] = Counter()

    @contextmanager
    def one(self, lane: Lane, account: str) -> Iterator[bool]:
        """A place at the account while the context lasts; False: it has its share, come back later."""
        key = (lane, account)
        if self._taken[key] >= SHARE[lane]:
            yield False
            return
        self._taken[key] += 1
        try:
            yield True
        finally:
            self._taken[key] -= 1
