"""`make pressure`: a hub beside a provider that is dead, before and with a million messages waiting for it.

One table: each figure before, with them, and the ratio of the two, all from one run. Only the ratios are to be compared
between machines.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from bench.bodies import to_telegram
from bench.load import Door, Figure, batches, singles, steady, waits
from bench.rig import memory, process, seconds

_SETTINGS = """
[hub]
listen = "127.0.0.1:0"
rate_limit = 0
log_level = "warning"

[shops.main.channels]
security = ["telegram"]

[[shops.main.accounts]]
name = "tg"
channel = "telegram"
provider = "bot_api"
token = "1:a-token-for-the-benchmark"
base_url = "http://127.0.0.1:{port}"
limits = {{ per_second = 100000, per_recipient = "0s", concurrency = 50 }}

# Nobody listens there.
[[shops.main.accounts]]
name = "dead"
channel = "email"
provider = "smtp"
host = "127.0.0.1"
port = {dead}
security = "none"
from = "shop@example.com"
"""

_FILL = """
WITH person AS (
    SELECT c.id AS contact_id, a.id AS address_id, c.shop_id,
           row_number() OVER (ORDER BY a.id) AS nth, count(*) OVER () AS many
      FROM contact AS c JOIN address AS a ON a.contact_id = c.id WHERE a.kind = 'email'
), made AS (
    INSERT INTO notification (id, shop_id, contact_id, category, strategy, status, content, plan, skipped, meta)
    SELECT uuidv7(), p.shop_id, p.contact_id, 'transactional', 'first', 'queued', '{"text": "Hello"}'::jsonb,
           jsonb_build_array(jsonb_build_object('channel', 'email', 'addresses', jsonb_build_array(p.address_id),
                             'until', null, 'wait', null, 'patience', null)), '[]'::jsonb, '{"n": 1}'::jsonb
      FROM generate_series(1, $1::int) AS g JOIN person AS p ON p.nth = 1 + g % p.many
    RETURNING id, shop_id, contact_id, (plan -> 0 -> 'addresses' ->> 0)::uuid AS address_id
)
INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category, due_at,
                      handout_at, give_up_at, route)
SELECT uuidv7(), shop_id, id, contact_id, address_id, 'email', 'transactional', now(), now(),
       now() + interval '4 hours', 'email/email//last'
  FROM made
