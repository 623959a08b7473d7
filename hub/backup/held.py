"""`vestnik held`: what shall become of what was due when a backup was restored."""

import asyncio
import sys
from datetime import UTC, datetime

from hub.config import Settings, SettingsError
from hub.db.migrate import migrate
from hub.db.pool import Connection, open_pool
from hub.embedded.borrowed import database_url
from hub.events import claims as events
from hub.notifications import held

HOLD, ALL, NONE = "hold", "all", "none"
_CHOICE = "must be hold, all, none, or a time with its offset, like 2026-12-01T14:00:00+03:00"


def since(send: str) -> datetime | None:
    """From when on what was due is sent; None: nothing is decided. Raises `SettingsError`."""
    match send:
        case "hold":
            return None
        case "all":
            return held.BEGINNING
        case "none":
            return held.FOREVER
    try:
        at = datetime.fromisoformat(send)
    except ValueError:
        raise SettingsError(f"--send {send}: {_CHOICE}") from None
    if at.tzinfo is None:
        raise SettingsError(f"--send {send}: says no offset from UTC; {_CHOICE}")
    if at > datetime.now(UTC):
        raise SettingsError(f"--send {send}: is in the future; what is due then goes out anyway")
    return at


async def settle(connection: Connection, since: datetime | None) -> int:
    """Holds what is due, and where it is decided does so at once; how many deliveries were due. What shops had told is
    taken over quietly: it may have been told on already."""
    await events.calm(connection)
    count = await held.hold(connection)
    if since is not None:
        await held.release(connection, since)
    return count


def told(count: int, send: str) -> str:
    if not count:
        return "Nothing had been due and unsent at that moment."
    if send == ALL:
        return f"{count} deliveries were due: they go out at the start, some perhaps for the second time."
    if send == NONE:
        return f"{count} deliveries were due: they are not sent, and their status is unknown."
    if send != HOLD:
        return f"{count} deliveries were due: those from {send} on go out at the start, the others do not."
    return (
        f"{count} deliveries were due, and the hub that was lost may have sent them since. They are\n"
        "held, and what outlives its use meanwhile is never sent; new messages go out as ever, save those\n"
        "of an ordering_key of which one is held: they wait behind it. Decide:\n"
        "  vestnik held                  shows them\n"
        "  vestnik held --send TIME      sends those due from TIME on, when the lost hub stopped\n"
        "  vestnik held --send none      sends none of them\n"
        "  vestnik held --send all       sends all of them: some people get something twice"
    )


def run(settings: Settings, send: str | None) -> int:
    """Without `send` it only shows."""
    return asyncio.run(_run(settings, since(send) if send else None, send))


async def _run(settings: Settings, since: datetime | None, send: str | None) -> int:
    async with database_url(settings) as url:
        await migrate(url)
        async with await open_pool(url, size=1) as db, db.acquire() as connection:
            if send is None:
                await _show(connection)
            elif since is None:
                _say(f"held: {await held.hold(connection)}")
            else:
                done = await held.release(connection, since)
                _say(f"sent: {done.sent}, not sent: {done.ended}")
    return 0


async def _show(connection: Connection) -> None:
    found = await held.waiting(connection)
    for one in found:
        _say(
            f"{one.shop}  {one.category:<13} {one.count:>7}  due"
            f" {one.first:%Y-%m-%d %H:%M} to {one.last:%Y-%m-%d %H:%M} UTC"
            + (f", {one.behind} newer wait behind them" if one.behind else "")
        )
    if not found:
        _say("nothing is held")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
