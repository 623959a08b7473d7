"""What is measured: each line beside plain code that does the same, one after the other in the same run."""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import orjson

from bench import bare, bodies, history, peers
from bench.bodies import Body
from bench.load import Door, Figure, batches, singles, steady, waits
from bench.rig import PEOPLE, Rig, memory, process, seconds
from bench.wire import Connection

WORKERS = 2
_SMALL = 20_000
_ONE_A_CALL = "one a call (Telegram)"

_JOBS = 3_000
"""What the others that send a message a job are given."""


@dataclass(frozen=True, slots=True)
class Line:
    """`bare`: of the least code possible, `same`: of the least that leaves the same rows; None where there is no such
    thing. `target`: to be reached on two cores."""

    name: str
    value: float
    unit: str
    bare: float | None = None
    target: float | None = None
    less_is_better: bool = False
    same: float | None = None

    @property
    def of_least(self) -> float | None:
        """More is better; 1: as good as the least code possible."""
        return self._ratio(self.bare)

    @property
    def of_same(self) -> float | None:
        return self._ratio(self.same)

    def _ratio(self, other: float | None) -> float | None:
        if not other or not self.value:
            return None
        return other / self.value if self.less_is_better else self.value / other


@dataclass(frozen=True, slots=True)
class Size:
    """How much is sent through each line. `letters`: where a call takes hundreds; of fewer most would be gone before all are
    at work."""

    bulk: int = 40_000
    letters: int = 120_000
    waiting: Sequence[int] = (10_000, 100_000, 1_000_000)
    tries: int = 2
    history: int = 100_000