"""

_IDLE = 15.0


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Rig:
    """A running hub and what looks into it from outside."""

    url: str
    door: Door
    sink: str
    data: Path
    db: asyncpg.Connection
    session: aiohttp.ClientSession

    @property
    def notifications(self) -> str:
        return f"{self.url}/v1/notifications"

    def pids(self) -> Mapping[str, int]:
        records = json.loads((self.data / "processes.json").read_text())
        return {name: int(record["pid"]) for name, record in records.items()}

    async def measure(self, when: str) -> list[Figure]:
        """Everything that may get worse."""
        figures = await self._idle()
        for category in ("security", "transactional"):
            figures += await self._steady(when, category, rate=50)
        # What else the machine does makes a run slower, never faster.
        door = self.door
        single = [await singles(door, to_telegram, total=1500, connections=20) for _ in range(4)]
        many = [await batches(door, to_telegram, total=4000) for _ in range(3)]
        figures += [max(runs, key=lambda figure: figure.value) for runs in (single, many)]
        await self._drained()
        figures += await self._looked()
        figures += [
            Figure(f"memory of {name}", memory(pid), "MiB")
            for name, pid in self.pids().items()
            if name in ("api", "worker")
        ]
        return figures

    async def _steady(self, when: str, category: str, *, rate: int) -> list[Figure]:
        name = f"{when}-{category}"
        accepted = await steady(self.door, rate=rate, seconds=8, name=name, category=category)
        cuts, missing = await waits(self.sink, accepted)
        of = f"{category}: accept to provider at {rate}/s"
        return [
            Figure(f"{of}, p50", cuts[49], "ms"),
            Figure(f"{of}, p95", cuts[94], "ms"),
            Figure(f"{of}, p99", cuts[98], "ms"),
            Figure(f"{category}: not there 3 s after the last", missing, "messages"),
        ]

    async def _idle(self) -> list[Figure]:
        """Nothing comes in and nothing can go out."""
        before, wal = self._cpu(), await self._wal()
        await asyncio.sleep(_IDLE)
        after = self._cpu()
        figures = [
            Figure(f"processor of {name}, idle", (after[name] - before[name]) / _IDLE * 100, "%")
            for name in before
            if name in after and name != "bots"
        ]
        written = (await self._wal() - wal) / _IDLE / 1024
        return [*figures, Figure("written ahead log, idle", written, "KiB/s")]

    def _cpu(self) -> dict[str, float]:
        return {name: seconds([pid]) for name, pid in self.pids().items()}

    async def _wal(self) -> int:
        return int(await self.db.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"))

    async def _looked(self) -> list[Figure]:
        """What people and programs look at meanwhile."""
        [dead] = await self.db.fetch(
            "SELECT id FROM notification WHERE status = 'queued' ORDER BY id LIMIT 1"
        )
        asked = {
            "list, newest": "/v1/notifications",
            "list, status=queued": "/v1/notifications?status=queued",
            "list, status=failed": "/v1/notifications?status=failed",
            "list, channel=telegram": "/v1/notifications?channel=telegram",
            "list, of one contact": "/v1/notifications?contact=buyer-1",
            "one notification": f"/v1/notifications/{dead['id']}",
            "metrics": "/metrics",
        }
        figures = []
        for name, path in asked.items():
            await asyncio.sleep(5.1 if name == "metrics" else 0)
            figures.append(Figure(name, await self._took("GET", path), "ms"))
        path = f"/v1/notifications/{dead['id']}/cancel"
        return [*figures, Figure("cancel", await self._took("POST", path), "ms")]

    async def _took(self, method: str, path: str) -> float:
        began = time.perf_counter()
        async with self.session.request(method, self.url + path) as answer:
            await answer.read()
            assert answer.status == 200, (path, answer.status)
        return (time.perf_counter() - began) * 1000

    async def _drained(self) -> None:
        while await self.db.fetchval(  # noqa: ASYNC110
            "SELECT EXISTS (SELECT FROM delivery WHERE status IN ('queued', 'sending')"
            " AND shop_id = 1 AND category = 'transactional' AND route LIKE 'telegram%')"
        ):
            await asyncio.sleep(0.3)

    async def die(self, people: int) -> None:
        """A few letters show the hub that the provider is dead."""
        letters = [
            {
                "recipient": {
                    "external_id": f"buyer-{n}",
                    "addresses": {"email": f"buyer-{n}@example.com"},
                },
                "content": {"subject": "Hello", "text": "Hello"},
            }
            for n in range(people)
        ]
        async with self.session.post(
            f"{self.notifications}/batch", json={"notifications": letters}
        ) as answer:
            assert answer.status == 202
        while not await self.db.fetchval("SELECT count(*) FROM account_state"):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        await asyncio.sleep(5)


async def _run(rig: Rig, rows: int) -> tuple[list[Figure], list[Figure]]:
    print("warming up …", flush=True)
    await singles(rig.door, to_telegram, total=300, connections=10)
    await rig.die(people=500)
    print("before …", flush=True)
    before = await rig.measure("before")
    began = time.perf_counter()
    print(f"{rows} rows …", flush=True)
    for part in range(0, rows, 100_000):
        await rig.db.execute(_FILL, min(100_000, rows - part), timeout=600)
    print(f"  written in {time.perf_counter() - began:.0f} s; settling …", flush=True)
    await rig.db.execute("VACUUM ANALYZE notification, delivery", timeout=600)
    await rig.db.execute("CHECKPOINT", timeout=600)
    await asyncio.sleep(20)
    print("with them …", flush=True)
    return before, await rig.measure("with")


def _show(before: Sequence[Figure], after: Sequence[Figure], rows: int) -> None:
    width = max(len(f.name) for f in before)
    print(f"\n{'':<{width}}  {'before':>10}  {f'{rows:,} waiting':>18}  {'ratio':>6}")
    for one, other in zip(before, after, strict=True):
        ratio = f"{other.value / one.value:>6.2f}" if one.value > 0.05 else "     -"
        print(f"{one.name:<{width}}  {one.value:>10.1f}  {other.value:>18.1f}  {ratio}  {one.unit}")


async def _measure(folder: Path, url: str, key: str, sink: str, rows: int) -> Any:
    servers = json.loads((folder / "data" / "servers.json").read_text())
    db = await asyncpg.connect(servers["database_url"])
    headers = {"Authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(limit=0)
    try:
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            rig = Rig(url, Door(url, key), sink, folder / "data", db, session)
            return await _run(rig, rows)
    finally:
        await db.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make pressure")
    parser.add_argument("--rows", type=int, default=1_000_000, help="that wait (1,000,000)")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with process(sys.executable, "-m", "bench.sink") as (_, port):
            settings = folder / "vestnik.toml"
            settings.write_text(_SETTINGS.format(port=port, dead=_closed_port()))
            common = ["--config", str(settings), "--data", str(folder / "data")]
            hub = [sys.executable, "-m", "hub"]
            with process(*hub, "up", *common) as (_, ready):
                url = ready.removeprefix("ready ")
                key = subprocess.check_output(
                    [*hub, "keys", "create", "--scope", "admin", *common], text=True
                ).strip()
                sink = f"http://127.0.0.1:{port}"
                before, after = asyncio.run(_measure(folder, url, key, sink, given.rows))
    _show(before, after, given.rows)
    if given.json:
        told = {"before": [asdict(f) for f in before], "with": [asdict(f) for f in after]}
        given.json.write_text(json.dumps(told | {"rows": given.rows}, indent=1))


if __name__ == "__main__":
    main()
