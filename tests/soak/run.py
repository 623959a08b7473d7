"""One run from the first start to the verdict."""

import asyncio
import json
import random
import re
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from time import monotonic, time
from typing import Any

import aiohttp
import asyncpg

from hub.embedded.process import until
from tests.soak import disk, journal, monkey, plan, verify
from tests.soak.collect import Hub
from tests.soak.disk import Disk
from tests.soak.feeder import Settings
from tests.soak.fleet import ROLES, Fleet, Outside, child, eventually, fleet, outside
from tests.soak.journal import Journal
from tests.soak.monkey import Fault, Monkey
from tests.soak.outside import CANARY
from tests.soak.prober import Prober
from tests.soak.verify import Accepted, Arrival, Receipt, Verdict

_PEOPLE_PER_MESSAGE = 0.1
_STARTS_WITHIN = 60.0
_ENDS_WITHIN = 2400.0
"""The last pauses between tries of marketing are half an hour; so many failures in a row are not to be expected."""
_SAYS_EVERY = 10.0
_STORIES = 200
_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}\b")


@dataclass(frozen=True, slots=True)
class Size:
    """`kinds`: only these faults, in this order; else all that the machine allows, by chance. `hurry`: what waits
    for its next try in the end is sent at once instead."""

    notifications: int
    faults: int
    seed: int
    per_second: float = 200.0
    kinds: tuple[str, ...] = ()
    hurry: bool = False
    disk: int = 8


@dataclass(slots=True)
class Outcome:
    size: Size
    verdict: Verdict
    faults: list[Fault]
    without: dict[str, str]
    began_at: datetime
    fed_for: float
    """Seconds from the first call to the last one that was accepted."""
    took: float
    orders: int
    pauses: list[tuple[float, float]] = field(default_factory=list)
    """The longest times without any arrival, and how far from the start."""
    taken: dict[str, int] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.verdict.faults or self.trouble)


async def run(size: Size, folder: Path, say: Callable[[str], None]) -> Outcome:
    """Everything it writes lies in `folder`. Raises `TimeoutError` where the hub does not come back."""
    async with AsyncExitStack() as stack:
        place = stack.enter_context(disk.mounted(folder, size.disk))
        people = max(50, int(size.notifications * _PEOPLE_PER_MESSAGE))
        world = await stack.enter_async_context(outside(folder, seed=size.seed, people=people))
        data = (place.folder if place else folder) / "data"
        running = await stack.enter_async_context(fleet(folder, data, world.ports))
        soak = await stack.enter_async_context(_Soak(size, folder, people, world, running, say))
        return await soak.run(place)


