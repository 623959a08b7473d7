"""The faults: what is done to the running fleet, when, and how long it takes until all goes on."""

import asyncio
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time

from redis.asyncio import Redis

from hub.embedded.process import send
from hub.notifications.claims import LEASE
from tests.soak.disk import Disk
from tests.soak.fleet import WORKERS, Fleet, Outside, clock_library, eventually
from tests.soak.prober import Prober, Recovery

_FROZEN_FOR = LEASE.total_seconds() + 8
_DOWN_FOR = (8.0, 16.0)
_FULL_FOR = 6.0
_JUMPS = (-90, -20, 20, 90)
_JUMPED_FOR = 12.0
_LONGEST = 60.0
"""Seconds within which everything has to go on."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One that happened. `lasted`: how long the cause itself was there (a process that stands still, a provider that
    is away); the recovery counts from its end where nothing can go on before."""

    kind: str
    detail: str
    at: float
    lasted: float
    recovery: Recovery


Inflict = Callable[["Monkey", random.Random], Awaitable["_Done"]]


@dataclass(frozen=True, slots=True)
class _Done:
    recovery: Recovery
    detail: str = ""
    lasted: float = 0.0


@dataclass(slots=True)
class Monkey:
    fleet: Fleet
    outside: Outside
    prober: Prober
    disk: Disk | None
    happened: list[Fault] = field(default_factory=list)

    async def inflict(self, kind: str, chance: random.Random) -> Fault:
        """Raises `TimeoutError` where something does not go on within `_LONGEST`."""
        at = time()
        done = await KINDS[kind](self, chance)
        fault = Fault(kind, done.detail, at, done.lasted, done.recovery)
        self.happened.append(fault)
        return fault

    async def recovered(self) -> Recovery:
        return await self.prober.recovered(_LONGEST)


def possible(disk: Disk | None) -> tuple[list[str], Mapping[str, str]]:
    """The kinds that can be had on this machine, and why not the others."""
    without = {}
    if not clock_library():
        without[_CLOCK] = "the library libfaketime (Debian: faketime) is not installed"
    if disk is None:
        without[_DISK] = "a file system of its own can be mounted by root only"
    return [kind for kind in KINDS if kind not in without], without


def schedule(kinds: Sequence[str], faults: int, chance: random.Random) -> list[str]:
    """Every kind as often as every other, in an order by chance."""
    rounds: list[str] = []
    while len(rounds) < faults:
        rounds += chance.sample(list(kinds), len(kinds))
    return rounds[:faults]


def weight(kind: str) -> float:
    """How much has to be sent meanwhile, so that the fault does not fall into silence."""
    return _WEIGHTS.get(kind, 1.0)


async def _killed(monkey: Monkey, name: str, number: int = signal.SIGKILL) -> _Done:
    monkey.fleet.signal(name, number)
    return _Done(await monkey.recovered(), name)


async def _kill_api(monkey: Monkey, _: random.Random) -> _Done:
    return await _killed(monkey, "api")


async def _kill_worker(monkey: Monkey, chance: random.Random) -> _Done:
    return await _killed(monkey, chance.choice(WORKERS))


async def _kill_bots(monkey: Monkey, _: random.Random) -> _Done:
    return await _killed(monkey, "bots")


async def _kill_redis(monkey: Monkey, _: random.Random) -> _Done:
    return await _killed(monkey, "redis")


async def _wipe_redis(monkey: Monkey, _: random.Random) -> _Done:
    async with Redis.from_url(monkey.fleet.servers.urls.redis) as redis:
        await redis.flushall()
    return _Done(await monkey.recovered())


async def _restart_postgres(monkey: Monkey, _: random.Random) -> _Done:
    """Immediate shutdown: nobody is asked, the next start recovers from the log."""
    return await _killed(monkey, "postgres", signal.SIGQUIT)


async def _kill_postgres(monkey: Monkey, _: random.Random) -> _Done:
    return await _killed(monkey, "postgres")


