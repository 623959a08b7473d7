"""Tells a platform what was decided here."""

from hub.accounts.limits import RateLimits
from hub.events.model import Claimed, Done
from hub.resources import Hub
from hub.sources.model import Result


async def write(hub: Hub, claimed: Claimed, limits: RateLimits | None = None) -> Done:  # noqa: ARG001
    """Nothing is written yet."""
    return Done(Result.IGNORED, "write-back-off")
