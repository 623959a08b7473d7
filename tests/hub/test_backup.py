"""Backups and what is made of them: whole or refused with a reason, and never half of it left behind."""

import asyncio
import json
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from hub.backup.archive import DUMP, extract, new_file, read_manifest
from hub.backup.programs import _apart
from hub.cli import main
from hub.db import partitions
from hub.db.migrate import migrate, steps
from hub.embedded.folder import locked
from hub.embedded.servers import Servers

ROOT = Path(__file__).parents[2]
_BEFORE = 12
"""A step of the schema that an older version knew as its last."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine the tests run on."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("VESTNIK_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def old_database(database_url: str) -> str:
    """As an older version left it, with a shop and a person."""

    async def make() -> str:
        server = await asyncpg.connect(database_url)
        await server.execute("DROP DATABASE IF EXISTS vestnik_old WITH (FORCE)")
        await server.execute("CREATE DATABASE vestnik_old")
        await server.close()
        url = urlsplit(database_url)._replace(path="/vestnik_old").geturl()
        db = await asyncpg.connect(url)
        await db.execute(
            "CREATE TABLE schema_step (number int PRIMARY KEY, name text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for number, name, sql in steps():
            if number <= _BEFORE:
                await db.execute(sql)
                await db.execute("INSERT INTO schema_step VALUES ($1, $2)", number, name)
        await db.execute("INSERT INTO shop (slug) VALUES ('main')")
        await db.execute(
            "INSERT INTO contact (id, shop_id, external_id, name)"
            " SELECT gen_random_uuid(), id, 'buyer-1', 'Анна' FROM shop"
        )
        await db.close()
        return url

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(make())


@pytest.fixture(scope="session")
def backup(old_database: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a database that the settings name."""
    path: Path = tmp_path_factory.mktemp("backup") / "hub.tar"
    made = vestnik("backup", str(path), VESTNIK_DATABASE_URL=old_database, VESTNIK_SECRET="x" * 20)
    assert made.returncode == 0, made.stderr
    assert made.stdout == f"{path}\n"
    assert "the settings give it" in made.stderr
    return path


