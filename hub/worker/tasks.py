"""What arq calls: unpacks the job and no more."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog

from channels.base import Category
from hub.queue import DueRoute


async def deliver(ctx: dict[str, Any], ids: Sequence[str]) -> None:
    """Attempts and their times are in the database, so nothing here raises arq's `Retry`."""
    with structlog.contextvars.bound_contextvars(job=ctx["job_id"]):
        await ctx["deliverer"].deliver([UUID(id_) for id_ in ids], ctx["enqueue_time"])


async def deliver_due(
    ctx: dict[str, Any], shop_id: int, category: str, route: str, most: int
) -> None:
    """As `deliver`, of whatever is due there."""
    with structlog.contextvars.bound_contextvars(job=ctx["job_id"]):
        await ctx["deliverer"].deliver_due(DueRoute(shop_id, Category(category), route), most)