class _Soak:
    def __init__(
        self,
        size: Size,
        folder: Path,
        people: int,
        world: Outside,
        running: Fleet,
        say: Callable[[str], None],
    ) -> None:
        self._size = size
        self._folder = folder
        self._people = people
        self._world = world
        self._fleet = running
        self._say = say
        self._chance = random.Random(f"{size.seed}-monkey")
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        self._hub = Hub(self._session, running.url, running.keys["main"])
        self._canaries = Journal(folder / "canaries.jsonl")
        self._prober = Prober(running.url, running.keys[CANARY], self._canaries, people)
        self._accepted = 0
        self._fed = asyncio.Event()
        self._said_at = 0.0

    async def __aenter__(self) -> "_Soak":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()
        await self._prober.close()
        self._canaries.close()

    async def run(self, place: Disk | None) -> Outcome:
        began, began_at = monotonic(), datetime.now(UTC)
        await self._prober.recovered(_STARTS_WITHIN)
        for id_, body in plan.keepers().items():
            await self._hub.put(f"/v1/contacts/{id_}", body)
        await self._world.tell("/hooks", await self._hub.hooks())
        await eventually(self._bots_listen, _STARTS_WITHIN)
        kinds, without = monkey.possible(place)
        beast = Monkey(self._fleet, self._world, self._prober, place)
        self._say(f"the fleet is up after {monotonic() - began:.1f} s")
        fed_from = time()
        await self._feed(beast, self._size.kinds or tuple(kinds))
        fed_for = time() - fed_from
        self._say(f"all accepted after {fed_for:.0f} s; waiting for the last ones to end")
        await self._end()
        verdict, arrivals, orders, trouble = await self._judge()
        state = await self._world.state()
        return Outcome(
            self._size,
            verdict,
            beast.happened,
            dict(without) if not self._size.kinds else {},
            began_at,
            fed_for,
            monotonic() - began,
            orders,
            _pauses(arrivals, fed_from, fed_from + fed_for),
            state["taken"],
            trouble,
        )

    async def _bots_listen(self) -> bool:
        return bool((await self._world.state())["heard"])

    async def _feed(self, beast: Monkey, kinds: tuple[str, ...]) -> None:
        """The feeder and the faults in step: each fault comes at a moment by chance in its own stretch of the whole."""
        size = self._size
        settings = Settings(
            self._fleet.url,
            self._fleet.keys["main"],
            str(self._folder),
            size.notifications,
            self._people,
            size.seed,
            size.per_second,
        )
        feeder = await child(
            "tests.soak.feeder",
            json.dumps(asdict(settings)),
            log=self._folder / "feeder.log",
            stdin=subprocess.PIPE,
        )
        listening = asyncio.create_task(self._listen(feeder))
        try:
            await self._inflict(beast, kinds, feeder)
            self._allow(feeder, 10 * size.notifications)
            await self._fed.wait()
        finally:
            listening.cancel()
            if feeder.returncode is None and not self._fed.is_set():
                feeder.kill()
            await feeder.wait()

    async def _inflict(
        self, beast: Monkey, kinds: tuple[str, ...], feeder: asyncio.subprocess.Process
    ) -> None:
        chosen = self._size.kinds or monkey.schedule(kinds, self._size.faults, self._chance)
        wanted = list(chosen[: self._size.faults])
        # The last stretch is for what comes after the last fault.
        ends = _stretches([*map(monkey.weight, wanted), 1.0], self._size.notifications)
        for number, kind in enumerate(wanted):
            # One stretch ahead, so that something is sent while the fault is there and after it.
            self._allow(feeder, int(ends[number + 1]))
            begin = ends[number - 1] if number else 0.0
            await self._until(begin + (ends[number] - begin) * self._chance.uniform(0.2, 0.8))
            self._say(f"{number + 1:>3}. at {self._accepted:>6}: {kind} …")
            fault = await beast.inflict(kind, self._chance)
            self._say(f"       {fault.detail} goes on after {fault.recovery.all:.2f} s")

    async def _until(self, accepted: float) -> None:
        await until(lambda: self._accepted >= accepted or self._fed.is_set())

    def _allow(self, feeder: asyncio.subprocess.Process, accepted: int) -> None:
        assert feeder.stdin
        feeder.stdin.write(f"{accepted}\n".encode())

    async def _listen(self, feeder: asyncio.subprocess.Process) -> None:
        assert feeder.stdout
        async for line in feeder.stdout:
            said = json.loads(line)
            self._accepted = said["accepted"]
            if said.get("done"):
                self._fed.set()

    async def _end(self) -> None:
        """Until nothing is under way: not in the hub, not at the providers, no question open, no cascade waiting."""
        await self._world.tell("/well")
        await eventually(self._quiet, _ENDS_WITHIN)
        if self._size.hurry:
            await self._hurry()
        else:
            await asyncio.sleep(plan.CASCADE_WAIT + 2)
        await eventually(self._quiet, _ENDS_WITHIN)

    async def _quiet(self) -> bool:
        """Says from time to time what it waits for."""
        left = {
            "receipts and presses": (await self._world.state())["waiting"],
            **await self._hub.under_way(),
        }
        waiting = {what: count for what, count in left.items() if count}
        if waiting and monotonic() - self._said_at > _SAYS_EVERY:
            self._said_at = monotonic()
            self._say("waiting for " + ", ".join(f"{n} {what}" for what, n in waiting.items()))
        if waiting and self._size.hurry:
            await self._hurry()
            await asyncio.sleep(1)
        return not waiting

    async def _hurry(self) -> None:
        """Time is moved in the data: whatever waits for its time, its next try or its account has it now."""
        connection = await asyncpg.connect(self._fleet.servers.urls.database)
        try:
            await connection.execute("DELETE FROM account_state")
            await connection.execute(
                "UPDATE delivery SET due_at = now(), handout_at = now()"
                " WHERE status = 'queued' AND due_at > now()"
            )
            await connection.execute(
                "UPDATE notification SET step_at = now() WHERE step_at > now()"
            )
        finally:
            await connection.close()

    async def _judge(self) -> tuple[Verdict, list[Arrival], int, list[str]]:
        known = {n.id: n async for n in self._hub.notifications()}
        canary = Hub(self._session, self._fleet.url, self._fleet.keys[CANARY])
        known |= {n.id: n async for n in canary.notifications()}
        read, folder = journal.read, self._folder
        accepted = [Accepted(**e) for e in read(folder / "accepted.jsonl")]
        accepted += [Accepted(**e) for e in read(folder / "canaries.jsonl")]
        arrivals = [Arrival(**e) for e in read(folder / "arrivals.jsonl")]
        receipts = [Receipt(**e) for e in read(folder / "receipts.jsonl")]
        orders = [e["number"] for e in read(folder / "orders.jsonl") if e["taken"]]
        verdict = verify.verify(accepted, known, arrivals, receipts, orders)
        await self._keep(verdict)
        trouble = [json.dumps(e, ensure_ascii=False) for e in read(folder / "trouble.jsonl")]
        trouble += [
            f"order {number}: {status}"
            for number in orders
            if (status := await self._hub.order_status(number)) != "confirmed"
        ]
        return verdict, arrivals, len(orders), trouble + self._tracebacks()

    async def _keep(self, verdict: Verdict) -> None:
        """The whole story of those with which something is wrong, for whoever looks for the reason."""
        ids = dict.fromkeys(_ID.findall("\n".join(verdict.faults[:_STORIES])))
        with Journal(self._folder / "wrong.jsonl") as wrong:
            for id_ in ids:
                with suppress(AssertionError):
                    wrong.note(dict(await self._hub.whole(id_)))

    def _tracebacks(self) -> list[str]:
        """Bugs are caught and logged in three places: none may have been."""
        words = ("loop_died", "adapter_failed", "render_failed", "bots.failed", "Traceback")
        return [
            f"{role}: {line[:300]}"
            for role in ROLES
            for line in self._fleet.log(role).splitlines()
            # The pool of asyncpg tells every try to connect that fails with its whole stack.
            if any(word in line for word in words) and "pool connection floor" not in line
        ]