def vestnik(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VESTNIK_")}
    return subprocess.run(
        [sys.executable, "-m", "hub", *arguments],
        env=kept | {"PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_private_and_says_what_is_in_it(backup: Path) -> None:
    manifest = read_manifest(backup)

    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert (manifest.schema, list(manifest.files)) == (_BEFORE, [DUMP])
    assert [entry.name for entry in backup.parent.iterdir()] == [backup.name]
    with tarfile.open(backup) as archive:
        assert archive.getnames() == [DUMP, "manifest.json"]


def test_an_older_one_is_brought_to_the_newest_schema(backup: Path, tmp_path: Path) -> None:
    new = tmp_path / "новая"

    restored = vestnik("restore", str(backup), "--data", str(new))

    assert restored.returncode == 0, restored.stderr
    assert "set hub.secret to the one it had" in restored.stdout
    assert sorted(entry.name for entry in new.iterdir()) == ["lock", "postgres"]
    assert asyncio.run(_look(new)) == (steps()[-1][0], "Анна")


async def _look(data: Path) -> tuple[int, str]:
    with locked(data):
        servers = Servers(data, redis=False)
        await servers.start()
        try:
            assert await migrate(servers.urls.database) == []
            db = await asyncpg.connect(servers.urls.database)
            found = await db.fetchval("SELECT max(number) FROM schema_step")
            name = await db.fetchval("SELECT name FROM contact")
            await db.close()
        finally:
            await servers.stop()
    return found, name


_KILLED = """
import os, signal, sys
from pathlib import Path
from hub.backup.archive import new_file
with new_file(Path(sys.argv[1]), force=False) as file:
    file.write(b"half of it")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_left_goes_with_the_next_one(tmp_path: Path) -> None:
    """It is hidden and as large as a backup: every night one more would fill the disk."""
    strange = tmp_path / ".notes.tar.0badcafe.part"
    strange.write_bytes(b"somebody else's")
    for name in ("vestnik-20261101T031000Z.tar", "hub.tar"):
        killed = [sys.executable, "-c", _KILLED, str(tmp_path / name)]
        subprocess.run(killed, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert len(list(tmp_path.iterdir())) == 3
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))

    with new_file(tmp_path / "hub.tar", force=True):
        [mine] = set(tmp_path.iterdir()) - {strange}
        os.utime(mine, (0, 0))
        with new_file(tmp_path / "hub.tar", force=True):
            # What is still being written stays, however slowly it goes.
            assert mine.exists()

    assert set(tmp_path.iterdir()) == {strange, tmp_path / "hub.tar"}


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(2000)
        byte = file.read(1)[0]
        file.seek(2000)
        file.write(bytes([byte ^ 1]))


def _rewritten(**changes: Any) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        with tarfile.open(path) as archive:
            member = archive.extractfile("manifest.json")
            assert member is not None
            manifest = json.loads(member.read()) | changes
            at = archive.getmember("manifest.json").offset
        text = json.dumps(manifest).encode()
        info = tarfile.TarInfo("manifest.json")
        info.size = len(text)
        with path.open("r+b") as file:
            file.seek(at)
            file.truncate()
            file.write(info.tobuf() + text + bytes(-len(text) % 512 + 1024))

    return rewrite


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_cut, "cut short"),
        (_flip, f"the checksum of {DUMP} does not match"),
        (lambda path: path.write_bytes(b""), "is no backup"),
        (lambda path: path.write_text("pg_dump, perhaps" * 100), "is no backup"),
        (lambda path: path.unlink(), "No such file"),
        (_rewritten(schema=9999), "schema 9999, this version knows"),
        (_rewritten(format=2), "whose format this version does not know"),
        (_rewritten(taken_at="yesterday"), "manifest.json is damaged"),
        (_rewritten(files={"../../etc/cron.d/x": {"size": 1, "sha256": ""}}), "is damaged"),
    ],
)
def test_what_is_not_whole_is_refused_and_nothing_is_left(
    backup: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy, new = tmp_path / "copy.tar", tmp_path / "new"
    copy.write_bytes(backup.read_bytes())
    spoil(copy)

    assert main(["restore", str(copy), "--data", str(new)]) == 1

    [line] = capsys.readouterr().err.splitlines()
    assert reason in line
    assert str(copy) in line
    assert not new.exists()


def test_a_dump_that_cannot_be_loaded_leaves_nothing(
    backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the right checksum: made so."""
    copy, new = tmp_path / "copy.tar", tmp_path / "new"
    extract(backup, read_manifest(backup), tmp_path)
    content = (tmp_path / DUMP).read_bytes()[:3000]
    with tarfile.open(copy, "w") as made:
        made.add(_file(tmp_path / "cut", content), DUMP)
        about = {"size": len(content), "sha256": sha256(content).hexdigest()}
        manifest = _manifest(backup) | {"files": {DUMP: about}}
        made.add(_file(tmp_path / "m", json.dumps(manifest).encode()), "manifest.json")
    new.mkdir()

    assert main(["restore", str(copy), "--data", str(new)]) == 1

    assert "pg_restore failed" in capsys.readouterr().err
    assert list(new.iterdir()) == []


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _manifest(path: Path) -> dict[str, Any]:
    with tarfile.open(path) as archive:
        member = archive.extractfile("manifest.json")
        assert member is not None
        return dict(json.loads(member.read()))


class TestRefused:
    def test_a_folder_that_is_not_empty(
        self, backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "mine").write_text("x")

        assert main(["restore", str(backup), "--data", "data"]) == 1

        assert "is not empty (mine)" in capsys.readouterr().err
        assert [entry.name for entry in (tmp_path / "data").iterdir()] == ["mine"]

    def test_a_database_of_the_settings(
        self,
        backup: Path,
        database_url: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("VESTNIK_DATABASE_URL", database_url)

        assert main(["restore", str(backup), "--data", "data"]) == 2
        assert "hub.database_url is set" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "send", ["some", "2026-01-01", "2026-01-01T10:00", "2999-01-01T00:00Z"]
    )
    def test_a_time_that_is_none(
        self, backup: Path, send: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["restore", str(backup), "--data", "data", "--send", send]) == 2
        assert f"--send {send}: " in capsys.readouterr().err

    def test_to_replace_a_file_unless_told_so(
        self,
        old_database: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("VESTNIK_DATABASE_URL", old_database)
        mine = _file(tmp_path / "mine", b"mine")

        assert main(["backup", str(mine)]) == 1
        assert "is there already" in capsys.readouterr().err
        assert mine.read_bytes() == b"mine"

        assert main(["backup", str(mine), "--force"]) == 0
        assert read_manifest(mine).schema == _BEFORE

    def test_to_copy_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert main(["backup", "x.tar", "--data", "nowhere"]) == 1
        assert "no hub has its database there" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []
        for missing in ("no/x.tar", "no/"):
            assert main(["backup", missing]) == 1
            assert "no: is no folder" in capsys.readouterr().err

    def test_a_database_that_is_away(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("VESTNIK_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/none")

        assert main(["backup", "x.tar"]) == 1

        assert "hunter2" not in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "address", "password"),
    [
        (
            "postgresql://a:p%40ss@h:5/d?sslmode=disable",
            "postgresql://a@h:5/d?sslmode=disable",
            "p@ss",
        ),
        ("postgresql://a@h,i:6/d", "postgresql://a@h,i:6/d", ""),
        ("postgresql:///d?password=x%26y&host=/run", "postgresql:///d?host=/run", "x&y"),
    ],
)
def test_no_password_stands_in_a_command_line(url: str, address: str, password: str) -> None:
    assert _apart(url) == (address, password)


async def test_a_long_backup_does_not_stop_the_hub_at_the_turn_of_a_month(
    hub_database: str,
) -> None:
    """It reads the tables, so no partition can be made; rather than have everybody wait behind that, none is."""
    reading, ticking, sending = [await asyncpg.connect(hub_database) for _ in range(3)]
    try:
        async with reading.transaction():
            await reading.execute("LOCK TABLE notification IN ACCESS SHARE MODE")
            long_ago = (await ticking.fetchval("SELECT now()")).replace(year=2020)
            making = asyncio.create_task(partitions.make_ahead(ticking, long_ago))
            await asyncio.sleep(0.2)
            async with asyncio.timeout(5):
                await sending.fetchval("SELECT count(*) FROM notification")
                await making
    finally:
        for connection in (reading, ticking, sending):
            await connection.close()


def test_a_folder_in_use_is_refused(
    backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    with locked(tmp_path / "data"):
        assert main(["restore", str(backup), "--data", "data"]) == 1

    assert "already in use" in capsys.readouterr().err
