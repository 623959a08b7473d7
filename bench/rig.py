"""What is measured: embedded PostgreSQL and Redis, one API, workers when they are wanted, and the sink beside them."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from redis.asyncio import Redis

from bench.wire import Connection
from hub.embedded.folder import locked
from hub.embedded.servers import Servers
from hub.resources import open_hub
from hub.settings_file import load
from hub.statistics.counting import Counting

SETTINGS = """
[hub]
listen = "127.0.0.1:0"
rate_limit = 0
log_level = "warning"

[shops.main]
name = "Bench"

[shops.main.channels]
transactional = ["telegram", "vk", "max", "email"]
marketing = ["telegram", "vk", "max", "email"]

[[shops.main.accounts]]
name = "mail"
channel = "email"
provider = "unisender_go"
token = "{token}"
from = "shop@example.com"
base_url = "{sink}"

[[shops.main.accounts]]
name = "tg"
channel = "telegram"
provider = "bot_api"
token = "1:a-token-for-the-benchmark"
base_url = "{sink}"
limits = {{ per_second = 100000, concurrency = 100 }}

[[shops.main.accounts]]
name = "vk"
channel = "vk"
provider = "community"
token = "a-token-for-the-benchmark"
group_id = 1
base_url = "{sink}/method"
# With a million waiting everybody gets fifty.
limits = {{ per_second = 100000, per_recipient = "0s", concurrency = 100 }}

[[shops.main.accounts]]
name = "max"
channel = "max"
provider = "bot_api"
token = "a-token-for-the-benchmark"
base_url = "{sink}"
limits = {{ per_second = 100000, concurrency = 100 }}
"""

PEOPLE = 20_000
LETTER = "bench.sale"
"""The template of a campaign's letter."""
TOKEN = "0123456789abcdef0123456789abcdef"
"""Of the mail account; as long as the signature that takes its place in a receipt."""

_PEOPLE = """
WITH person AS (
    INSERT INTO contact (id, shop_id, external_id, name, locale, attributes)
    SELECT uuidv7(), 1, 'buyer-' || n, 'Покупатель ' || n, 'ru',
           jsonb_build_object('city', 'Томск-' || n % 300, 'points', n % 5000)
      FROM generate_series(1, $1::int) AS n
    RETURNING id, substr(external_id, 7)::int AS n
), reached AS (
    INSERT INTO address (id, shop_id, contact_id, kind, value, digest)
    SELECT uuidv7(), 1, person.id, way.kind, way.value,
           sha256(convert_to(way.kind || ':' || way.value, 'UTF8'))
      FROM person
     CROSS JOIN LATERAL (VALUES ('email', 'buyer-' || n || '@example.com'), ('telegram', (100000 + n)::text),
                                ('vk', (200000 + n)::text), ('max', (300000 + n)::text)) AS way (kind, value)
)
INSERT INTO consent (contact_id, category, channel, state, source, changed_at)
SELECT person.id, 'marketing', way.channel, 'subscribed', 'bench', now()
  FROM person CROSS JOIN (VALUES ('email'), ('telegram'), ('vk'), ('max')) AS way (channel)
"""

_HUB = (sys.executable, "-m", "hub")
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def process(
    *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[tuple[int, str]]:
    """The running process's pid and the first line that it prints."""
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | (env or {}), cwd=cwd
    )
    assert started.stdout
    try:
        yield started.pid, started.stdout.readline().strip()
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(30)
        started.stdout.close()


