"""`vestnik up`: the embedded servers and every role under one supervisor, started and stopped in order."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from uuid import UUID

import aiohttp
import structlog

import hub
from hub import heartbeat, metrics
from hub.config import Settings
from hub.db import budget, retired
from hub.db.migrate import migrate
from hub.db.pool import UNREACHABLE, Pool, open_pool
from hub.embedded import address, secret
from hub.embedded.answering import falls_silent
from hub.embedded.folder import (
    StartFailed,
    locked,
    open_folder,
    read_json,
    write_private,
)
from hub.embedded.ports import check_free, free_port
from hub.embedded.postgres import Postgres
from hub.embedded.process import Process, spawn, stop, until
from hub.embedded.redis import Redis
from hub.embedded.servers import Servers
from hub.events import claims
from hub.first_key import first_key, invitation, welcome
from hub.ids import new_id
from hub.notifications import held
from hub.notifications.recovery import free, take_back
from hub.operators.invitations import first as first_link
from hub.operators.resealing import reseal as factors_anew
from hub.sources import resealing as sources
from hub.tokens import Signer
from hub.watchdog import Watchdog
from hub.webhooks import resealing as webhooks

log = structlog.get_logger()

ROLES = ("api", "worker", "bots")

# The messengers' libraries take seconds of a processor to load, which the others need just then.
_AFTERWARDS = {"bots"}

# What is at work finishes; with the servers' own patience it makes less than the promised 20 s.
_DRAIN = ((signal.SIGTERM, timedelta(seconds=11)),)

SILENT_AFTER = "VESTNIK_SILENT_AFTER"
"""In the environment, in seconds: how long a role's event loop may stand still before the role is replaced."""

# No step of ours holds a loop for more than moments, on a slow machine for seconds. A server answers sooner still.
_SILENT_AFTER = timedelta(seconds=60)
SERVER_SILENT_AFTER = "VESTNIK_SERVER_SILENT_AFTER"
"""In the environment, in seconds: how long a server of ours may answer nobody before it is replaced."""

# Hardly any that was silent hears it, but one that just came round finishes what is at work.
_SILENCED = ((signal.SIGTERM, timedelta(seconds=5)),)

_GLANCE = 0.1
_READY_WITHIN = timedelta(seconds=90)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=8)
# Of a server that ends again and again: with its own start it still makes less than the promised 10 s.
_LONGEST_OF_SERVER = timedelta(seconds=4)
_QUIET = timedelta(minutes=1)


class _GaveUp(Exception):
    """A role could not be started at all and has said why."""

    def __init__(self, role: str, code: int) -> None:
        super().__init__(f"the role {role} could not start")
        self.code = code


class _Pause:
    """Short at first, longer each time, short again after a quiet minute."""

    def __init__(self, longest: timedelta = _LONGEST_PAUSE) -> None:
        self._longest = longest
        self._length = _FIRST_PAUSE
        self._over_at = monotonic()

    async def wait(self) -> None:
        if monotonic() - self._over_at > _QUIET.total_seconds():
            self._length = _FIRST_PAUSE
        await asyncio.sleep(self._length.total_seconds())
        self._length = min(self._length * 2, self._longest)
        self._over_at = monotonic()


def run(settings: Settings, config: Path | None = None) -> int:
    """Until a signal comes; the exit code. `config` is the settings file for the roles, if one was named.

    Raises `StartFailed`.
    """
    silent_after, server_after = _silent_after(SILENT_AFTER), _silent_after(SERVER_SILENT_AFTER)
    data = open_folder(settings.data)
    with locked(data), closing(Watchdog(silent_after)) as watchdog:
        supervisor = _Supervisor(secret.complete(settings), config, watchdog, server_after)
        return asyncio.run(supervisor.run())


def _silent_after(name: str) -> timedelta:
    """`name`: of the variable. Raises `StartFailed`."""
    given = os.environ.get(name)
    if not given:
        return _SILENT_AFTER
    try:
        silent_after = timedelta(seconds=float(given))
    except (ValueError, OverflowError):
        silent_after = timedelta(0)
    if silent_after < timedelta(seconds=1):
        raise StartFailed(f"{name} = {given!r}: must be a number of seconds, at least 1")
    return silent_after


