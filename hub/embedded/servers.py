"""Both embedded servers as one thing: started, found by other commands, stopped."""

import asyncio
import json
import signal
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hub.embedded.folder import StartFailed, open_folder, read_json, write_private
from hub.embedded.postgres import LEFTOVER_STOPPING, Postgres
from hub.embedded.process import Records, until
from hub.embedded.redis import STOPPING, Redis

_FILE = "servers.json"

# A first start takes a few seconds; whoever comes meanwhile waits for it.
_SOON = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the servers are, passwords included. Empty: not ours, the settings name another."""

    database: str = ""
    redis: str = ""


class Servers:
    """The embedded servers of one data folder, whose lock the caller holds (`folder.locked`).

    Start them in the main thread and they stop with the process, however it ends (Linux).
    """

    def __init__(
        self, data: Path, *, database: bool = True, redis: bool = True, durable: bool = True
    ) -> None:
        self._data = open_folder(data)
        self.records = Records(self._data)
        self.database = Postgres(self._data, self.records, durable=durable) if database else None
        self.redis = Redis(self._data, self.records) if redis else None

    @property
    def all(self) -> list[Postgres | Redis]:
        return [server for server in (self.database, self.redis) if server is not None]

    @property
    def urls(self) -> Urls:
        return Urls(
            self.database.url if self.database else "", self.redis.url if self.redis else ""
        )

    async def start(self) -> None:
        """Stops what a killed run left, then starts. Raises `StartFailed`, with nothing left running."""
        (self._data / _FILE).unlink(missing_ok=True)
        await self.records.stop_leftovers(
            {"redis": STOPPING, "postgres": LEFTOVER_STOPPING},
            # Ours went down with the roles that used it: they have nothing left to finish.
            () if self.database else ((signal.SIGTERM, timedelta(seconds=5)),),
        )
        try:
            for server in self.all:
                await server.start()
        except BaseException:
            await self.stop()
            raise
        urls = self.urls
        write_private(
            self._data / _FILE,
            json.dumps({"database_url": urls.database, "redis_url": urls.redis}),
        )

    async def stop(self) -> None:
        (self._data / _FILE).unlink(missing_ok=True)
        await asyncio.gather(*(server.stop() for server in self.all))


async def running(data: Path) -> Urls:
    """The servers that another process runs in this folder (its lock is taken), also while they start.

    Raises `StartFailed` when they do not come.
    """
    path = data / _FILE
    if not await until(path.exists, _SOON):
        raise StartFailed(f"{data}: another vestnik uses it, but its servers are not running")
    known = read_json(path)
    return Urls(str(known.get("database_url", "")), str(known.get("redis_url", "")))
