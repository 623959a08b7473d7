"""Thousands of letters while the account that carries them dies: all go by the next one, and what came twice is marked."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from tests.e2e.fleet import Role, command, role_environ
from tests.e2e.sending import eventually
from tests.simulators.base import Sent
from tests.simulators.mailchimp_transactional import MailchimpTransactionalSimulator
from tests.simulators.smtp import SmtpSimulator
from tests.simulators.unisender_go import UnisenderGoSimulator

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="stops processes by signals"),
    pytest.mark.timeout(240),
]

IN_A_POST = 25
AFTERWARDS = 100
MOVED_WITHIN = 60

_SETTINGS = """
[hub]
rate_limit = 0

[[shops.main.accounts]]
name = "first"
channel = "email"
provider = "unisender_go"
token = "env:FIRST_TOKEN"
from = "shop@example.com"
base_url = "{first.base_url}"
limits = {{ concurrency = 4 }}

[[shops.main.accounts]]
name = "second"
channel = "email"
provider = "mailchimp_transactional"
token = "env:SECOND_TOKEN"
from = "shop@example.com"
base_url = "{second.base_url}"

[[shops.main.accounts]]
name = "plain"
channel = "email"
provider = "smtp"
host = "127.0.0.1"
port = {plain.port}
security = "none"
from = "shop@example.com"
limits = {{ concurrency = 20 }}
"""


class First(UnisenderGoSimulator):
    """Takes letters at once and answers a moment later, or never; knows which of them nobody heard of."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = False
        self.unheard: set[str] = set()
        self._dead = False
        self._open: set[Any] = set()

    async def _send(self, request: web.Request) -> web.Response:
        transport = request.transport
        assert transport
        self._open.add(transport)
        response = await super()._send(request)
        # Since it was read nobody else had a turn.
        taken = len(self.calls[-1]["recipients"])
        addresses = {sent.to for sent in self.sent[-taken:]}
        self.unheard |= addresses
        await asyncio.sleep(3600 if self.silent else 0.2)
        if not self._dead:
            self.unheard -= addresses
        return response

    async def die(self) -> None:
        """In the middle of its calls; nobody listens there any more."""
        self._dead = True
        for transport in self._open:
            transport.abort()
        await self.stop()


class Second(MailchimpTransactionalSimulator):
    def __init__(self) -> None:
        super().__init__()
        self.taken_at: dict[str, float] = {}

    def take(self, sent: Sent) -> None:
        super().take(sent)
        self.taken_at[sent.to] = time.monotonic()


@dataclass(frozen=True)
class Providers:
    first: First
    second: Second
    plain: SmtpSimulator

    @property
    def arrived(self) -> Counter[str]:
        """Addresses by how often they were written to."""
        return Counter(
            sent.to for one in (self.first, self.second, self.plain) for sent in one.sent
        )


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    async with First() as first, Second() as second, SmtpSimulator() as plain:
        yield Providers(first, second, plain)