@dataclass(slots=True)
class Bench:
    rig: Rig
    size: Size
    lines: list[Line] = field(default_factory=list)
    accepts: float = 2500
    """A second, for certain; as long as it is not known a slow machine's."""

    @property
    def door(self) -> Door:
        return Door(self.rig.url, self.rig.key)

    async def run(self) -> None:
        await self.rig.db.execute(bare.SCHEMA)
        for part in (
            self.intake,
            self.bulk,
            self.peers,
            self.latency,
            self.receipts,
            self.growth,
            self.history,
        ):
            print(f"{part.__name__} …", file=sys.stderr, flush=True)
            before = len(self.lines)
            await part()
            for line in self.lines[before:]:
                print(f"  {line.name}: {line.value:,.0f} {line.unit}", file=sys.stderr, flush=True)

    # -- accepting --------------------------------------------------------------------------------------------------

    async def intake(self) -> None:
        with self._plain("bare", "serve") as least, self._plain("same_rows", "serve") as same:
            doors = self.door, _local(least), _local(same)
            body, letter = bodies.to("telegram"), bodies.letter(bodies.MERGED)
            one: dict[Door, list[Figure]] = {door: [] for door in doors}
            many: dict[Door, list[Figure]] = {door: [] for door in doors}
            for door in doors:
                await singles(door, body, total=500, connections=50)
            for _ in range(self.size.tries):
                for door in doors:
                    one[door].append(await singles(door, body, total=3000, connections=50))
                    many[door].append(await batches(door, letter, total=12_000))
                    await self._empty()
        for found, target in ((one, 1000), (many, 10_000)):
            rates = [max(f.value for f in found[door]) for door in doors]
            first = found[doors[0]][0]
            line = Line(first.name, rates[0], first.unit, rates[1], target, same=rates[2])
            self.lines.append(line)
        self.accepts = max(self.accepts, 0.6 * min(f.value for f in many[doors[0]]))

    # -- sending ----------------------------------------------------------------------------------------------------

    async def bulk(self) -> None:
        bulk, letters = self.size.bulk, self.size.letters
        counts = {"rendered": letters, "merged": letters, "single": bulk}
        least = {way: await self._least(way, count) for way, count in counts.items()}
        made_here, merged = bodies.letter(bodies.WHOLE), bodies.letter(bodies.MERGED)
        lines: Sequence[tuple[str, Body, str, str, float | None]] = (
            ("letters, 500 a call, made here", made_here, "rendered", "rendered", 5556),
            ("letters, 500 a call, filled in there", merged, "merged", "merged", 16_667),
            ("one a call (MAX)", bodies.to("max"), "single", "max", 5556),
            (_ONE_A_CALL, bodies.to("telegram"), "single", "telegram", None),
            ("100 a call (VK)", bodies.to("vk", same=True), "merged", "vk", None),
        )
        for name, body, bare_way, way, target in lines:
            ours, equal = [], []
            count = counts[bare_way]
            for _ in range(self.size.tries):
                ours.append(await self._drained(body, count, self.rig.workers(WORKERS)))
                equal.append(await self._drained(body, count, self._several("same_rows", way)))
            self.lines.append(
                Line(f"bulk: {name}", max(ours), "/s", least[bare_way], target, same=max(equal))
            )

    async def _drained(
        self, body: Body, count: int, senders: AbstractContextManager[None]
    ) -> float:
        """Messages a second, from the moment when all of them are due to the last outcome that was written."""
        await self._empty()
        async with self._campaign(body, count, senders) as due:
            await self._ended(count)
            last = await self.rig.db.fetchval("SELECT max(sent_at) FROM delivery")
        return count / float((last - due).total_seconds())

    @asynccontextmanager
    async def _campaign(
        self, body: Body, count: int, senders: AbstractContextManager[None] | None = None
    ) -> AsyncIterator[datetime]:
        """Accepted for a time at which all of it is due, with workers that wait for it, or `senders` in their place."""
        due = datetime.now(UTC) + timedelta(seconds=8 + count / self.accepts)
        at = due.isoformat()
        await batches(self.door, lambda n: body(n) | {"send_at": at}, total=count)
        await self.rig.db.execute("ANALYZE notification, delivery, attempt")
        if due < datetime.now(UTC) + timedelta(seconds=4):
            raise RuntimeError("this machine accepts too slowly to measure how fast it sends")
        with senders or self.rig.workers(WORKERS):
            await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
            yield due

    async def _ended(self, count: int, *, within: float = 300) -> None:
        """Everything is sent, and that is written."""
        until = time.monotonic() + within
        while await self.rig.told() < count or await self.rig.db.fetchval(_UNDER_WAY):
            if time.monotonic() > until:
                raise RuntimeError(f"not sent within {within:.0f} s")
            await asyncio.sleep(0.2)

    async def _least(self, way: str, count: int) -> float:
        rates = []
        for _ in range(self.size.tries):
            await self.rig.db.execute("TRUNCATE bare_message")
            await self.rig.db.execute(bare.FILL, count, timeout=120)
            await self.rig.db.execute("ANALYZE bare_message")
            began = time.perf_counter()
            running = [await self._sender(way) for _ in range(WORKERS)]
            for one in running:
                await one.wait()
            rates.append(count / (time.perf_counter() - began))
        await self.rig.db.execute("TRUNCATE bare_message")
        return max(rates)

    async def _sender(self, way: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._command("bare", way),
            stdout=asyncio.subprocess.DEVNULL,
        )

    async def peers(self) -> None:
        """A message a job by others, and how many times as many the product sends beside it."""
        [ours] = [line.value for line in self.lines if line.name == f"bulk: {_ONE_A_CALL}"]
        arq = partial(self._several, "peers", "arq")
        celery = partial(self._plain, "peers", "celery", "--processes", str(WORKERS))
        for peer, what, hold, workers in (
            ("arq", "a plain arq job a message", peers.hold_arq, arq),
            ("Celery", "Celery, a task a message", peers.hold_celery, celery),
        ):
            rate = max([await self._peer(hold, workers()) for _ in range(self.size.tries)])
            self.lines.append(Line(what, rate, "/s"))
            self.lines.append(Line(f"  {_ONE_A_CALL} against {peer}", ours / rate, "times"))

    async def _peer(
        self,
        hold: Callable[[str, int], Awaitable[None]],
        workers: AbstractContextManager[object],
    ) -> float:
        await self._empty()
        await hold(self.rig.redis_url, _JOBS)
        with workers:
            return await peers.drained(self.rig.redis_url, self.rig.sink, _JOBS)

    # -- how long it takes --------------------------------------------------------------------------------------------

    async def latency(self) -> None:
        await self._empty()
        least = await self._least_latency()
        with self.rig.workers(WORKERS):
            await asyncio.sleep(4)
            accepted = await steady(self.door, rate=200, seconds=15, name="alone")
            alone, missing = await waits(self.rig.sink, accepted)
            self.lines.append(Line("200/s alone: not there after 3 s", missing, "messages"))
        await self._empty()
        # More than is sent meanwhile.
        count = self.size.bulk * 2
        async with self._campaign(bodies.letter(bodies.WHOLE), count):
            accepted = await steady(self.door, rate=200, seconds=10, name="beside")
            under_way = bool(await self.rig.db.fetchval(_UNDER_WAY))
            beside, missing = await waits(self.rig.sink, accepted)
            for role, pid in self.rig.pids.items():
                if role.startswith(("api", "worker")):
                    self.lines.append(Line(f"memory: {role}", memory(pid), "MiB"))
            await self._ended(count)
        name = "beside a campaign" if under_way else "beside a campaign that ended sooner"
        self.lines.append(Line(f"200/s {name}: not there after 3 s", missing, "messages"))
        for at, cut in ((50, 49), (95, 94), (99, 98)):
            target = 1000 if at == 99 else None
            self.lines.append(
                Line(f"200/s alone: p{at}", alone[cut], "ms", least[cut], None, less_is_better=True)
            )
            self.lines.append(
                Line(f"200/s {name}: p{at}", beside[cut], "ms", None, target, less_is_better=True)
            )

    async def _least_latency(self) -> Sequence[float]:
        with self._plain("peers", "arq"):
            accepted = await peers.enqueue_arq(self.rig.redis_url, rate=200, seconds=10)
            found, _ = await waits(self.rig.sink, accepted)
        return found

    # -- what providers say -------------------------------------------------------------------------------------------

    async def receipts(self) -> None:
        """The first half of what was sent is told to the product, the other half to the code that leaves equal rows."""
        await self._empty()
        async with self._campaign(bodies.letter(bodies.MERGED), 2 * _SMALL):
            await self._ended(2 * _SMALL)
        ids = [r["id"] for r in await self.rig.db.fetch("SELECT id FROM delivery ORDER BY id")]
        async with self.door.open() as connection:
            accounts = orjson.loads(await connection.get("/v1/accounts"))["items"]
        [path] = [a["hook_url"] for a in accounts if a["name"] == "mail"]
        ours = await self._told(self.door, "/" + path.split("/", 3)[3], ids[:_SMALL])
        with self._plain("same_rows", "serve") as port:
            equal = await self._told(_local(port), "/receipts", ids[_SMALL:])
        await self.rig.db.execute(bare.FILL, _SMALL, timeout=120)
        ids = [r["id"] for r in await self.rig.db.fetch("SELECT id FROM bare_message")]
        with self._plain("bare", "serve") as port:
            least = await self._told(_local(port), "/receipts", ids)
        name = "receipts, 100 a call, 4 connections"
        self.lines.append(Line(name, ours, "/s", least, same=equal))

    async def _told(self, door: Door, path: str, ids: Sequence[UUID]) -> float:
        """Receipts a second."""
        calls = iter([bodies.receipts(ids[at : at + 100]) for at in range(0, len(ids), 100)])

        async def provider() -> None:
            async with Connection(door.url) as connection:
                for call in calls:
                    await connection.post(path, call)

        began = time.perf_counter()
        await asyncio.gather(*(provider() for _ in range(4)))
        return len(ids) / (time.perf_counter() - began)

    # -- what was before --------------------------------------------------------------------------------------------

    async def history(self) -> None:
        await self._empty()
        with self.rig.workers(WORKERS):
            await asyncio.sleep(4)
            found = await history.measured(self.rig, self.size.history)
        self.lines.append(Line("import: orders of two lines, NDJSON", found.rate, "/s", None, 1000))
        for what, took in (("answered", found.answers), ("told", found.told)):
            p99 = statistics.quantiles(took, n=100)[98] * 1000
            name = f"10 live orders/s meanwhile: {what}, p99"
            self.lines.append(Line(name, p99, "ms", None, 1000, less_is_better=True))
        self.lines.append(Line("10 live orders/s meanwhile: not told", found.untold, "orders"))

    # -- with many waiting ----------------------------------------------------------------------------------------------

    async def growth(self) -> None:
        costs: dict[int, float] = {}
        counting = 0.0
        for waiting in self.size.waiting:
            tries = []
            # Half a second of work is measured, and what else the machine does shows in that more than in the others.
            for _ in range(2 * self.size.tries):
                await self._fill(waiting)
                # Else it falls into the second in which the messages are sent, and looks like their cost.
                counting = await self.rig.counted()
                await self.rig.db.execute("CHECKPOINT", timeout=600)
                tries.append(await self._cost(min(self.size.waiting)))
            costs[waiting] = min(tries)
        first = costs[min(costs)]
        for waiting, cost in costs.items():
            name = f"processor for a message, {waiting:,} waiting"
            more = cost / first
            target = None if cost is first else first * 1.2
            self.lines.append(Line(name, cost, "µs", None, target, less_is_better=True))
            self.lines.append(Line(f"  against {min(costs):,}", more, "times", less_is_better=True))
        name = f"statistics: an hour of {max(costs):,} counted"
        self.lines.append(Line(name, counting * 1000, "ms", less_is_better=True))

    async def _fill(self, waiting: int) -> None:
        await self._empty()
        for part in range(0, waiting, 100_000):
            await self.rig.db.execute(_WAITING, min(100_000, waiting - part), PEOPLE, timeout=600)
        await self.rig.db.execute("VACUUM ANALYZE notification, delivery", timeout=600)

    async def _cost(self, count: int) -> float:
        """Processor time of everything, in microseconds for each of the first `count` messages, without the start of
        the workers."""
        first = count // 5
        already = await self.rig.told()
        with self.rig.workers(WORKERS):
            began = await self._used_at(already + first)
            ended = await self._used_at(already + count - first)
        (sent, used), (later, more) = began, ended
        return (more - used) / (later - sent) * 1e6

    async def _used_at(self, count: int) -> tuple[int, float]:
        until = time.monotonic() + 120
        while (sent := await self.rig.told()) < count:
            if time.monotonic() > until:
                raise RuntimeError("not sent within 120 s")
            await asyncio.sleep(0.02)
        return sent, seconds(list(self.rig.pids.values()))

    # -- around it ------------------------------------------------------------------------------------------------------

    async def _empty(self) -> None:
        await self.rig.empty()
        await self.rig.db.execute("TRUNCATE bare_message")

    def _command(self, module: str, *what: str) -> Sequence[str]:
        rig = self.rig
        servers = (
            ("--redis", rig.redis_url) if module == "peers" else ("--database", rig.database_url)
        )
        return sys.executable, "-m", f"bench.{module}", *what, *servers, "--sink", rig.sink

    @contextmanager
    def _plain(self, module: str, *what: str) -> Iterator[str]:
        """The process, ready; the first line that it printed."""
        with process(*self._command(module, *what)) as (_, said):
            yield said

    @contextmanager
    def _several(self, module: str, *what: str) -> Iterator[None]:
        """As many processes as there are workers."""
        with ExitStack() as running:
            for _ in range(WORKERS):
                running.enter_context(self._plain(module, *what))
            yield


