"""The loop that calls the shop's backend. At least once: a lease that runs out makes a callback due again."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from channels.guard import Network
from channels.http import BlockedAddress, NoReply, ProviderHttp
from hub.db.pool import UNREACHABLE, Connection, Pool
from hub.tokens import Signer
from hub.webhooks import claims, signing
from hub.webhooks.model import JITTER, Answer, Claimed, Outcome, Status, verdict
from hub.webhooks.sealing import SealBroken, unseal

log = structlog.get_logger()

TIMEOUT = timedelta(seconds=15)
"""For a whole call, from the look-up of the name to the end of the answer."""

ANSWER_KEPT = 1000
"""Characters of an answer."""

_EACH = 8
"""Calls at once to one endpoint, in one process."""

_IN_ALL = 64

# Many calls that end at once must not take all connections of the process.
_WRITERS = 3

_PACE = timedelta(milliseconds=150)


@dataclass(frozen=True, slots=True)
class Disabled:
    """A webhook that is called no more, to be told to the shop's admins. `host`: of its URL, which as a whole
    may hold a secret. `reason`: `gone` or `exhausted`."""

    webhook_id: UUID
    shop_id: int
    host: str
    reason: str


Tell = Callable[[Connection, Disabled], Awaitable[None]]


class Callbacks:
    """One per worker process. `worker` names this process in its leases; `tell` runs in the transaction that
    disables a webhook."""

    def __init__(
        self, db: Pool, signer: Signer, allow: tuple[Network, ...], worker: UUID, tell: Tell
    ) -> None:
        self._db = db
        self._signer = signer
        self._allow = allow
        self._worker = worker
        self._tell = tell
        self._busy: Counter[UUID] = Counter()
        self._writing = asyncio.Semaphore(_WRITERS)
        self._ended = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False
        """Set at the end of the process: nothing more is taken."""

    async def run(self) -> None:
        """Until cancelled. A database that is away ends a turn, not the loop."""
        # Connections of their own: a backend that hangs must not take those of the providers.
        http = ProviderHttp(allow=self._allow, timeout=TIMEOUT)
        try:
            async with asyncio.TaskGroup() as calls:
                while True:
                    for claimed in await self._claim():
                        calls.create_task(self._call(http, claimed))
                    await self._wait()
        finally:
            await http.close()

    async def drained(self) -> None:
        """When the calls under way have ended."""
        await self._idle.wait()

    async def _claim(self) -> list[Claimed]:
        room = _IN_ALL - self._busy.total()
        if self.draining or room <= 0:
            return []
        try:
            claimed = await claims.claim(self._db, self._worker, self._busy, each=_EACH, limit=room)
        except UNREACHABLE as error:
            log.warning("callbacks.database_away", error=type(error).__name__)
            await asyncio.sleep(1)
            return []
        for one in claimed:
            self._busy[one.webhook_id] += 1
            self._idle.clear()
        return claimed

    async def _wait(self) -> None:
        """A pace at most; less where a call that ended has made room."""
        self._ended.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PACE.total_seconds()):
                await self._ended.wait()
                # What ends together is asked for together.
                await asyncio.sleep(_PACE.total_seconds() / 10)

    async def _call(self, http: ProviderHttp, claimed: Claimed) -> None:
        """Never raises, but for cancellation."""
        try:
            await self._send(http, claimed)
        except UNREACHABLE as error:
            # Not written down: the lease runs out, and it is sent again.
            log.warning("callback.not_recorded", error=type(error).__name__, **_ids(claimed))
        except Exception:
            log.exception("callback.bug", **_ids(claimed))
        finally:
            self._busy -= Counter([claimed.webhook_id])
            self._ended.set()
            if not self._busy:
                self._idle.set()

    async def _send(self, http: ProviderHttp, claimed: Claimed) -> None:
        began = monotonic()
        answer = await self._ask(http, claimed)
        took = timedelta(seconds=monotonic() - began)
        found = verdict(claimed, answer, now=datetime.now(UTC), jitter=random.uniform(1.0, JITTER))
        attempt = claims.attempt_of(claimed, answer, found, took)
        async with (
            self._writing,
            self._db.acquire() as connection,
            connection.transaction(),
        ):
            await claims.record(connection, claimed, attempt, found, self._worker)
            if answer.gone:
                await self._disable(connection, claimed, "gone")
            elif found.status is Status.FAILED and claimed.repeats:
                await self._disable(connection, claimed, "exhausted")
        if answer.reason:
            log.info(
                "callback.failed", reason=answer.reason, number=attempt.number, **_ids(claimed)
            )

    async def _ask(self, http: ProviderHttp, claimed: Claimed) -> Answer:
        try:
            keys = [
                unseal(self._signer, claimed.webhook_id, sealed)
                for sealed in (claimed.secret, claimed.previous_secret)
                if sealed
            ]
        except SealBroken:
            # hub.secret is another one than when it was sealed: a rotation mends it.
            return Answer(Outcome.FAILED, "secret-unreadable")
        headers = signing.headers(keys, str(claimed.event_id), datetime.now(UTC), claimed.body)
        headers["Content-Type"] = "application/json; charset=utf-8"
        try:
            reply = await http.post(
                claimed.url, data=claimed.body, headers=headers, public_only=True
            )
        except BlockedAddress:
            return Answer(Outcome.BLOCKED, "blocked")
        except NoReply as none:
            return Answer(Outcome.FAILED, none.outcome.reason)
        return Answer.of(reply, longest=ANSWER_KEPT)

    async def _disable(self, connection: Connection, claimed: Claimed, reason: str) -> None:
        if not await claims.disable(connection, claimed, reason, at_once=reason == "gone"):
            return
        log.warning("webhook.disabled", reason=reason, webhook=str(claimed.webhook_id))
        host = urlsplit(claimed.url).hostname or ""
        await self._tell(connection, Disabled(claimed.webhook_id, claimed.shop_id, host, reason))


def _ids(claimed: Claimed) -> dict[str, str]:
    return {"event_id": str(claimed.event_id), "webhook": str(claimed.webhook_id)}
