"""Per-account rates and per-recipient pauses, shared by all processes through Redis.

Nobody waits here: what does not fit now gets a time to come back. While Redis is away each process
keeps its own count, which may exceed a provider's limit by the number of processes and loses nothing.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from channels.base import Limits
from hub.queue import Lane

BULK_SHARE = 0.8
"""Of an account's rate; the rest is kept for the urgent lanes."""

_LOCAL_RECIPIENTS = 100_000

_PACES = "vestnik:paces"
_PACE_LASTS = timedelta(seconds=5)
"""Somewhat longer than until it is said again."""

_MS = timedelta(milliseconds=1)
_NO_WAIT = timedelta(0)
_FULL_FOR = timedelta(seconds=1)

# KEYS: bucket, pause. ARGV: rate per s, burst, floor kept for others, wanted. Answer: granted, wait in ms, 1 while paused.
_TAKE = """
local paused = redis.call('PTTL', KEYS[2])
if paused > 0 then return {0, paused, 1} end
local rate, burst, floor, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(state[1]) or burst
local at = tonumber(state[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000)
local granted = math.max(0, math.min(wanted, math.floor(tokens - floor)))
tokens = tokens - granted
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 60000)
local wait = 0
if granted < wanted then wait = math.ceil((floor + 1 - tokens) * 1000 / rate) end
return {granted, math.max(wait, 0), 0}
"""

# KEYS: one a recipient. ARGV: pause in ms. Answer: for each 0 (free, and now taken) or ms to wait.
_RECIPIENTS = """
local answer = {}
for i, key in ipairs(KEYS) do
  if redis.call('SET', key, 1, 'NX', 'PX', ARGV[1]) then answer[i] = 0
  else answer[i] = math.max(1, redis.call('PTTL', key)) end
end
return answer
"""


# KEYS: pause. ARGV: its length in ms. Of several calls that were answered so the longest counts.
_HOLD = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], 1, 'PX', ARGV[1]) end
"""

# KEYS: the hash of all. ARGV: how long it lasts in ms, then field and pace in turn.
_TELL = """
local t = redis.call('TIME')
local till = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[1]
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. string.format('%d', till)) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""