@dataclass(slots=True)
class Rig:
    """A running hub and the doors into it. `pids`: of the processes that are measured, by role."""

    folder: Path
    environ: Mapping[str, str]
    url: str
    key: str
    sink: str
    db: asyncpg.Pool
    redis_url: str
    database_url: str
    pids: dict[str, int] = field(default_factory=dict)

    def api(self) -> Connection:
        """A connection to the hub with the admin key."""
        return Connection(self.url, self.key)

    async def told(self, what: str = "messages") -> Any:
        """What the sink has taken: `messages` or `arrivals`."""
        async with Connection(self.sink) as sink:
            return json.loads(await sink.get(f"/sink/{what}"))[what]

    async def empty(self) -> None:
        """Nothing is waiting, and nobody remembers anything."""
        await self.db.execute("TRUNCATE notification, delivery, attempt, receipt")
        await self.db.execute("VACUUM ANALYZE notification, delivery, attempt, receipt")
        async with Redis.from_url(self.redis_url) as redis:
            await redis.flushdb()
        async with Connection(self.sink) as sink:
            await sink.get("/sink/forget")

    async def counted(self) -> float:
        """Counts for the statistics, as workers do for a twentieth of the time; how long that took, in seconds."""
        settings = load(self.folder / "vestnik.toml", environ=os.environ | self.environ)
        async with open_hub(settings) as hub:
            began = time.perf_counter()
            await Counting(hub).turn(datetime.now(UTC))
            return time.perf_counter() - began

    @contextmanager
    def workers(self, count: int) -> Iterator[None]:
        """So many of them while the context lasts."""
        with ExitStack() as running:
            for n in range(count):
                started = subprocess.Popen(
                    [*_HUB, "worker"], cwd=self.folder, env=os.environ | self.environ
                )
                running.callback(_end, started)
                self.pids[f"worker {n + 1}"] = started.pid
            yield
            # Looked at while they are there.
        for n in range(count):
            self.pids.pop(f"worker {n + 1}")


def _end(started: subprocess.Popen[bytes]) -> None:
    started.send_signal(signal.SIGTERM)
    started.wait(30)


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """Everything started but the workers; people and templates are there."""
    servers = Servers(folder / "data")
    with process(sys.executable, "-m", "bench.sink") as (sink_pid, port), locked(folder / "data"):
        sink = f"http://127.0.0.1:{port}"
        (folder / "vestnik.toml").write_text(SETTINGS.format(sink=sink, token=TOKEN))
        await servers.start()
        try:
            async with _hub(folder, servers, sink, sink_pid) as made:
                yield made
        finally:
            await servers.stop()


@asynccontextmanager
async def _hub(folder: Path, servers: Servers, sink: str, sink_pid: int) -> AsyncIterator[Rig]:
    urls = servers.urls
    environ = {
        "VESTNIK_DATABASE_URL": urls.database,
        "VESTNIK_REDIS_URL": urls.redis,
        "VESTNIK_SECRET": "only-for-the-benchmark-of-this-machine",
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }

    def command(*arguments: str) -> str:
        return subprocess.check_output(
            [*_HUB, *arguments], cwd=folder, env=os.environ | environ, text=True
        ).strip()

    await asyncio.to_thread(command, "migrate")
    key = await asyncio.to_thread(command, "keys", "create", "--scope", "admin")
    with process(*_HUB, "api", env=environ, cwd=folder) as (pid, ready):
        pool = await asyncpg.create_pool(urls.database, min_size=1, max_size=4)
        try:
            url = ready.removeprefix("ready ")
            made = Rig(folder, environ, url, key, sink, pool, urls.redis, urls.database)
            made.pids |= {"api": pid, "sink": sink_pid}
            for server in servers.all:
                made.pids[server.name] = server.pid
            await furnish(made)
            yield made
        finally:
            pool.terminate()


async def furnish(made: Rig, people: int = PEOPLE) -> None:
    """People who have agreed to letters and messages, and the template."""
    await made.db.execute(_PEOPLE, people, timeout=120)
    await made.db.execute("VACUUM ANALYZE contact, address, consent")
    html = Path(__file__).with_name("letter.html").read_text()
    body = {"category": "marketing", "subject": "{{ contact.name }}, скидки недели", "html": html}
    async with made.api() as api:
        await api.post(f"/v1/templates/{LETTER}/email/ru", body, method="PUT")


def seconds(pids: Sequence[int]) -> float:
    """Of processor, of these processes and of their children that live (PostgreSQL's)."""
    found = 0.0
    for pid in pids:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            try:
                fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found += (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def memory(pid: int) -> float:
    """MiB in memory of its own, without what it shares with others."""
    found = re.search(r"Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
    return int(found[1]) / 1024 if found else 0.0
