"""`vestnik backup`: everything a hub keeps in one file, while it runs and sends."""

import asyncio
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

import asyncpg

from hub.backup import programs
from hub.backup.archive import DUMP, OWN_NAME, SECRETS, Manifest, Writer, exists, new_file
from hub.config import Settings
from hub.embedded import secret
from hub.embedded.borrowed import database_url
from hub.embedded.folder import StartFailed, kept_secret
from hub.tokens import Signer

# What waits for a lock longer than that is in the way of the hub, which waits behind it.
_LOCK_WAIT = "--lock-wait-timeout=30s"


def run(settings: Settings, target: str, *, force: bool) -> int:
    """The path of the new file alone on stdout, so that a script can take it from there."""
    path = _path(target)
    if path.exists() and not force:
        raise StartFailed(exists(path))
    manifest = asyncio.run(_until_told(settings, path, force=force))
    sys.stdout.write(f"{path}\n")
    sys.stderr.write(f"{_summary(path, manifest)}\n")
    return 0


def mark_of(secret: str) -> str:
    """Tells one secret from another and gives neither away; empty where there is none."""
    return Signer(secret).name("backup", "mark") if secret else ""


def _path(target: str) -> Path:
    path = Path(target)
    if path.is_dir():
        return path / f"{datetime.now(UTC):{OWN_NAME}}"
    # What ends with a slash is meant as a folder; as a file's name it would take one backup and refuse the next.
    folder = path if target.endswith("/") else path.parent
    if not folder.is_dir():
        raise StartFailed(f"{folder}: is no folder; make it first, or name another file")
    return path


async def _until_told(settings: Settings, path: Path, *, force: bool) -> Manifest:
    """Asked to stop, it takes away what it has written."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 (a coroutine runs in one)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await _make(settings, path, force=force)


async def _make(settings: Settings, path: Path, *, force: bool) -> Manifest:
    embedded = not settings.hub.database_url.get_secret_value()
    if embedded and not (settings.data / "postgres" / "cluster").exists():
        raise StartFailed(
            f"{settings.data}: no hub has its database there; name its data folder with --data"
        )
    kept = _kept(settings)
    async with database_url(settings) as url, _frozen(url) as moment:
        program = programs.pg_dump(moment.major, embedded=embedded)
        manifest = Manifest(
            taken_at=moment.at,
            schema=moment.schema,
            made_by=f"vestnik {_version()}",
            postgres=moment.version,
            mark=mark_of(settings.hub.secret.get_secret_value() or kept_secret(settings.data)),
            notifications=moment.notifications,
            unsent=moment.unsent,
        )
        with new_file(path, force=force) as file:
            writer = Writer(file)
            await _dump(program, url, moment.snapshot, writer)
            for name, content in kept.items():
                writer.add(name, content)
            return writer.finish(manifest)


def _kept(settings: Settings) -> dict[str, bytes]:
    """The secrets that are kept in the data folder; those of the settings are not ours to copy."""
    if settings.hub.secret.get_secret_value() or not (settings.data / "secret").exists():
        return {}
    known = secret.complete(settings).hub.secret.get_secret_value()
    kept = {SECRETS[0]: f"{known}\n".encode()}
    if previous := secret.kept_previous(settings.data):
        kept[SECRETS[1]] = "".join(f"{one}\n" for one in previous).encode()
    return kept


@dataclass(frozen=True, slots=True)
class _Moment:
    """A state of the database that stays in sight; everything committed by `at` is in it."""

    at: datetime
    snapshot: str
    version: str
    major: int
    schema: int
    notifications: int
    unsent: int


@asynccontextmanager
async def _frozen(url: str) -> AsyncIterator[_Moment]:
    connection = await asyncpg.connect(
        url, timeout=10, server_settings={"idle_in_transaction_session_timeout": "0"}
    )
    try:
        at = await connection.fetchval("SELECT clock_timestamp()")
        if not await connection.fetchval("SELECT to_regclass('schema_step')"):
            raise StartFailed(
                "no Vestnik has worked in this database yet: there is nothing to keep"
            )
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield _Moment(
                at,
                **dict(
                    await connection.fetchrow(
                        """
                        SELECT pg_export_snapshot() AS snapshot,
                               split_part(current_setting('server_version'), ' ', 1) AS version,
                               current_setting('server_version_num')::int / 10000 AS major,
                               (SELECT max(number) FROM schema_step) AS schema,
                               (SELECT count(*) FROM notification) AS notifications,
                               (SELECT count(*) FROM delivery
                                 WHERE status IN ('queued', 'sending')) AS unsent
                        """
                    )
                    or {}
                ),
            )
    finally:
        await connection.close(timeout=10)


async def _dump(program: Path, url: str, snapshot: str, writer: Writer) -> None:
    options = [
        "--format=custom",
        # Level 3 takes half the time of the default and a twentieth more room.
        "--compress=3",
        "--no-owner",
        "--no-privileges",
        # Those of a managed database are its operator's, and none of them is ours.
        "--extension=plpgsql",
        "--no-publications",
        "--no-subscriptions",
        "--no-password",
        _LOCK_WAIT,
        f"--snapshot={snapshot}",
    ]
    with tempfile.TemporaryFile() as words:
        process = programs.start(program, options, url, stdout=subprocess.PIPE, words=words)
        try:
            await asyncio.to_thread(writer.add_stream, DUMP, _pipe(process.stdout))
            await programs.ended(process, words)
        finally:
            await programs.kill(process)
            _pipe(process.stdout).close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101 (we asked for it)
    return stream


def _version() -> str:
    try:
        return version("vestnik")
    except PackageNotFoundError:
        return "(not installed)"


def _summary(path: Path, manifest: Manifest) -> str:
    size = path.stat().st_size / 1_000_000
    if SECRETS[0] in manifest.files:
        its_words = "it holds the hub's secret: keep it like a password"
    elif manifest.mark:
        its_words = "the hub's secret is not in it: the settings give it, keep it, too"
    else:
        its_words = "this hub has no secret yet"
    return (
        f"{size:.1f} MB as of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC, schema {manifest.schema}:"
        f" {manifest.notifications} notifications, {manifest.unsent} deliveries not sent yet;"
        f" {its_words}"
    )
