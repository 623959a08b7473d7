"""What changes of operators: their own settings, and what owners decide."""

from uuid import UUID

from hub.db.pool import Db
from hub.operators.model import Theme


async def set_theme(db: Db, operator_id: UUID, theme: Theme) -> None:
    await db.execute("UPDATE operator SET theme = $2 WHERE id = $1", operator_id, theme)