def _local(port: str) -> Door:
    return Door(f"http://127.0.0.1:{port}")


_UNDER_WAY = "SELECT EXISTS (SELECT FROM delivery WHERE status IN ('queued', 'sending') AND category = 'marketing')"

_WAITING = """
WITH person AS (
    SELECT c.id AS contact_id, a.id AS address_id, row_number() OVER (ORDER BY a.id) AS nth
      FROM contact AS c JOIN address AS a ON a.contact_id = c.id WHERE a.kind = 'vk'
), made AS (
    INSERT INTO notification (id, shop_id, contact_id, category, strategy, status, content, plan, skipped)
    SELECT uuidv7(), 1, p.contact_id, 'marketing', 'first', 'queued', '{"text": "Скидки недели"}'::jsonb,
           jsonb_build_array(jsonb_build_object('channel', 'vk', 'addresses', jsonb_build_array(p.address_id),
                             'until', null, 'wait', null, 'patience', null)), '[]'::jsonb
      FROM generate_series(1, $1::int) AS g JOIN person AS p ON p.nth = 1 + g % $2::int
     -- Whoever gets several does not get them in one call.
     ORDER BY g
    RETURNING id, contact_id, (plan -> 0 -> 'addresses' ->> 0)::uuid AS address_id
)
INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category, due_at,
                      handout_at, give_up_at, route)
SELECT uuidv7(), 1, id, contact_id, address_id, 'vk', 'marketing', now(), now(), now() + interval '1 day',
       'vk/vk//last'
  FROM made
"""