def _stretches(weights: Sequence[float], total: int) -> list[float]:
    """Where each ends, as long as it is heavy."""
    return [sum(weights[: i + 1]) * total / sum(weights) for i in range(len(weights))]


def _pauses(arrivals: list[Arrival], since: float, to: float) -> list[tuple[float, float]]:
    """The five longest, while something was to be sent."""
    at = sorted(a.at for a in arrivals if since <= a.at <= to)
    gaps = [(later - earlier, earlier - since) for earlier, later in pairwise(at)]
    return sorted(gaps, reverse=True)[:5]


def summary(outcome: Outcome) -> dict[str, Any]:
    """Everything of it that JSON can hold."""
    verdict = outcome.verdict
    return {
        "size": asdict(outcome.size),
        "began_at": outcome.began_at.isoformat(),
        "fed_for": round(outcome.fed_for, 1),
        "took": round(outcome.took, 1),
        "good": outcome.good,
        "accepted": verdict.accepted,
        "lost": verdict.lost,
        "reached": verdict.reached,
        "not_sent": {why.value: count for why, count in verdict.not_sent.items()},
        "statuses": dict(verdict.statuses),
        "deliveries": {f"{c} {s}": count for (c, s), count in sorted(verdict.states.items())},
        "arrivals": outcome.taken,
        "doubles": {f"{by} {c}": count for (by, c), count in sorted(verdict.doubles.items())},
        "in_doubt": verdict.in_doubt,
        "in_order": verdict.ordered,
        "receipts": verdict.receipts,
        "orders": outcome.orders,
        "faults": [asdict(fault) for fault in outcome.faults],
        "without": outcome.without,
        "pauses": outcome.pauses,
        "wrong": [*verdict.faults, *outcome.trouble],
    }
