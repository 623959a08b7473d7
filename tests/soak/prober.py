"""Looks from outside whether all goes on: readiness, acceptance, and whether what was accepted is sent."""

import asyncio
import itertools
import json
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Any, Self

import aiohttp

from tests.soak.journal import Journal
from tests.soak.outside import CANARY
from tests.soak.people import Person

_GLANCE = 0.05
_PATIENCE = aiohttp.ClientTimeout(total=8)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds until /readyz said 200 (again), until a notification was accepted, until it was sent."""

    ready: float
    accepted: float
    sent: float

    @property
    def all(self) -> float:
        return max(self.ready, self.accepted, self.sent)

    def worse(self, other: Self) -> "Recovery":
        return max(self, other, key=lambda r: r.all)


class Prober:
    """Sends notifications of its own, in a shop whose provider is always well; they are counted like all others."""

    def __init__(self, url: str, key: str, accepted: Journal, people: int) -> None:
        self._url = url
        self._key = key
        self._accepted = accepted
        self._people = [p for p in map(Person, range(people)) if not p.refused]
        self._numbers = itertools.count()
        self._session = aiohttp.ClientSession(timeout=_PATIENCE)

    async def close(self) -> None:
        await self._session.close()

    async def recovered(self, within: float) -> Recovery:
        """Raises `TimeoutError`."""
        began = monotonic()
        async with asyncio.timeout(within):
            ready = asyncio.create_task(self._until_ready(began))
            try:
                accepted, sent = await self._until_sent(began)
                return Recovery(await ready, accepted, sent)
            finally:
                ready.cancel()

    async def _until_ready(self, began: float) -> float:
        """The last time that it became ready; something that dies is not missed at once."""
        good_since: float | None = None
        while True:
            status, _ = await self._call("GET", "/readyz")
            now = monotonic() - began
            if status != HTTPStatus.OK:
                good_since = None
            elif good_since is None:
                good_since = now
            if good_since is not None and now - good_since >= 1.0:
                return good_since if good_since > 0.3 else 0.0
            await asyncio.sleep(_GLANCE)

    async def _until_sent(self, began: float) -> tuple[float, float]:
        number = next(self._numbers)
        mark, person = f"c{number:07}", self._people[number % len(self._people)]
        body = {
            "recipient": {"address": {"channel": "telegram", "value": person.on["telegram"]}},
            "content": {"text": f"Код {mark}"},
            "category": "security",
            "meta": {"mark": mark},
        }
        id_ = ""
        while True:
            status, answer = await self._call("POST", "/v1/notifications", body, mark)
            if status == HTTPStatus.ACCEPTED:
                id_ = answer["id"]
                break
            await asyncio.sleep(_GLANCE)
        accepted = monotonic() - began
        self._accepted.note(
            {
                "id": id_,
                "mark": mark,
                "person": person.number,
                "category": "security",
                "channels": ["telegram"],
                "strategy": "first",
                "ordering_key": "",
                "collapse_key": "",
                "seq": 0,
                "expires": False,
                "shop": CANARY,
            }
        )
        while True:
            _, found = await self._call("GET", f"/v1/notifications/{id_}")
            if found.get("status") == "sent":
                break
            await asyncio.sleep(_GLANCE)
        return accepted, monotonic() - began

    async def _call(
        self, method: str, path: str, body: Any = None, key: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """Status 0 where there was no answer."""
        headers = {"Authorization": f"Bearer {self._key}"}
        if key:
            headers["Idempotency-Key"] = key
        try:
            async with self._session.request(
                method, self._url + path, json=body, headers=headers
            ) as response:
                return response.status, json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 0, {}
