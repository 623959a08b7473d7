"""The product as a fleet: own PostgreSQL and Redis, an API, two workers and the bots, each started again when it dies."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import aiohttp

from hub.embedded.folder import StartFailed, locked
from hub.embedded.ports import free_port
from hub.embedded.postgres import Postgres
from hub.embedded.privileges import die_with_parent
from hub.embedded.process import Process, send, spawn, stop, until
from hub.embedded.redis import Redis
from hub.embedded.servers import Servers
from tests.e2e.fleet import command, role_environ
from tests.e2e.process import ROOT
from tests.simulators import max as max_
from tests.simulators import sms_ru, smsc, telegram, unisender_go, vk
from tests.soak.outside import CANARY, CANARY_TOKEN
from tests.soak.telling import SMSC_SECRET

WORKERS = ("worker-1", "worker-2")
ROLES = ("api", *WORKERS, "bots")

# As every supervisor does it, from docker to systemd.
_PAUSE = 1.0
_STOPPING = ((signal.SIGTERM, timedelta(seconds=15)),)

_CLOCKS = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)
"""Debian's package `faketime`: with it the clock of one process can be put forward and back."""

_SETTINGS = """
[hub]
log_level = "warning"
rate_limit = 0

[shops.main]
timezone = "UTC"

[shops.main.channels]
transactional = ["telegram", "vk", "max", "push", "email", "sms"]
marketing = ["telegram", "vk", "max", "email"]
security = ["push", "sms"]

[[shops.main.accounts]]
name = "tg"
channel = "telegram"
provider = "bot_api"
token = "{telegram_token}"
base_url = "http://127.0.0.1:{tg}"
limits = {{ per_second = 500, concurrency = 40 }}

[[shops.main.accounts]]
name = "vk"
channel = "vk"
provider = "community"
token = "{vk_token}"
group_id = {vk_group}
base_url = "http://127.0.0.1:{vk}/method"
limits = {{ per_second = 500, concurrency = 40 }}

[[shops.main.accounts]]
name = "max"
channel = "max"
provider = "bot_api"
token = "{max_token}"
base_url = "http://127.0.0.1:{max}"
limits = {{ per_second = 500, concurrency = 40 }}

[[shops.main.accounts]]
name = "mail"
channel = "email"
provider = "unisender_go"
token = "{mail_token}"
from = "Ромашка <shop@example.com>"
base_url = "http://127.0.0.1:{mail}/ru/transactional/api/v1"

[[shops.main.accounts]]
name = "letters"
channel = "email"
provider = "smtp"
host = "127.0.0.1"
port = {letters}
security = "none"
from = "Ромашка <shop@example.com>"

[[shops.main.accounts]]
name = "sms"
channel = "sms"
provider = "smsc"
token = "{smsc_token}"
callback_secret = "{smsc_secret}"
base_url = "http://127.0.0.1:{sms}"

[[shops.main.accounts]]
name = "sms2"
channel = "sms"
provider = "sms_ru"
token = "{sms_ru_token}"
base_url = "http://127.0.0.1:{sms2}"

[[shops.main.accounts]]
name = "fcm"
channel = "push"
provider = "fcm"
credentials = "{credentials}"
base_url = "http://127.0.0.1:{fcm}"

[shops.{canary_shop}.channels]
security = ["telegram"]

[[shops.{canary_shop}.accounts]]
name = "{canary_shop}"
channel = "telegram"
provider = "bot_api"
token = "{canary_token}"
base_url = "http://127.0.0.1:{canary}"
limits = {{ per_second = 500, per_recipient = "0s" }}
"""


def clock_library() -> str:
    """Empty where it is not installed."""
    return next((path for path in _CLOCKS if Path(path).exists()), "")


