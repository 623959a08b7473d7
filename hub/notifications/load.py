"""How many messages of each account one worker has in hand: of an account that is slow no more than soon go."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from channels.base import Message
from hub.accounts.book import LiveAccount
from hub.queue import BATCH, Lane

_LONG = timedelta(seconds=1)
"""An account whose calls take so long is slow."""
_QUICK = 200.0
"""Messages a second: one that takes fewer is slow, too. Of any other, all that a worker may have in hand is gone before
it has to be looked at again."""
_SOON = timedelta(seconds=5)
_TWICE = 2
"""Times as many calls as may be under way: whatever comes to an end, the next one is at hand."""
_PART = 4
"""Of a slow one the next are claimed when there is room for a quarter: each claim costs something, and so does a job."""

_PROBE = 500

Key = tuple[Lane, str]


class Hold:
    """What one job has of an account."""

    def __init__(self, in_hand: Counter[Key], key: Key, count: int) -> None:
        self._in_hand = in_hand
        self._key = key
        self._count = 0
        self._set(count)

    def leave(self, messages: int) -> None:
        """So many are with the provider, or went back."""
        self._set(max(0, self._count - messages))

    def leave_all(self) -> None:
        self._set(0)

    def _set(self, count: int) -> None:
        self._in_hand[self._key] += count - self._count
        self._count = count
        if not self._in_hand[self._key]:
            del self._in_hand[self._key]


class CallSizes:
    """How many messages an account's provider takes in a call at most: where they are all alike."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, account: LiveAccount) -> int:
        if account.key not in self._known:
            alike = [Message(key=str(i), to=str(i), text="-") for i in range(_PROBE)]
            self._known[account.key] = -(-_PROBE // len(account.adapter.split(alike)))
        return self._known[account.key]


class Load:
    """One per process. `seconds`: how long a call of that account takes lately, None where nobody knows."""

    def __init__(self, seconds: Callable[[LiveAccount], float | None]) -> None:
        self._seconds = seconds
        self._in_hand: Counter[Key] = Counter()
        self._in_a_call: dict[str, float] = {}
        """Messages, as the last jobs had them."""
        self._call_sizes = CallSizes()

    def pace(self, account: LiveAccount) -> float | None:
        """Messages a second that this process can give it; None where nobody knows."""
        seconds = self._seconds(account)
        return None if seconds is None else self._at_once(account) / max(seconds, 0.001)

    def most(self, account: LiveAccount) -> int | None:
        """How many of them one lane should have in hand; None: as many as it gets, the account is quick."""
        seconds, pace = self._seconds(account), self.pace(account)
        if seconds is None or pace is None:
            return None
        if seconds < _LONG.total_seconds() and pace >= _QUICK:
            return None
        return int(max(_TWICE * self._at_once(account), pace * _SOON.total_seconds()))

    def room(self, lane: Lane, account: LiveAccount) -> int | None:
        """How many more to claim for it; None: as many as there are. Of one that nobody knows yet one job's."""
        most = BATCH if self._seconds(account) is None else self.most(account)
        if most is None:
            return None
        room = most - self._in_hand[lane, account.key]
        return room if room * _PART >= most else 0

    def over(self, lane: Lane, account: LiveAccount) -> int:
        """How many more there are in hand than should be."""
        most = self.most(account)
        return 0 if most is None else max(0, self._in_hand[lane, account.key] - most)

    def take(self, lane: Lane, account: LiveAccount, count: int) -> Hold:
        return Hold(self._in_hand, (lane, account.key), count)

    def split(self, account: LiveAccount, calls: Sequence[Sequence[Message]]) -> None:
        """A job's messages became these calls: how many go together depends on how alike they are."""
        messages = sum(map(len, calls))
        if messages > 1:
            # Of a single call it is not known how many more it would have taken.
            together = messages / len(calls) if len(calls) > 1 else self._call_sizes.of(account)
            self._in_a_call[account.key] = together

    def _at_once(self, account: LiveAccount) -> float:
        together = self._in_a_call.get(account.key) or self._call_sizes.of(account)
        return account.limits.concurrency * together
