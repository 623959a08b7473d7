"""What arq calls: unpacks the job and no more."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog


async def deliver(ctx: dict[str, Any], ids: Sequence[str]) -> None:
    """Attempts and their times are in the database, so nothing here raises arq's `Retry`."""
    with structlog.contextvars.bound_contextvars(job=ctx["job_id"]):
        await ctx["deliverer"].deliver([UUID(id_) for id_ in ids])
