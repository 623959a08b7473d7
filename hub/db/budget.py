"""How many connections the roles may take together, and whether PostgreSQL has as many."""

import structlog

from channels.base import Channel
from hub.config import Settings
from hub.db.pool import Db

log = structlog.get_logger()

API = 10
WORKER = 8
SENDING_PLANNED, SENDING_BY_INDEX = 3, 1
SENDING = SENDING_PLANNED + SENDING_BY_INDEX
"""What a worker has beside that: `Hub.planned` and `Hub.by_index`."""
_COMMANDS = 3
"""The supervisor, and what is typed beside it (`vestnik keys`, a backup)."""


class TooFewConnections(Exception):
    """One line for a person."""


def bots(settings: Settings) -> int:
    """Each account that is led keeps one for its lock."""
    accounts = sum(len(shop.accounts) or len(Channel) for shop in settings.shops.values())
    return 6 + 2 * accounts


def of_one_machine(settings: Settings) -> int:
    """All roles of `vestnik up`."""
    return API + WORKER + SENDING + bots(settings) + _COMMANDS


async def check(db: Db, needed: int, where: str) -> None:
    """Warns where others have taken what is needed. `where` it is set, for the message of `TooFewConnections`, which
    is raised where it could never be enough."""
    row = await db.fetchrow(
        """
        SELECT least(
                 current_setting('max_connections')::int
                 - current_setting('superuser_reserved_connections')::int
                 - coalesce(nullif(current_setting('reserved_connections', true), '')::int, 0),
                 (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
                 (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)) AS allowed,
               (SELECT count(*) FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS used
        """
    )
    assert row is not None  # noqa: S101
    if needed > row["allowed"]:
        raise TooFewConnections(
            f"PostgreSQL allows {row['allowed']} connections, {needed} are needed: raise {where} by"
            f" {needed - row['allowed']} or more"
        )
    if needed + row["used"] > row["allowed"]:
        log.warning(
            "database.few_connections", allowed=row["allowed"], used=row["used"], needed=needed
        )