# KEYS: the hash of all. Answer: field and pace in turn of what still lasts; the rest is forgotten.
_TOLD = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local every, answer = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #every, 2 do
  local pace, till = string.match(every[i + 1], '(%S+) (%d+)')
  if tonumber(till) > now then answer[#answer + 1] = every[i]; answer[#answer + 1] = pace
  else redis.call('HDEL', KEYS[1], every[i]) end
end
return answer
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """How many of the wanted calls may go now, when the next one should ask again, and at what distance from
    each other the rest. `held`: none before that, because the provider asked for patience."""

    calls: int
    wait: timedelta
    pace: timedelta = timedelta(0)
    held: bool = False


class RateLimits:
    """One per process."""

    def __init__(self, redis: Redis) -> None:
        self._take = redis.register_script(_TAKE)
        self._recipients = redis.register_script(_RECIPIENTS)
        self._hold = redis.register_script(_HOLD)
        self._tell = redis.register_script(_TELL)
        self._told = redis.register_script(_TOLD)
        self._redis = redis
        self._local: dict[str, tuple[float, float]] = {}
        self._local_recipients: dict[str, float] = {}

    async def calls(self, account: str, limits: Limits, lane: Lane, wanted: int) -> Grant:
        """`account`: a name unique over shops. Bulk is granted only what the urgent lanes leave."""
        rate = limits.per_second
        # Where no rate is known the bucket is only there for its pause.
        effective = rate or 1_000_000.0
        burst = max(1.0, effective)
        floor = min(burst * (1 - BULK_SHARE), burst - 1) if lane is Lane.BULK else 0.0
        try:
            granted, wait, held = await self._take(
                keys=[f"vestnik:rate:{account}", f"vestnik:pause:{account}"],
                args=[effective, burst, floor, wanted],
            )
        except (RedisError, OSError):
            return self._take_local(account, effective, burst, floor, wanted, lane)
        pace = _pace(effective, lane)
        return Grant(int(granted), timedelta(milliseconds=int(wait)), pace, held=bool(held))

    async def recipients(
        self, account: str, limits: Limits, recipients: Sequence[str]
    ) -> list[timedelta]:
        """For each recipient: zero (and its pause begins), or how long it still lasts."""
        pause = limits.per_recipient
        if not pause or not recipients:
            return [timedelta(0)] * len(recipients)
        keys = [f"vestnik:to:{account}:{recipient}" for recipient in recipients]
        milliseconds = int(pause.total_seconds() * 1000)
        try:
            waits = await self._recipients(keys=keys, args=[milliseconds])
        except (RedisError, OSError):
            return [self._recipient_local(key, pause) for key in keys]
        return [timedelta(milliseconds=int(wait)) if wait else _NO_WAIT for wait in waits]

    async def release(self, account: str, recipients: Sequence[str]) -> None:
        """These were free, and are not written to after all: their pause ends."""
        keys = [f"vestnik:to:{account}:{recipient}" for recipient in recipients]
        for key in keys:
            self._local_recipients.pop(key, None)
        # A pause that nothing ends is over in a moment.
        with suppress(RedisError, OSError):
            await self._redis.delete(*keys)

    async def hold(self, account: str, wait: timedelta) -> None:
        """The provider asked the whole account for patience. Never shorter than it was asked for before."""
        milliseconds = max(1, int(wait.total_seconds() * 1000))
        try:
            await self._hold(keys=[f"vestnik:pause:{account}"], args=[milliseconds])
        except (RedisError, OSError):
            # The rows themselves wait as long as the provider asked; only new ones may come early.
            return

    async def note_full(self, account: str) -> None:
        """This process has as much of the account as it can hold; said again and again while it is so."""
        try:
            await self._redis.set(f"vestnik:full:{account}", 1, px=_FULL_FOR // _MS)
        except (RedisError, OSError):
            # Who hands out hears nothing of Redis either.
            return

    async def full(self, accounts: Sequence[str]) -> set[str]:
        """Those of which some process said so within the last second."""
        if not accounts:
            return set()
        try:
            said = await self._redis.mget([f"vestnik:full:{account}" for account in accounts])
        except (RedisError, OSError):
            return set()
        return {account for account, one in zip(accounts, said, strict=True) if one}

    async def tell(self, worker: UUID, paces: Mapping[str, float]) -> None:
        """So many messages a second this process can give these accounts; said again every second."""
        said = [part for key, pace in paces.items() for part in (f"{key} {worker}", f"{pace:.3f}")]
        if said:
            with suppress(RedisError, OSError):
                await self._tell(keys=[_PACES], args=[_PACE_LASTS // _MS, *said])

    async def told(self) -> Mapping[str, float]:
        """Messages a second that all processes together can give an account, of those of which one of them knows."""
        try:
            answer = await self._told(keys=[_PACES])
        except (RedisError, OSError):
            return {}
        paces: dict[str, float] = {}
        for field, pace in zip(answer[::2], answer[1::2], strict=True):
            account = field.decode().rsplit(" ", 1)[0]
            paces[account] = paces.get(account, 0.0) + float(pace)
        return paces

    def _take_local(
        self, account: str, rate: float, burst: float, floor: float, wanted: int, lane: Lane
    ) -> Grant:
        now = time.monotonic()
        tokens, at = self._local.get(account, (burst, now))
        tokens = min(burst, tokens + (now - at) * rate)
        granted = max(0, min(wanted, int(tokens - floor)))
        tokens -= granted
        self._local[account] = (tokens, now)
        short = floor + 1 - tokens if granted < wanted else 0.0
        return Grant(granted, timedelta(seconds=max(0.0, short / rate)), _pace(rate, lane))

    def _recipient_local(self, key: str, pause: timedelta) -> timedelta:
        now = time.monotonic()
        until = self._local_recipients.get(key, 0.0)
        if until > now:
            return timedelta(seconds=until - now)
        if len(self._local_recipients) > _LOCAL_RECIPIENTS:
            self._local_recipients = {k: t for k, t in self._local_recipients.items() if t > now}
        self._local_recipients[key] = now + pause.total_seconds()
        return timedelta(0)


def _pace(rate: float, lane: Lane) -> timedelta:
    share = BULK_SHARE if lane is Lane.BULK else 1.0
    return timedelta(seconds=1 / (rate * share))