class Fleet:
    """`died` counts unasked ends of processes by name; `url` is the API's."""

    def __init__(self, folder: Path, data: Path, ports: Mapping[str, int]) -> None:
        self.folder = folder
        self.servers = Servers(data)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.keys: dict[str, str] = {}
        self.clock = folder / "clock"
        self.roles: dict[str, Process] = {}
        self._logs: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._worker_id = str(uuid4())
        self._ports = ports

    async def start(self) -> None:
        self._write_settings()
        self.set_clock(0)
        await self.servers.start()
        environ = self._environ()
        await asyncio.to_thread(command, self.folder, environ, "migrate")
        for shop in ("main", CANARY):
            self.keys[shop] = await asyncio.to_thread(
                command, self.folder, environ, "keys", "create", "--scope", "admin", "--shop", shop
            )
        for server in self.servers.all:
            self._tasks.append(asyncio.create_task(self._keep_server(server)))
        for role in ROLES:
            self._launch(role)
            self._tasks.append(asyncio.create_task(self._keep_role(role)))

    async def stop(self) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in self.roles.values():
            send(process.pid, signal.SIGCONT)
        await asyncio.gather(*(stop(process, _STOPPING) for process in self.roles.values()))
        await self.servers.stop()
        for log in self._logs.values():
            log.close()

    def pid(self, name: str) -> int:
        server = {server.name: server.pid for server in self.servers.all}
        return server.get(name) or self.roles[name].pid

    def signal(self, name: str, number: int) -> None:
        send(self.pid(name), number)

    def running(self, name: str) -> bool:
        return self.roles[name].poll() is None

    def set_clock(self, ahead: int) -> None:
        """Of the second worker, in seconds; without the library nobody reads it."""
        self.clock.write_text(f"{ahead:+d}\n")

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _write_settings(self) -> None:
        settings = _SETTINGS.format(
            **self._ports,
            telegram_token=telegram.TOKEN,
            vk_token=vk.TOKEN,
            max_token=max_.TOKEN,
            vk_group=vk.GROUP_ID,
            mail_token=unisender_go.TOKEN,
            smsc_token=smsc.TOKEN,
            smsc_secret=SMSC_SECRET,
            sms_ru_token=sms_ru.TOKEN,
            canary_shop=CANARY,
            canary_token=CANARY_TOKEN,
            credentials=self.folder / "service-account.json",
        )
        (self.folder / "vestnik.toml").write_text(settings)

    def _environ(self, role: str = "") -> Mapping[str, str]:
        urls = self.servers.urls
        environ = dict(role_environ(urls.database, urls.redis))
        environ["VESTNIK_LISTEN"] = self.url.removeprefix("http://")
        if role == "worker-1":
            # As `vestnik up` does it: its successor takes over at once what it held.
            environ["VESTNIK_WORKER_ID"] = self._worker_id
        elif role == "worker-2" and (library := clock_library()):
            environ |= {
                "LD_PRELOAD": library,
                "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        return environ

    def _launch(self, role: str) -> None:
        if role not in self._logs:
            self._logs[role] = (self.folder / f"{role}.log").open("ab")
        self.roles[role] = spawn(
            [sys.executable, "-P", "-m", "hub", role.partition("-")[0]],
            cwd=self.folder,
            env=self._environ(role),
            stdout=subprocess.DEVNULL,
            stderr=self._logs[role],
        )

    async def _keep_role(self, role: str) -> None:
        while True:
            await until(lambda: not self.running(role))
            await asyncio.sleep(_PAUSE)
            self._launch(role)

    async def _keep_server(self, server: Postgres | Redis) -> None:
        while True:
            await until(lambda: not server.running)
            await asyncio.sleep(_PAUSE)
            with suppress(StartFailed):
                await server.start()


class Outside:
    """The providers' process and what it can be told."""

    def __init__(self, process: asyncio.subprocess.Process, said: Mapping[str, Any]) -> None:
        self._process = process
        self.ports: Mapping[str, int] = said["ports"]
        self._url = f"http://127.0.0.1:{said['control']}"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))

    async def state(self) -> Mapping[str, Any]:
        async with self._session.get(f"{self._url}/state") as answer:
            state: Mapping[str, Any] = await answer.json()
            return state

    async def tell(self, path: str, body: Any = None) -> None:
        async with self._session.post(self._url + path, json=body) as answer:
            answer.raise_for_status()

    async def close(self) -> None:
        await self._session.close()
        self._process.terminate()
        await self._process.wait()


async def child(
    module: str, *arguments: str, log: Path, stdin: int | None = None
) -> asyncio.subprocess.Process:
    """One of our own processes, which ends with us. Its stderr goes to `log`."""
    with log.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            cwd=ROOT,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=file,
            preexec_fn=partial(die_with_parent, signal.SIGKILL, os.getpid()),
        )


@asynccontextmanager
async def outside(folder: Path, *, seed: int, people: int) -> AsyncIterator[Outside]:
    process = await child(
        "tests.soak.outside", str(folder), str(seed), str(people), log=folder / "outside.log"
    )
    assert process.stdout
    world = Outside(process, json.loads(await process.stdout.readline()))
    try:
        yield world
    finally:
        await world.close()


@asynccontextmanager
async def fleet(folder: Path, data: Path, ports: Mapping[str, int]) -> AsyncIterator[Fleet]:
    data.mkdir(parents=True, exist_ok=True)
    # As `hub.embedded.folder` makes it: root's servers run as somebody else and must come through.
    data.chmod(0o711)
    with locked(data):
        running = Fleet(folder, data, ports)
        try:
            await running.start()
            yield running
        finally:
            await running.stop()


async def eventually(happened: Callable[[], Awaitable[bool]], within: float) -> float:
    """The seconds it took. Raises `TimeoutError`."""
    began = monotonic()
    async with asyncio.timeout(within):
        # Of other processes there is nothing to wait on.
        while not await happened():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return monotonic() - began