class Fleet:
    """An API and two workers on a database of their own."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        command(folder, environ, "migrate")
        self._key = command(folder, environ, "keys", "create", "--scope", "admin")
        self._roles = ExitStack()
        api = self._start(folder, environ, "api", "api.log")
        for n in range(2):
            self._start(folder, environ, "worker", f"worker-{n}.log")
        self.url = api.ready()
        self._session: aiohttp.ClientSession | None = None

    def _start(self, folder: Path, environ: Mapping[str, str], name: str, log: str) -> Role:
        role = Role(folder, environ, name, log)
        self._roles.callback(role.stop)
        return role

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self._key}"}
        timeout = aiohttp.ClientTimeout(total=60)
        self._session = aiohttp.ClientSession(self.url, headers=headers, timeout=timeout)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._session
        await self._session.close()
        await asyncio.to_thread(self._roles.close)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        assert self._session
        async with self._session.request(method, path, json=body) as response:
            assert response.status < 300, await response.text()
            return await response.json()

    async def send(self, numbers: range) -> None:
        """Letters to as many people, in small batches."""
        for begin in range(0, len(numbers), IN_A_POST):
            letters = [_letter(n) for n in numbers[begin : begin + IN_A_POST]]
            await self.call("POST", "/v1/notifications/batch", {"notifications": letters})

    async def letters(self, count: int) -> Sequence[Mapping[str, Any]]:
        """What the hub tells of each of the last `count`."""
        found: list[Mapping[str, Any]] = []
        cursor = ""
        while len(found) < count:
            page = await self.call("GET", f"/v1/notifications?limit=200{cursor}")
            found += page["items"]
            cursor = f"&cursor={page['next_cursor']}"
        return found[:count]

    async def all_sent(self, count: int, within: float) -> Sequence[Mapping[str, Any]]:
        end = time.monotonic() + within
        while True:
            letters = await self.letters(count)
            waiting = Counter(letter["status"] for letter in letters if letter["status"] != "sent")
            if not waiting:
                return letters
            assert time.monotonic() < end, waiting
            await asyncio.sleep(0.5)


def _letter(number: int) -> dict[str, Any]:
    recipient = {"address": {"channel": "email", "value": f"buyer-{number}@example.com"}}
    return {"recipient": recipient, "content": {"subject": "Заказ", "text": f"Заказ {number}"}}


@pytest.fixture
def database(database_url: str) -> Iterator[str]:
    async def run(*statements: str) -> None:
        connection = await asyncpg.connect(database_url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    drop = "DROP DATABASE IF EXISTS failover WITH (FORCE)"
    # A runner of our own: the tests' event loops stay as pytest-asyncio made them.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(run(drop, "CREATE DATABASE failover"))
        yield urlsplit(database_url)._replace(path="/failover").geturl()
        runner.run(run(drop))


async def fleet_of(
    folder: Path, database: str, redis_url: str, on: Providers, **tokens: str
) -> Fleet:
    (folder / "vestnik.toml").write_text(
        _SETTINGS.format(first=on.first, second=on.second, plain=on.plain)
    )
    known = {"FIRST_TOKEN": on.first.token, "SECOND_TOKEN": on.second.token}
    environ = {**role_environ(database, redis_url), **known, **tokens}
    # The simulators live in this loop.
    return await asyncio.to_thread(Fleet, folder, environ)


@pytest.mark.parametrize("count", [1500, pytest.param(5000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("how", ["killed", "silent"])
async def test_when_the_first_account_dies_all_go_by_the_second_and_doubles_are_marked(
    how: str, count: int, tmp_path: Path, database: str, redis_url: str, providers: Providers
) -> None:
    first, second = providers.first, providers.second
    async with await fleet_of(tmp_path, database, redis_url, providers) as fleet:
        sending = asyncio.create_task(fleet.send(range(count - AFTERWARDS)))
        await eventually(lambda: len(first.sent) >= count * 0.4, within=60)
        carried = len(first.sent)

        died_at = time.monotonic()
        if how == "killed":
            await first.die()
        else:
            first.silent = True
        await sending
        # All there was may hang in the calls of the silent one; these come when its death is known.
        await eventually(lambda: bool(second.taken_at), within=MOVED_WITHIN)
        await fleet.send(range(count - AFTERWARDS, count))
        accepted = time.monotonic() - died_at
        await eventually(lambda: len(providers.arrived) == count, within=MOVED_WITHIN)
        letters = await fleet.all_sent(count, within=MOVED_WITHIN)
        moved_within = max(second.taken_at.values()) - died_at
        counters = await fleet.call("GET", "/v1/accounts")

    twice = {to for to, times in providers.arrived.items() if times > 1}
    marked = {d["address"] for n in letters for d in n["deliveries"] if d["maybe_duplicate"]}
    clear = max(at for to, at in second.taken_at.items() if to not in twice) - died_at
    print(
        f"\n{how}: {carried} of {count} had gone by the first, {len(second.sent)} went by the second."
        f" After its death: last intake {accepted:.1f} s, last that was in no doubt {clear:.1f} s,"
        f" last of all {moved_within:.1f} s; {len(twice)} came twice, {len(marked)} are marked"
    )
    assert moved_within < MOVED_WITHIN
    assert set(providers.arrived) == {f"buyer-{n}@example.com" for n in range(count)}
    assert max(providers.arrived.values()) <= 2
    assert not providers.plain.sent
    # Doubled is what the first had taken and never told, and nothing else; all of it is marked.
    assert twice == first.unheard
    assert twice
    assert twice <= marked
    assert len(marked) <= len(twice) + 2 * 2 * 4 * IN_A_POST
    assert {a["name"] for a in counters["items"] if a["state"] == "paused"} <= {"first"}
    _check_reasons(letters)


def _check_reasons(letters: Sequence[Mapping[str, Any]]) -> None:
    """Each says who carried it, and why not the first."""
    for letter in letters:
        [delivery] = letter["deliveries"]
        instead_of = delivery["instead_of"]
        if delivery["account"] == "first":
            assert instead_of is None
        else:
            assert delivery["account"] == "second"
            assert instead_of["account"] == "first"
            assert instead_of["reason"] in ("paused", "slow", "failed_before", "coming_back")


async def test_without_credentials_for_the_services_plain_smtp_carries_all(
    tmp_path: Path, database: str, redis_url: str, providers: Providers
) -> None:
    count = 500
    fleet = await fleet_of(
        tmp_path, database, redis_url, providers, FIRST_TOKEN="", SECOND_TOKEN=""
    )
    async with fleet:
        began = time.monotonic()
        await fleet.send(range(count))
        letters = await fleet.all_sent(count, within=60)
        took = time.monotonic() - began
        accounts = (await fleet.call("GET", "/v1/accounts"))["items"]

    print(f"\nnot set up: {count} by SMTP in {took:.1f} s")
    assert [a["state"] for a in accounts] == ["not_set_up", "not_set_up", "in_use"]
    assert providers.arrived == {f"buyer-{n}@example.com": 1 for n in range(count)}
    assert len(providers.plain.sent) == count
    assert {d["account"] for n in letters for d in n["deliveries"]} == {"plain"}
    reasons = [d["instead_of"] for n in letters for d in n["deliveries"]]
    assert {(r["account"], r["reason"]) for r in reasons} == {("first", "not_set_up")}
