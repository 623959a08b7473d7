"""A provider that asks for patience: whether it means one receiver or all of the account's."""

from collections.abc import Sequence
from datetime import timedelta
from time import monotonic

from channels.base import Accepted, Message, Outcome, Retry
from hub.accounts.book import LiveAccount
from hub.accounts.limits import RateLimits

_AT_THE_SAME_TIME = 1.0
"""Seconds within which two receivers' limits are no coincidence; where a provider has limits of receivers, unless a third
one was written to between them."""

_LEAST = timedelta(seconds=1)


class Throttling:
    """One per process."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._last: dict[str, tuple[float, str]] = {}
        """When a call of an account was last told to wait, and whose it was."""

    async def heard(
        self, account: LiveAccount, call: Sequence[Message], results: Sequence[Outcome]
    ) -> None:
        """Where the whole account is meant, nobody calls it for as long as the provider asked."""
        asked = [o for o in results if isinstance(o, Retry) and o.throttled and not o.alone]
        per_recipient = bool(account.limits.per_recipient)
        if not asked:
            if per_recipient and any(isinstance(o, Accepted) for o in results):
                # It is not the whole account that has to wait.
                self._last.pop(account.key, None)
            return
        now, to = monotonic(), call[0].to
        before, other = self._last.get(account.key, (float("-inf"), to))
        self._last[account.key] = now, to
        several = other != to and now - before < _AT_THE_SAME_TIME
        # One receiver's limit is that receiver's; several at once, or a provider without such limits, mean
        # the whole account.
        of_one = all(o.perhaps_alone for o in asked) or (per_recipient and len(asked) == 1)
        if several or not of_one:
            await self._limits.hold(account.bucket, max(_LEAST, *(o.after for o in asked)))