class _Supervisor:
    def __init__(
        self, settings: Settings, config: Path | None, watchdog: Watchdog, server_after: timedelta
    ) -> None:
        """`settings.hub` names a secret. `server_after`: how long a server of ours may answer nobody."""
        self._settings = settings
        self._config = config
        self._watchdog = watchdog
        self._server_after = server_after
        self._servers = Servers(
            settings.data,
            database=not settings.hub.database_url.get_secret_value(),
            redis=not settings.hub.redis_url.get_secret_value(),
        )
        self._roles: dict[str, Process] = {}
        self._ready = asyncio.Event()
        self._environ: dict[str, str] = {}
        # The same for every worker of this run: one is started only when the last is dead.
        self._worker = new_id()

    async def run(self) -> int:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 (a coroutine runs in one)
        signals = _stop_signals()
        for number in signals:
            loop.add_signal_handler(number, task.cancel)
        # Whoever watches us, as systemd does, hears us until the last role has stopped.
        async with heartbeat.beating() as ready:
            try:
                return await self._work(ready)
            except asyncio.CancelledError:
                return 0
            finally:
                for number in signals:
                    # Asked twice, it still stops in order.
                    loop.add_signal_handler(number, lambda: None)
                await self._stop()

    async def _work(self, ready: Callable[[], None]) -> int:
        address.forget(self._settings.data)
        await self._servers.start()
        host, port = self._settings.address
        if port:
            check_free(host, port)
        else:
            port = free_port(host)
        self._environ = self._role_environ(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        await self._prepare_database()
        code = 0
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watchdog.run())
                for server in self._servers.all:
                    group.create_task(self._keep_server(server))
                for role in ROLES:
                    group.create_task(self._keep_role(role))
                await self._announce(_url(host, port), ready)
        except* _GaveUp as gave_up:
            for error in gave_up.exceptions:
                log.error("up.gave_up", reason=str(error))
                code = max(code, error.code) if isinstance(error, _GaveUp) else code
        return code

    def _role_environ(self, listen: str) -> dict[str, str]:
        """Secrets go by the environment: a command line can be read by everybody."""
        given, urls = self._settings.hub, self._servers.urls
        package = str(Path(hub.__file__).parent.parent)
        search = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        environ = os.environ | {
            "PYTHONPATH": os.pathsep.join(search),
            "VESTNIK_DATA": str(self._settings.data),
            "VESTNIK_DATABASE_URL": urls.database or given.database_url.get_secret_value(),
            "VESTNIK_REDIS_URL": urls.redis or given.redis_url.get_secret_value(),
            "VESTNIK_SECRET": given.secret.get_secret_value(),
            "VESTNIK_PREVIOUS_SECRETS": json.dumps(
                [one.get_secret_value() for one in given.previous_secrets]
            ),
            "VESTNIK_WORKER_ID": str(self._worker),
            # The very port, so that the API comes back where it was.
            "VESTNIK_LISTEN": listen,
            metrics.FOLDER: str(metrics.empty_folder(self._settings.data)),
            **self._watchdog.environ,
        }
        if self._servers.database is not None:
            environ["VESTNIK_DATABASE_FOLDER"] = str(self._servers.database.folder)
        if self._config is not None:
            environ["VESTNIK_CONFIG"] = str(self._config.absolute())
        return environ

    async def _prepare_database(self) -> None:
        url = self._environ["VESTNIK_DATABASE_URL"]
        await migrate(url)
        file = self._settings.data / "worker.json"
        async with await open_pool(url, size=1) as db:
            await budget.check(
                db, budget.of_one_machine(self._settings), self._connections_set_at()
            )
            if self._servers.database is not None:
                # Nobody but us uses it, so whatever is held there is held by the dead.
                await take_back(db)
                await claims.take_back(db)
                async with db.acquire() as connection:
                    await retired.take_away(connection, at_once=True)
            elif before := read_json(file).get("id"):
                # Of a fleet only our own last run is known to be over.
                await free(db, UUID(before))
                await claims.free(db, UUID(before))
            await self._seal_anew(db)
            if count := sum(one.count for one in await held.waiting(db)):
                log.warning("up.held", deliveries=count, hint="`vestnik held` tells more")
        write_private(file, json.dumps({"id": str(self._worker)}))

    def _connections_set_at(self) -> str:
        if self._servers.database is None:
            return "max_connections of the server, or the limit of this user"
        return f"max_connections in {self._servers.database.folder / 'postgresql.conf'}"

    async def _seal_anew(self, db: Pool) -> None:
        """After a rotation; the roles that start now know both secrets."""
        if self._settings.hub.previous_secrets:
            signer = Signer.of(self._settings.hub)
            of_webhooks = await webhooks.reseal(db, signer)
            of_sources = await sources.reseal(db, signer)
            factors = await factors_anew(db, signer)
            if count := of_webhooks.earlier + of_sources.earlier + factors:
                log.info("secrets.sealed_anew", count=count)

    async def _keep_server(self, server: Postgres | Redis) -> None:
        pause = _Pause(_LONGEST_OF_SERVER)
        while True:
            if await self._ended(server):
                log.error("server.ended", server=server.name)
            else:
                log.error(
                    "server.silent",
                    server=server.name,
                    hint="it runs and answers nobody any more: it is ended and started anew",
                )
                await server.cut_off()
            await pause.wait()
            try:
                await server.start()
            except StartFailed as error:
                log.error("server.not_started", server=server.name, reason=str(error))
            else:
                log.info("server.restarted", server=server.name)

    async def _ended(self, server: Postgres | Redis) -> bool:
        """When it has: True. False: it has answered nobody for too long."""
        silence = asyncio.create_task(falls_silent(server.answers, self._server_after))
        try:
            await until(lambda: not server.running or silence.done())
            return not server.running
        finally:
            silence.cancel()

    async def _keep_role(self, role: str) -> None:
        if role in _AFTERWARDS:
            await self._ready.wait()
        pause = _Pause()
        while True:
            try:
                code = await self._end(role, self._launch(role))
            except StartFailed as error:
                log.error("role.not_started", which=role, reason=str(error))
            else:
                if code > 0 and not self._ready.is_set():
                    # A setting or a port: it has said which, and would say it again for ever.
                    raise _GaveUp(role, code)
                log.error("role.ended", which=role, code=code)
            await pause.wait()

    async def _end(self, role: str, process: Process) -> int:
        """Its exit code; negative: the signal that killed it. One that falls silent is made to end."""
        self._watchdog.expect(process.pid)
        try:
            await until(lambda: _has_ended(process) or self._watchdog.is_silent(process.pid))
        finally:
            self._watchdog.forget(process.pid)
        if not _has_ended(process):
            log.error(
                "role.silent",
                which=role,
                hint="it runs and does nothing any more: it is ended and started anew",
            )
            await stop(process, _SILENCED)
            # Not before it is certainly dead: the next worker takes back what this one held.
            await until(lambda: _has_ended(process))
        return int(process.returncode)

    def _launch(self, role: str) -> Process:
        process = spawn(
            # Without -P the working directory could hide our own packages.
            [sys.executable, "-P", "-m", "hub", role],
            env=self._environ | {metrics.NAME: role},
            # A role alone prints its own ready line there; ours comes when all of them are.
            stdout=subprocess.DEVNULL,
        )
        self._roles[role] = process
        self._servers.records.add(role, process)
        return process

    async def _announce(self, url: str, ready: Callable[[], None]) -> None:
        """Says `ready` once, when a message that comes in now would also go out."""
        end = monotonic() + _READY_WITHIN.total_seconds()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while not await _answers(session, f"{url}/readyz"):
                if monotonic() > end:
                    log.warning("up.not_ready_yet")
                    end = monotonic() + _READY_WITHIN.total_seconds()
                await asyncio.sleep(_GLANCE)
        address.tell(self._settings.data, url)
        self._ready.set()
        ready()
        sys.stdout.write(f"ready {url}\n")
        sys.stdout.flush()
        await self._welcome(url)

    async def _welcome(self, url: str) -> None:
        try:
            async with await open_pool(self._environ["VESTNIK_DATABASE_URL"], size=1) as db:
                key = await first_key(db, self._settings)
                link = await first_link(db)
        except UNREACHABLE:
            log.warning(
                "up.no_first_key",
                hint="`vestnik keys create` and `vestnik operators link` make them",
            )
            return
        if key is not None:
            sys.stderr.write(f"\n{welcome(self._settings, url, key)}\n")
        if link is not None:
            public = self._settings.hub.public_url or url
            sys.stderr.write(f"\n{invitation(public, link)}\n")
        sys.stderr.flush()

    async def _stop(self) -> None:
        address.forget(self._settings.data)
        await asyncio.gather(*(stop(process, _DRAIN) for process in self._roles.values()))
        for role in self._roles:
            self._servers.records.remove(role)
        await self._servers.stop()


def _stop_signals() -> list[signal.Signals]:
    """A closed terminal is a wish to stop, too, but not under nohup."""
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if ignored else [signal.SIGHUP])]


def _has_ended(process: Process) -> bool:
    return process.poll() is not None


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == HTTPStatus.OK
    except (aiohttp.ClientError, TimeoutError):
        return False


def _url(host: str, port: int) -> str:
    """Where people and our own question find the API: a wildcard is not an address to go to."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
