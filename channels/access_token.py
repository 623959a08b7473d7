"""An access token that is fetched, kept, and renewed ahead of its end (OAuth 2.0)."""

import asyncio
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from channels.base import Refused, Retry
from channels.http import NoReply

LIFETIME = timedelta(hours=1)
"""Of a token of which it is not said how long it holds."""

_LONGEST_LIFE = timedelta(days=1)
# Python reads no number of any length.
_DIGITS = 9

WITHIN = timedelta(seconds=10)
"""For the call that fetches one: a message waits for it."""

_RENEW_BEFORE = timedelta(minutes=5)
# With a token that still holds, a failed renewal is not tried again at every message.
_PAUSE_AFTER_FAILURE = timedelta(seconds=20)


def lifetime(seconds: Any) -> timedelta:
    """`expires_in` of an answer (RFC 6749, 5.1), which some write as text; `LIFETIME` for what is no time ahead, and a
    day at most."""
    text = str(seconds)
    if not text.isascii() or not text.isdecimal() or not text.strip("0"):
        return LIFETIME
    if len(text) > _DIGITS:
        return _LONGEST_LIFE
    return min(timedelta(seconds=int(text)), _LONGEST_LIFE)


class NoToken(Exception):
    """There is no token; `outcome` is what that means for the messages that wait for one."""

    def __init__(self, outcome: Retry | Refused) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    renew_at: float
    ends_at: float


class AccessToken(ABC):
    """One token for all messages of an account; whoever finds it old renews it, the others wait or go on."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._token: _Token | None = None
        self._failed_at = float("-inf")
        self._failure: Retry | Refused = Retry("no-token")

    @abstractmethod
    async def fetch(self) -> tuple[str, timedelta]:
        """A new token and how long it holds, by one call. Raises `NoToken` and `NoReply`."""

    async def get(self) -> str:
        """A token that holds for now. Raises `NoToken`."""
        asked_at = time.monotonic()
        token = self._token
        if token and (
            asked_at < token.renew_at or (self._lock.locked() and asked_at < token.ends_at)
        ):
            return token.value
        async with self._lock:
            if self._token and time.monotonic() < self._token.renew_at:
                return self._token.value
            if self._failed_at > asked_at:
                # Somebody else's attempt failed while this one waited: a hundred waiting messages must
                # not each wait for a timeout of their own.
                raise NoToken(self._failure)
            return await self._renew()

    def forget(self, value: str) -> None:
        """The provider does not take this token any more; a newer one, if there is one by now, is kept."""
        if self._token and self._token.value == value:
            self._token = None

    async def _renew(self) -> str:
        try:
            self._token = await self._fetched()
        except NoToken as none:
            now = time.monotonic()
            self._failed_at, self._failure = now, none.outcome
            old = self._token
            if old is None or old.ends_at <= now:
                raise
            self._token = replace(old, renew_at=now + _PAUSE_AFTER_FAILURE.total_seconds())
        return self._token.value

    async def _fetched(self) -> _Token:
        asked_at = time.monotonic()
        try:
            value, holds = await self.fetch()
        except NoReply as none:
            # The message itself has not left, whatever became of this call.
            outcome = none.outcome
            raise NoToken(
                replace(outcome, reason=f"token-{outcome.reason}", maybe_sent=False)
            ) from None
        ends_at = asked_at + holds.total_seconds()
        renew_at = ends_at - _RENEW_BEFORE.total_seconds()
        return _Token(value, max(renew_at, asked_at + 1), ends_at)
