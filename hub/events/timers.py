"""Rules that waited, when their time has come: a chore of the tick."""

from hub.db.pool import Connection
from hub.notifications.steps import Due
from hub.resources import Hub


async def due_rules(hub: Hub, connection: Connection) -> list[Due]:  # noqa: ARG001
    """None waits yet."""
    return []
