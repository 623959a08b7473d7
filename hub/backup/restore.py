"""`vestnik restore`: a hub in a new data folder, made of a backup. Whole or not at all."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.backup import held, programs
from hub.backup.archive import (
    DUMP,
    SECRETS,
    BadBackup,
    Manifest,
    extract,
    read_manifest,
    sync_folder,
)
from hub.backup.make import mark_of
from hub.config import Settings, SettingsError
from hub.db.migrate import UnknownSchema, migrate, steps
from hub.db.pool import open_pool
from hub.embedded.folder import StartFailed, give_to_owner, locked, open_folder
from hub.embedded.postgres import bin_dir
from hub.embedded.servers import Servers

_WORK = "restoring"
_ANALYZE_WITHIN = timedelta(hours=1)
_NOT_DATA = ("lock", "lost+found")


def run(settings: Settings, file: Path, send: str) -> int:
    if settings.hub.database_url.get_secret_value():
        raise SettingsError(
            "hub.database_url is set, and this restores into a data folder: take it out, or put the"
            " dump into your own PostgreSQL (docs/backup.md, A database of your own)"
        )
    since = held.since(send)
    manifest = read_manifest(file)
    _check_schema(file, manifest)
    with _empty_folder(settings.data) as data:
        count = asyncio.run(_until_told(file, manifest, data, since))
    _tell(settings, manifest, count, send)
    return 0


def _check_schema(file: Path, manifest: Manifest) -> None:
    newest = steps()[-1][0]
    if manifest.schema > newest:
        raise BadBackup(
            f"{file}: was made by {manifest.made_by} with schema {manifest.schema}, this version"
            f" knows {newest}: restore it with that version, or a newer one"
        )


@contextmanager
def _empty_folder(data: Path) -> Iterator[Path]:
    """Locked, and as it was before unless all went well."""
    was_there = data.exists()
    _check_empty(data)
    data = open_folder(data)
    lock_was_there = (data / "lock").exists()
    with locked(data):
        try:
            # Once more, as nobody else puts anything there now.
            _check_empty(data)
            yield data
        except BaseException:
            shutil.rmtree(data / _WORK, ignore_errors=True)
            if not lock_was_there:
                (data / "lock").unlink(missing_ok=True)
            if not was_there:
                shutil.rmtree(data, ignore_errors=True)
            raise


def _check_empty(data: Path) -> None:
    found = [e.name for e in data.iterdir()] if data.is_dir() else []
    left = [name for name in found if name not in (*_NOT_DATA, _WORK)]
    if left:
        raise StartFailed(
            f"{data}: is not empty ({min(left)}); name a new folder with --data,"
            " or move away what is in it"
        )


async def _until_told(file: Path, manifest: Manifest, data: Path, since: datetime | None) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 (a coroutine runs in one)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await _restore(file, manifest, data, since)


async def _restore(file: Path, manifest: Manifest, data: Path, since: datetime | None) -> int:
    """How many deliveries were due. Made in a folder of its own; what is whole is then moved to its place."""
    # What a run left that was killed.
    shutil.rmtree(data / _WORK, ignore_errors=True)
    work = open_folder(data / _WORK)
    give_to_owner(work)
    try:
        await asyncio.to_thread(extract, file, manifest, work)
    except OSError as error:
        raise StartFailed(f"{work}: cannot be written: {error.strerror}") from None
    servers = Servers(work, redis=False)
    await servers.start()
    try:
        url = servers.urls.database
        await _load(url, work / DUMP)
        try:
            await migrate(url)
        except UnknownSchema as error:
            raise BadBackup(f"{file}: {error}") from None
        count = await _settle(url, since)
    finally:
        await servers.stop()
    _move(work, data)
    return count


async def _load(url: str, dump: Path) -> None:
    options = ["--exit-on-error", "--no-owner", "--no-privileges", "--no-password"]
    # One processor loads while the other one makes indexes.
    jobs = f"--jobs={min(4, os.cpu_count() or 1)}"
    with tempfile.TemporaryFile() as words:
        # The file is the last word of the line, after the database.
        process = programs.start(
            bin_dir() / "pg_restore",
            [*options, jobs],
            url,
            stdout=subprocess.DEVNULL,
            words=words,
            file=dump,
        )
        try:
            await programs.ended(process, words)
        finally:
            await programs.kill(process)


async def _settle(url: str, since: datetime | None) -> int:
    async with await open_pool(url, size=1) as db, db.acquire() as connection:
        # A dump has no statistics, and without them the first queries would be slow.
        await connection.execute("ANALYZE", timeout=_ANALYZE_WITHIN.total_seconds())
        return await held.settle(connection, since)


def _move(work: Path, data: Path) -> None:
    """The database last: with it the folder is a hub's."""
    for name in (*SECRETS, "postgres"):
        if (work / name).exists():
            give_to_owner(work / name)
            (work / name).rename(data / name)
    sync_folder(data)
    shutil.rmtree(work)


def _tell(settings: Settings, manifest: Manifest, count: int, send: str) -> None:
    say = sys.stdout.write
    say(f"{settings.data}: restored as of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC\n")
    say(f"{held.told(count, send)}\n")
    if SECRETS[0] not in manifest.files and manifest.mark:
        given = mark_of(settings.hub.secret.get_secret_value())
        if not given:
            say("The hub's secret is not in the backup: set hub.secret to the one it had.\n")
        elif given != manifest.mark:
            say(
                "hub.secret is not the one this hub had: links and stored credentials are void"
                " until it is set, or is among hub.previous_secrets.\n"
            )
    age = datetime.now(UTC) - manifest.taken_at
    say(
        f"What happened in the {_duration(age.total_seconds())} since is not in it:"
        " tell the hub again what your shop knows (docs/backup.md, After a restoration).\n"
    )


def _duration(seconds: float) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