async def _kill_backend(monkey: Monkey, chance: random.Random) -> _Done:
    """PostgreSQL then ends all its other children, too, and recovers."""
    postmaster = monkey.fleet.pid("postgres")
    backends = [
        pid
        for pid in _children(postmaster)
        if "[local]" in _title(pid) or "127.0.0.1" in _title(pid)
    ]
    send(chance.choice(backends), signal.SIGKILL)
    return _Done(await monkey.recovered(), f"one of {len(backends)}")


async def _freeze_worker(monkey: Monkey, chance: random.Random) -> _Done:
    """Longer than its leases last; what it had in hand is then somebody else's."""
    name, began = chance.choice(WORKERS), monotonic()
    monkey.fleet.signal(name, signal.SIGSTOP)
    try:
        during = await monkey.recovered()
        await asyncio.sleep(max(0.0, _FROZEN_FOR - (monotonic() - began)))
    finally:
        monkey.fleet.signal(name, signal.SIGCONT)
    after = await monkey.recovered()
    return _Done(during.worse(after), name, _FROZEN_FOR)


async def _provider_away(monkey: Monkey, chance: random.Random) -> _Done:
    name, wait = (
        chance.choice(("mail", "tg", "vk", "max", "sms", "fcm")),
        chance.uniform(*_DOWN_FOR),
    )
    await monkey.outside.tell(f"/providers/{name}/down")
    await asyncio.sleep(wait)
    await monkey.outside.tell(f"/providers/{name}/up")
    before = (await monkey.outside.state())["taken"][name]

    async def takes_again() -> bool:
        return bool((await monkey.outside.state())["taken"][name] > before)

    took = await eventually(takes_again, _LONGEST)
    return _Done((await monkey.recovered()).worse(Recovery(0.0, 0.0, took)), name, wait)


async def _everything(monkey: Monkey, _: random.Random) -> _Done:
    """As a power cut does it."""
    for name in ("postgres", "redis", "api", *WORKERS, "bots"):
        monkey.fleet.signal(name, signal.SIGKILL)
    return _Done(await monkey.recovered())


async def _jump(monkey: Monkey, chance: random.Random) -> _Done:
    ahead = chance.choice(_JUMPS)
    monkey.fleet.set_clock(ahead)
    try:
        during = await monkey.recovered()
        await asyncio.sleep(_JUMPED_FOR)
    finally:
        monkey.fleet.set_clock(0)
    return _Done(during.worse(await monkey.recovered()), f"{ahead:+d} s, worker-2", _JUMPED_FOR)


async def _fill_disk(monkey: Monkey, _: random.Random) -> _Done:
    assert monkey.disk
    with monkey.disk.full():
        await asyncio.sleep(_FULL_FOR)
    return _Done(await monkey.recovered(), lasted=_FULL_FOR)


_CLOCK, _DISK = "a worker's clock jumps", "the disk is full"
_FREEZE, _AWAY = "a worker stands still longer than its leases", "a provider is away"
_WEIGHTS: Mapping[str, float] = {_FREEZE: 6.0, _AWAY: 3.0, _CLOCK: 2.5, _DISK: 2.0}

KINDS: Mapping[str, Inflict] = {
    "kill -9 of the API": _kill_api,
    "kill -9 of a worker": _kill_worker,
    "kill -9 of the bots": _kill_bots,
    "kill -9 of Redis (comes back empty)": _kill_redis,
    "Redis wiped (FLUSHALL)": _wipe_redis,
    "PostgreSQL shut down at once (SIGQUIT)": _restart_postgres,
    "kill -9 of PostgreSQL": _kill_postgres,
    "kill -9 of a PostgreSQL backend": _kill_backend,
    _FREEZE: _freeze_worker,
    _AWAY: _provider_away,
    "kill -9 of everything at once": _everything,
    _CLOCK: _jump,
    _DISK: _fill_disk,
}


def _children(pid: int) -> list[int]:
    if sys.platform != "linux":
        return []
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
